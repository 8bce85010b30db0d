//! The cascade of bounds of masked diffusion: step KLs, decoders and gaps from the sums over visible sets.

use elbow_process::Weighting;
use elbow_process::schedule::MaskedSchedule;
use rayon::prelude::*;

use super::enumeration::Enumeration;
use super::{chain, continuous};
use crate::cascade::{Cascade, Terms};
use elbow_base::Error;

/// Most (steps * outcomes * tokens), and most (steps * transitions), that are computed.
const MAX_WORK: f64 = 1e9;

/// Computes the cascade on the grid t(i) = i / `steps`.
pub fn cascade(
    all: &Enumeration,
    schedule: &MaskedSchedule,
    steps: usize,
    weighting: &Weighting,
) -> Result<Cascade, Error> {
    let work = steps as f64 * all.outcomes.len() as f64 * (all.axes.length + 1) as f64;
    if steps == 0 || work > MAX_WORK {
        let what = format!("{steps} steps for {} outcomes of {} tokens", all.outcomes.len(), all.axes.length);
        let most = (MAX_WORK / all.outcomes.len() as f64 / (all.axes.length + 1) as f64) as usize;
        return Err(Error::input(what, format!("--steps must be 1 to {most} for this toy")));
    }
    let grid = Grid::new(schedule, steps, all.axes.length);
    let prior = all.axes.length as f64 * (all.axes.states as f64).ln() * schedule.alpha(1.0);
    let terms = (0..all.outcomes.len()).into_par_iter().map(|x| terms(all, &grid, x, prior));
    let gap = (1..=steps).map(|i| grid.expected_reveal(i, all.reveal_kl())).collect();
    let mut result = Cascade::new(schedule, steps, weighting, all.entropy(), terms, gap);
    (result.states, result.length) = (Some(all.axes.states), Some(all.axes.length));
    result.factorization = (1..=steps).map(|i| grid.expected_reveal(i, all.reveal_correlation())).collect();
    if steps as f64 * chain::transitions(all) <= MAX_WORK {
        result.data_model_kl = chain::data_model_kl(all, schedule.alpha(1.0), &grid.xi[1..]);
    } else {
        let note = format!("data_model_kl is left out: {steps} steps of {:.1e} transitions", chain::transitions(all));
        result.notes.push(note);
    }
    result.neg_elbo_continuous = continuous::neg_elbo(all, schedule);
    result.weighted_continuous = continuous::weighted_loss(all, schedule, weighting);
    result.any_order_ar_nll = Some(continuous::any_order_nll(all));
    Ok(result)
}

/// D_i(x), l_i(x) and K of outcome number `x`.
fn terms(all: &Enumeration, grid: &Grid, x: usize, prior: f64) -> Terms {
    let steps = grid.times.len() - 1;
    let probability = all.outcomes[x].1;
    Terms {
        probability,
        decoder: (0..=steps).map(|s| probability.ln() - grid.expected(s, all.visible_log(x))).collect(),
        step: (1..=steps).map(|j| grid.xi[j] * grid.expected(j, all.cross_entropy(x))).collect(),
        prior,
    }
}

/// The schedule on the grid.
struct Grid {
    times: Vec<f64>,
    /// visible\[i\]\[k\] = alpha^k (1 - alpha)^(N-k): probability of each pattern with k given tokens visible.
    visible: Vec<Vec<f64>>,
    /// xi\[i\]: probability that step i reveals a masked token; index 0 is not used.
    xi: Vec<f64>,
}

impl Grid {
    fn new(schedule: &MaskedSchedule, steps: usize, length: usize) -> Self {
        let times: Vec<f64> = (0..=steps).map(|i| i as f64 / steps as f64).collect();
        let xi = |i: usize| if i == 0 { 0.0 } else { schedule.reveal_probability(times[i - 1], times[i]) };
        let visible = |&t: &f64| -> Vec<f64> {
            let (alpha, masked) = (schedule.alpha(t), schedule.mask_probability(t));
            (0..=length).map(|k| alpha.powi(k as i32) * masked.powi((length - k) as i32)).collect()
        };
        Self { visible: times.iter().map(visible).collect(), xi: (0..=steps).map(xi).collect(), times }
    }

    /// sum over k of alpha^k m^(N-k) coefficients\[k\] at grid point `i`.
    fn expected(&self, i: usize, coefficients: &[f64]) -> f64 {
        self.visible[i].iter().zip(coefficients).map(|(p, c)| p * c).sum()
    }

    /// Expectation over z_t(i) and over what step `i` reveals: \[masks\]\[revealed\] coefficients.
    fn expected_reveal(&self, i: usize, coefficients: &[Vec<f64>]) -> f64 {
        let length = coefficients.len() - 1;
        let mut total = 0.0;
        for (n, row) in coefficients.iter().enumerate() {
            let state = self.visible[i][length - n];
            for (r, c) in row.iter().enumerate().take(n + 1) {
                total += state * self.xi[i].powi(r as i32) * (1.0 - self.xi[i]).powi((n - r) as i32) * c;
            }
        }
        total
    }
}
