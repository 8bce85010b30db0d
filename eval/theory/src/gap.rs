//! Theorem 1: every optimal reverse step more improves the expected bound, by exactly the gap g_i.
//!
//! The gaps themselves are computed by each process as expected KLs: `masked/gap.rs`, `discrete/gap.rs`,
//! `gaussian/gap.rs`.

/// max over i of |E L^(i+1) - E L^(i) - g_i|, nats: the violation of Theorem 1 [Demystifying, Theorem 1].
///
/// `elbos` are E L^(i) for i = 1..=T+1, `gaps` the g_i for i = 1..=T. Steps with an infinite bound are left out.
pub fn theorem1_residual(elbos: &[f64], gaps: &[f64]) -> f64 {
    // max leaves a NaN out.
    let residual = |i: usize| (elbos[i + 1] - elbos[i] - gaps[i]).abs();
    (0..gaps.len()).map(residual).fold(0.0, f64::max)
}

/// KL(p || q) of two laws over the same outcomes, nats; infinite where p is not absolutely continuous.
pub fn kl_divergence(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}
