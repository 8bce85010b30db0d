//! Single-sample estimators of the any-order bound: equal means, different variances.
//!
//! Sources: Ou et al. 2024 (RADD: lambda-DCE, k-DCE), Hoogeboom et al. 2021 (ARDM). All moments are over the data, the
//! masks and the random time or count, exactly.

use super::enumeration::Enumeration;
use crate::quadrature::integrate;

/// Mean and variance of one draw, nats and nats squared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    pub mean: f64,
    pub variance: f64,
}

impl Moments {
    fn of(mean: f64, square: f64) -> Self {
        Self { mean, variance: square - mean * mean }
    }
}

/// Sums over the visible sets of each size, in expectation over x. Index: number of masked tokens n, 0..=N.
pub struct SetSums {
    length: usize,
    /// E sum over sets of S, S = sum over masked n of -log mu_n(x_n | x_U).
    pub loss: Vec<f64>,
    /// E sum over sets of S^2.
    pub square: Vec<f64>,
    /// E sum over sets of the sum over masked n of (-log mu_n)^2.
    pub token_square: Vec<f64>,
}

impl SetSums {
    pub fn new(all: &Enumeration) -> Self {
        let size = all.axes.length + 1;
        let mut sums = Self {
            length: all.axes.length,
            loss: vec![0.0; size],
            square: vec![0.0; size],
            token_square: vec![0.0; size],
        };
        for &(x, q) in &all.outcomes {
            for visible in 0..1u32 << all.axes.length {
                let tokens = all.token_losses(x, visible);
                let (n, loss) = (tokens.len(), tokens.iter().sum::<f64>());
                sums.loss[n] += q * loss;
                sums.square[n] += q * loss * loss;
                sums.token_square[n] += q * tokens.iter().map(|ce| ce * ce).sum::<f64>();
            }
        }
        sums
    }

    /// k-DCE: k ~ U{1..N} masks at uniformly random positions, (N / k) S. ARDM's estimator is the same one.
    pub fn k_dce(&self) -> Moments {
        let scaled = |n: usize| self.length as f64 / n as f64;
        let mean = self.over_counts(|n| scaled(n) * self.loss[n]);
        Moments::of(mean, self.over_counts(|n| scaled(n).powi(2) * self.square[n]))
    }

    /// The same with one of the masked tokens, N (-log mu_n): what one step of an any-order autoregression sees.
    pub fn one_token(&self) -> Moments {
        let length = self.length as f64;
        let mean = self.over_counts(|n| length * self.loss[n] / n as f64);
        Moments::of(mean, self.over_counts(|n| length * length * self.token_square[n] / n as f64))
    }

    /// lambda-DCE: mask rate lambda ~ U(lowest, 1), independent masks, S / lambda, times (1 - lowest) so that what is
    /// left out below `lowest` is all that its mean lacks. As `lowest` goes to 0 the variance grows without bound, as
    /// -log(lowest) times [`SetSums::divergence`]: with probability lambda N a single mask is weighted by 1 / lambda.
    pub fn lambda_dce(&self, lowest: f64) -> Moments {
        let moment = |power: i32, sums: &[f64]| {
            let integrand = |log_rate: f64| {
                let rate: f64 = log_rate.exp();
                let sets =
                    |(n, s): (usize, &f64)| rate.powi(n as i32) * (1.0 - rate).powi((self.length - n) as i32) * s;
                rate.powi(1 - power) * sums.iter().enumerate().skip(1).map(sets).sum::<f64>()
            };
            integrate(lowest.ln(), 0.0, &mut { integrand }).value
        };
        Moments::of(moment(1, &self.loss), (1.0 - lowest) * moment(2, &self.square))
    }

    /// The growth of lambda-DCE's second moment per unit of -log(lowest).
    pub fn divergence(&self) -> f64 {
        self.square[1]
    }

    /// The mean over n ~ U{1..N} of the average over sets of n masks.
    fn over_counts(&self, sum_over_sets: impl Fn(usize) -> f64) -> f64 {
        let mut choose = 1.0;
        let mut total = 0.0;
        for n in 1..=self.length {
            choose *= (self.length - n + 1) as f64 / n as f64;
            total += sum_over_sets(n) / choose;
        }
        total / self.length as f64
    }
}

/// AO-ARM: -log p(x) along one uniformly random order, N network calls.
pub fn ao_arm(all: &Enumeration) -> Moments {
    let orders = permutations(all.axes.length);
    let (mut mean, mut square) = (0.0, 0.0);
    for &(x, q) in &all.outcomes {
        for order in &orders {
            let mut visible = 0u32;
            let mut total = 0.0;
            for &n in order {
                total += all.token_loss(x, visible, n);
                visible |= 1 << n;
            }
            mean += q * total / orders.len() as f64;
            square += q * total * total / orders.len() as f64;
        }
    }
    Moments::of(mean, square)
}

/// All orders of `0..n`, lexicographic.
pub fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let longer = |shorter: &Vec<usize>, first: usize| -> Vec<usize> {
        std::iter::once(first).chain(shorter.iter().map(|&i| if i >= first { i + 1 } else { i })).collect()
    };
    let shorter = permutations(n - 1);
    (0..n).flat_map(|first| shorter.iter().map(move |rest| longer(rest, first))).collect()
}
