//! Likelihood bounds with standard errors.

mod bound;
mod generative;
pub mod ode;
mod ode_nll;

pub use bound::{Bound, BoundEstimation, Estimator, Target, TextUnits};
pub use elbow_base::{Estimate, student_interval};
pub use generative::{Generative, generative};
pub use ode_nll::{Dequantisation, Dequantised, OdeLikelihood, OdeNll};
