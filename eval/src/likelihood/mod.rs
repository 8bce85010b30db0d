//! Likelihood bounds with standard errors.

mod bound;
mod estimate;
mod generative;
pub mod ode;

pub use bound::{Bound, Estimator, Question, TextUnits};
pub use estimate::{Estimate, student_interval};
pub use generative::{Generative, generative};
