//! The masked bound in the forms of the papers, each computed from its own formula.

use elbow_process::schedule::MaskedSchedule;

use super::enumeration::Enumeration;
use super::estimators::SetSums;
use crate::quadrature::integrate;

/// MDLM's default noise: sigma(t) = -log(1 - (1 - eps) t).
const MDLM_EPS: f64 = 1e-3;

/// Times below e to this power contribute less than rounding, where 1 - alpha falls as the square root of t or faster.
const SMALLEST_LOG_TIME: f64 = -84.0;

/// MDLM's continuous-time NELBO, nats: the integral over t in \[0, 1\] of sigma' / (e^sigma - 1) times the sum of -log
/// x_theta over the masked tokens [MDLM, NELBO].
///
/// The mask probability is 1 - e^-sigma. Visible tokens are carried over at no cost; the mask has no probability
/// (SUBS).
pub fn mdlm(enumeration: &Enumeration) -> f64 {
    let sums = SetSums::new(enumeration);
    over_time(&sums, |t| {
        let total = -(-(1.0 - MDLM_EPS) * t).ln_1p();
        let rate = (1.0 - MDLM_EPS) / (1.0 - (1.0 - MDLM_EPS) * t);
        (rate / total.exp_m1(), -(-total).exp_m1())
    })
}

/// MD4's continuous-time NELBO, nats, by quadrature in t and not in log-SNR: the integral of -alpha' / (1 - alpha)
/// times the cross-entropies of the masked tokens [MD4 (5)].
pub fn md4_in_time(enumeration: &Enumeration, schedule: &MaskedSchedule) -> f64 {
    let sums = SetSums::new(enumeration);
    over_time(&sums, |t| (-schedule.alpha_prime(t) / schedule.mask_probability(t), schedule.mask_probability(t)))
}

/// The integral over t of weight(t) E S, by quadrature in log t; `at` gives the weight and the mask probability.
fn over_time(sums: &SetSums, at: impl Fn(f64) -> (f64, f64)) -> f64 {
    let length = sums.loss.len() - 1;
    let integrand = |log_time: f64| {
        let t = log_time.exp();
        let (weight, masked) = at(t);
        let sets = |n: usize| masked.powi(n as i32) * (1.0 - masked).powi((length - n) as i32) * sums.loss[n];
        t * weight * (1..=length).map(sets).sum::<f64>()
    };
    integrate(SMALLEST_LOG_TIME, 0.0, &mut { integrand }).value
}

/// The largest relative difference between SEDD's score entropy and the weighted cross-entropy, over all patterns,
/// masked positions and true values [SEDD, score entropy].
///
/// They are sigma' \[sum over y of e^(s_y) - rho s_x + rho (log rho - 1)\] and -alpha' / (1 - alpha) (-log mu_x),
/// for the scores e^(s_y) = rho mu_y with rho = alpha / (1 - alpha) = 1 / (e^sigma - 1).
pub fn score_entropy_difference(enumeration: &Enumeration, schedule: &MaskedSchedule, t: f64) -> f64 {
    let (alpha, masked) = (schedule.alpha(t), schedule.mask_probability(t));
    let rho = alpha / masked;
    let noise_rate = -schedule.alpha_prime(t) / alpha;
    let mut worst = 0f64;
    for z in 0..enumeration.patterns() {
        for n in (0..enumeration.length()).filter(|&n| enumeration.index().is_masked(z, n)) {
            let scores: Vec<f64> = (0..enumeration.states()).map(|y| rho.ln() + enumeration.mu(z, n, y).ln()).collect();
            for x in (0..enumeration.states()).filter(|&x| scores[x].is_finite()) {
                let total: f64 = scores.iter().map(|s| s.exp()).sum();
                let entropy = noise_rate * (total - rho * scores[x] + rho * (rho.ln() - 1.0));
                let cross_entropy = -schedule.elbo_weight(t) * enumeration.mu(z, n, x).ln();
                worst = worst.max((entropy - cross_entropy).abs() / (noise_rate * rho));
            }
        }
    }
    worst
}

/// The largest relative difference between the concrete score q(z with value y at n) / q(z), for a mask at n, and
/// rho(t) times the denoiser's time-free posterior [RADD, Theorem 1].
///
/// They are equal for an exact denoiser; q is the law of the data with each token masked independently.
pub fn concrete_score_difference(enumeration: &Enumeration, schedule: &MaskedSchedule, t: f64) -> f64 {
    let (alpha, masked) = (schedule.alpha(t), schedule.mask_probability(t));
    let law = |z: usize| {
        let masks = enumeration.index().masks(z) as i32;
        alpha.powi(enumeration.length() as i32 - masks) * masked.powi(masks) * enumeration.marginal[z]
    };
    let mut worst = 0f64;
    for z in (0..enumeration.patterns()).filter(|&z| enumeration.marginal[z] > 0.0) {
        for n in (0..enumeration.length()).filter(|&n| enumeration.index().is_masked(z, n)) {
            for y in 0..enumeration.states() {
                let score = law(enumeration.index().reveal(z, n, y)) / law(z);
                worst = worst.max((score - alpha / masked * enumeration.mu(z, n, y)).abs() * masked / alpha);
            }
        }
    }
    worst
}
