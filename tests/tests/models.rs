//! Every implementation through the command line: train, evaluate, sample; texts, classes, imported weights.

use std::path::{Path, PathBuf};

use elbow_tests::{Call, elbow};
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// A few steps of a tiny network.
fn train(run: &Path, preset: &str, changes: &[&str]) -> Call {
    let run = run.to_str().expect("UTF-8");
    let small = ["width=16", "heads=2", "layers=1", "hidden=32", "batch_size=8", "steps=4", "warmup_steps=2"];
    let mut arguments = vec!["train", preset, "--json", "-q", "--run", run];
    for setting in small.iter().chain(changes) {
        arguments.extend(["--set", setting]);
    }
    elbow(ELBOW, &arguments)
}

fn with(verb: &str, run: &Path, more: &[&str]) -> Call {
    let run = run.to_str().expect("UTF-8");
    elbow(ELBOW, &[&[verb, "--checkpoint", run, "--json", "-q"], more].concat())
}

/// The call was refused as bad usage or bad input, and says why.
fn assert_refused(call: &Call, why: &str) {
    assert_eq!((call.code, call.stderr.contains(why)), (2, true), "{why}: {}", call.stderr);
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn every_implementation_trains_evaluates_and_samples() {
    let folder = tempfile::tempdir().expect("a folder");
    let uniform = 17f64.log2();
    for name in ["md4", "genmd4", "mdlm", "maskgit", "d3pm-absorbing", "d3pm-uniform", "any-order", "ar"] {
        let run = folder.path().join(name);
        let trained = train(&run, &format!("{name}-digits"), &["learning_rate=0.0001"]).json();
        assert!(number(&trained["last"]["weighted_loss"]).is_finite(), "{name}");
        let bound = with("likelihood", &run, &["--draws", "4"]).json();
        let bits = number(&bound["nelbo"]["bits_per_dim"]["value"]);
        // Four tiny steps from the uniform prediction: the bound is still near log2 17, whatever the objective.
        // (Uniform diffusion's is far above: its network must first learn which tokens are noise.)
        assert!(bits > uniform - 0.35 && (bits < uniform + 0.35 || name == "d3pm-uniform"), "{name}: {bits}");
        assert_eq!(bound["nelbo"]["protocol"]["objective"].as_str().map(str::is_empty), Some(false), "{name}");
        let has_steps = !matches!(name, "any-order" | "ar");
        let steps: &[&str] = if has_steps { &["--steps", "5"] } else { &[] };
        let samples = with("sample", &run, &[&["--count", "6"], steps].concat()).json();
        assert_eq!(samples["count"], 6, "{name}");
        let nfe = number(&samples["nfe"]);
        let most = if has_steps { 6.0 } else { 64.0 };
        assert!(nfe > 0.0 && nfe <= most, "{name}: NFE {nfe}");
        assert!(Path::new(samples["png"].as_str().expect("a picture")).is_file(), "{name}");
    }
}

/// Two training objectives of one model share a bound, in any estimator.
#[test]
fn the_estimators_of_a_bound_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("md4");
    train(&run, "md4-digits", &["learning_rate=0.0001"]).json();
    let ask = |estimator: &str| with("likelihood", &run, &["--draws", "16", "--estimator", estimator]).json();
    let (k_dce, own) = (ask("k-dce"), ask("objective"));
    let value = |v: &Value| number(&v["nelbo"]["bits_per_dim"]["value"]);
    let error = number(&own["nelbo"]["bits_per_dim"]["standard_error"]);
    assert!((value(&k_dce) - value(&own)).abs() < 5.0 * error, "{k_dce} {own}");
}

#[test]
fn samplers_and_estimators_of_another_model_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let [ar, genmd4] = ["ar", "genmd4"].map(|name| folder.path().join(name));
    train(&ar, "ar-digits", &[]).json();
    train(&genmd4, "genmd4-digits", &[]).json();
    assert_refused(&with("sample", &ar, &["--sampler", "ancestral"]), "left-to-right");
    assert_refused(&with("likelihood", &genmd4, &["--estimator", "k-dce"]), "--estimator objective");
}

/// A small model of texts and an autoregressive judge.
fn texts(folder: &Path) -> [PathBuf; 2] {
    let [model, judge] = ["md4", "ar"].map(|name| folder.join(name));
    let changes = ["sequence_length=16", "evaluate_every=4"];
    train(&model, "md4-shakespeare", &changes).json();
    train(&judge, "ar-shakespeare", &changes).json();
    [model, judge]
}

/// Evaluation while training: a row of metrics, sampled text, and a file for TensorBoard.
#[test]
fn texts_are_evaluated_while_training() {
    let folder = tempfile::tempdir().expect("a folder");
    let [model, _] = texts(folder.path());
    let metrics = std::fs::read_to_string(model.join("metrics.jsonl")).expect("rows");
    let last: Value = serde_json::from_str(metrics.lines().last().expect("a row")).expect("JSON");
    assert!((number(&last["nelbo_bits_per_dim"]) - 27f64.log2()).abs() < 0.5, "{last}");
    let sampled = std::fs::read_to_string(model.join("samples/step-0000004.txt")).expect("a sample");
    assert!(sampled.lines().count() == 16 && sampled.lines().all(|line| line.len() == 16), "{sampled}");
    assert!(std::fs::metadata(model.join("events/events.out.tfevents.0.elbow")).expect("events").len() > 100);
}

/// The same letters, another book.
#[test]
fn a_model_of_texts_is_evaluated_on_another_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let [_, judge] = texts(folder.path());
    let abroad = with("likelihood", &judge, &["--dataset", "kjv", "--split", "all", "--sequences", "64"]).json();
    assert_eq!(abroad["nelbo"]["dataset"], "kjv:all");
    let (bits, text) = (&abroad["nelbo"]["bits_per_dim"], &abroad["nelbo"]["text"]);
    assert_eq!(text["bits_per_character"]["value"], bits["value"], "a letter is a token");
    assert!((number(&abroad["nelbo"]["perplexity"]["value"]).log2() - number(&bits["value"])).abs() < 1e-9);
    assert_eq!(abroad["nelbo"]["draws"], 1, "an exact likelihood needs no draws");
    // Data in another alphabet does not fit.
    assert_refused(&with("likelihood", &judge, &["--dataset", "digits"]), "27");
}

#[test]
fn long_texts_are_drawn_and_judged_window_after_window() {
    let folder = tempfile::tempdir().expect("a folder");
    let [model, judge] = texts(folder.path());
    let judge = judge.to_str().expect("UTF-8");
    let long = ["--count", "3", "--length", "40", "--stride", "8", "--sampler", "one-by-one"];
    let made = with("sample", &model, &long).json();
    assert_eq!((made["count"].as_u64(), made["length"].as_u64()), (Some(3), Some(40)));
    assert_eq!(number(&made["nfe"]), 16.0 + 3.0 * 8.0);
    let judged = with("sample", &model, &["--count", "4", "--judge", judge]).json();
    assert!(number(&judged["generative"]["perplexity"]["value"]) > 1.0);
    assert!(number(&judged["generative"]["entropy"]["value"]) > 0.0);
    assert_eq!((&judged["generative"]["at_most"], &judged["generative"]["draws"]), (&false.into(), &1.into()));
    let judged = with("sample", &model, &["--count", "3", "--length", "40", "--judge", judge]).json();
    assert_eq!((&judged["generative"]["window"], &judged["generative"]["length"]), (&16.into(), &40.into()));
    assert_refused(&with("sample", &model, &["--count", "1", "--judge", judge]), "two samples");
    // A masked judge has a bound alone, and says so.
    let bounded = with("sample", &model, &["--count", "4", "--judge", model.to_str().expect("UTF-8")]).json();
    assert_eq!((&bounded["generative"]["at_most"], &bounded["generative"]["draws"]), (&true.into(), &16.into()));
    assert!(number(&bounded["generative"]["perplexity"]["value"]) > 1.0);
}

#[test]
fn infilling_keeps_what_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let [model, _] = texts(folder.path());
    with("sample", &model, &["--count", "3", "--infill", "to be ___ not t"]).json();
    let filled = std::fs::read_to_string(model.join("samples/samples.txt")).expect("text");
    assert!(filled.lines().all(|line| line.starts_with("to be ") && &line[9..15] == " not t"), "{filled}");
    assert_refused(&with("sample", &model, &["--infill", "To be"]), "'T' is not in the alphabet");
    assert_refused(&with("sample", &model, &["--infill", "to be", "--length", "40"]), "one window");
}

const CLASSES: [&str; 3] = ["class_conditioning=true", "label_dropout=0.1", "condition_width=16"];

#[test]
fn classes_are_learned_and_guided() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("classes");
    train(&run, "md4-digits", &CLASSES).json();
    let nfe = |guidance: &str| {
        let made = ["--count", "4", "--sampler", "one-by-one", "--class", "3", "--guidance", guidance];
        number(&with("sample", &run, &made).json()["nfe"])
    };
    assert_eq!((nfe("1"), nfe("0"), nfe("2")), (64.0, 64.0, 128.0));
    with("likelihood", &run, &["--draws", "2", "--sequences", "32"]).json();
    assert_refused(&with("sample", &run, &["--guidance", "inf"]), "finite");
    assert_refused(&with("sample", &run, &["--class", "10"]), "class 10: this model has the classes 0 to 9");
}

#[test]
fn settings_of_classes_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = folder.path().join("refused");
    for setting in ["condition_width=5", "condition_width=0", "hidden=0"] {
        let call = train(&refused, "md4-digits", &[&CLASSES[..], &[setting]].concat());
        assert_eq!((call.code, call.stderr.contains("panicked")), (2, false), "{}", call.stderr);
    }
    assert_refused(&train(&refused, "d3pm-uniform-digits", &CLASSES), "has no classes");
}

/// A few steps of an implementation of Gaussian diffusion.
fn gaussian(folder: &Path, name: &str) -> PathBuf {
    let run = folder.join(name);
    train(&run, &format!("{name}-digits"), &["learning_rate=0.0001"]).json();
    run
}

#[test]
fn bounds_of_gaussian_models_are_the_sum_of_their_terms() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["vdm", "flow", "edm"] {
        let bound = with("likelihood", &gaussian(folder.path(), name), &["--draws", "2", "--sequences", "16"]).json();
        let nelbo = &bound["nelbo"];
        assert!(number(&nelbo["bits_per_dim"]["value"]) > 2.0, "{name}: {nelbo}");
        let parts = ["reconstruction", "prior"].map(|part| number(&nelbo[part]));
        let whole = parts[0] + parts[1] + number(&nelbo["diffusion"]["value"]);
        assert!((whole - number(&nelbo["bits_per_dim"]["value"])).abs() < 1e-9, "{name}: {nelbo}");
        assert_eq!(nelbo["protocol"]["objective"], "gaussian", "{name}");
    }
}

#[test]
fn every_sampler_draws_from_every_gaussian_model() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["vdm", "flow", "edm"] {
        let run = gaussian(folder.path(), name);
        for (sampler, grid, nfe) in
            [("ancestral", "uniform", 5.0), ("ddim", "uniform", 5.0), ("heun", "uniform", 10.0), ("heun", "edm", 9.0)]
        {
            let churn: &[&str] = if sampler == "heun" { &["--churn", "1"] } else { &[] };
            let made = ["--count", "3", "--steps", "5", "--sampler", sampler, "--grid", grid];
            let samples = with("sample", &run, &[&made, churn].concat()).json();
            assert_eq!(number(&samples["nfe"]), nfe, "{name}, {sampler} on {grid}");
            assert!(samples["placement"].as_str().expect("words").starts_with(grid), "{samples}");
        }
    }
}

/// The ODE's likelihood: exact and estimated traces of one path have one mean.
#[test]
fn exact_and_estimated_traces_of_the_ode_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let vdm = gaussian(folder.path(), "vdm");
    let ode = |trace: &str, dequantisation: &str| {
        let quick = ["--draws", "2", "--sequences", "16", "--ode", "--ode-steps", "6"];
        let more = ["--trace", trace, "--dequantisation", dequantisation];
        with("likelihood", &vdm, &[&quick[..], &more].concat()).json()["ode"].clone()
    };
    let value = |ode: &Value| number(&ode["bits_per_dim"]["value"]);
    let (exact, estimated) = (ode("exact", "decoder"), ode("hutchinson", "decoder"));
    let error = number(&estimated["bits_per_dim"]["standard_error"]);
    assert!((value(&exact) - value(&estimated)).abs() < 5.0 * error, "{exact} {estimated}");
    assert_ne!(value(&exact), value(&estimated));
    assert_eq!((number(&exact["nfe"]), number(&estimated["nfe"])), (24.0 * 64.0, 24.0));
    assert_eq!(ode("hutchinson", "uniform")["dequantisation"], "uniform");
}

#[test]
fn options_that_a_gaussian_model_has_not_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let vdm = gaussian(folder.path(), "vdm");
    with("sample", &vdm, &["--schedule", "cosine", "--steps", "3"]).json();
    assert_refused(&with("sample", &vdm, &["--grid", "cosine"]), "edm");
    assert_refused(&with("sample", &vdm, &["--schedule", "cosine:-3:5"]), "gamma from -8 to 5");
    assert_refused(&with("sample", &vdm, &["--churn", "1"]), "heun");
    assert_refused(&with("sample", &vdm, &["--churn=-1"]), "--churn");
    assert_refused(&with("likelihood", &vdm, &["--trace", "exact"]), "--ode");
    assert_refused(&with("sample", &vdm, &["--nucleus", "0.9"]), "nucleus");
    assert_refused(&with("sample", &vdm, &["--sampler", "cached"]), "ddim");
}

#[test]
fn settings_that_gaussian_diffusion_has_not_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = folder.path().join("refused");
    let settings = [
        ("schedule=cosine", "no ends"),
        ("noise_levels=cosine:-8:4", "other ends"),
        ("prediction=mu", "velocity"),
        ("fourier=[3, 1]", "fourier"),
        ("patch_size=3", "can be cut"),
        ("patch_size=0", "patch_size is 0"),
        ("time_conditioning=false", "depends on the time"),
        ("sigma_data=0.5", "no meaning for implementation vdm"),
        ("schedule=learned:-8:5", "learned ends"),
        ("prediction=velocity", "eps"),
        ("schedule=normal:2.4:0.5:-8:5", "7 STD"),
    ];
    for (setting, what) in settings {
        assert_refused(&train(&refused, "vdm-digits", &[setting, "weighting=fm"]), what);
    }
    assert_refused(&train(&refused, "edm-digits", &["sigma_data=0.5"]), "edm:0.5");
    let texts = ["dataset=shakespeare", "alphabet=text8", "sequence_length=64"];
    assert_refused(&train(&refused, "vdm-digits", &texts), "needs images");
}

#[test]
fn gaussian_models_learn_their_ends_and_classes_and_resume() {
    let folder = tempfile::tempdir().expect("a folder");
    let unet = ["network=unet", "heads=none", "hidden=none", "perceptron=none", "positions=none", "patch_size=none"];
    let more = ["width=8", "resolutions=2", "condition_width=32", "schedule=learned:-8:5", "weight_decay=0.0"];
    let classes = ["class_conditioning=true", "label_dropout=0.1", "checkpoint_every=2", "decay=constant"];
    let changes = [&unet[..], &more, &classes].concat();
    let (straight, stopped) = (folder.path().join("straight"), folder.path().join("stopped"));
    train(&straight, "vdm-digits", &changes).json();
    resume_half_way(&stopped, "vdm-digits", &changes);
    let read = |run: &Path| std::fs::read(run.join("checkpoint/model.safetensors")).expect("weights");
    assert!(read(&straight) == read(&stopped), "the learned ends are not resumed");
    let bound = with("likelihood", &straight, &["--draws", "1", "--sequences", "8"]).json();
    assert_eq!(bound["nelbo"]["protocol"]["schedule"], "fixed-linear, ends learned");
    let nfe = |guidance: &str| {
        let made = ["--count", "3", "--steps", "4", "--class", "7", "--guidance", guidance];
        number(&with("sample", &straight, &made).json()["nfe"])
    };
    assert_eq!((nfe("1"), nfe("2")), (4.0, 8.0));
}

/// A run that stopped after two of its four steps, and went on.
fn resume_half_way(run: &Path, preset: &str, changes: &[&str]) {
    // The same settings but the number of steps.
    train(run, preset, &[changes, &["steps=2"]].concat()).json();
    let config = run.join("config.toml");
    let text = std::fs::read_to_string(&config).expect("settings").replace("steps = 2\n", "steps = 4\n");
    std::fs::write(&config, text.replace("warmup_steps = 4", "warmup_steps = 2")).expect("written");
    train(run, preset, changes).json();
}

#[test]
fn a_unet_learns_pixels_and_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let tokens = ["patch_size=none", "width=8"];
    let unet = ["network=unet", "heads=none", "hidden=none", "perceptron=none", "positions=none"];
    let changes =
        [&unet[..], &tokens, &["dropout=0.1", "accumulation=2", "checkpoint_every=2", "decay=constant"]].concat();
    let (straight, stopped) = (folder.path().join("straight"), folder.path().join("stopped"));
    train(&straight, "md4-digits", &changes).json();
    resume_half_way(&stopped, "md4-digits", &changes);
    let read = |run: &Path| std::fs::read(run.join("checkpoint/model.safetensors")).expect("weights");
    assert!(read(&straight) == read(&stopped), "dropout, accumulation or the order of the data is not resumed");
}

#[test]
fn a_diverging_run_names_the_batch_and_saves_nothing_that_is_not_finite() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let call =
        train(&run, "md4-digits", &["learning_rate=1e30", "clip_norm=0", "warmup_steps=0", "checkpoint_every=1"]);
    assert_eq!(call.code, 2, "{}", call.stderr);
    for word in ["step ", "batch key", "last finite checkpoint: none"] {
        assert!(call.stderr.contains(word), "{}", call.stderr);
    }
}

#[test]
fn published_weights_are_imported_and_what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("imported");
    let import = |file: &str, run: &Path| {
        let run = run.to_str().expect("UTF-8");
        let settings = ["--preset", "mdlm-text8", "--set", "sequence_length=12", "--json", "-q"];
        elbow(ELBOW, &[&["import", file, "--run", run][..], &settings].concat())
    };
    let made = import("fixtures/networks/dit.safetensors", &run).json();
    assert_eq!((made["parameters"].as_u64(), made["values"].as_u64()), (Some(37771), Some(10)));
    assert_eq!((made["heads"].as_u64(), made["layers"].as_u64()), (Some(4), Some(2)));
    // Ten values are no text in 27 letters.
    assert_refused(&with("likelihood", &run, &["--dataset", "shakespeare"]), "10");
    assert_refused(&import("fixtures/networks/dit.safetensors", &run), "exists");
    let other = import("fixtures/networks/md4-transformer.safetensors", &folder.path().join("other"));
    assert_refused(&other, "no tensor vocab_embed.embedding: expected MDLM's names (backbone.");
}

#[test]
fn missing_data_says_what_to_put_where() {
    let call = elbow(ELBOW, &["train", "md4-cifar10", "-q"]);
    for word in ["cifar10", "fixtures", "--data DIR"] {
        assert_refused(&call, word);
    }
    assert_refused(&elbow(ELBOW, &["train", "md4-shakespeare", "-q", "--set", "alphabet=runes"]), "tokenizer:FILE");
}

#[test]
fn every_preset_has_a_plan_of_its_own_implementation() {
    let presets = elbow(ELBOW, &["train", "--list", "--json"]).json();
    for preset in presets.as_array().expect("names") {
        let name = preset.as_str().expect("a name");
        let dry = elbow(ELBOW, &["train", name, "--dry-run", "--json"]).json();
        assert!(name.starts_with(dry["implementation"].as_str().expect("a name")), "{name}");
    }
}
