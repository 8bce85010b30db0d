//! The native half of the Python module `elbow_diffusion`.
//!
//! | module | what |
//! |---|---|
//! | `door` | work in Rust on a thread of its own, while the caller's thread answers what the work asks of Python |
//! | `exact` | exact numbers of toys, schedules and weightings |
//! | `data` | data sets as arrays |
//! | `function` | Python functions as networks of model files |
//! | `verbs` | the command line, and its commands as functions |
//! | `metrics` | metrics of feature arrays |
//! | `statistics` | intervals and tests |
//!
//! Functions take and give NumPy arrays, strings and JSON; what a user sees of them is in `python/elbow_diffusion`.

mod data;
mod door;
mod exact;
mod function;
mod metrics;
mod statistics;
mod verbs;

use pyo3::pymodule;

/// The native half of `elbow_diffusion`.
#[pymodule]
mod _elbow {
    #[pymodule_export]
    use crate::data::dataset;
    #[pymodule_export]
    use crate::exact::{
        gaussian_loss, gaussian_schedule, masked_loss, masked_schedule, masked_table, posterior_means,
        times_of_log_snr, weights,
    };
    #[pymodule_export]
    use crate::metrics::compare_features;
    #[pymodule_export]
    use crate::statistics::{chi_square_tail, student_interval, student_tails};
    #[pymodule_export]
    use crate::verbs::{call, main};

    #[pymodule_export]
    const VERSION: &str = elbow_harness::provenance::VERSION;
}
