//! The cascade of bounds on a time grid: L^(i), the gaps g_i, Theorem 1 and Theorem 2.
//!
//! L^(i)(x) = D_i(x) - K(x) - sum over j >= i of l_j(x), i = 1..T+1, is the ELBO of the model that runs the learned
//! reverse kernels from t(T) down to s(i) = (i - 1)/T and then draws x from the exact q(x | z_s(i)).

use impls::Weighting;
use impls::schedule::MaskedSchedule;
use serde::Serialize;

use super::continuous;
use super::enumeration::Enumeration;
use crate::failure::Failure;

/// Most (steps * outcomes * tokens), and most (steps * transitions), that are computed.
const MAX_WORK: f64 = 4e8;

/// The exact cascade, in nats. Arrays over i start at i = 1.
#[derive(Clone, Debug, Serialize)]
pub struct Cascade {
    pub states: usize,
    pub length: usize,
    pub schedule: String,
    pub steps: usize,
    pub weighting: String,
    /// H = -E log q(x).
    pub entropy: f64,
    /// E L^(i), i = 1..T+1.
    pub elbo: Vec<f64>,
    /// g_i = E KL(q(z_s(i)|z_t(i)) || p_theta(z_s(i)|z_t(i))), i = 1..T, as an expected joint KL.
    pub gap: Vec<f64>,
    /// The part of g_i that no factorised denoiser can remove: the total correlation of what is revealed at once.
    pub factorization: Vec<f64>,
    /// E l_i, i = 1..T.
    pub kl_step: Vec<f64>,
    /// E D_i, i = 1..T+1.
    pub decoder: Vec<f64>,
    /// E K = KL(q(z_1|x) || p(z_1)), the same for every x.
    pub prior: f64,
    /// KL(q || p~(i)), i = 1..T+1; empty where it would take too long (see `notes`).
    pub data_model_kl: Vec<f64>,
    /// w~(t(i)), i = 1..T; null where infinite.
    pub w_tilde: Vec<f64>,
    /// w_i, i = 1..T; null where infinite.
    pub cascade_weights: Vec<f64>,
    /// Whether w~ is non-decreasing, so that the weighted loss is a sum of bounds.
    pub monotone: bool,
    /// max over i of |E L^(i+1) - E L^(i) - g_i|.
    pub theorem1_residual: f64,
    /// max over x of |sum w_i L^(i)(x) - C(x) + sum w~(t(j)) l_j(x)|; null where a weight is infinite.
    pub theorem2_residual: f64,
    /// E sum over i of w_i L^(i); null where a weight is infinite.
    pub weighted_elbo_sum: f64,
    /// -E L^(1) in continuous time.
    pub neg_elbo_continuous: f64,
    /// The reweighted loss in continuous time. It is no bound on the likelihood.
    pub weighted_continuous: f64,
    /// E over orders of -log p(x) of the denoiser used one token at a time.
    pub any_order_ar_nll: f64,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// Computes the cascade on the grid t(i) = i / `steps`.
pub fn cascade(
    all: &Enumeration,
    schedule: &MaskedSchedule,
    steps: usize,
    weighting: &Weighting,
) -> Result<Cascade, Failure> {
    let work = steps as f64 * all.outcomes.len() as f64 * (all.length + 1) as f64;
    if steps == 0 || work > MAX_WORK {
        let what = format!("{steps} steps for {} outcomes of {} tokens", all.outcomes.len(), all.length);
        let most = (MAX_WORK / all.outcomes.len() as f64 / (all.length + 1) as f64) as usize;
        return Err(Failure::input(what, format!("--steps must be 1 to {most} for this toy")));
    }
    let grid = Grid::new(schedule, steps, all.length);
    let mut notes = Vec::new();

    let nats = all.length as f64 * (all.states as f64).ln();
    let prior = nats * schedule.alpha(1.0);
    let w_tilde: Vec<f64> = (1..=steps).map(|i| weighting.at(schedule, grid.times[i])).collect();
    let cascade_weights = weighting.cascade_weights(schedule, steps);
    let finite = w_tilde.iter().all(|w| w.is_finite());
    if !finite {
        notes.push(format!(
            "w~ of {weighting} is infinite at t = 1 under the {schedule} schedule: Theorem 2 holds for alpha(1) > 0 only"
        ));
    }

    let mut sums = Sums::new(steps);
    let (mut theorem2_residual, mut weighted_elbo_sum) = (0f64, 0.0);
    for (x, &(_, q)) in all.outcomes.iter().enumerate() {
        let per = PerOutcome::new(all, &grid, x, q, prior);
        sums.add(&per, q);
        let left: f64 = cascade_weights.iter().zip(&per.elbo).map(|(w, l)| w * l).sum();
        let constant: f64 = cascade_weights.iter().zip(&per.decoder).map(|(w, d)| w * (d - prior)).sum();
        let right = constant - w_tilde.iter().zip(&per.step).map(|(w, l)| w * l).sum::<f64>();
        theorem2_residual = theorem2_residual.max((left - right).abs());
        weighted_elbo_sum += q * left;
    }
    if !finite {
        (theorem2_residual, weighted_elbo_sum) = (f64::NAN, f64::NAN);
    }

    let gap: Vec<f64> = (1..=steps).map(|i| grid.expected_reveal(i, &all.reveal_kl)).collect();
    let residual = |i: usize| (sums.elbo[i + 1] - sums.elbo[i] - gap[i]).abs();
    let data_model_kl = if steps as f64 * all.transitions() <= MAX_WORK {
        data_model_kl(all, schedule, &grid)
    } else {
        notes.push(format!("data_model_kl is left out: {steps} steps of {:.1e} transitions", all.transitions()));
        Vec::new()
    };

    Ok(Cascade {
        states: all.states,
        length: all.length,
        schedule: schedule.to_string(),
        steps,
        weighting: weighting.to_string(),
        entropy: all.entropy(),
        factorization: (1..=steps).map(|i| grid.expected_reveal(i, &all.reveal_correlation)).collect(),
        theorem1_residual: (0..steps).map(residual).fold(0.0, f64::max),
        theorem2_residual,
        weighted_elbo_sum,
        neg_elbo_continuous: continuous::neg_elbo(all, schedule),
        weighted_continuous: continuous::weighted_loss(all, schedule, weighting),
        any_order_ar_nll: continuous::any_order_nll(all),
        elbo: sums.elbo,
        gap,
        kl_step: sums.step,
        decoder: sums.decoder,
        prior,
        data_model_kl,
        w_tilde,
        cascade_weights,
        monotone: weighting.is_monotone(schedule),
        notes,
    })
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

/// L^(i)(x), D_i(x) and l_i(x) of one outcome; index i - 1.
struct PerOutcome {
    elbo: Vec<f64>,
    decoder: Vec<f64>,
    step: Vec<f64>,
}

impl PerOutcome {
    fn new(all: &Enumeration, grid: &Grid, x: usize, q: f64, prior: f64) -> Self {
        let steps = grid.times.len() - 1;
        let decoder: Vec<f64> = (0..=steps).map(|s| q.ln() - grid.expected(s, &all.visible_log[x])).collect();
        let step: Vec<f64> = (1..=steps).map(|j| grid.xi[j] * grid.expected(j, &all.cross_entropy[x])).collect();
        let mut elbo = vec![0.0; steps + 1];
        let mut remaining = 0.0;
        for i in (0..=steps).rev() {
            if i < steps {
                remaining += step[i];
            }
            elbo[i] = decoder[i] - prior - remaining;
        }
        Self { elbo, decoder, step }
    }
}

/// Expectations over the outcomes.
struct Sums {
    elbo: Vec<f64>,
    decoder: Vec<f64>,
    step: Vec<f64>,
}

impl Sums {
    fn new(steps: usize) -> Self {
        Self { elbo: vec![0.0; steps + 1], decoder: vec![0.0; steps + 1], step: vec![0.0; steps] }
    }

    fn add(&mut self, per: &PerOutcome, q: f64) {
        let pairs = [(&mut self.elbo, &per.elbo), (&mut self.decoder, &per.decoder), (&mut self.step, &per.step)];
        for (sum, values) in pairs {
            for (total, value) in sum.iter_mut().zip(values) {
                *total += q * value;
            }
        }
    }
}

/// KL(q || p~(i)) for i = 1..T+1, by running the learned chain forward from the prior.
fn data_model_kl(all: &Enumeration, schedule: &MaskedSchedule, grid: &Grid) -> Vec<f64> {
    let steps = grid.times.len() - 1;
    let kl = |p: &[f64]| {
        let model = all.decoded(p);
        all.outcomes.iter().zip(&model).map(|((_, q), p)| q * (q / p).ln()).sum::<f64>()
    };
    let mut state = all.prior(schedule.alpha(1.0));
    let mut result = vec![0.0; steps + 1];
    result[steps] = kl(&state);
    for i in (1..=steps).rev() {
        let mut next = vec![0.0; state.len()];
        all.learned_step(&state, grid.xi[i], &mut next);
        state = next;
        result[i - 1] = kl(&state);
    }
    result
}
