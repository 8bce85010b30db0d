//! The difference of two sets' distances from one reference.

use elbow_base::Error;
use elbow_harness::images::{Metric, MetricOptions, PairedMetric, Scores, Scoring, balls, is_model, paired};
use elbow_harness::provenance;
use elbow_harness::workspace::Workspace;
use elbow_metrics::FeatureNetwork;
use serde_json::json;

use super::super::fid::with_flags;
use super::{Arguments, better, outcome, sign, verdict};

pub fn run(workspace: &Workspace, arguments: &Arguments, reference: &str) -> Result<u8, Error> {
    let metrics = match &arguments.metrics[..] {
        [] => vec![Metric::Fd, Metric::Kid],
        named => named.to_vec(),
    };
    if let Some(other) = metrics.iter().find(|metric| ![Metric::Fd, Metric::Kid, Metric::Mind].contains(metric)) {
        let what = format!("--metrics {other}: only fd, kid and mind are compared");
        return Err(Error::input(what, "name one of them or more"));
    }
    if let Some(run) = [&arguments.a, &arguments.b].into_iter().find(|name| is_model(name)) {
        let advice = "draw its samples first, with `elbow sample`, and name their file; or leave --reference out";
        return Err(Error::input(format!("{run} is a model and no set of images"), advice));
    }
    arguments.network.check(workspace)?;
    let score = |side: &str, name: &str| -> Result<Scores, Error> {
        let scoring = Scoring {
            names: [name, reference],
            sampling: None,
            on_bad: arguments.images.on_bad,
            arrays: arguments.images.arrays.options(),
            cache: arguments.images.cache(workspace),
            metrics: metrics.clone(),
            options: MetricOptions {
                blocks: arguments.blocks.unwrap_or(10) as usize,
                verify: false,
                splits: 1,
                extrapolate: None,
                per_class: false,
                balls: balls(None, None),
                seed: workspace.seed,
            },
        };
        let scores = scoring.run(workspace, |scans| arguments.network.open_if_used(workspace, scans));
        scores.map_err(arguments.images.hint()).map_err(with_flags).map_err(|e| e.of(side))
    };
    let [a, b] = [score("A", &arguments.a)?, score("B", &arguments.b)?];
    let differences = paired(&a.measures, &b.measures)?;
    let judged: Vec<_> =
        differences.iter().map(|found| outcome(found.difference, &found.metric, "units of the error")).collect();
    let signs: Vec<_> = judged.iter().map(sign).collect();
    let rulings = arguments.threshold.judge(&judged[0]);
    let warnings: Vec<&String> =
        a.warnings.iter().chain(b.warnings.iter().filter(|note| !a.warnings.contains(note))).collect();
    let rows = differences.iter().zip(&signs).map(|(found, sign)| {
        json!({
            "difference": found, "interval": sign.interval, "better": better(&found.difference, sign), "more": sign.more,
        })
    });
    let mut result = json!({
        "metrics": rows.collect::<Vec<_>>(), "a": a.summaries[0], "b": b.summaries[0], "reference": a.summaries[1],
        "warnings": warnings, "seed": workspace.seed, "network_hash": a.network.as_ref().map(FeatureNetwork::hash),
        "convention": a.provenance.convention, "version": provenance::VERSION, "program_hash": provenance::program_hash(),
    });
    rulings.add_to(&mut result);
    let text = || {
        let lines = differences.iter().zip(&signs);
        let lines = lines.map(|(found, sign)| {
            describe(found, &verdict(&found.difference, sign, "closer to the reference", "images"))
        });
        let lines = lines.chain(warnings.iter().map(|note| format!("  note: {note}"))).collect::<Vec<_>>().join("\n");
        rulings.below(lines, "images")
    };
    workspace.print(&result, text)?;
    Ok(rulings.exit_code())
}

fn describe(found: &PairedMetric, verdict: &str) -> String {
    let PairedMetric { metric, difference, a, b, .. } = found;
    let error = |value: Option<f64>| value.map_or(String::new(), |error| format!(" +- {error:.6}"));
    let saved = found.variance_ratio.map_or(String::new(), |ratio| {
        format!(
            "\n  unpaired, the error would be {:.6}: {ratio:.1} times the variance",
            found.independent_standard_error
        )
    });
    format!(
        "{metric}: A - B = {:+.6} +- {:.6}\n{verdict}\n  A {:.6}{}\n  B {:.6}{}\n  error over {}{saved}",
        difference.value,
        difference.standard_error,
        a.value,
        error(a.standard_error),
        b.value,
        error(b.standard_error),
        found.error_over
    )
}
