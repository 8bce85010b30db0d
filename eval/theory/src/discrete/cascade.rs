//! The cascade of bounds of a discrete diffusion, term by term from the explicit joint law of neighbouring states.

use elbow_process::Weighting;
use faer::Mat;

use super::continuous;
use super::kernel::{Beliefs, Model, posterior};
use super::patterns::Patterns;
use crate::cascade::{Cascade, Terms};
use elbow_base::Error;

/// Most (steps * joint states squared) that are computed.
const MAX_WORK: f64 = 2e9;

/// Computes the cascade on the grid t(i) = i / `steps`. The prior p(z_1) is the law of z_1 for uniformly random data
/// values: uniform for uniform diffusion, the mask (and what is left of the values) for masking.
pub fn cascade(model: &Model, steps: usize, weighting: &Weighting) -> Result<Cascade, Error> {
    let forward = model.forward;
    forward.check_steps(steps)?;
    let size = model.patterns.count() as f64;
    if steps == 0 || steps as f64 * size * size > MAX_WORK {
        let most = (MAX_WORK / size / size) as usize;
        let what = format!("{steps} steps of {size} joint states");
        return Err(Error::input(what, format!("--steps must be 1 to {most} for this toy")));
    }
    let cumulative: Vec<Mat<f64>> = (0..=steps).map(|i| forward.cumulative(i, steps)).collect();
    let mut walk = Walk::new(model, &cumulative[steps]);
    for i in (1..=steps).rev() {
        let one = [&cumulative[i - 1], &forward.one_step(i, steps), &cumulative[i]];
        walk.step(&model.beliefs(&cumulative[i]), one)?;
    }
    let Walk { mut terms, mut gap, mut factorization, mut data_model_kl, .. } = walk;
    for terms in &mut terms {
        terms.decoder.reverse();
        terms.step.reverse();
    }
    [&mut gap, &mut factorization, &mut data_model_kl].into_iter().for_each(|v| v.reverse());
    let entropy = 0.0 - model.outcomes.iter().map(|(_, q)| q * q.ln()).sum::<f64>();
    let mut result = Cascade::new(forward.schedule(), steps, weighting, entropy, terms, gap);
    (result.states, result.length) = (Some(forward.values), Some(model.patterns.length));
    result.transition = Some(forward.to_string());
    result.parameterization = Some(model.parameterization.to_string());
    (result.factorization, result.data_model_kl) = (factorization, data_model_kl);
    if forward.is_continuous() {
        let diffusion = continuous::weighted_loss(model, &Weighting::Elbo);
        let weighted =
            if *weighting == Weighting::Elbo { diffusion } else { continuous::weighted_loss(model, weighting) };
        result.neg_elbo_continuous = result.prior - result.decoder[0] + diffusion.value;
        result.weighted_continuous = weighted.value;
        result.quadrature_error = Some(diffusion.error.max(weighted.error));
    } else {
        result
            .notes
            .push("given steps have no continuous time: neg_elbo_continuous and weighted_continuous are null".into());
    }
    Ok(result)
}

/// The walk from t(T) down to s(1), collecting the terms in that order.
struct Walk<'a> {
    model: &'a Model<'a>,
    terms: Vec<Terms>,
    gap: Vec<f64>,
    factorization: Vec<f64>,
    data_model_kl: Vec<f64>,
    /// The law of the learned chain so far.
    learned: Vec<f64>,
}

impl<'a> Walk<'a> {
    fn new(model: &'a Model<'a>, last: &Mat<f64>) -> Self {
        let patterns = model.patterns;
        let (values, states) = (model.forward.values, model.forward.states);
        let token = |j: usize| (0..values).map(|v| last[(v, j)]).sum::<f64>() / values as f64;
        let token: Vec<f64> = (0..states).map(token).collect();
        let learned: Vec<f64> =
            (0..patterns.count()).map(|z| patterns.digits(z).into_iter().map(|d| token[d]).product()).collect();
        let kl = |v: usize| xlogy(states, |j| (last[(v, j)], token[j]));
        let terms = model.outcomes.iter().map(|&(x, probability)| Terms {
            probability,
            decoder: Vec::new(),
            step: Vec::new(),
            prior: patterns.digits(x).into_iter().map(kl).sum(),
        });
        let mut walk = Self {
            model,
            terms: terms.collect(),
            gap: Vec::new(),
            factorization: Vec::new(),
            data_model_kl: Vec::new(),
            learned,
        };
        walk.decode(last, &patterns.all_moved(&model.data(), last));
        walk
    }

    /// D(x) = E log q(x | z) and KL(q || p~) at the level of `cumulative`, where z has the law `marginal` under the data
    /// and `self.learned` under the learned chain.
    fn decode(&mut self, cumulative: &Mat<f64>, marginal: &[f64]) {
        let patterns = self.model.patterns;
        let mut divergence = 0.0;
        for (terms, &(x, q)) in self.terms.iter_mut().zip(&self.model.outcomes) {
            let (mut decoder, mut decoded) = (0.0, 0.0);
            for z in (0..patterns.count()).filter(|&z| marginal[z] > 0.0) {
                let given = patterns.transition(x, z, cumulative);
                if given > 0.0 {
                    decoder += given * (q * given / marginal[z]).ln();
                    decoded += self.learned[z] * q * given / marginal[z];
                }
            }
            terms.decoder.push(decoder);
            divergence += q * (q / decoded).ln();
        }
        self.data_model_kl.push(divergence);
    }

    /// One step from t down to s.
    fn step(&mut self, beliefs: &Beliefs, matrices: [&Mat<f64>; 3]) -> Result<(), Error> {
        let (model, patterns) = (self.model, self.model.patterns);
        let (values, states, length) = (model.forward.values, model.forward.states, patterns.length);
        let size = patterns.count();
        let kernels: Vec<Vec<f64>> = (0..size * length)
            .map(|index| {
                let mu = &beliefs.mu[index * values..(index + 1) * values];
                model.kernel(mu, patterns.digit(index / length, index % length), matrices)
            })
            .collect();
        let before = patterns.all_moved(&model.data(), matrices[0]);
        let (mut gap, mut correlation) = (0.0, 0.0);
        let mut next = vec![0.0; size];
        // KL(q(z_s^n | z_t^n, x_n) || p_theta(z_s^n | z_t)), index (z * length + n) * values + x_n: outcomes share it.
        let mut token_kl = vec![0.0; size * length * values];
        for z in 0..size {
            let rows = &kernels[z * length..(z + 1) * length];
            if beliefs.marginal[z] > 0.0 {
                let reverse = Reverse::new(patterns, z, &before, beliefs.marginal[z], matrices[1]);
                gap += beliefs.marginal[z] * reverse.divergence(patterns, rows);
                correlation += beliefs.marginal[z] * reverse.divergence(patterns, &reverse.marginals(patterns));
                for n in 0..length {
                    let state = patterns.digit(z, n);
                    for v in (0..values).filter(|&v| beliefs.joint[(z * length + n) * values + v] > 0.0) {
                        token_kl[(z * length + n) * values + v] =
                            xlogy(states, |j| (posterior(v, j, state, matrices), rows[n][j]));
                    }
                }
            }
            if self.learned[z] > 0.0 {
                spread(patterns, rows, self.learned[z], &mut next);
            }
        }
        if !gap.is_finite() {
            let what = "the denoiser gives probability 0 to what the data has";
            return Err(Error::input(what, "every bound would be infinite: give it a positive probability"));
        }
        for (terms, &(x, _)) in self.terms.iter_mut().zip(&model.outcomes) {
            let mut step = 0.0;
            for z in (0..size).filter(|&z| beliefs.marginal[z] > 0.0) {
                let given = patterns.transition(x, z, matrices[2]);
                let token = |n: usize| token_kl[(z * length + n) * values + patterns.digit(x, n)];
                step += given * (0..length).map(token).sum::<f64>();
            }
            terms.step.push(step);
        }
        self.gap.push(gap);
        self.factorization.push(correlation);
        self.learned = next;
        self.decode(matrices[0], &before);
        Ok(())
    }
}

/// The true reverse law q(z_s | z_t = z).
struct Reverse {
    probability: Vec<f64>,
}

impl Reverse {
    fn new(patterns: Patterns, z: usize, before: &[f64], marginal: f64, step: &Mat<f64>) -> Self {
        let one = |s: usize| if before[s] > 0.0 { before[s] * patterns.transition(s, z, step) / marginal } else { 0.0 };
        Self { probability: (0..patterns.count()).map(one).collect() }
    }

    /// The law of each token.
    fn marginals(&self, patterns: Patterns) -> Vec<Vec<f64>> {
        let mut rows = vec![vec![0.0; patterns.states]; patterns.length];
        for (s, &p) in self.probability.iter().enumerate() {
            for (n, row) in rows.iter_mut().enumerate() {
                row[patterns.digit(s, n)] += p;
            }
        }
        rows
    }

    /// KL from it to the product of `rows`.
    fn divergence(&self, patterns: Patterns, rows: &[Vec<f64>]) -> f64 {
        let product = |s: usize| rows.iter().enumerate().map(|(n, row)| row[patterns.digit(s, n)]).product();
        xlogy(patterns.count(), |s| (self.probability[s], product(s)))
    }
}

/// sum of p log(p / q) over `count` outcomes.
fn xlogy(count: usize, pair: impl Fn(usize) -> (f64, f64)) -> f64 {
    (0..count).map(pair).filter(|(p, _)| *p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}

/// Adds `probability` times the product of `rows` to `next`.
fn spread(patterns: Patterns, rows: &[Vec<f64>], probability: f64, next: &mut [f64]) {
    for (s, next) in next.iter_mut().enumerate() {
        *next += probability * rows.iter().enumerate().map(|(n, row)| row[patterns.digit(s, n)]).product::<f64>();
    }
}
