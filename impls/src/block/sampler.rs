//! Sampling block after block.

use crate::error::Result;
use crate::key::Key;
use crate::sampler_state::{Samples, TokenState};
use crate::windows::{Window, window_after_window};

/// Draws `count` sequences of `length` tokens in blocks of `size`: a block begins as masks behind the finished tokens, and
/// `fill`, any sampler that leaves known tokens as they are, draws it. The network reads nothing after the block, so that a
/// sequence may become longer than those of training where its positions allow. Tokens that are `known` stay; those of later
/// blocks are not seen.
pub fn block_after_block(
    [count, length]: [usize; 2],
    size: usize,
    mask: usize,
    known: &[Vec<Option<u32>>],
    key: &Key,
    mut fill: impl FnMut(TokenState) -> Result<Samples>,
) -> Result<Samples> {
    let window = |number: usize| Window { tokens: (number + 1) * size, kept: number * size };
    window_after_window([count, length], window, mask, key, |state| fill(state.with_known(known)))
}
