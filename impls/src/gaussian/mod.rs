//! Gaussian diffusion: VDM (Kingma et al. 2021), weighted losses (Kingma and Gao 2023), flow matching (Lipman et al. 2023, Liu
//! et al. 2023), EDM (Karras et al. 2022).
//!
//! Forward: z_t = alpha(t) x + sigma(t) eps, x a token's place in \[-1, 1\]. Loss of one draw: 1/2 w(lambda) gamma'(t)
//! |eps - eps_hat|^2 in continuous time, 1/2 w~(t) T expm1(gamma_t - gamma_s) |eps - eps_hat|^2 in T steps. They differ
//! only in the schedule, the weighting, the meaning of the network's output, and the law of the noise levels:
//!
//! | name | prediction | schedule | weighting |
//! |---|---|---|---|
//! | `vdm` | eps, x or v | `fixed-linear`, `cosine`, or learned ends | any |
//! | `flow` | the velocity eps - x | `ot` | `fm`: the velocity's own squared error |
//! | `edm` | EDM's preconditioning | `normal:2.4:2.4` | `edm`, of the same sigma_data |
//!
//! The bound is the same for all: p(x | z_0) over the data's values, a standard normal prior, and 1/2 the integral of
//! E |eps - eps_hat|^2 over the log-SNR between the schedule's ends.
//!
//! Differences from the authors' code, each on purpose:
//! - the network always sees the variance-preserving z at its log-SNR, whatever the schedule, and is told the log-SNR as the
//!   time at which VDM's schedule (gamma from -13.3 to 5) has it: so a network can be evaluated under any schedule;
//! - every schedule has ends, and log-SNRs outside of them are never drawn (EDM's law is cut there, rectified flow's too);
//! - noise, targets and weights are computed in double precision;
//! - VDM's learned gamma is the straight line between two learned ends: the interior does not change the bound in continuous
//!   time.

mod corruption;
mod decoder;
mod learned_endpoints;
mod loss;
mod prediction;
mod sampler;

pub use elbow_process::gaussian::{Kernel, Level, LevelGrid};

pub use corruption::GaussianCorruption;
pub use decoder::{Decoder, prior_kl};
pub use loss::{Gaussian, NoiseLevelWeight, prior_loss, reconstruction_loss, squared_errors};
pub use prediction::{Preconditioning, Prediction, network_time};
pub use sampler::{Churn, EpsPredictor, GaussianState, ancestral, ddim, heun};
