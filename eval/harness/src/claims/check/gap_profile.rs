//! Check: the gaps of trained networks by noise level, on patches small enough to enumerate.

use std::collections::BTreeMap;

use elbow_impls::data::{Dataset, InMemory};
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::train::Settings;
use elbow_impls::{Key, Weighting};
use elbow_theory::masked::{Enumeration, cascade};
use elbow_theory::{Cascade, DenoiserKind, Toy};

use super::prelude::*;
use crate::denoisers::network_probabilities;

/// Networks trained on the 2x2 patches of the digits, whose every pattern can be enumerated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapProfile {
    /// Grey levels of a patch.
    levels: usize,
    /// Steps T of the cascade.
    steps: usize,
    weightings: Vec<String>,
    /// Independent trainings per weighting.
    seeds: u64,
    /// Patches drawn for training.
    sequences: usize,
    /// Changes to the preset `md4-digits`.
    set: Vec<String>,
}

impl Check for GapProfile {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::files(context, ["digits/digits.csv.gz"])
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let toy = patches(context.dataset("digits:train")?.as_ref(), self.levels)?;
        let profile = |probabilities: &[f64]| {
            let all = Enumeration::with_probabilities(&toy, probabilities)?;
            Ok::<_, Error>(cascade(&all, &MaskedSchedule::Linear, self.steps, &Weighting::Elbo)?)
        };
        let uniform = 1.0 / self.levels as f64;
        let patterns = (self.levels + 1).pow(toy.length as u32);
        let untrained = profile(&vec![uniform; patterns * toy.length * self.levels])?;
        let mut trained: Vec<(String, Vec<Cascade>)> = Vec::new();
        for weighting in &self.weightings {
            let one = |seed: u64| profile(&self.train(context, &toy, weighting, seed)?);
            trained.push((weighting.clone(), (0..self.seeds).map(one).collect::<Result<_, _>>()?));
        }
        let networks = trained.iter().flat_map(|(_, runs)| runs).chain([&untrained]);
        let residuals: Vec<f64> = networks.map(|c| c.theorem1_residual).collect();
        let worst = largest(residuals.iter().copied());
        let mut outcome =
            Outcome::exact("largest |E L^(i+1) − E L^(i) − g_i|", worst, "nats").over(residuals.len(), "networks");
        outcome.detail("entropy of the patches", untrained.entropy, None, "nats");
        outcome.detail("untrained: continuous NELBO", untrained.neg_elbo_continuous, None, "nats");
        for (weighting, runs) in &trained {
            let of = |name: &str, f: &dyn Fn(&Cascade) -> f64, outcome: &mut Outcome| {
                let values: Vec<f64> = runs.iter().map(f).collect();
                let error = (values.len() > 1).then(|| Estimate::of(&values).standard_error);
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                outcome.detail(format!("{weighting}: {name}"), mean, error, "nats");
            };
            of("continuous NELBO − entropy", &|c| c.neg_elbo_continuous - c.entropy, &mut outcome);
            let half = self.steps / 2;
            of("Σ (g_i − TC_i) over t ≤ 1/2", &|c| excess(c)[..half].iter().sum(), &mut outcome);
            of("Σ (g_i − TC_i) over t > 1/2", &|c| excess(c)[half..].iter().sum(), &mut outcome);
        }
        outcome.figures.push(draw(&untrained, &trained, toy.outcomes.len(), self.levels));
        Ok(outcome)
    }
}

impl GapProfile {
    /// Trains a network and returns its probabilities for every pattern.
    fn train(&self, context: &Context, toy: &Toy, weighting: &str, seed: u64) -> Result<Vec<f64>, Error> {
        // The same data, weights and noise for every weighting: differences between weightings are paired.
        let key = Key::new(context.seed, "gap profile").fold(seed);
        let mut overrides = self.set.clone();
        overrides.extend([format!("weighting={weighting}"), format!("seed={}", key.number())]);
        let settings = Settings::resolve("md4-digits", &overrides)?;
        let data = InMemory::new("digit patches", toy.states, toy.draw(self.sequences, &key.fold(0)));
        let trainer = context.train(&settings, &data, &format!("patches, {weighting}"))?;
        Ok(network_probabilities(trainer.ema().tokens()?, toy, &context.device))
    }
}

/// The law of the aligned 2x2 patches of a set of images, levels merged evenly.
fn patches(images: &dyn Dataset, levels: usize) -> Result<Toy, Error> {
    let Some([height, width, 1]) = images.image() else {
        return Err(Error::input(format!("{} has no grey images", images.name()), "use the digits"));
    };
    let mut counts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for image in images.all()?.rows() {
        for top in (0..height - 1).step_by(2) {
            for left in (0..width - 1).step_by(2) {
                let pixels = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(y, x)| image[(top + y) * width + left + x]);
                let patch = pixels.map(|v| (v as usize * levels / images.values()) as u8).to_vec();
                *counts.entry(patch).or_default() += 1;
            }
        }
    }
    let total: usize = counts.values().sum();
    let outcomes = counts.into_iter().map(|(patch, count)| (patch, count as f64 / total as f64)).collect();
    Ok(Toy { states: levels, length: 4, outcomes, denoiser: DenoiserKind::Exact })
}

/// g_i - TC_i: the part of each gap that a better denoiser would remove.
fn excess(c: &Cascade) -> Vec<f64> {
    c.gap.iter().zip(&c.factorization).map(|(g, tc)| g - tc).collect()
}

fn draw(untrained: &Cascade, trained: &[(String, Vec<Cascade>)], patches: usize, levels: usize) -> Figure {
    let steps = untrained.steps;
    let t: Vec<f64> = (1..=steps).map(|i| (i as f64 - 0.5) / steps as f64).collect();
    let series = |label: &str, style: Style, runs: &[Vec<f64>]| {
        let columns: Vec<Vec<f64>> = (0..steps).map(|i| runs.iter().map(|run| run[i]).collect()).collect();
        let mean = columns.iter().map(|c| c.iter().sum::<f64>() / c.len() as f64).collect();
        let error = (runs.len() > 1).then(|| columns.iter().map(|c| Estimate::of(c).standard_error).collect());
        Series { label: label.to_owned(), style, x: t.clone(), y: mean, error, x_error: None }
    };
    let before = vec![
        series("gap g_i", Style::LinePoints, std::slice::from_ref(&untrained.gap)),
        series("total correlation part", Style::Dashed, std::slice::from_ref(&untrained.factorization)),
    ];
    let after = trained.iter().map(|(weighting, runs)| {
        let profiles: Vec<Vec<f64>> = runs.iter().map(excess).collect();
        series(weighting, Style::LinePoints, &profiles)
    });
    figure(
        "gap-profile",
        "Which noise levels hold the bound back",
        &format!(
            "Networks for the 2x2 patches of the digits at {levels} grey levels ({patches} patches occur), every pattern \
             enumerated, T = {steps}, linear schedule. Before training: the gap of each step and the part of it that no \
             denoiser of independent tokens can remove. After training: what is left above that part after the same short training \
             with each weighting, mean and standard error over trainings. The sum of a curve is what its network's bound \
             loses."
        ),
        vec![
            plot("Before training", axis("time t of the step"), axis("g_i, nats"), before),
            plot("After training", axis("time t of the step"), axis("g_i − TC_i, nats"), after.collect()),
        ],
    )
}
