//! Two frontiers at equal entropy, with intervals by the bootstrap over samples.

use elbow_base::Key;
use elbow_base::key::open_uniform;
use serde::Serialize;

use super::Curve;
use super::curve::Polyline;

/// Coverage of the intervals.
const COVERAGE: f64 = 0.95;
/// Entropies, evenly spaced over the range that both curves have, at which the difference is shown.
const SHOWN: usize = 9;
/// Parts between two of them, over which the area is summed.
const PARTS: usize = 8;

/// The difference A - B of two frontiers, nats per token.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The name of A.
    pub a: String,
    /// The name of B.
    pub b: String,
    /// The smallest and the largest entropy that both curves have, nats; none where they have none in common.
    pub entropies: Option<[f64; 2]>,
    /// The cross-entropy of A minus that of B at some of these entropies: a difference of KL(p || judge), as the entropies are
    /// equal.
    pub differences: Vec<AtEntropy>,
    /// The mean of the difference over these entropies.
    pub mean: Option<Difference>,
    /// The area between the curves over these entropies, squared nats: the mean times their width.
    pub area: Option<Difference>,
    /// The side whose curve is lower on average, by the interval of the mean.
    pub lower: Side,
}

/// A side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The first curve.
    A,
    /// The second.
    B,
    /// The interval has both signs, or there is none.
    Undecided,
}

/// A difference with its error over samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The difference.
    pub value: f64,
    /// Standard deviation over the bootstrap.
    pub standard_error: f64,
    /// Its 95 % interval: percentiles of the bootstrap.
    pub interval: [f64; 2],
}

/// The difference at an entropy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtEntropy {
    /// Nats.
    pub entropy: f64,
    /// A - B, nats per token.
    #[serde(flatten)]
    pub difference: Difference,
}

/// Compares every pair of curves. `replicates` sets of samples are drawn with replacement, for each point by itself: the
/// samples of all points are independent. An error of the interpolation between temperatures is not in the intervals.
pub fn compare(curves: &[Curve], replicates: usize, key: &Key) -> Vec<Comparison> {
    let found: Vec<Polyline> = curves.iter().map(|curve| polyline(curve, |samples| mean(samples.iter()))).collect();
    let resampled: Vec<Vec<Polyline>> = curves
        .iter()
        .enumerate()
        .map(|(number, curve)| {
            let one = |replicate: usize| {
                let mut rng = key.fold(number as u64).fold(replicate as u64).rng();
                polyline(curve, |samples| {
                    let n = samples.len();
                    let mut pick = || ((open_uniform(&mut rng) * n as f64) as usize).min(n - 1);
                    mean((0..n).map(|_| &samples[pick()]))
                })
            };
            (0..replicates).map(one).collect()
        })
        .collect();
    let pairs = (0..curves.len()).flat_map(|a| (a + 1..curves.len()).map(move |b| (a, b)));
    pairs
        .map(|(a, b)| {
            let names = [a, b].map(|side| curves[side].name.clone());
            pair(names, [&found[a], &found[b]], [&resampled[a], &resampled[b]])
        })
        .collect()
}

fn pair([a, b]: [String; 2], found: [&Polyline; 2], resampled: [&[Polyline]; 2]) -> Comparison {
    let [of_a, of_b] = found.map(Polyline::range);
    let [low, high] = [of_a[0].max(of_b[0]), of_a[1].min(of_b[1])];
    if low >= high {
        let (differences, lower) = (Vec::new(), Side::Undecided);
        return Comparison { a, b, entropies: None, differences, mean: None, area: None, lower };
    }
    let nodes = (SHOWN - 1) * PARTS;
    let entropy = |node: usize| low + (high - low) * node as f64 / nodes as f64;
    let curve = |[a, b]: [&Polyline; 2]| -> Vec<f64> {
        (0..=nodes).map(|node| a.at(entropy(node)) - b.at(entropy(node))).collect()
    };
    let value = curve(found);
    let others: Vec<Vec<f64>> = resampled[0].iter().zip(resampled[1]).map(|(a, b)| curve([a, b])).collect();
    let difference = |of: &dyn Fn(&[f64]) -> f64| {
        let all: Vec<f64> = others.iter().map(|other| of(other)).collect();
        Difference::of(of(&value), all)
    };
    let at = |shown: usize| AtEntropy {
        entropy: entropy(shown * PARTS),
        difference: difference(&|curve| curve[shown * PARTS]),
    };
    // The trapezoidal rule.
    let average = |curve: &[f64]| (curve.iter().sum::<f64>() - 0.5 * (curve[0] + curve[nodes])) / nodes as f64;
    let mean = difference(&average);
    Comparison {
        a,
        b,
        entropies: Some([low, high]),
        differences: (0..SHOWN).map(at).collect(),
        mean: Some(mean),
        area: Some(mean.scaled(high - low)),
        lower: match mean.interval {
            [_, top] if top < 0.0 => Side::A,
            [bottom, _] if bottom > 0.0 => Side::B,
            _ => Side::Undecided,
        },
    }
}

impl Difference {
    fn of(value: f64, mut replicates: Vec<f64>) -> Self {
        replicates.sort_by(f64::total_cmp);
        let n = replicates.len();
        let centre = replicates.iter().sum::<f64>() / n as f64;
        let variance = replicates.iter().map(|r| (r - centre).powi(2)).sum::<f64>() / (n - 1) as f64;
        let tail = ((1.0 - COVERAGE) / 2.0 * n as f64) as usize;
        Self { value, standard_error: variance.sqrt(), interval: [replicates[tail], replicates[n - 1 - tail]] }
    }

    fn scaled(&self, width: f64) -> Self {
        Self {
            value: self.value * width,
            standard_error: self.standard_error * width,
            interval: self.interval.map(|end| end * width),
        }
    }
}

fn polyline(curve: &Curve, mut mean: impl FnMut(&[[f64; 2]]) -> [f64; 2]) -> Polyline {
    Polyline::new(curve.points.iter().map(|point| mean(&point.numbers.samples)).collect())
}

fn mean<'a>(samples: impl ExactSizeIterator<Item = &'a [f64; 2]>) -> [f64; 2] {
    let n = samples.len() as f64;
    samples.fold([0.0; 2], |sum, sample| [sum[0] + sample[0], sum[1] + sample[1]]).map(|sum| sum / n)
}

#[cfg(test)]
mod tests {
    use elbow_base::{Estimate, Key};

    use super::super::{Numbers, Point};
    use super::*;

    /// A curve with the mean cross-entropy `slope * entropy + shift` at entropies 1, 2 and 3, and uniform noise in both.
    fn curve(shift: f64, slope: f64, noise: f64, key: &Key) -> Curve {
        let point = |entropy: f64| {
            let mut rng = key.fold(entropy.to_bits()).rng();
            let mut draw = || noise * (open_uniform(&mut rng) - 0.5);
            let samples: Vec<[f64; 2]> =
                (0..40).map(|_| [entropy + draw(), slope * entropy + shift + draw()]).collect();
            let of = |axis: usize| Estimate::of(&samples.iter().map(|sample| sample[axis]).collect::<Vec<_>>());
            let (entropy, cross_entropy) = (of(0), of(1));
            let numbers =
                Numbers { perplexity: cross_entropy, cross_entropy, entropy, difference: cross_entropy, samples };
            Point { temperature: 1.0, numbers, nfe: 1.0 }
        };
        Curve { name: String::new(), points: [1.0, 2.0, 3.0].map(point).to_vec() }
    }

    #[test]
    fn curves_without_noise_have_their_exact_difference() {
        // 0.5 + H - 2 H is 0.5 - H: from -0.5 to -2.5, and -1.5 on average.
        let key = Key::new(0, "exact");
        let found = &compare(&[curve(0.5, 1.0, 0.0, &key), curve(0.0, 2.0, 0.0, &key)], 10, &key)[0];
        assert_eq!(found.entropies, Some([1.0, 3.0]));
        let (first, last) = (found.differences[0], found.differences[SHOWN - 1]);
        assert!((first.difference.value + 0.5).abs() < 1e-12 && (last.difference.value + 2.5).abs() < 1e-12);
        let (mean, area) = (found.mean.expect("common"), found.area.expect("common"));
        assert!((mean.value + 1.5).abs() < 1e-12 && (area.value + 3.0).abs() < 1e-12, "{mean:?}, {area:?}");
        assert_eq!(found.lower, Side::A);
        let swapped = &compare(&[curve(0.0, 2.0, 0.0, &key), curve(0.5, 1.0, 0.0, &key)], 10, &key)[0];
        assert_eq!(swapped.lower, Side::B);
    }

    #[test]
    fn intervals_hold_the_true_difference_as_often_as_they_say() {
        // In 200 repetitions 95 % intervals hold it 190 times, 3.1 either way; 180 to 199 leave out one seed in 1000.
        const TRUE: f64 = 0.1;
        let found = |repetition: u64| {
            let key = Key::new(3, "coverage").fold(repetition);
            let curves = [curve(TRUE, 1.5, 1.0, &key.fold(0)), curve(0.0, 1.5, 1.0, &key.fold(1))];
            compare(&curves, 200, &key).remove(0)
        };
        let all: Vec<Comparison> = (0..200).map(found).collect();
        let held = |of: &dyn Fn(&Comparison) -> [f64; 2]| {
            all.iter().map(of).filter(|[low, high]| (low..=high).contains(&&TRUE)).count()
        };
        let mean = held(&|found| found.mean.expect("common").interval);
        let middle = held(&|found| found.differences[SHOWN / 2].difference.interval);
        println!("mean {mean}, middle {middle}");
        assert!((180..=199).contains(&mean) && (180..=199).contains(&middle), "mean {mean}, middle {middle}");
        // Witness: an interval of half the width holds it too rarely.
        let half = held(&|found| {
            let Difference { value, interval, .. } = found.mean.expect("common");
            interval.map(|end| 0.5 * (end + value))
        });
        assert!(half < 180, "witness: {half}");
    }

    #[test]
    fn curves_without_a_common_entropy_are_not_compared() {
        let key = Key::new(0, "apart");
        let mut far = curve(0.0, 1.0, 0.0, &key);
        far.points.iter_mut().flat_map(|point| &mut point.numbers.samples).for_each(|sample| sample[0] += 5.0);
        let found = &compare(&[curve(0.0, 1.0, 0.0, &key), far], 10, &key)[0];
        assert!(found.entropies.is_none() && found.mean.is_none() && found.differences.is_empty());
        assert_eq!(found.lower, Side::Undecided);
    }
}
