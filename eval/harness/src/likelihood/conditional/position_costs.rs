//! A control variate: what the other sweeps say about the cost of each token.
//!
//! The cost of token n with k of L hidden is predicted as `a_n + b_1 k/L + b_2 (k/L)^2`, fitted to the other sweeps. A sweep's
//! estimate is corrected by the prediction's exact mean minus its mean over the sweep's own sets. The prediction does not depend
//! on these sets: the correction has mean 0, whatever the fit, and removes the variance that it explains.

use super::design::HiddenSet;

/// Powers of k/L in the prediction: 0, 1 and 2.
const POWERS: usize = 3;

/// The weight that draws a_n to 0, in sweeps, where a token was hidden rarely.
const SHRINKAGE: f64 = 0.3;

/// Weighted sums over the hidden tokens of some calls; h is the weight of a token's cost c, and y = k/L.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    /// Sums of h y^0, h y^1, h y^2 and h c of each position.
    positions: Vec<[f64; POWERS + 1]>,
    /// Sums of h y^0, .., h y^4.
    moments: [f64; 2 * POWERS - 1],
    /// Sums of h y^0 c, h y^1 c and h y^2 c.
    costs: [f64; POWERS],
}

/// The prediction of a token's cost.
struct Prediction {
    /// a_n, and the constant's share.
    positions: Vec<f64>,
    powers: [f64; POWERS],
}

impl Sums {
    /// Sums over no call, for a target of `length` tokens.
    pub fn new(length: usize) -> Self {
        Self { positions: vec![[0.0; POWERS + 1]; length], moments: [0.0; 2 * POWERS - 1], costs: [0.0; POWERS] }
    }

    /// Tokens of the target.
    pub fn length(&self) -> usize {
        self.positions.len()
    }

    /// Adds the costs of a call, nats, one entry per position.
    pub fn add(&mut self, set: &HiddenSet, costs: &[f64]) {
        let y = set.count() as f64 / set.hidden.len() as f64;
        let hidden = self.positions.iter_mut().zip(costs).zip(&set.hidden).filter(|(_, hidden)| **hidden);
        for ((position, &cost), _) in hidden {
            let weighted = |power: usize| set.weight * y.powi(power as i32);
            (0..POWERS).for_each(|power| position[power] += weighted(power));
            position[POWERS] += set.weight * cost;
            self.moments.iter_mut().enumerate().for_each(|(power, sum)| *sum += weighted(power));
            self.costs.iter_mut().enumerate().for_each(|(power, sum)| *sum += weighted(power) * cost);
        }
    }

    /// The sum of weighted costs: the calls' own estimate, nats.
    pub fn estimate(&self) -> f64 {
        self.positions.iter().map(|position| position[POWERS]).sum()
    }

    /// The sums of both, the other's times `factor`.
    fn plus(&self, other: &Self, factor: f64) -> Self {
        let mut sums = self.clone();
        let flat = |sums: &mut Self, other: &Self| {
            let pairs = sums.positions.iter_mut().flatten().zip(other.positions.iter().flatten());
            pairs.for_each(|(sum, more)| *sum += factor * more);
            sums.moments.iter_mut().zip(&other.moments).for_each(|(sum, more)| *sum += factor * more);
            sums.costs.iter_mut().zip(&other.costs).for_each(|(sum, more)| *sum += factor * more);
        };
        flat(&mut sums, other);
        sums
    }

    /// The weighted least-squares prediction: the a_n are eliminated, and three equations are left.
    fn fit(&self) -> Prediction {
        let mut equations = [[0.0; POWERS + 1]; POWERS];
        for (row, equation) in equations.iter_mut().enumerate() {
            (0..POWERS).for_each(|column| equation[column] = self.moments[row + column]);
            equation[POWERS] = self.costs[row];
            for position in &self.positions {
                let share = position[row] / (position[0] + SHRINKAGE);
                equation.iter_mut().zip(position).for_each(|(entry, sum)| *entry -= share * sum);
            }
            // Few numbers of hidden tokens do not tell the powers apart.
            equation[row] += 1e-9 * self.moments[0];
        }
        let powers = solved(equations);
        let predicted =
            |position: &[f64; POWERS + 1]| (0..POWERS).map(|power| powers[power] * position[power]).sum::<f64>();
        let of = |position: &[f64; POWERS + 1]| (position[POWERS] - predicted(position)) / (position[0] + SHRINKAGE);
        Prediction { positions: self.positions.iter().map(of).collect(), powers }
    }

    /// The sweep's estimate, corrected by a prediction from other sweeps, nats.
    fn corrected(&self, prediction: &Prediction) -> f64 {
        let length = self.positions.len();
        let tokens = prediction.positions.iter().zip(&self.positions);
        let own: f64 = tokens.map(|(a, position)| a * position[0]).sum::<f64>()
            + prediction.powers.iter().zip(&self.moments).map(|(b, moment)| b * moment).sum::<f64>();
        let mean_power = |power: usize| {
            let y = |k: usize| k as f64 / length as f64;
            (1..length).map(|k| y(k).powi(power as i32)).sum::<f64>() / (length - 1) as f64
        };
        let exact = prediction.positions.iter().sum::<f64>()
            + length as f64 * (0..POWERS).map(|power| prediction.powers[power] * mean_power(power)).sum::<f64>();
        self.estimate() + exact - own
    }
}

/// The estimate of each sweep, nats, corrected by the other sweeps and by the call with every token hidden.
pub(super) fn estimates(sweeps: &[Sums], all_hidden: &Sums) -> Vec<f64> {
    let total = sweeps.iter().fold(all_hidden.clone(), |total, sweep| total.plus(sweep, 1.0));
    sweeps.iter().map(|sweep| sweep.corrected(&total.plus(sweep, -1.0).fit())).collect()
}

/// The solution of three symmetric, positive equations by elimination; their right sides are last.
fn solved(mut equations: [[f64; POWERS + 1]; POWERS]) -> [f64; POWERS] {
    for pivot in 0..POWERS {
        let own = equations[pivot].map(|entry| entry / equations[pivot][pivot]);
        for (row, equation) in equations.iter_mut().enumerate() {
            let factor = equation[pivot];
            match row == pivot {
                true => *equation = own,
                false => equation.iter_mut().zip(own).for_each(|(entry, own)| *entry -= factor * own),
            }
        }
    }
    equations.map(|equation| equation[POWERS])
}
