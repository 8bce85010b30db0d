//! Masked diffusion: exact sums over sets of visible positions, for any schedule and any number of steps.
//!
//! An [`Enumeration`] tabulates a toy and its denoiser once; every function here is then a polynomial in alpha(t).

mod cascade;
mod continuous_limit;
mod denoiser_table;
mod elbo;
mod enumeration;
pub mod estimators;
mod gap;
pub mod maskgit_normalisation;
mod per_sequence;
pub mod published_losses;
mod reveal_kl;
pub mod reveal_order;
mod reveal_sums;
mod reverse_paths;
pub mod sampler_law;
mod time_grid;
mod visible_set_sums;

pub use cascade::cascade;
pub use continuous_limit::{any_order_nll, neg_elbo, weighted_loss};
pub use enumeration::Enumeration;
pub use gap::{gaps, total_correlations};
pub use per_sequence::{neg_elbo_of_each, weighted_loss_of_each};
