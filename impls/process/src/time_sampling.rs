//! Laws of the diffusion times of a batch in (0, 1). Each time is uniform under all of them; they differ in the
//! variance of the batch mean.

use elbow_base::key::{Key, open_uniform};

/// The law of the times of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSampling {
    /// Independent uniform times.
    Independent,
    /// One jittered time in each of the n strata: t_i = (i + u_i) / n (MDLM's "low discrepancy").
    Stratified,
    /// One rotated grid: t_i = frac(u + i / n) (MD4 and VDM's "antithetic").
    Rotated,
}

impl TimeSampling {
    /// `n` times in the open interval (0, 1).
    pub fn draw(&self, n: usize, key: &Key) -> Vec<f64> {
        let mut rng = key.rng();
        match self {
            Self::Independent => (0..n).map(|_| open_uniform(&mut rng)).collect(),
            Self::Stratified => (0..n).map(|i| (i as f64 + open_uniform(&mut rng)) / n as f64).collect(),
            Self::Rotated => {
                let shift = open_uniform(&mut rng);
                // i / n and not a running sum: a floating step gives n + 1 points for many n.
                (0..n).map(|i| (shift + i as f64 / n as f64).fract().max(f64::MIN_POSITIVE)).collect()
            }
        }
    }
}

/// The step of a uniform number in discrete time: i = floor(u T) + 1, each of 1..=T with the same probability.
pub fn step_of(u: f64, steps: u32) -> u32 {
    ((u * f64::from(steps)) as u32 + 1).min(steps)
}

elbow_base::names!(TimeSampling, "time sampling":
    Independent = "independent",
    Stratified = "stratified",
    Rotated = "rotated",
);
