//! Likelihood bounds with standard errors.

mod bound;
mod finite;
mod generative;
pub mod ode;
mod ode_nll;
mod result;

pub use bound::{BoundEstimation, Estimator};
pub use elbow_base::{Estimate, student_interval};
pub use generative::{Generative, generative};
pub use ode_nll::{Dequantisation, Dequantised, OdeLikelihood, OdeNll};
pub use result::{Bound, Target, TextUnits};
