//! Check: which weightings have non-negative cascade weights, their values, and Figures 2 and 3 of the paper.

use elbow_impls::Weighting;
use elbow_impls::schedule::{GaussianSchedule, LogSnr, MaskedSchedule};

use super::prelude::*;

/// One measure over weightings and masked schedules; the worst case decides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monotonicity {
    measure: Measure,
    weightings: Vec<String>,
    schedules: Vec<String>,
    #[serde(default)]
    figure: Option<Drawing>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Smallest cascade weight, relative to the largest in size; the smallest over all cases.
    SmallestCascadeWeight,
    /// The same; the largest over all cases, so that it is negative only if every case has a negative weight.
    LeastNegativeCascadeWeight,
    /// Largest |w~ r - 1|.
    ConstantCrossEntropy,
    /// The log-SNR at which w(lambda) is largest.
    Peak,
    /// Largest relative error against the golden table.
    GoldenError,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Drawing {
    Figure2,
    Figure3,
}

/// Steps of the grid of cascade weights.
const STEPS: usize = 256;
const GOLDEN: &str = "schedules/golden.json";

impl Check for Monotonicity {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        match self.measure {
            Measure::GoldenError => inputs::files(context, [GOLDEN]),
            _ => Ok(Vec::new()),
        }
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let weightings = self.weightings.iter().map(|w| w.parse()).collect::<Result<Vec<Weighting>, _>>()?;
        let schedules = self.schedules.iter().map(|s| s.parse()).collect::<Result<Vec<MaskedSchedule>, _>>()?;
        let golden = match self.measure {
            Measure::GoldenError => Some(context.golden(GOLDEN)?),
            _ => None,
        };
        let (quantity, worse): (_, fn(f64, f64) -> f64) = match self.measure {
            Measure::SmallestCascadeWeight => ("smallest w_i / max |w_i|", f64::min),
            Measure::LeastNegativeCascadeWeight => ("min_i w_i / max |w_i|, largest over the weightings", f64::max),
            Measure::ConstantCrossEntropy => ("largest |w̃(t) r(t) − 1|", f64::max),
            Measure::Peak => ("log-SNR of the largest weight", f64::max),
            Measure::GoldenError => ("largest relative error", f64::max),
        };
        let mut worst = f64::NAN;
        let mut details = Vec::new();
        for schedule in &schedules {
            for weighting in &weightings {
                let value = match self.measure {
                    Measure::SmallestCascadeWeight | Measure::LeastNegativeCascadeWeight => {
                        smallest(weighting, schedule)
                    }
                    Measure::ConstantCrossEntropy => constant_error(weighting, schedule),
                    Measure::Peak => peak(weighting, schedule),
                    Measure::GoldenError => golden_error(weighting, schedule, golden.as_ref())?,
                };
                details.push((format!("{weighting}, {schedule} schedule"), value));
                worst = if worst.is_nan() { value } else { worse(worst, value) };
            }
        }
        let mut outcome = Outcome::exact(quantity, worst, "1").over(details.len(), "weighting and schedule pairs");
        outcome.exact_details(details, "1");
        outcome.figures.extend(self.figure.map(|drawing| match drawing {
            Drawing::Figure2 => figure2(),
            Drawing::Figure3 => figure3(),
        }));
        Ok(outcome)
    }
}

/// min w_i / max |w_i| on a fine grid up to t = 1, without an infinite last weight.
fn smallest(weighting: &Weighting, schedule: &MaskedSchedule) -> f64 {
    let weights: Vec<f64> = weighting.cascade_weights(schedule, STEPS).into_iter().filter(|w| w.is_finite()).collect();
    let largest = weights.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
    weights.iter().fold(f64::INFINITY, |m, &w| m.min(w)) / largest
}

fn constant_error(weighting: &Weighting, schedule: &MaskedSchedule) -> f64 {
    let error = |k: usize| {
        let t = k as f64 / STEPS as f64;
        (weighting.at(schedule, t) * schedule.elbo_weight(t) - 1.0).abs()
    };
    largest((1..STEPS).map(error))
}

/// The maximum of w(lambda) by a fine scan and ternary search.
fn peak(weighting: &Weighting, schedule: &MaskedSchedule) -> f64 {
    let w = |lambda: f64| weighting.of_log_snr(schedule, lambda);
    let scan = (-3000..3000).map(|k| f64::from(k) / 100.0);
    let coarse = scan.fold(0.0, |best, lambda| if w(lambda) > w(best) { lambda } else { best });
    let (mut low, mut high) = (coarse - 0.02, coarse + 0.02);
    for _ in 0..60 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if w(a) < w(b) { low = a } else { high = b }
    }
    (low + high) / 2.0
}

fn golden_error(
    weighting: &Weighting,
    schedule: &MaskedSchedule,
    golden: Option<&serde_json::Value>,
) -> Result<f64, Error> {
    let row = |value: Option<&serde_json::Value>| -> Option<Vec<f64>> {
        value?.as_array()?.iter().map(|v| v.as_f64()).collect()
    };
    let table = golden.and_then(|g| {
        let entry = g.get("weights")?.get(schedule.to_string())?.get(weighting.to_string())?;
        Some((row(g.get("times"))?, row(entry.get("w_tilde"))?, row(entry.get("ce_weight"))?))
    });
    let (times, w_tilde, ce_weight) =
        table.ok_or_else(|| Error::input(format!("{GOLDEN} has no {weighting} under {schedule}"), ""))?;
    let error = |k: usize| {
        let t = times[k];
        let w = (weighting.at(schedule, t) / w_tilde[k] - 1.0).abs();
        w.max((weighting.ce_weight(schedule, t) / ce_weight[k] - 1.0).abs())
    };
    Ok(largest((0..times.len()).map(error)))
}

/// The weightings of the paper's figures.
const SHOWN: [Weighting; 6] = [
    Weighting::Elbo,
    Weighting::Sigmoid(2.0),
    Weighting::FlowMatching,
    Weighting::Simple,
    Weighting::Iddpm,
    Weighting::Edm(0.5),
];

/// w~(t), divided by its largest value on [0, 0.999] as in the paper.
fn normalised(weighting: &Weighting, schedule: &impl LogSnr) -> Series {
    let times: Vec<f64> = (1..=999).map(|k| f64::from(k) / 1000.0).collect();
    let weights: Vec<f64> = times.iter().map(|&t| weighting.at(schedule, t)).collect();
    let largest = weights.iter().fold(0.0, |m: f64, &w| m.max(w));
    let style = if weighting.is_monotone(schedule) { Style::Line } else { Style::Dashed };
    curve(weighting.to_string(), style, times, weights.iter().map(|w| w / largest).collect())
}

fn figure2() -> Figure {
    let unit = || Axis { range: Some((0.0, 1.05)), ..axis("w̃(t) / max") };
    let gaussian = SHOWN.iter().map(|w| normalised(w, &GaussianSchedule::COSINE)).collect();
    let masked = SHOWN.iter().map(|w| normalised(w, &MaskedSchedule::Cosine)).collect();
    figure(
        "figure-2",
        "Weighting functions (Figure 2 of the paper, redrawn)",
        "Gaussian and masked diffusion, each under the cosine schedule, all but the masked simple matched in log-SNR. Each is \
         divided by its maximum on [0, 0.999]; flow matching and, for masked diffusion, simple grow without bound at t = 1. For \
         Gaussian diffusion simple and iDDPM coincide. Solid lines are non-decreasing, dashed lines are not: those losses are no \
         sums of bounds.",
        vec![
            plot("Gaussian diffusion", axis("t"), unit(), gaussian),
            plot("Masked diffusion", axis("t"), unit(), masked),
        ],
    )
}

fn figure3() -> Figure {
    let times: Vec<f64> = (1..=999).map(|k| f64::from(k) / 1000.0).collect();
    let weight = |w: &Weighting| {
        let values = times.iter().map(|&t| w.ce_weight(&MaskedSchedule::Cosine, t)).collect();
        curve(w.to_string(), Style::Line, times.clone(), values)
    };
    let range = Axis { range: Some((0.0, 6.0)), ..axis("CE weight") };
    figure(
        "figure-3",
        "Total cross-entropy weight under the cosine schedule (Figure 3 of the paper, redrawn)",
        "w̃(t) times −α'(t)/(1 − α(t)), with α(t) = 1 − cos(π/2 (1 − t)). The ELBO's weight grows without bound at t = 0, \
         where almost nothing is masked; simple is constant; flow matching tends to π/√2 ≈ 2.22 at t = 1.",
        vec![plot("", axis("t"), range, SHOWN.iter().map(weight).collect())],
    )
}
