//! Training that is killed, and evaluation that is repeated.

use std::path::Path;
use std::time::{Duration, Instant};

use elbow_tests::{command, elbow};
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// A run of a few seconds with many checkpoints.
fn training(run: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = ["train", "md4-digits", "--json", "--quiet", "--run"].map(String::from).to_vec();
    arguments.push(run.to_str().expect("UTF-8").to_owned());
    for setting in [
        "width=32",
        "heads=2",
        "layers=1",
        "batch_size=16",
        "steps=120",
        "warmup_steps=5",
        "checkpoint_every=3",
        "log_every=1",
    ] {
        arguments.extend(["--set".to_owned(), setting.to_owned()]);
    }
    arguments
}

fn as_str(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn a_killed_training_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (straight, killed) = (folder.path().join("straight"), folder.path().join("killed"));
    elbow(ELBOW, &as_str(&training(&straight))).json();
    // Kill -9 several times, at moments spread over checkpoints being written and not.
    let mut kills = 0;
    for round in 0..6 {
        let mut child = command(ELBOW, &as_str(&training(&killed)))
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("the binary starts");
        let begun = rows(&killed);
        let patience = Instant::now();
        while rows(&killed) < begun.max(1) + 4 + round && patience.elapsed() < Duration::from_secs(30) {
            if child.try_wait().expect("a child").is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1 + round as u64));
        }
        if child.try_wait().expect("a child").is_none() {
            child.kill().expect("SIGKILL");
            kills += 1;
        }
        child.wait().expect("it ended");
    }
    assert!(kills >= 3, "only {kills} of 6 kills came in time");
    let finished = elbow(ELBOW, &as_str(&training(&killed))).json();
    assert_eq!(finished["last"]["step"], 120);
    for name in [
        "checkpoint/model.safetensors",
        "checkpoint/ema.safetensors",
        "checkpoint/optimizer.safetensors",
        "metrics.jsonl",
    ] {
        let read = |run: &Path| std::fs::read(run.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(read(&straight) == read(&killed), "{name} differs after {kills} kills");
    }
}

/// Rows of metrics written so far.
fn rows(run: &Path) -> usize {
    std::fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count())
}

#[test]
fn a_run_with_other_settings_is_not_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let mut arguments = training(&run);
    arguments.extend(["--set", "steps=3"].map(String::from));
    elbow(ELBOW, &as_str(&arguments)).json();
    arguments.extend(["--set", "weighting=fm"].map(String::from));
    let call = elbow(ELBOW, &as_str(&arguments));
    assert_eq!(call.code, 2, "{}", call.stderr);
    assert!(call.stderr.contains("other settings"), "{}", call.stderr);
}

#[test]
fn likelihood_and_samples_of_a_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let mut arguments = training(&run);
    arguments.extend(["--set", "steps=6"].map(String::from));
    elbow(ELBOW, &as_str(&arguments)).json();
    let run = run.to_str().expect("UTF-8");
    let bound = |seed: &str, draws: &str| {
        elbow(ELBOW, &["likelihood", "--checkpoint", run, "--draws", draws, "--seed", seed, "--json", "-q"]).json()
    };
    let (first, again, other) = (bound("0", "2"), bound("0", "2"), bound("1", "2"));
    assert_eq!(first["nelbo"], again["nelbo"], "the same seed gives the same number");
    assert_ne!(first["nelbo"], other["nelbo"], "witness: another seed gives another");
    let bits = |v: &Value| v["nelbo"]["bits_per_dim"]["value"].as_f64().expect("a number");
    let error = |v: &Value| v["nelbo"]["bits_per_dim"]["standard_error"].as_f64().expect("a number");
    assert!((bits(&first) - bits(&other)).abs() < 6.0 * error(&first), "{first} {other}");
    assert_eq!(first["nelbo"]["sequences"], 299);
    // Six steps from the uniform prediction, log2 17 = 4.087 bits/dim.
    assert!((3.0..4.3).contains(&bits(&first)), "{}", bits(&first));
    let samples =
        elbow(ELBOW, &["sample", "--checkpoint", run, "--count", "10", "--steps", "8", "--json", "-q"]).json();
    assert_eq!(samples["count"], 10);
    assert!(samples["nfe"].as_f64().expect("a mean") <= 8.0);
    let npz = samples["npz"].as_str().expect("a path");
    let distance = elbow(ELBOW, &["fid", "calc", npz, "digits:test", "--no-cache", "--json", "-q"]).json();
    assert_eq!(distance["distance"]["rank_deficient"], true);
    // The run itself on one side: the same samples, drawn and scored without being written.
    let live = ["fid", "calc", run, "digits:test", "--count", "10", "--steps", "8", "--no-cache", "--json", "-q"];
    let live = elbow(ELBOW, &live).json();
    assert_eq!(
        (&live["measures"], &live["generated"]["sha256"]),
        (&distance["measures"], &distance["generated"]["sha256"])
    );
    assert!(live["generated"]["source"].as_str().is_some_and(|source| source.contains("NFE")));
}

#[test]
fn eval_records_reuses_and_reports() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let claims = ["golden", "monotone", "non-monotone", "simple-is-constant", "sigmoid-zero-is-simple", "cosine-grid"];
    let eval = |more: &[&str]| {
        let arguments = [&["eval"], &claims[..], &["--out", out, "--json", "-q"], more].concat();
        elbow(ELBOW, &arguments).json()
    };
    let first = eval(&[]);
    let claims = first["claims"].as_array().expect("claims");
    assert_eq!(claims.len(), 6);
    assert!(claims.iter().all(|claim| claim["verdict"] == "verified"), "{first}");
    assert_eq!(first["reused"], 0);
    let page = std::fs::read(folder.path().join("report/index.html")).expect("the report");
    for name in ["report/report.md", "report/junit.xml", "report/figures/figure-2.png", "report/figures/figure-3.png"] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    let rows = std::fs::read_to_string(folder.path().join("results.jsonl")).expect("rows");
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).expect("a row");
        assert_eq!(row["schema"], 1);
        for field in ["version", "git_revision", "program_hash", "claim_hash", "finished"] {
            assert!(!row["provenance"][field].as_str().expect(field).is_empty(), "{field}");
        }
    }
    // A torn last line, as a kill leaves it, is dropped and the rest is kept.
    std::fs::write(folder.path().join("results.jsonl"), format!("{rows}{{\"schema\":1,\"cla")).expect("written");
    let second = eval(&[]);
    assert_eq!(second["reused"].as_u64(), Some(claims.len() as u64));
    assert_eq!(std::fs::read_to_string(folder.path().join("results.jsonl")).expect("rows"), rows);
    assert!(
        std::fs::read(folder.path().join("report/index.html")).expect("the report") == page,
        "the same rows, the same bytes"
    );
    // Another seed is another result.
    assert_eq!(eval(&["--seed", "1"])["reused"], 0);
}

#[test]
fn a_missing_input_blocks_and_never_passes() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let call =
        elbow(ELBOW, &["eval", "families-fashion", "--slow", "--out", out.to_str().expect("UTF-8"), "--json", "-q"]);
    assert_eq!(call.code, 3, "{}", call.stderr);
    let json: Value = serde_json::from_str(&call.stdout).expect("JSON");
    assert_eq!(json["claims"][0]["verdict"], "blocked");
    assert_eq!(json["verified"], 0);
    assert!(json["claims"][0]["reason"].as_str().expect("a reason").contains("fashion-mnist"));
}

#[test]
fn a_tier_runs_its_claims_and_the_cheaper_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let names = ["golden", "order-simulated", "masked-noise"];
    let eval = |more: &[&str]| elbow(ELBOW, &[&["eval"], &names[..], &["--out", out, "-q"], more].concat());
    let verdicts = |tier: &str| -> Vec<String> {
        let claims = eval(&["--tier", tier, "--json"]).json()["claims"].clone();
        let claims = claims.as_array().expect("claims").iter();
        claims.map(|claim| claim["verdict"].as_str().expect("a verdict").to_owned()).collect()
    };
    // By suite: order-simulated (quick), golden (exact), masked-noise (fast).
    assert_eq!(verdicts("exact"), ["not-run", "verified", "not-run"]);
    assert_eq!(verdicts("quick"), ["verified", "verified", "not-run"]);
    assert_eq!(eval(&["--tier", "quick", "--slow"]).code, 2, "one of both says which");
    assert_eq!(eval(&["--tier", "gpu"]).code, 2, "a tier of a device is none of time");
}
