//! The learned reverse chain, run over all patterns at once: the exact law of what a sampler draws.

use impls::schedule::MaskedSchedule;

use super::enumeration::Enumeration;

/// The law of the sequences that ancestral sampling draws in one step from each of `times` (t(0) < ... < t(T) = 1) to
/// the one before, by outcome number among all states^length sequences. Tokens that the last step leaves masked are
/// drawn all at once.
pub fn sampler_law(all: &Enumeration, schedule: &MaskedSchedule, times: &[f64]) -> Vec<f64> {
    let mut now = prior(all, schedule.alpha(1.0));
    for pair in times.windows(2).rev() {
        now = learned_step(all, &now, schedule.reveal_probability(pair[0], pair[1]));
    }
    learned_step(all, &now, 1.0)
}

/// The law of the sequences that are drawn one token at a time in a uniformly random order.
pub fn any_order_law(all: &Enumeration) -> Vec<f64> {
    let mut now = prior(all, 0.0);
    for _ in 0..all.length {
        let mut next = vec![0.0; now.len()];
        for z in (0..all.patterns()).filter(|&z| now[z] > 0.0) {
            let masked: Vec<usize> = (0..all.length).filter(|&n| all.is_masked(z, n)).collect();
            for &n in &masked {
                for value in 0..all.states {
                    next[all.reveal(z, n, value)] += now[z] * all.log_mu(z, n, value).exp() / masked.len() as f64;
                }
            }
        }
        now = next;
    }
    now
}

/// KL(p || q) of two laws over the same patterns, nats.
pub fn kl(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}

/// The expected number of masked tokens under a law of patterns.
pub fn expected_masks(all: &Enumeration, law: &[f64]) -> f64 {
    let masks = |z: usize| (0..all.length).filter(|&n| all.is_masked(z, n)).count() as f64;
    law.iter().enumerate().map(|(z, p)| p * masks(z)).sum()
}

/// KL(q || p~(i)) for i = 1..T+1, with the reveal probabilities `xi` of the steps and alpha(1).
pub(super) fn data_model_kl(all: &Enumeration, alpha: f64, xi: &[f64]) -> Vec<f64> {
    let divergence = |p: &[f64]| {
        let model = decoded(all, p);
        all.outcomes.iter().zip(&model).map(|((_, q), p)| q * (q / p).ln()).sum::<f64>()
    };
    let mut law = prior(all, alpha);
    let mut result = vec![0.0; xi.len() + 1];
    result[xi.len()] = divergence(&law);
    for (i, &xi) in xi.iter().enumerate().rev() {
        law = learned_step(all, &law, xi);
        result[i] = divergence(&law);
    }
    result
}

/// Work of one [`learned_step`], at most: each position is a visible value, a mask that stays, or a mask that
/// becomes a value.
pub(super) fn transitions(all: &Enumeration) -> f64 {
    (2.0 * all.states as f64 + 1.0).powi(all.length as i32)
}

/// The law after one learned reverse step that reveals each masked token with probability `xi`.
pub fn learned_step(all: &Enumeration, now: &[f64], xi: f64) -> Vec<f64> {
    let mut next = vec![0.0; now.len()];
    for z in (0..all.patterns()).filter(|&z| now[z] > 0.0) {
        let masked: Vec<usize> = (0..all.length).filter(|&n| all.is_masked(z, n)).collect();
        Spread { all, z, xi, next: &mut next }.go(&masked, z, now[z]);
    }
    next
}

/// The prior p(z_1): each token is masked with probability 1 - `alpha`, else a uniform value.
pub fn prior(all: &Enumeration, alpha: f64) -> Vec<f64> {
    let probability = |z: usize| {
        let masks = (0..all.length).filter(|&n| all.is_masked(z, n)).count() as i32;
        (1.0 - alpha).powi(masks) * (alpha / all.states as f64).powi(all.length as i32 - masks)
    };
    (0..all.patterns()).map(probability).collect()
}

/// The ways in which one reverse step can go from pattern `z`.
struct Spread<'a> {
    all: &'a Enumeration,
    z: usize,
    xi: f64,
    next: &'a mut [f64],
}

impl Spread<'_> {
    fn go(&mut self, masked: &[usize], reached: usize, probability: f64) {
        let Some((&position, rest)) = masked.split_first() else {
            self.next[reached] += probability;
            return;
        };
        if self.xi < 1.0 {
            self.go(rest, reached, probability * (1.0 - self.xi));
        }
        for value in 0..self.all.states {
            let p = probability * self.xi * self.all.log_mu(self.z, position, value).exp();
            if p > 0.0 {
                self.go(rest, self.all.reveal(reached, position, value), p);
            }
        }
    }
}

/// q(x) times the sum over the visible sets of p(x_U) / Q(x_U): the law of x under the Bayes decoder, where p is the
/// law of the pattern.
fn decoded(all: &Enumeration, p: &[f64]) -> Vec<f64> {
    let decode = |&(x, q): &(usize, f64)| {
        let term = |visible: u32| {
            let pattern = all.shown(x, visible);
            p[pattern] / all.marginal[pattern]
        };
        q * (0..1u32 << all.length).map(term).sum::<f64>()
    };
    all.outcomes.iter().map(decode).collect()
}
