//! The likelihood of targets given prompts, and the ranking of several targets of one prompt.
//!
//! For a target x of L tokens and a prompt c that is always visible, the any-order bound of a masked denoiser is
//! `E_{k ~ U{1..L}} E_{S, |S| = k} (L/k) sum over n in S of -log mu_theta(n, x_n | c, x_{not S})` (Nie et al. 2025,
//! LLaDA). It bounds -log p(x | c) of the any-order model from above.
//!
//! `design` says which sets S the network is asked about, `position_costs` how the other draws' costs of a token lower the
//! variance, `estimation` when the draws end, `ranking` how sure the best of several targets is.

mod design;
mod drawn_target;
mod estimation;
mod model;
mod network_calls;
mod position_costs;
mod prompt_file;
mod published;
mod ranking;
mod summary;
#[cfg(test)]
mod tests;

pub use design::{MIN_SWEEPS, SWEEP};
pub use drawn_target::TargetLikelihood;
pub use estimation::{Answer, ConditionalEstimation, Question, Stop};
pub use model::{ConditionalModel, Order, Window};
pub use prompt_file::PromptFile;
pub use ranking::{Normalisation, Ranking};
pub use summary::Summary;

pub(crate) use network_calls::{Call, costs};
pub(crate) use published::published_counts;
