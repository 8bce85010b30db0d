//! Check: the metrics of images against the reference tools, on the same features.

use elbow_metrics::{Balls, FeatureProvenance, between_features, inception_score, kid, prdc};
use serde_json::Value;

use super::prelude::*;

const GOLDEN: &str = "metrics/golden.json";
/// Pairs of feature sets of the fixture; the last has many equal images, for the metrics of neighbours.
const PAIRS: [&str; 4] = ["full", "uneven", "thin", "ties"];

/// The largest relative difference between a metric and the values of the tools for the same features.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    metric: Metric,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Metric {
    FrechetDistance,
    Kid,
    PrecisionRecall,
    InceptionScore,
}

elbow_impls::names!(Metric, "metric":
    FrechetDistance = "frechet-distance", Kid = "kid", PrecisionRecall = "precision-recall", InceptionScore = "inception-score",
);

/// One comparison: what, ours, by which tool, theirs.
type Row = (String, f64, String, f64);

impl Check for Parity {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let pairs = PAIRS.iter().flat_map(|name| ["generated", "reference"].map(|side| format!("{name}.{side}.npy")));
        let files = pairs.chain(["logits.npy".to_owned()]).map(|name| format!("metrics/{name}"));
        inputs::files(context, files.chain([GOLDEN.to_owned()]))
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let golden = context.golden(GOLDEN)?;
        let mut rows = Vec::new();
        match self.metric {
            Metric::InceptionScore => {
                let logits = context.features("metrics/logits.npy")?;
                let order: Vec<usize> = (0..logits.len()).collect();
                for splits in [1, 10] {
                    let ours = inception_score(&logits, &order, splits)?.value;
                    let tools = &golden["inception_score"]["logits"][splits.to_string()]["tools"];
                    let theirs = number(&tools["torch-fidelity"]["mean"]["value"])?;
                    rows.push((format!("{splits} splits"), ours, "torch-fidelity".to_owned(), theirs));
                }
            }
            _ => {
                let pairs = if self.metric == Metric::FrechetDistance { &PAIRS[..3] } else { &PAIRS[..] };
                for name in pairs {
                    rows.extend(self.of_pair(context, name, &golden)?);
                }
            }
        }
        let difference = |(_, ours, _, theirs): &Row| (ours / theirs - 1.0).abs();
        let worst = largest(rows.iter().map(difference));
        let mut outcome = Outcome::exact("largest relative difference", worst, "1").over(rows.len(), "comparisons");
        let cells = |row: &Row| {
            let (what, ours, tool, theirs) = row;
            vec![
                what.clone(),
                format!("{ours:.10}"),
                tool.clone(),
                format!("{theirs:.10}"),
                format!("{:.1e}", difference(row)),
            ]
        };
        let header = ["features", "here", "tool", "there", "relative difference"];
        let table = table("", &header, rows.iter().map(cells).collect());
        let caption = "The tools' own code, run on the same features (fixtures/metrics).";
        let id = format!("tools-{}", self.metric);
        outcome.figures.push(figure(&id, &format!("{} beside the reference tools", self.metric), caption, vec![table]));
        Ok(outcome)
    }
}

impl Parity {
    fn of_pair(&self, context: &Context, name: &str, golden: &Value) -> Result<Vec<Row>, Error> {
        let [x, y] = [
            context.features(&format!("metrics/{name}.generated.npy")),
            context.features(&format!("metrics/{name}.reference.npy")),
        ];
        let (x, y) = (x?, y?);
        let bar = context.bar.as_ref();
        let row = |what: &str, ours: f64, tool: &str, theirs: &Value| -> Result<Row, Error> {
            Ok((format!("{name}, {what}"), ours, tool.to_owned(), number(theirs)?))
        };
        let tools = |metric: &str| {
            let tools = golden[metric][name]["tools"].as_object();
            tools.ok_or_else(|| Error::input(format!("{GOLDEN}: no tools for {metric} of {name}"), "restore the file"))
        };
        match self.metric {
            Metric::FrechetDistance => {
                let ours = between_features(&x, &y, &FeatureProvenance::named("fixture"))?.value;
                tools("frechet")?.iter().map(|(tool, theirs)| row("distance", ours, tool, &theirs["value"])).collect()
            }
            Metric::Kid => {
                let ours = kid(&x, &y, bar)?.value;
                tools("kid")?.iter().map(|(tool, theirs)| row("KID", ours, tool, &theirs["value"])).collect()
            }
            _ => {
                let (pr, dc) = (Balls::PRECISION_RECALL, Balls::DENSITY_COVERAGE);
                let ours = prdc(&x, &y, pr, dc, bar)?;
                let of = |k: usize, tool: &str, share: &str| {
                    golden["precision_recall"][name][k.to_string()]["tools"][tool][share]["value"].clone()
                };
                [
                    ("precision", ours.precision, pr.k, "torch-fidelity"),
                    ("recall", ours.recall, pr.k, "torch-fidelity"),
                    ("density", ours.density, dc.k, "prdc"),
                    ("coverage", ours.coverage, dc.k, "prdc"),
                ]
                .iter()
                .map(|(share, ours, k, tool)| row(&format!("{share}, k = {k}"), ours.value, tool, &of(*k, tool, share)))
                .collect()
            }
        }
    }
}

fn number(value: &Value) -> Result<f64, Error> {
    value.as_f64().ok_or_else(|| Error::input(format!("{GOLDEN}: a number is missing"), "restore the file"))
}
