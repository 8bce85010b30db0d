//! The error of single precision in categorical draws by Gumbel-max, that is by an exponential race.
//!
//! The outcome v with the smallest E_v / p_v, E_v = -log U_v, is drawn. Uniform numbers of 24 bits leave no E between 0
//! and 2^-24, so probabilities below about 1e-8 are lost, and with them the tail of a large vocabulary where each step
//! reveals a token with small probability. The entropy of the samples falls, and their generative perplexity looks
//! better than it is.

/// The probability that an outcome of probability `p` is drawn when its uniform number is a multiple of 2^-`bits` in
/// (0, 1) and the rest of the mass is in exact arithmetic: the sum over the grid of P(the rest is later).
///
/// Cost: at most 2^`bits` terms; far fewer unless `p` is near 1.
pub fn win_probability(p: f64, bits: u32) -> f64 {
    let spacing = 0.5f64.powi(bits as i32);
    let odds = (1.0 - p) / p;
    let mut total = 0.0;
    // From U = 1 - spacing downwards; -log U is the outcome's waiting time.
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

/// Zipf's law on `values` values, p proportional to 1 / rank.
pub fn zipf(values: usize) -> Vec<f64> {
    let total: f64 = (1..=values).map(|rank| 1.0 / rank as f64).sum();
    (1..=values).map(|rank| 1.0 / rank as f64 / total).collect()
}

/// The entropy of a revealed token, nats, and the fraction of reveals that remain, where one draw at `bits` bits
/// decides both whether a step reveals a token (probability `reveal`) and which one (`mu`).
pub fn revealed_by_race(mu: &[f64], reveal: f64, bits: u32) -> (f64, f64) {
    let won: Vec<f64> = mu.iter().map(|p| win_probability(reveal * p, bits)).collect();
    let total: f64 = won.iter().sum();
    let entropy = won.iter().filter(|w| **w > 0.0).map(|w| -w / total * (w / total).ln()).sum();
    (entropy, total / reveal)
}
