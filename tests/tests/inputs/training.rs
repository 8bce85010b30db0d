//! Trainings, checkpoints and imported weights.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use elbow_tests::files::read;
use elbow_tests::{Call, command, elbow};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ELBOW;

const SMALL: [&str; 7] =
    ["width=16", "heads=2", "layers=1", "hidden=32", "batch_size=8", "warmup_steps=2", "log_every=1"];

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn arguments<'a>(run: &'a Path, preset: &'a str, changes: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["train", preset, "--json", "-q", "--run", text(run)];
    for setting in SMALL.iter().chain(changes) {
        arguments.extend(["--set", setting]);
    }
    arguments
}

/// A few steps of a tiny network.
fn train(run: &Path, changes: &[&str]) -> Call {
    elbow(ELBOW, &arguments(run, "md4-digits", changes))
}

/// One line of what and perhaps one of advice, exit 2, with these words.
fn assert_refused(call: &Call, words: &[&str]) {
    assert_eq!(call.code, 2, "{}", call.stderr);
    assert!(call.stderr.lines().count() <= 2, "{}", call.stderr);
    for word in words {
        assert!(call.stderr.contains(word), "{word}: {}", call.stderr);
    }
}

fn weights(run: &Path) -> Vec<u8> {
    read(&run.join("checkpoint/model.safetensors"))
}

/// Replaces a file of a checkpoint, whose hash is corrected.
fn replace(run: &Path, name: &str, bytes: &[u8]) {
    fs::write(run.join("checkpoint").join(name), bytes).expect("written");
    let path = run.join("checkpoint/state.json");
    let mut state: Value = serde_json::from_slice(&read(&path)).expect("JSON");
    let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    state["files"][name] = hash.into();
    fs::write(&path, state.to_string()).expect("written");
}

/// A safetensors file with each number replaced, under another header.
fn with_numbers(file: &[u8], header: impl Fn(&str) -> String, numbers: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
    let old = std::str::from_utf8(&file[8..8 + length]).expect("UTF-8");
    let new = header(old);
    [&(new.len() as u64).to_le_bytes()[..], new.as_bytes(), &numbers((file.len() - 8 - length) / 4)].concat()
}

#[test]
fn weights_that_are_not_finite_give_no_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let [run, imported, file] = ["run", "imported", "nan.safetensors"].map(|name| folder.path().join(name));
    let nan = |bytes: &[u8]| with_numbers(bytes, str::to_owned, |count| f32::NAN.to_le_bytes().repeat(count));
    fs::write(&file, nan(&read(&elbow_tests::root().join("fixtures/networks/dit.safetensors")))).expect("written");
    let import = ["import", text(&file), "--preset", "mdlm-text8", "--run", text(&imported)];
    assert_refused(&elbow(ELBOW, &import), &["nan.safetensors", "not finite"]);
    assert!(!imported.exists(), "a run of such weights was written");
    train(&run, &["steps=2"]).json();
    let ema = read(&run.join("checkpoint/ema.safetensors"));
    replace(&run, "ema.safetensors", &nan(&ema));
    let verbs: [&[&str]; 3] = [
        &["likelihood", "--sequences", "20", "--checkpoint", text(&run)],
        &["sample", "--count", "2", "--checkpoint", text(&run)],
        &["fid", "calc", text(&run), "digits:test", "--count", "20"],
    ];
    for verb in verbs {
        assert_refused(&elbow(ELBOW, &[verb, &["-q"]].concat()), &["ema.safetensors", "not finite"]);
    }
    // The same for one number among many, and for the optimiser's.
    let mut one = ema.clone();
    let end = one.len();
    one[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    replace(&run, "ema.safetensors", &one);
    assert_refused(&elbow(ELBOW, verbs[0]), &["not finite"]);
    replace(&run, "ema.safetensors", &ema);
    assert_eq!(elbow(ELBOW, verbs[0]).code, 0, "witness: the weights were good");
    let optimizer = nan(&read(&run.join("checkpoint/optimizer.safetensors")));
    replace(&run, "optimizer.safetensors", &optimizer);
    assert_refused(&train(&run, &["steps=2"]), &["optimizer.safetensors", "not finite"]);
}

#[test]
fn checkpoints_of_another_precision_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    train(&run, &["steps=2"]).json();
    for (name, verb) in [
        ("ema.safetensors", vec!["likelihood", "--sequences", "20", "--checkpoint", text(&run)]),
        ("optimizer.safetensors", arguments(&run, "md4-digits", &["steps=2"])),
    ] {
        let whole = read(&run.join("checkpoint").join(name));
        // Each tensor begins and ends at half its place.
        let half = |header: &str| {
            let mut header: serde_json::Map<String, Value> = serde_json::from_str(header).expect("a header");
            for (_, tensor) in header.iter_mut().filter(|(name, _)| *name != "__metadata__") {
                tensor["dtype"] = "F16".into();
                for place in tensor["data_offsets"].as_array_mut().expect("two places") {
                    *place = (place.as_u64().expect("a place") / 2).into();
                }
            }
            Value::Object(header).to_string()
        };
        replace(&run, name, &with_numbers(&whole, half, |count| vec![0; 2 * count]));
        assert_refused(&elbow(ELBOW, &verb), &[name, "F16", "single precision"]);
        replace(&run, name, &whole);
        assert_eq!(elbow(ELBOW, &verb).code, 0, "witness: {name} was good");
    }
}

#[test]
fn a_diverging_training_keeps_what_is_finite_and_says_the_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let [run, again, evaluated] = ["run", "again", "evaluated"].map(|name| folder.path().join(name));
    let wild = ["learning_rate=1e30", "warmup_steps=0", "checkpoint_every=1", "steps=5"];
    assert_refused(&train(&run, &wild), &["step ", "batch key", "last finite checkpoint: none", "lower learning_rate"]);
    assert!(!run.join("checkpoint").exists(), "weights without a finite loss were saved");
    // The folder of a run that saved nothing is free.
    train(&run, &["steps=2", "checkpoint_every=1"]).json();
    // A run that goes wrong later keeps its last good step, and another begins from it.
    let more = ["steps=20", "decay=constant", "warmup_steps=0", "checkpoint_every=1", "evaluate_every=1"];
    train(&evaluated, &[&more[..], &["steps=2"]].concat()).json();
    let config = evaluated.join("config.toml");
    let settings = String::from_utf8(read(&config)).expect("UTF-8");
    fs::write(&config, settings.replace("learning_rate = 0.005", "learning_rate = 1e30")).expect("written");
    let wild = [&more[..], &["learning_rate=1e30"]].concat();
    for _ in 0..2 {
        let call = train(&evaluated, &wild);
        assert_refused(&call, &["last finite checkpoint: step 2", "lower learning_rate", "--from RUN --run DIR"]);
    }
    let bound = ["likelihood", "--sequences", "20", "--json", "-q", "--checkpoint"];
    let value =
        |run| elbow(ELBOW, &[&bound[..], &[text(run)]].concat()).json()["nelbo"]["bits_per_dim"]["value"].as_f64();
    assert!(value(&evaluated).is_some_and(f64::is_finite));
    let calm = arguments(&again, "md4-digits", &more);
    let begun = elbow(ELBOW, &[&calm[..], &["--from", text(&evaluated)]].concat()).json();
    assert_eq!(begun["origin"]["from"], text(&evaluated));
    assert!(value(&again).is_some_and(f64::is_finite));
}

#[test]
fn a_run_goes_on_with_more_steps_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let [straight, raised, decaying] = ["straight", "raised", "decaying"].map(|name| folder.path().join(name));
    let constant = |steps: &'static str| ["decay=constant", "dropout=0.1", "checkpoint_every=7", steps];
    train(&straight, &constant("steps=40")).json();
    train(&raised, &constant("steps=20")).json();
    assert!(weights(&raised) != weights(&straight), "witness: twenty steps make a difference");
    let changed = [&constant("steps=40")[..], &["log_every=3", "checkpoint_every=11", "evaluate_every=15"]].concat();
    train(&raised, &changed).json();
    assert!(weights(&raised) == weights(&straight), "the run that went on has other weights");
    let config = String::from_utf8(read(&raised.join("config.toml"))).expect("UTF-8");
    assert!(config.contains("steps = 40\n") && config.contains("log_every = 3\n"), "{config}");
    // Fewer steps than are done, a decay over the steps, and anything that shapes the numbers.
    assert_refused(&train(&raised, &constant("steps=30")), &["steps: 40 there, 30 here, fewer than are done"]);
    train(&decaying, &["decay=cosine", "steps=4"]).json();
    let later = train(&decaying, &["decay=cosine", "steps=8"]);
    assert_refused(&later, &["steps: 4 there, 8 here, over which the learning rate decays"]);
    let other = [&constant("steps=40")[..], &["weighting=fm", "width=32"]].concat();
    let other = train(&raised, &other);
    assert_refused(&other, &["weighting: simple there, fm here", "width: 16 there, 32 here", "raised-fm (--run DIR)"]);
    assert!(weights(&raised) == weights(&straight), "a refused command changed the run");
}

#[test]
fn a_run_begins_with_the_averaged_weights_of_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let [old, new, other] = ["old", "new", "other"].map(|name| folder.path().join(name));
    train(&old, &["steps=6"]).json();
    let from = |run: &Path, from: &Path, changes: &[&str]| {
        elbow(ELBOW, &[&arguments(run, "md4-digits", changes)[..], &["--from", text(from)]].concat())
    };
    // Without a step of its own the new run is the old one's average.
    let frozen = ["steps=1", "learning_rate=0", "weight_decay=0"];
    let made = from(&new, &old, &frozen).json();
    assert_eq!(made["origin"]["weights"]["kind"], "averaged");
    assert!(weights(&new) == read(&old.join("checkpoint/ema.safetensors")));
    assert!(weights(&new) != weights(&old), "witness: average and last weights differ");
    let bound = elbow(ELBOW, &["likelihood", "--sequences", "9", "--json", "-q", "--checkpoint", text(&new)]).json();
    assert_eq!(bound["origin"], made["origin"]);
    // The same command goes on; other first weights, another network and no run at all are refused.
    assert_eq!(from(&new, &old, &frozen).code, 0);
    train(&other, &["steps=6", "seed=1"]).json();
    assert_refused(&from(&new, &other, &frozen), &["did not begin with the weights of"]);
    assert_refused(&from(&folder.path().join("wide"), &old, &["width=32"]), &["does not fit the network"]);
    assert_refused(&from(&folder.path().join("none"), &folder.path().join("nowhere"), &[]), &["no checkpoint here"]);
}

#[test]
fn a_folder_has_one_training_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let long = ["steps=100000", "checkpoint_every=20"];
    let mut first =
        command(ELBOW, &arguments(&run, "md4-digits", &long)).stdout(Stdio::null()).spawn().expect("starts");
    while !run.join("checkpoint/state.json").is_file() {
        assert!(first.try_wait().expect("a child").is_none(), "it ended before its first checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let second = train(&run, &long);
    first.kill().expect("SIGKILL");
    first.wait().expect("it ended");
    assert_refused(&second, &[text(&run), "another process is writing here", "--run DIR"]);
    // The lock went with the process.
    assert_refused(&train(&run, &["steps=100000", "weighting=fm"]), &["weighting: simple there, fm here"]);
}

#[test]
fn an_evaluation_has_its_folder_for_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let out: PathBuf = folder.path().join("out");
    fs::create_dir(&out).expect("a folder");
    let lock = fs::File::create(out.join("lock")).expect("a file");
    lock.lock().expect("free");
    let evaluation = ["eval", "cosine-grid", "-q", "--json", "--out", text(&out)];
    assert_refused(&elbow(ELBOW, &evaluation), &["another process is writing here", "--out DIR"]);
    drop(lock);
    assert_eq!(elbow(ELBOW, &evaluation).code, 0);
}

#[test]
fn trainings_that_no_machine_can_hold_are_refused_before_they_begin() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let train = |preset: &str, set: &[&str]| {
        let set = set.iter().flat_map(|setting| ["--set", setting]);
        let arguments: Vec<&str> = ["train", preset, "-q", "--run", text(&run)].into_iter().chain(set).collect();
        let script = "ulimit -v 6000000; exec \"$@\"";
        elbow("bash", &[&["-c", script, "bash", ELBOW][..], &arguments].concat())
    };
    assert_refused(&train("md4-digits", &["batch_size=1000000"]), &["GB", "activations", "lower batch_size"]);
    assert_refused(&train("md4-digits", &["width=65536"]), &["GB", "weights", "lower width or layers"]);
    assert_refused(&train("md4-digits", &["layers=4096", "width=1024"]), &["GB", "lower width or layers"]);
    let long = ["sequence_length=60000", "batch_size=64"];
    assert_refused(&train("md4-shakespeare", &long), &["GB", "activations"]);
    assert!(!run.exists(), "a run that cannot be trained was begun");
    // Nothing overflows on the way.
    for setting in ["accumulation=1000000000000", "shards=1000000000000"] {
        assert_eq!(train("md4-digits", &["steps=1", "batch_size=4", setting]).code, 0, "{setting}");
        fs::remove_dir_all(&run).expect("removed");
    }
}

#[test]
fn numbers_of_settings_have_ranges_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    for (setting, what) in [
        ("steps=-1", "steps = -1: expected a whole number, 1 or more"),
        ("warmup_steps=-1", "warmup_steps = -1: expected a whole number, 0 or more"),
        ("steps=1e18", "--set steps=1e18: expected a whole number, such as 4000"),
        ("learning_rate=fast", "--set learning_rate=fast: expected a number, such as 0.005"),
        ("class_conditioning=1", "--set class_conditioning=1: expected true or false, such as false"),
        ("timesteps=0.5", "--set timesteps=0.5: expected a whole number, such as 0"),
        ("patches=[1, 2]", "patches has no meaning"),
        ("embedding=-3", "embedding = -3: expected a whole number, 1 or more"),
    ] {
        assert_refused(&train(&run, &[setting]), &[what]);
    }
}

#[test]
fn an_import_says_whose_weights_and_tokens_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let [run, other] = ["run", "other"].map(|name| folder.path().join(name));
    let file = "fixtures/networks/dit.safetensors";
    let import = |run: &Path, more: &[&str]| {
        let settings = ["--set", "sequence_length=12", "--json", "-q"];
        elbow(ELBOW, &[&["import", file, "--run", text(run)][..], &settings, more].concat())
    };
    let made = import(&run, &["--preset", "mdlm-text8"]).json();
    assert_eq!((&made["weights"]["kind"], &made["weights"]["place"]), (&"unmarked".into(), &"backbone.".into()));
    assert_eq!((&made["alphabet"], &made["tokens"]), (&"text8".into(), &27.into()));
    let state: Value = serde_json::from_slice(&read(&run.join("checkpoint/state.json"))).expect("JSON");
    assert_eq!((&state["origin"]["from"], &state["origin"]["weights"]), (&file.into(), &made["weights"]));
    // The tokenizer of the default preset is a file that is not there.
    assert_refused(&import(&other, &[]), &["tokenizer.json", "alphabet=tokenizer:FILE"]);
    assert!(!other.exists(), "a run that cannot be evaluated was written");
}
