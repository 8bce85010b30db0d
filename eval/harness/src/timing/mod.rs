//! How long units of work take on this machine, in the form in which other programs' times are compared with ours.

mod case;
mod machine;
#[allow(clippy::module_inception)]
mod timing;
mod units;

pub use case::Case;
pub use machine::{Machine, measure as measure_machine};
pub use timing::Timing;
pub use units::{time_enumeration, time_frechet_distance, time_sample, time_step};
