//! Sequences drawn in several windows, each of which keeps the end of what is drawn and adds to it.

use crate::data::Tokens;
use crate::error::Result;
use crate::key::Key;
use crate::sampler_state::{Samples, TokenState};

/// A window of a sequence that is being drawn.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Tokens that the network reads.
    pub tokens: usize,
    /// Of these, the first, which are the last that were drawn.
    pub kept: usize,
}

/// Draws `count` sequences of `length` tokens window after window; `window` says each from its number. `fill` draws the masks
/// of a window and leaves the other tokens as they are.
pub fn window_after_window(
    [count, length]: [usize; 2],
    window: impl Fn(usize) -> Window,
    mask: usize,
    key: &Key,
    mut fill: impl FnMut(TokenState) -> Result<Samples>,
) -> Result<Samples> {
    let mut texts: Vec<Vec<u32>> = vec![Vec::new(); count];
    let (mut evaluations, mut network_calls, mut classes) = (vec![0; count], 0, Vec::new());
    for number in 0.. {
        let Window { tokens, kept } = window(number);
        let mut state = TokenState::all_masks(count, tokens, mask, &key.fold(number as u64));
        for (row, text) in texts.iter().enumerate() {
            for (position, &token) in text[text.len() - kept..].iter().enumerate() {
                state.set(row, position, token);
            }
        }
        let drawn = fill(state)?;
        for (text, row) in texts.iter_mut().zip(drawn.tokens.rows()) {
            text.extend_from_slice(&row[kept..]);
        }
        evaluations.iter_mut().zip(&drawn.evaluations).for_each(|(sum, more)| *sum += more);
        network_calls += drawn.network_calls;
        classes = drawn.classes;
        if texts.first().is_none_or(|text| text.len() >= length) {
            break;
        }
    }
    let ids = texts.into_iter().flat_map(|text| text.into_iter().take(length)).collect();
    Ok(Samples { tokens: Tokens::new(ids, length), classes, evaluations, network_calls })
}
