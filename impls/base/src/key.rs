//! Keyed randomness: every random number comes from (seed, purpose, step, index), never from a generator that
//! is threaded through the program. So a resumed run repeats bit for bit, and evaluating does not disturb training.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A point in the tree of random streams.
///
/// ```
/// use elbow_base::key::{Key, open_uniform};
///
/// let first = |key: &Key| open_uniform(&mut key.rng());
/// let step = Key::new(7, "mask").fold(3);
/// assert_eq!(first(&step), first(&Key::new(7, "mask").fold(3)));
/// assert_ne!(first(&step), first(&Key::new(7, "times").fold(3)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The stream of `purpose` ("order", "times", "mask", ...) under `seed`.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(purpose.as_bytes());
        Self(hash.finalize().into())
    }

    /// The child stream with this index: a step, an example, a draw.
    pub fn fold(&self, index: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(index.to_le_bytes());
        Self(hash.finalize().into())
    }

    /// A number derived from the key, for a setting that needs a seed.
    pub fn number(&self) -> u64 {
        // 63 bits: TOML integers are signed.
        self.0[..8].iter().fold(0, |n, &byte| n << 8 | u64::from(byte)) >> 1
    }

    /// The generator that starts at this key.
    pub fn rng(&self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hash::hex(&self.0[..8]))
    }
}

/// A uniform draw from the open interval (0, 1) with 53 bits: never 0, so that 1/t and ln u stay finite,
/// and fine enough for events of probability 1e-15 (single precision cuts the tail at 6e-8).
pub fn open_uniform(rng: &mut impl Rng) -> f64 {
    // The largest draw would round to 1.
    (((rng.next_u64() >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)).min(1.0 - f64::EPSILON / 2.0)
}

/// Draws an index with probability proportional to `weights` (non-negative, not all zero).
pub fn categorical(rng: &mut impl Rng, weights: &[f64]) -> usize {
    categorical_at(open_uniform(rng), weights)
}

/// The index that a `uniform` number in (0, 1) draws with probability proportional to `weights`: the first at which the running sum
/// exceeds that share of the whole.
pub fn categorical_at(uniform: f64, weights: &[f64]) -> usize {
    let total: f64 = weights.iter().sum();
    assert!(total > 0.0 && total.is_finite(), "nothing can be drawn with probabilities proportional to {weights:?}");
    let mut left = uniform * total;
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return index;
        }
    }
    // Rounding can leave a remainder: it belongs to the last possible outcome.
    weights.iter().rposition(|w| *w > 0.0).unwrap_or(0)
}

/// A uniformly random permutation of `0..n` (Fisher and Yates).
pub fn permutation(rng: &mut impl Rng, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        let j = (open_uniform(rng) * (i + 1) as f64) as usize;
        order.swap(i, j.min(i));
    }
    order
}
