//! The difference of two models' bounds.

use std::path::Path;

use elbow_base::Error;
use elbow_harness::images::is_model;
use elbow_harness::likelihood::{Bound, Estimator, PairedBound, PairedEstimation};
use elbow_harness::models::{AnyModel, DataChoice, JudgedData};
use elbow_harness::provenance;
use elbow_harness::workspace::Workspace;
use elbow_impls::data::Split;
use elbow_reports::record::Input;
use serde_json::{Value, json};

use crate::flags::shard;

use super::{Arguments, better, outcome, sign, verdict};

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<u8, Error> {
    check_used(arguments)?;
    let options = &arguments.models;
    let open = |name: &str, side: &str| {
        let runtime = || arguments.network.runtime(workspace);
        AnyModel::open(Path::new(name), &workspace.device, runtime).map_err(|e| e.of(side))
    };
    let models = [open(&arguments.a, "A")?, open(&arguments.b, "B")?];
    let choice = DataChoice {
        dataset: options.dataset.clone(),
        split: options.split.unwrap_or(Split::Test),
        length: options.length.map(|length| length as usize),
        text: arguments.text.changes(),
        protocol: None,
        other_data: options.other_data,
    };
    let [of_a, of_b] = [(&models[0], "A"), (&models[1], "B")]
        .map(|(model, side)| model.data(workspace, &choice).map_err(|e| e.of(side)));
    let data = same_data(of_a?, of_b?)?;
    let set = data.set.as_ref();
    let estimator = options.estimator.unwrap_or(Estimator::Auto);
    let sequences = options.sequences.map(|sequences| sequences as usize);
    let estimation = |model| {
        let draws = options.draws.unwrap_or(8) as usize;
        AnyModel::bound_estimation(model, set, estimator, draws, sequences, workspace.seed)
    };
    let paired =
        PairedEstimation { models: [estimation(&models[0])?, estimation(&models[1])?], target: options.target_se };
    let hashes = ["A", "B"].iter().zip(&models);
    let hashes = hashes.map(|(side, model)| Input { name: (*side).to_owned(), sha256: model.hash().to_owned() });
    let inputs: Vec<Input> = std::iter::once(provenance::data_input(set)).chain(hashes).collect();
    workspace.shards.of(&inputs, workspace.bar.as_ref())?;
    let work = || paired.run_in(&workspace.shards, &workspace.device, workspace.bar.as_ref());
    let Some(found) = models[0].calls(|| models[1].calls(work))? else { return shard::finish(workspace) };
    let difference = found.bits_per_dim;
    let judged = outcome(difference, unit(&found), "sequences");
    let (sign, rulings) = (sign(&judged), arguments.threshold.judge(&judged));
    let facts = |model: &AnyModel| {
        let mut facts = Value::Object(model.facts());
        facts["place"] = json!(model.place);
        facts
    };
    let mut result = json!({
        "difference": found, "interval": sign.interval, "better": better(&difference, &sign), "more": sign.more,
        "models": { "a": facts(&models[0]), "b": facts(&models[1]) },
        "provenance": provenance::block(workspace.seed, &workspace.device_name, String::new(), inputs),
    });
    if let Some(what) = &data.difference {
        result["other_data"] = json!(what);
    }
    rulings.add_to(&mut result);
    let text = || {
        let lines = describe(arguments, &found, &verdict(&difference, &sign, "better", "sequences"));
        let lines = data.difference.iter().fold(lines, |lines, what| format!("{lines}\n  OTHER DATA: {what}"));
        rulings.below(lines, "sequences")
    };
    workspace.keep_array("a", &found.a.per_sequence);
    workspace.keep_array("b", &found.b.per_sequence);
    workspace.print(&result, text)?;
    Ok(rulings.exit_code())
}

/// Refuses sets of images, and options that are for them.
fn check_used(arguments: &Arguments) -> Result<(), Error> {
    let Arguments { a, b, network, images, .. } = arguments;
    if let Some(name) = [a, b].into_iter().find(|name| !is_model(name)) {
        let what = format!("{name}: neither the folder of a run nor a model file");
        let advice = "name a model; sets of images are compared by their distances from a reference: --reference SET";
        return Err(Error::input(what, advice));
    }
    if let Some(option) = network.given().or(images.given()) {
        let what = format!("{option} has no effect: it is for sets of images");
        return Err(Error::input(what, "leave it out, or name a reference: --reference SET"));
    }
    let runs = [a, b].into_iter().all(|name| Path::new(name).is_dir());
    match runs && network.has_runtime() {
        true => Err(Error::input("--ort-lib has no effect: a run of elbow is no ONNX network", "leave it out")),
        false => Ok(()),
    }
}

/// The data of both models, which must be the same.
fn same_data(a: JudgedData, b: JudgedData) -> Result<JudgedData, Error> {
    let (of_a, of_b) = (a.set.as_ref(), b.set.as_ref());
    let shape = |set: &dyn elbow_impls::data::Dataset| (set.values(), set.length(), set.len(), set.hash().to_owned());
    if shape(of_a) != shape(of_b) {
        let words = |set: &dyn elbow_impls::data::Dataset| {
            format!("{} ({} sequences of {} tokens, {} values)", set.name(), set.len(), set.length(), set.values())
        };
        let what = format!("A is judged on {}, B on {}", words(of_a), words(of_b));
        return Err(Error::input(what, "a difference is over the same sequences: name their data with --dataset NAME"));
    }
    Ok(JudgedData { difference: a.difference.or(b.difference), ..a })
}

fn unit(found: &PairedBound) -> &'static str {
    if found.a.text.is_some() { "bits/token" } else { "bits/dim" }
}

fn describe(arguments: &Arguments, found: &PairedBound, verdict: &str) -> String {
    let PairedBound { bits_per_dim: difference, a, b, .. } = found;
    let unit = unit(found);
    let side = |name: &str, bound: &Bound, place: &str| {
        let b = &bound.bits_per_dim;
        let draws = if bound.draws == 1 { "1 draw".to_owned() } else { format!("{} draws", bound.draws) };
        format!("  {name} {:.4} +- {:.4}  {place} ({} estimator, {draws})", b.value, b.standard_error, bound.estimator)
    };
    let noise = match found.shared_inputs {
        1.0 => "the same noise for both".to_owned(),
        0.0 => "noise of its own for each".to_owned(),
        share => format!("{:.0} % of the corrupted inputs are the same for both", 100.0 * share),
    };
    let saved = found.variance_ratio.map_or(String::new(), |ratio| {
        format!(
            "; measured apart, the error would be {:.4}: {ratio:.1} times the variance",
            found.independent_standard_error
        )
    });
    let mut lines = vec![
        format!(
            "A - B = {:+.4} +- {:.4} {unit} (standard error over sequences)",
            difference.value, difference.standard_error
        ),
        verdict.to_owned(),
        side("A", a, &arguments.a),
        side("B", b, &arguments.b),
        format!("  {} of {} sequences of {}, {} tokens each", a.sequences, a.available, a.dataset, a.dims),
        format!("  {noise}{saved}"),
    ];
    if let Some(target) = &found.target {
        let reached = if target.reached { "was reached" } else { "was not reached with all sequences" };
        lines.push(format!("  the standard error {} {reached}", target.standard_error));
    }
    lines.join("\n")
}
