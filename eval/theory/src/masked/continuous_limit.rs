//! The bounds and reweighted losses of masked diffusion in continuous time, T to infinity, and any-order
//! autoregression.
//!
//! With u = 1 - alpha, r dt = du / u and lambda = log((1 - u) / u), the losses are integrals over lambda of
//! w(lambda) alpha(lambda) * sum over k of alpha^k u^(L-k) E cross_entropy\[k\]. In lambda the integrand is smooth and
//! decays exponentially at both ends, whereas in t it can be singular (flow matching: t^-1/2 and (1-t)^-1/2). So
//! Gauss-Legendre panels reach machine precision.

use elbow_process::Weighting;
use elbow_process::schedule::{LogSnr, MaskedSchedule, sigmoid};

use super::elbo::prior_kl;
use super::enumeration::Enumeration;
use crate::quadrature::integrate;

/// Log-SNRs beyond which the integrand is below 1e-19 of its peak: it falls as e^-lambda to the right, and at least as
/// e^(lambda/2) to the left (flow matching).
const LOG_SNR_RANGE: (f64, f64) = (-95.0, 48.0);

/// -E L^(1) in continuous time, nats: reconstruction, prior and the integral of the ELBO-weighted cross-entropy [MD4
/// (5)].
pub fn neg_elbo(enumeration: &Enumeration, schedule: &MaskedSchedule) -> f64 {
    let visible =
        powers(schedule.alpha(0.0), schedule.mask_probability(0.0), &expected(enumeration, Enumeration::visible_log));
    let reconstruction = enumeration.entropy() + visible;
    reconstruction + prior_kl(enumeration, schedule.alpha(1.0)) + weighted_loss(enumeration, schedule, &Weighting::Elbo)
}

/// The reweighted loss, the integral over t of w~(t) r(t) E \[sum over masked n of -log mu_theta(z_t)\[n, x_n\]\], nats
/// [Demystifying, masked L_w~].
///
/// Here r(t) = -alpha'/(1 - alpha). It is a bound on the likelihood for the weighting `elbo` only.
pub fn weighted_loss(enumeration: &Enumeration, schedule: &MaskedSchedule, weighting: &Weighting) -> f64 {
    loss_integral(schedule, weighting, &expected(enumeration, Enumeration::cross_entropy))
}

/// The reweighted loss, nats, from the sums of cross-entropies over the visible sets of each size k = 0..=L.
pub(super) fn loss_integral(schedule: &MaskedSchedule, weighting: &Weighting, coefficients: &[f64]) -> f64 {
    let low = schedule.log_snr(1.0).max(LOG_SNR_RANGE.0);
    let high = schedule.log_snr(0.0).min(LOG_SNR_RANGE.1);
    let mut integrand = |lambda: f64| {
        let (alpha, masked) = (sigmoid(lambda), sigmoid(-lambda));
        weighting.of_log_snr(schedule, lambda) * alpha * powers(alpha, masked, coefficients)
    };
    match weighting.kink().filter(|kink| (low..high).contains(kink)) {
        Some(kink) => integrate(low, kink, &mut integrand).value + integrate(kink, high, &mut integrand).value,
        None => integrate(low, high, &mut integrand).value,
    }
}

/// E over x and over uniformly random orders of -log p(x), one token per step, nats [ARDM, any-order bound].
///
/// A uniformly random order passes the visible set U of size k with probability 1 / C(L, k), and each of the L - k
/// other positions comes next with equal probability: no integral and no schedule is involved.
pub fn any_order_nll(enumeration: &Enumeration) -> f64 {
    let length = enumeration.length();
    let mut choose = 1.0;
    let mut total = 0.0;
    for (k, sum) in expected(enumeration, Enumeration::cross_entropy).iter().enumerate().take(length) {
        total += sum / ((length - k) as f64 * choose);
        choose *= (length - k) as f64 / (k + 1) as f64;
    }
    total
}

/// E over x of the sums over the visible sets of size k, k = 0..=L.
fn expected(enumeration: &Enumeration, sums: impl Fn(&Enumeration, usize) -> &[f64]) -> Vec<f64> {
    let mut total = vec![0.0; enumeration.length() + 1];
    for (x, (_, q)) in enumeration.outcomes.iter().enumerate() {
        for (total, value) in total.iter_mut().zip(sums(enumeration, x)) {
            *total += q * value;
        }
    }
    total
}

/// sum over k of alpha^k masked^(L-k) coefficients\[k\].
pub(super) fn powers(alpha: f64, masked: f64, coefficients: &[f64]) -> f64 {
    let n = coefficients.len() as i32 - 1;
    let term = |(k, c): (usize, &f64)| alpha.powi(k as i32) * masked.powi(n - k as i32) * c;
    coefficients.iter().enumerate().map(term).sum()
}
