//! What single precision does to categorical draws by an exponential race (Gumbel-max).
//!
//! The outcome v wins with the smallest E_v / p_v, E_v = -log U_v. Uniform numbers of 24 bits leave no E between 0 and
//! 2^-24, so that rare outcomes cannot win: probabilities below about 1e-8 are lost, with them the tail of a large
//! vocabulary where each step reveals a token with small probability. The entropy of the samples falls, and a
//! generative perplexity looks better than it is.

/// The probability with which an outcome of probability `p` wins a race whose uniform numbers are the multiples of
/// 2^-`bits` in (0, 1), against the rest of the mass in exact arithmetic: the sum over the grid of P(the rest is later).
pub fn win_probability(p: f64, bits: u32) -> f64 {
    let spacing = 0.5f64.powi(bits as i32);
    let odds = (1.0 - p) / p;
    let mut total = 0.0;
    // From U = 1 - spacing downwards: -log U is the outcome's waiting time.
    for k in 1..(1u64 << bits) {
        let waiting = -(-(k as f64) * spacing).ln_1p();
        let term = (-waiting * odds).exp();
        total += term;
        if term < 1e-17 * total || total == 0.0 {
            break;
        }
    }
    total * spacing
}

/// Zipf's law on `values` values: p proportional to 1 / rank.
pub fn zipf(values: usize) -> Vec<f64> {
    let total: f64 = (1..=values).map(|rank| 1.0 / rank as f64).sum();
    (1..=values).map(|rank| 1.0 / rank as f64 / total).collect()
}

/// Entropy (nats) of a revealed token and the share of reveals that are left, where one race decides both whether
/// a step reveals a token (probability `reveal`) and which (`mu`).
pub fn revealed_by_race(mu: &[f64], reveal: f64, bits: u32) -> (f64, f64) {
    let won: Vec<f64> = mu.iter().map(|p| win_probability(reveal * p, bits)).collect();
    let total: f64 = won.iter().sum();
    let entropy = won.iter().filter(|w| **w > 0.0).map(|w| -w / total * (w / total).ln()).sum();
    (entropy, total / reveal)
}
