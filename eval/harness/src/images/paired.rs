//! The difference of two generated sets' distances from one reference.

use elbow_base::{Error, Estimate};
use elbow_metrics::spread_of_left_out;
use serde::Serialize;

use super::metrics::MetricValue;

/// A difference A - B of one metric. The same blocks or images are left out of both sides at once: what both sets have in common,
/// the reference among it, drops out of the error.
#[derive(Clone, Debug, Serialize)]
pub struct PairedMetric {
    /// Metric, network and convention.
    pub metric: String,
    /// The difference; `n` counts the units of its error.
    pub difference: Estimate,
    /// The units of the standard error.
    pub error_over: String,
    /// The standard error of the same difference had the errors of A and B nothing in common.
    pub independent_standard_error: f64,
    /// The variance without pairing over the paired one; none where the difference has no variance.
    pub variance_ratio: Option<f64>,
    /// The metric of A.
    pub a: MetricValue,
    /// The metric of B.
    pub b: MetricValue,
}

/// The differences of all metrics that both sides have, in the order of A's.
///
/// Both sets must have the same number of images: a Frechet distance of few images is biased upwards, and image i of A is paired
/// with image i of B. A metric without an error by a jackknife is refused.
pub fn paired(a: &[MetricValue], b: &[MetricValue]) -> Result<Vec<PairedMetric>, Error> {
    a.iter().zip(b).map(|(a, b)| pair(a, b)).collect()
}

fn pair(a: &MetricValue, b: &MetricValue) -> Result<PairedMetric, Error> {
    if a.metric != b.metric {
        let what = format!("A's number is {}, B's is {}", a.metric, b.metric);
        return Err(Error::input(what, "compare sets whose features come from one network under one convention"));
    }
    if a.n.first() != b.n.first() {
        let count = |n: Option<&Option<u64>>| n.copied().flatten().map_or("?".to_owned(), |n| n.to_string());
        let what = format!("A has {} images and B {}", count(a.n.first()), count(b.n.first()));
        return Err(Error::input(what, "give sets of one size: the bias of a distance depends on it"));
    }
    let (Some(of_a), Some(of_b)) = (a.standard_error, b.standard_error) else {
        return Err(Error::input(format!("{}: {}", a.metric, a.error_over), "a difference needs an error"));
    };
    if a.left_out.is_empty() || a.left_out.len() != b.left_out.len() {
        return Err(Error::internal(format!("{} has no jackknife", a.metric)));
    }
    let spread =
        |(a, b): (&Vec<f64>, &Vec<f64>)| spread_of_left_out(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>());
    let standard_error = a.left_out.iter().zip(&b.left_out).map(spread).fold(0.0, f64::hypot);
    let independent = of_a.hypot(of_b);
    let ratio = (independent / standard_error).powi(2);
    Ok(PairedMetric {
        metric: a.metric.clone(),
        difference: Estimate { value: a.value - b.value, standard_error, n: a.error_units.unwrap_or(0) },
        error_over: a.error_over.clone(),
        independent_standard_error: independent,
        variance_ratio: ratio.is_finite().then_some(ratio),
        a: a.clone(),
        b: b.clone(),
    })
}
