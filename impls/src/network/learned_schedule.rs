//! Schedules that are trained with the network.

/// The schedule that a model learns, with its initial values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LearnedSchedule {
    /// GenMD4's masking schedule per value: theta, \[V\]; softplus(theta) starts at 1, the linear schedule.
    PerValue,
    /// VDM's ends of the noise levels: (gamma_min, ln(gamma_max - gamma_min)), \[2\].
    #[allow(missing_docs)]
    Ends { gamma_min: f64, gamma_max: f64 },
}
