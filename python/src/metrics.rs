//! Metrics of feature arrays, in the numbers and the JSON of `elbow fid calc`.

use std::borrow::Cow;

use elbow_base::Error;
use elbow_harness::images::{Comparison, FeatureSet, ImageSource, Metric, MetricOptions, balls};
use elbow_metrics::{Boundary, FeatureProvenance, Features, NetworkOutputs};
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;
use serde_json::json;

use crate::door::{raised, serve};

/// One metric, by its name on the command line, of two arrays `[n, d]` and `[m, d]`: features, or class logits for the
/// Inception Score, which reads the first alone. JSON with the fields `measures` and `warnings` of `elbow fid calc`.
#[pyfunction]
#[pyo3(signature = (metric, generated, reference, *, blocks, neighbours, boundary, splits, seed, progress))]
#[expect(clippy::too_many_arguments, reason = "one keyword per option of the command")]
pub fn compare_features(
    py: Python<'_>,
    metric: &str,
    generated: PyReadonlyArray2<'_, f32>,
    reference: PyReadonlyArray2<'_, f32>,
    blocks: usize,
    neighbours: Option<usize>,
    boundary: Option<&str>,
    splits: usize,
    seed: u64,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<String> {
    let metric: Metric = metric.parse().map_err(|unknown: elbow_base::UnknownName| raised(py, &unknown.into()))?;
    let boundary: Option<Boundary> =
        boundary.map(str::parse).transpose().map_err(|unknown: elbow_base::UnknownName| raised(py, &unknown.into()))?;
    let arrays = [features(py, &generated)?, features(py, &reference)?];
    let options = MetricOptions {
        blocks,
        verify: false,
        splits,
        extrapolate: None,
        per_class: false,
        balls: balls(neighbours, boundary),
        seed,
    };
    serve(py, progress, move |door| {
        let outputs = arrays.map(|features| {
            let logits = (metric == Metric::Is).then(|| features.clone());
            NetworkOutputs { features, logits }
        });
        let set = |outputs| Some(FeatureSet { scan: None, outputs: Cow::Borrowed(outputs) });
        let mut comparison = Comparison {
            provenance: &FeatureProvenance::given(),
            label: "given",
            sets: &[set(&outputs[0]), set(&outputs[1])],
            sources: &outputs.clone().map(ImageSource::Features),
            options,
            warnings: Vec::new(),
        };
        let measures = comparison.measure(&[metric], door.progress().as_ref())?;
        let document = json!({ "measures": measures, "warnings": comparison.warnings });
        serde_json::to_string_pretty(&document).map_err(|e| Error::internal(e.to_string()))
    })
}

/// A copy of an array, which the caller may change while the work goes on.
fn features(py: Python<'_>, array: &PyReadonlyArray2<'_, f32>) -> PyResult<Features> {
    let array = array.as_array();
    let (rows, dimension) = array.dim();
    let refuse = |what: String, advice: &str| Err(raised(py, &Error::input(what, advice)));
    if rows == 0 || dimension == 0 {
        return refuse(format!("features of the shape [{rows}, {dimension}]"), "give one or more of each");
    }
    let values: Vec<f32> = array.iter().copied().collect();
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(Features { dimension, values }),
        Some(at) => {
            let (row, column) = (at / dimension, at % dimension);
            let what = format!("feature {column} of row {row} is {}, in single precision", values[at]);
            refuse(what, "features must be finite: compute them again")
        }
    }
}
