//! Block diffusion: BD3-LM (Arriola et al. 2025).
//!
//! The sequence is cut into blocks of K tokens, drawn from left to right. Within a block: masked diffusion (MD4's, with its
//! schedule and weighting) given all clean earlier blocks, so that -log p(x) <= sum over b of NELBO(x^b | x^<b). K = 1 is
//! left-to-right autoregression, K = the length is MD4.
//!
//! Training reads the noisy and the clean sequence in one pass: a noisy block sees itself and the clean blocks before it. Any
//! denoiser of masked diffusion is one of block diffusion too, one block at a time: the blocks before it clean, all after it
//! masked ([`one_block_at_a_time`]). Each block has a time of its own.
//!
//! Choices made here:
//! - the times of a sequence's blocks are one from each of as many equal parts of (0, 1), in random order: every block's time
//!   is uniform given the others' order is not known.
//! - a block without masked tokens costs nothing; no masks are drawn again.
//! - the bound of a network that sees no time is estimated by k-DCE within each block ([`BlockDce`]): no 1/t.
//! - a network that sees the time is refused: within a sequence there are as many times as blocks.

mod k_dce;
mod loss;
mod rates;
mod sampler;

pub use k_dce::BlockDce;
pub use loss::{BlockDiffusion, one_block_at_a_time};
pub use rates::MaskRates;
pub use sampler::block_after_block;
