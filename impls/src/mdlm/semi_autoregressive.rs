//! Text longer than the network's window: window after window, each beginning with the end of the one before.

use crate::data::Tokens;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::sampler_state::{Samples, TokenState};

/// Draws `count` sequences of `length` tokens with a network of `window` tokens: a first window, then windows that keep the
/// last `window - stride` tokens and draw `stride` new ones. `fill` is any sampler that leaves known tokens as they are.
pub fn semi_autoregressive(
    count: usize,
    length: usize,
    [window, stride]: [usize; 2],
    mask: usize,
    key: &Key,
    mut fill: impl FnMut(TokenState) -> Result<Samples>,
) -> Result<Samples> {
    if !(1..=window).contains(&stride) {
        return Err(Error::Setting(format!("a stride of {stride} in windows of {window}: from 1 to the window")));
    }
    let mut texts: Vec<Vec<u32>> = vec![Vec::new(); count];
    let (mut evaluations, mut network_calls, mut classes) = (vec![0; count], 0, Vec::new());
    for number in 0.. {
        let mut state = TokenState::all_masks(count, window, mask, &key.fold(number));
        let kept = if number == 0 { 0 } else { window - stride };
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
