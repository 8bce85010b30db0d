//! The figures of the study.

use super::super::figures;
use super::super::prelude::*;
use super::profile::Level;
use super::{MeasuredArm, MeasuredRun, WeightingStudy};

/// Every figure: numbers, levels, samples.
pub(super) fn draw(study: &WeightingStudy, arms: &[MeasuredArm], metric: &str) -> Vec<Figure> {
    let id = &study.preset;
    let family = if arms.iter().any(|arm| arm.is_gaussian) { "Gaussian" } else { "Masked" };
    let ranked = |of: fn(&MeasuredRun) -> f64| -> Vec<(String, Estimate)> {
        arms.iter().map(|arm| (arm.name.clone(), arm.mean(of))).collect()
    };
    let panels = vec![
        table(arms),
        ranking("Frechet distance of samples", metric, &ranked(|run| run.distance)),
        ranking("NELBO of test images", "bits/dim", &ranked(|run| run.nelbo)),
    ];
    let numbers = figure(
        &format!("weightings-{id}"),
        &format!("{family} diffusion under each weighting ({id})"),
        &format!(
            "The same network, images, steps and batches; means and standard errors over {} trainings, which share initial weights \
             and batches from arm to arm, and the noise where its law is the same. The NELBO is an estimate of the true bound, whatever weighting trained, of one set of test images, whose choice is not in the error; \
             distances are of {} samples of each training to the training images.",
            study.seeds, study.samples
        ),
        panels,
    );
    let samples = figure(
        &format!("weightings-{id}-samples"),
        &format!("{family} diffusion: samples under each weighting ({id})"),
        "The first samples of the first training, not chosen, from the same noise.",
        arms.iter().filter_map(samples).collect(),
    );
    vec![numbers, levels(id, family, arms), samples]
}

fn table(arms: &[MeasuredArm]) -> Panel {
    let number = |e: Estimate, digits: usize| format!("{:.digits$} ± {:.digits$}", e.value, e.standard_error);
    let row = |arm: &MeasuredArm| {
        vec![
            arm.name.clone(),
            number(arm.mean(|run| run.nelbo), 4),
            number(arm.mean(|run| run.distance), 2),
            number(arm.mean(|run| run.kid), 4),
            number(arm.mean(|run| run.precision), 3),
            number(arm.mean(|run| run.recall), 3),
            number(arm.mean(|run| run.class_entropy), 3),
            number(arm.mean(|run| run.image_entropy), 3),
            format!("{:.1}", arm.mean(|run| run.nfe).value),
            arm.steps.to_string(),
            arm.parameters.to_string(),
        ]
    };
    let header = [
        "weighting",
        "NELBO, bits/dim",
        "Frechet distance",
        "KID",
        "precision",
        "recall",
        "class entropy, bits",
        "pixel entropy, bits",
        "NFE",
        "training steps",
        "parameters",
    ];
    figures::table("", &header, arms.iter().map(row).collect())
}

/// Differences of the bound, spread of the loss and size of the gradient by noise level.
fn levels(id: &str, family: &str, arms: &[MeasuredArm]) -> Figure {
    let baseline = &arms[0];
    let count = baseline.runs[0].levels.len();
    let series = |arm: &MeasuredArm, x: fn(&Level) -> f64, units: &dyn Fn(usize, usize) -> f64| {
        let mean = |level: usize| Estimate::of(&(0..arm.runs.len()).map(|run| units(run, level)).collect::<Vec<_>>());
        means(&arm.name, arm.runs[0].levels.iter().map(x).zip((0..count).map(mean)))
    };
    let gaps = arms.iter().map(|arm| {
        let difference =
            |run: usize, level: usize| arm.runs[run].levels[level].bound - baseline.runs[run].levels[level].bound;
        series(arm, |level| level.bound_log_snr, &difference)
    });
    let trained = |part: fn(&Level) -> f64| -> Vec<Series> {
        let line = |arm| -> Series {
            let arm: &MeasuredArm = arm;
            series(arm, |level| level.log_snr, &|run, level| part(&arm.runs[run].levels[level]))
        };
        arms.iter().map(line).collect()
    };
    let snr = || axis("log-SNR");
    let panels = vec![
        plot(&format!("Gap of the cascade, minus that of {}", baseline.name), snr(), axis("bits/dim"), gaps.collect()),
        plot("Norm of the gradient, relative", snr(), axis("over its mean"), trained(|level| level.gradient)),
        plot("Spread of the loss, relative", snr(), axis("over its mean"), trained(|level| level.deviation)),
    ];
    figure(
        &format!("weightings-{id}-levels"),
        &format!("{family} diffusion: noise levels under each weighting ({id})"),
        "Trained networks; means and standard errors over trainings. Gap: by Theorem 1 a step's gap is its part of the NELBO plus a \
         term that no network enters, so between two networks gaps differ as the parts do: below zero, a weighting has learned \
         these levels better (estimated by other draws than the NELBO). Gradient and loss: what one \
         batch at one noise level would do to training, in units of the mean over levels, as AdamW does not see the scale of a loss.",
        panels,
    )
}

fn samples(arm: &MeasuredArm) -> Option<Panel> {
    let images = arm.runs.first()?.shown.clone();
    let side = (images.first()?.len() as f64).sqrt() as usize;
    let (title, row_labels) = (arm.name.clone(), Vec::new());
    Some(Panel::Images { title, width: side, height: side, channels: 1, columns: 8, images, row_labels })
}
