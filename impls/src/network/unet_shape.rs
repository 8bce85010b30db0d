//! The size of a U-Net.

use super::Signal;
use super::conditioning::ConditioningShape;
use super::patches::PatchTransformerShape;

/// The size of a [`UNet`](super::UNet).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UNetShape {
    /// Data values V (the mask is an extra input id).
    pub values: usize,
    /// Tokens, or points.
    pub signal: Signal,
    /// Height, width and channels of the images; a token is one channel of one pixel, in that order.
    pub image: [usize; 3],
    /// Channels of the residual blocks, and width of a token's embedding; below the first level there are twice as many.
    pub width: usize,
    /// Resolutions: 1 for the published networks.
    pub levels: usize,
    /// Residual blocks of a level on the way down; one more on the way up.
    pub layers: usize,
    /// The transformer in the middle; without it, self-attention between two residual blocks.
    pub patches: Option<PatchTransformerShape>,
    /// The time and the class, where the network sees them.
    pub conditioning: ConditioningShape,
    /// Share of coordinates dropped in training.
    pub dropout: f64,
}

impl UNetShape {
    /// Channels of a level.
    pub(super) fn channels(&self, level: usize) -> usize {
        if level == 0 { self.width } else { 2 * self.width }
    }

    /// Level, and channels in and out, of each residual block on the way down, then on the way up, where a block also
    /// reads the last remaining skip.
    pub(super) fn blocks(&self) -> [Vec<(usize, [usize; 2])>; 2] {
        let (mut down, mut up) = (Vec::new(), Vec::new());
        // Channels of what each skip carries.
        let mut skips = vec![self.width];
        for level in 0..self.levels {
            for _ in 0..self.layers {
                down.push((level, [skips[skips.len() - 1], self.channels(level)]));
                skips.push(self.channels(level));
            }
            if level + 1 < self.levels {
                skips.push(self.channels(level));
            }
        }
        let mut above = self.channels(self.levels - 1);
        for level in (0..self.levels).rev() {
            for _ in 0..=self.layers {
                let from = above + skips.pop().expect("as many ways up as down");
                above = self.channels(level);
                up.push((level, [from, above]));
            }
        }
        [down, up]
    }

    /// Width of the condition where it modulates the norms.
    pub(super) fn film(&self) -> Option<usize> {
        (self.patches.is_some() && self.conditioning.is_some()).then_some(self.conditioning.width)
    }
}
