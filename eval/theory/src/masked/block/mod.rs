//! Block diffusion (BD3-LM, Arriola et al. 2025): masked diffusion within each block, given the clean blocks before it.
//!
//! Given the blocks before, a block is a toy of its own, so that every exact number is a sum over blocks of expectations over
//! what comes before: the bounds, the gaps of Theorem 1, both sides of Theorem 2.

mod cascade;
mod enumeration;
mod estimators;

pub use cascade::block_cascade;
pub use enumeration::BlockEnumeration;
pub use estimators::{k_dce_law, noise_of_one_draw};
