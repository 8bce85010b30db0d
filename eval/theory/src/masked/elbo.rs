//! The terms of the bounds L^(i) of masked diffusion.

use super::enumeration::Enumeration;
use super::time_grid::TimeGrid;
use crate::elbo::ElboTerms;

/// D_i(x), l_i(x) and K of outcome number `x`, nats [Demystifying, L^(i)].
///
/// A decoder term is E log q(x | z_s) = log q(x) - E log Q(z_s); a step KL is xi times the expected cross-entropy of
/// the masked tokens [MD4, finite T].
pub(super) fn elbo_terms(enumeration: &Enumeration, grid: &TimeGrid, x: usize, prior: f64) -> ElboTerms {
    let probability = enumeration.outcomes[x].1;
    let decoder = |i: usize| probability.ln() - grid.over_visible_sets(i, enumeration.visible_log(x));
    let step_kl = |j: usize| grid.xi[j] * grid.over_visible_sets(j, enumeration.cross_entropy(x));
    ElboTerms {
        probability,
        decoder: (0..=grid.steps()).map(decoder).collect(),
        step_kl: (1..=grid.steps()).map(step_kl).collect(),
        prior,
    }
}

/// K = KL(q(z_1 | x) || p(z_1)) = L alpha(1) ln V, nats, for a prior with uniform values at visible positions.
pub(super) fn prior_kl(enumeration: &Enumeration, alpha: f64) -> f64 {
    enumeration.length() as f64 * (enumeration.states() as f64).ln() * alpha
}
