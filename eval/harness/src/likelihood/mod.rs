//! Likelihood bounds with standard errors.

mod bound;
pub mod conditional;
mod draw;
mod draws;
mod finite;
mod floor;
mod generative;
mod inputs;
mod lines;
pub mod ode;
mod ode_nll;
mod paired;
mod published_protocol;
mod result;
mod rounds;

pub use bound::{BoundEstimation, Estimator};
pub use elbow_base::{Estimate, student_interval};
pub use floor::Floor;
pub use generative::{Generative, generative};
pub use lines::{LinesBound, LinesEstimation};
pub use ode_nll::{Dequantisation, Dequantised, OdeLikelihood, OdeNll};
pub use paired::{PairedBound, PairedEstimation};
pub use published_protocol::{ProtocolChoice, ProtocolComparison, PublishedProtocol, Verdict};
pub use result::{Bound, Target, TextRates, TextUnits};

pub(crate) use draw::Draw;
pub(crate) use inputs::{Inputs, Noisy, log_snrs, points};
pub(crate) use result::ratio;
