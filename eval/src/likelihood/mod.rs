//! Likelihood bounds with standard errors.

mod estimate;
mod masked;

pub use estimate::{Estimate, student_interval};
pub use masked::{MaskedNelbo, masked_nelbo};
