//! The gaps g_i of Theorem 1 for masked diffusion, and the part of them that no factorised denoiser can remove.

use elbow_process::schedule::MaskedSchedule;

use super::enumeration::Enumeration;
use super::time_grid::TimeGrid;

/// The gaps g_i = E L^(i+1) - E L^(i), i = 1..=T, nats [Demystifying, Theorem 1].
///
/// Each is the expected KL of the joint reverse kernels over all tokens,
/// `E_{q(z_t)} KL(q(z_s | z_t) || p_theta(z_s | z_t))`, and never a difference of bounds: the test of Theorem 1 compares
/// it with those differences. Cost: O(T L^2); the sums over the (2V + 1)^L pairs (z_t, z_s) are done in
/// [`Enumeration::new`], or avoided where they are too many ([`Enumeration::is_walked`]).
pub fn gaps(enumeration: &Enumeration, schedule: &MaskedSchedule, steps: usize) -> Vec<f64> {
    let grid = TimeGrid::new(schedule, steps, enumeration.length());
    (1..=steps).map(|i| grid.over_reverse_paths(i, enumeration.reveal_kl())).collect()
}

/// The total correlations under q(z_s | z_t) of the tokens that step i reveals, averaged over z_t, i = 1..=T, nats.
///
/// They are the part of g_i that remains for the exact posterior of each token, since p_theta is a product over tokens.
pub fn total_correlations(enumeration: &Enumeration, schedule: &MaskedSchedule, steps: usize) -> Vec<f64> {
    let grid = TimeGrid::new(schedule, steps, enumeration.length());
    (1..=steps).map(|i| grid.over_reverse_paths(i, enumeration.reveal_correlation())).collect()
}
