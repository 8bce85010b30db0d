//! Evaluation that is killed, disks that are full, folders that are locked, programs that change: nothing torn, nothing
//! lost, nothing done twice.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use elbow_tests::files::{contents, files, read, torn};
use elbow_tests::{Call, command, elbow};
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// The claim that trains a network on disk; its verdict does not depend on how well.
const TRAINING: &str = "first-hitting-calls";
/// Claims of milliseconds and of seconds, in the order in which they are run; together about ten seconds.
const CLAIMS: [&str; 6] = ["gaussian-forms", "theorem-1", "monotone", "unbiased-loss", TRAINING, "noise"];
/// Steps that the training still has to make.
const LEFT: i64 = 40;
/// Times that the evaluation is killed.
const ROUNDS: u64 = 5;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The arguments of an evaluation into a folder.
fn evaluation<'a>(claims: &[&'a str], out: &'a Path) -> Vec<&'a str> {
    [&["eval"][..], claims, &["--out", text(out), "--json", "-q"]].concat()
}

/// Starts the program and kills it when the moment has come; false if it ended before.
fn kill_when(arguments: &[&str], mut moment: impl FnMut() -> bool) -> bool {
    let mut started = command(ELBOW, arguments);
    let mut child = started.stdout(Stdio::null()).spawn().expect("the binary starts");
    while !moment() && child.try_wait().expect("a child").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("SIGKILL, or it has ended");
    child.wait().expect("it ended").code().is_none()
}

/// The program where no file may grow beyond this many KiB. The write that would is refused, as on a full disk, or
/// kills the program when a part of it is done.
fn limited(kib: u32, dies: bool, arguments: &[&str]) -> Call {
    let ignore = if dies { "" } else { "trap '' XFSZ; " };
    let script = format!("{ignore}ulimit -c 0; ulimit -f {kib}; exec \"$@\"");
    elbow("bash", &[&["-c", script.as_str(), "bash", ELBOW][..], arguments].concat())
}

/// The environment lacks something: one line says what and where, one what to do, with the option that was given.
fn assert_refused(call: &Call, what: &str, option: &str) {
    assert_eq!(call.code, 3, "{what}: {}", call.stderr);
    let lines: Vec<&str> = call.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{what}: {}", call.stderr);
    assert!(lines[0].starts_with("elbow: cannot write") && lines[0].contains(what), "{what}: {}", call.stderr);
    assert!(lines[1].starts_with("  ") && lines[1].contains(option), "{what}: {}", call.stderr);
}

/// Dies in the middle of writing `what`, then finds the disk full there. Neither leaves a torn file.
fn disturb(kib: u32, arguments: &[&str], folder: &Path, what: &str) {
    let option = if arguments.contains(&"--run") { "--run" } else { "--out" };
    assert_eq!(limited(kib, true, arguments).code, -1, "{what}: the limit was not reached");
    assert_eq!(torn(folder), [] as [PathBuf; 0], "{what}, killed");
    assert_refused(&limited(kib, false, arguments), what, option);
    assert_eq!(torn(folder), [] as [PathBuf; 0], "{what}, full disk");
}

/// The whole rows, by claim. Each claim has one: nothing was recorded twice.
fn rows(out: &Path) -> BTreeMap<String, Value> {
    let recorded = fs::read(out.join("results.jsonl")).unwrap_or_default();
    let mut rows = BTreeMap::new();
    for line in recorded.split_inclusive(|&b| b == b'\n').filter(|line| line.ends_with(b"\n")) {
        let row: Value = serde_json::from_slice(line).expect("a row");
        let id = row["claim"]["id"].as_str().expect("an id").to_owned();
        assert!(rows.insert(id.clone(), row).is_none(), "{id} was recorded twice");
    }
    rows
}

/// The rows without what a clock wrote into them.
fn timeless(out: &Path) -> BTreeMap<String, Value> {
    let mut rows = rows(out);
    for row in rows.values_mut() {
        row["seconds"] = Value::Null;
        row["provenance"]["finished"] = Value::Null;
        // It is of the clock's fields too.
        row["checksum"] = Value::Null;
    }
    rows
}

/// Gives `out` a run that lacks only its last steps: the training of half a minute then takes a second. The checkpoint
/// is one of a single step that passes for a late one; the folder's name is what the evaluation itself chose.
fn almost_trained(out: &Path) -> PathBuf {
    let early = out.with_extension("early");
    elbow(ELBOW, &["train", "md4-digits", "--set", "steps=1", "--run", text(&early), "--json", "-q"]).json();
    let begun = || -> Option<PathBuf> {
        let mut runs = fs::read_dir(out.join("runs")).ok()?.flatten().map(|entry| entry.path());
        runs.find(|run| run.join("metrics.jsonl").is_file())
    };
    assert!(kill_when(&evaluation(&[TRAINING], out), || begun().is_some()), "no kill in time");
    let run = begun().expect("a run");
    fs::rename(early.join("checkpoint"), run.join("checkpoint")).expect("moved");
    let settings = String::from_utf8(read(&run.join("config.toml"))).expect("UTF-8");
    let settings: toml::Table = toml::from_str(&settings).expect("settings");
    let path = run.join("checkpoint/state.json");
    let mut state: Value = serde_json::from_slice(&read(&path)).expect("JSON");
    state["step"] = (settings["steps"].as_integer().expect("a number") - LEFT).into();
    fs::write(&path, state.to_string()).expect("written");
    run
}

/// A fraction from a fixed seed and a number (splitmix64).
fn fraction(number: u64) -> f64 {
    let mut z = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as f64 / 2f64.powi(64)
}

#[test]
fn a_killed_evaluation_ends_in_the_same_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let (straight, killed) = (folder.path().join("straight"), folder.path().join("killed"));
    almost_trained(&straight);
    assert_eq!(elbow(ELBOW, &evaluation(&CLAIMS, &straight)).json()["reused"], 0);
    let run = almost_trained(&killed);
    let mut kills = 0;
    for round in 0..ROUNDS {
        // Ever later in what is left to do; the second is aimed at the middle of the training.
        let known = rows(&killed);
        let left = rows(&straight).into_iter().filter(|(id, _)| !known.contains_key(id));
        let left: f64 = left.map(|(_, row)| row["seconds"].as_f64().expect("seconds")).sum();
        let delay = Duration::from_secs_f64(left * (round as f64 + fraction(round)) / ROUNDS as f64);
        let begun = Instant::now();
        let moment = || match round {
            1 => fs::read(run.join("metrics.jsonl")).is_ok_and(|log| !log.is_empty()),
            _ => begun.elapsed() >= delay,
        };
        let in_time = kill_when(&evaluation(&CLAIMS, &killed), moment);
        assert!(in_time || round != 1, "the training was not met");
        kills += usize::from(in_time);
        assert_eq!(torn(&killed), [] as [PathBuf; 0], "after {kills} kills");
    }
    assert!(kills >= 3, "only {kills} of {ROUNDS} kills came in time");
    let known = rows(&killed).len();
    let last = elbow(ELBOW, &evaluation(&CLAIMS, &killed)).json();
    assert_eq!(last["reused"], known);
    assert!(known > 0, "{kills} kills, and nothing was kept");
    assert_eq!(timeless(&killed), timeless(&straight), "after {kills} kills");
    // Witness: half a file is seen, unless it is a log.
    for path in files(&killed) {
        let bytes = read(&path);
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
        let log = path.extension().is_some_and(|kind| kind == "jsonl" || kind == "elbow");
        assert!(log || torn(&killed).contains(&path), "{}", path.display());
        fs::write(&path, &bytes).expect("written");
    }
}

#[test]
fn a_row_torn_anywhere_is_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let evaluation = evaluation(&["theorem-1", "cosine-grid"], &out);
    elbow(ELBOW, &evaluation).json();
    let (path, expected) = (out.join("results.jsonl"), timeless(&out));
    let recorded = read(&path);
    let last = recorded.iter().position(|&b| b == b'\n').expect("a line") + 1;
    let character = (last..recorded.len()).find(|&at| !recorded[at].is_ascii()).expect("a sign such as −");
    // After a byte, inside a character, before the line's end.
    for end in [last + 1, character + 1, recorded.len() - 1] {
        fs::write(&path, &recorded[..end]).expect("written");
        let report = elbow(ELBOW, &["report", "--out", text(&out), "-q"]);
        assert_eq!(report.code, 0, "{end}: {}", report.stderr);
        assert_eq!(elbow(ELBOW, &evaluation).json()["reused"], 1, "{end}");
        assert_eq!(timeless(&out), expected, "{end}");
    }
}

#[test]
fn a_full_disk_tears_nothing_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let [straight, out] = ["straight", "out"].map(|name| folder.path().join(name));
    // Rows and the report: 280 KiB of rows, figures of 50 and 150 KiB, a page of 170.
    let claims = ["theorem-1", "monotone", "cosine-grid"];
    let evaluation = evaluation(&claims, &out);
    disturb(100, &evaluation, &out, "results.jsonl");
    assert_eq!(elbow(ELBOW, &evaluation).json()["reused"], 1);
    let report = ["report", "--out", text(&out), "-q"];
    let whole = contents(&out);
    fs::remove_dir_all(out.join("report")).expect("removed");
    for (kib, what) in [(30, ".png"), (158, "index.html")] {
        disturb(kib, &report, &out, what);
        for (path, bytes) in contents(&out) {
            assert!(whole[&path] == bytes, "{what}: {}", path.display());
        }
    }
    assert_eq!(elbow(ELBOW, &report).code, 0);
    assert!(contents(&out) == whole, "the report that nothing disturbed");
    // A training: its log, a picture of samples, and the checkpoint's files.
    let training = |run| {
        let mut training = vec!["train", "md4-digits", "--quiet", "--run", run];
        for setting in
            ["width=32", "heads=2", "layers=1", "steps=20", "log_every=1", "evaluate_every=10", "checkpoint_every=10"]
        {
            training.extend(["--set", setting]);
        }
        training
    };
    let (run, calm) = (out.join("run"), straight.join("run"));
    for (kib, what) in [(1, "events"), (4, "step-0000010.png"), (60, "model"), (100, "optimizer")] {
        disturb(kib, &training(text(&run)), &out, what);
    }
    for run in [&run, &calm] {
        assert_eq!(elbow(ELBOW, &training(text(run))).code, 0);
    }
    assert!(contents(&run) == contents(&calm), "the run that nothing disturbed");
}

#[test]
fn a_full_disk_blocks_a_claim_that_trains() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    almost_trained(&out);
    let call = limited(80, false, &evaluation(&[TRAINING], &out));
    assert_eq!(call.code, 3, "{}", call.stderr);
    let blocked: Value = serde_json::from_str(&call.stdout).expect("JSON");
    assert_eq!(blocked["claims"][0]["verdict"], "blocked");
    let reason = blocked["claims"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("model") && reason.contains("free some room"), "{reason}");
    assert_eq!(torn(&out), [] as [PathBuf; 0]);
    assert_eq!(elbow(ELBOW, &evaluation(&[TRAINING], &out)).json()["claims"][0]["verdict"], "verified");
}

#[test]
fn a_locked_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    elbow(ELBOW, &evaluation(&["cosine-grid"], &out)).json();
    let recorded = out.join("results.jsonl");
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).expect("a folder");
    fs::set_permissions(&locked, std::os::unix::fs::PermissionsExt::from_mode(0o555)).expect("locked");
    // Permissions do not bind root; the kernel's own folders bind everyone.
    let mut places = vec![Path::new("/proc/elbow"), Path::new("/sys/elbow")];
    places.retain(|place| place.parent().is_some_and(Path::is_dir));
    if fs::File::create(locked.join("try")).is_err() {
        places.push(&locked);
    }
    for place in places {
        let verbs: [&[&str]; 4] = [
            &["eval", "cosine-grid"],
            &["report", "--rows", text(&recorded)],
            &["train", "md4-digits", "--set", "steps=1"],
            &["fid", "calc", "digits:test", "digits:train"],
        ];
        for verb in verbs {
            assert_refused(&elbow(ELBOW, &[verb, &["--out", text(place), "-q"]].concat()), text(place), "--out");
        }
    }
    // Where not even the error can be written, its code still comes.
    if let Ok(full) = fs::File::options().write(true).open("/dev/full") {
        let mut call = command(ELBOW, &["eval", "nothing"]);
        assert_eq!(call.stderr(full).status().expect("the binary starts").code(), Some(2));
    }
}

/// A program of other bytes that does the same: nothing reads what follows the end of an executable.
fn changed_program(folder: &Path) -> PathBuf {
    let copy = folder.join("elbow");
    fs::copy(ELBOW, &copy).expect("copied");
    let mut file = fs::File::options().append(true).open(&copy).expect("writable");
    std::io::Write::write_all(&mut file, b"another build").expect("written");
    copy
}

#[test]
fn a_changed_program_makes_no_row_and_no_training_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let changed = changed_program(folder.path());
    let hash = |binary| elbow(binary, &["doctor", "--json"]).json()["program_hash"].clone();
    assert_ne!(hash(ELBOW), hash(text(&changed)), "witness: the programs have other hashes");
    let run = almost_trained(&out);
    let claims = ["theorem-1", TRAINING];
    let evaluation = evaluation(&claims, &out);
    assert_eq!(elbow(ELBOW, &evaluation).json()["reused"], 0);
    assert_eq!(elbow(text(&changed), &evaluation).json()["reused"], 2);
    // Without their rows the claims are checked again, on the training that is there.
    fs::remove_file(out.join("results.jsonl")).expect("removed");
    let weights = run.join("checkpoint/model.safetensors");
    let written = || fs::metadata(&weights).and_then(|file| file.modified()).expect("a time");
    let before = written();
    assert_eq!(elbow(text(&changed), &evaluation).json()["reused"], 0);
    assert_eq!(written(), before, "trained again");
    assert_eq!(fs::read_dir(out.join("runs")).expect("runs").count(), 1, "trained elsewhere");
    // Witness: another seed shapes the numbers.
    let other = [&["eval", "theorem-1", "--out", text(&out), "--json", "-q"][..], &["--seed", "1"]].concat();
    assert_eq!(elbow(text(&changed), &other).json()["reused"], 0);
}
