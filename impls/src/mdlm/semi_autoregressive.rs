//! Text longer than the network's window: window after window, each beginning with the end of the one before.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::sampler_state::{Samples, TokenState};
use crate::windows::{Window, window_after_window};

/// Draws `count` sequences of `length` tokens with a network of `window` tokens: a first window, then windows that keep the
/// last `window - stride` tokens and draw `stride` new ones. `fill` is any sampler that leaves known tokens as they are.
pub fn semi_autoregressive(
    count: usize,
    length: usize,
    [window, stride]: [usize; 2],
    mask: usize,
    key: &Key,
    fill: impl FnMut(TokenState) -> Result<Samples>,
) -> Result<Samples> {
    if !(1..=window).contains(&stride) {
        return Err(Error::Setting(format!("a stride of {stride} in windows of {window}: from 1 to the window")));
    }
    let window = |number: usize| Window { tokens: window, kept: if number == 0 { 0 } else { window - stride } };
    window_after_window([count, length], window, mask, key, fill)
}
