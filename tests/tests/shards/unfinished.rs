//! Shards whose work is not at its end: rounds that are too few, and a process that was killed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use elbow_tests::{command, elbow};
use serde_json::Value;

use crate::work::{ELBOW, RUN, Work, refusal, without_times};

#[test]
fn a_standard_error_is_reached_in_rounds() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = format!("likelihood --checkpoint {RUN} --split train --draws 1 --target-se 0.02");
    let work = Work::new(folder.path(), &words, &[]);
    let whole = work.whole();
    let target = &whole.json()["nelbo"]["target"];
    let scored = whole.json()["nelbo"]["sequences"].as_u64().expect("a number");
    assert_eq!(target["reached"], true);
    let rounds = scored / 128;
    assert!(scored.is_multiple_of(128) && rounds > 1, "{scored} sequences are some rounds");
    let unbounded = refusal(&work.with(&["--shard", "1/3"]));
    assert!(unbounded.contains("--rounds"), "{unbounded}");
    // One round is not enough, and the next command is told.
    let first: Vec<PathBuf> = (1..=3).map(|number| work.shard(&format!("{number}/3"), &["--rounds", "1"])).collect();
    let folder_of = first[0].parent().expect("a folder");
    let unmet = work.merge(&[folder_of], &[]);
    assert_eq!(unmet.code, 1, "{}", unmet.stderr);
    let told: Value = serde_json::from_str(&unmet.stdout).expect("JSON");
    let needed = told["unmet"]["rounds_needed"].as_u64().expect("a number");
    assert!(needed > 1 && told["unmet"]["next"].as_str().expect("words").contains("--shard m/3 --rounds"), "{told}");
    // More rounds than are needed: the shards go on, and the merge stops where the whole does.
    let more = (rounds + 1).to_string();
    for number in 1..=3 {
        let again = work.with(&["--shard", &format!("{number}/3"), "--rounds", &more]);
        assert!(again.stderr.contains("are done already"), "{}", again.stderr);
    }
    let merged = work.merge(&[folder_of], &[]);
    assert_eq!(without_times(&merged.stdout), without_times(&whole.stdout));
}

/// The only file with this ending in the folders of shards.
fn only(out: &Path, ending: &str) -> Option<PathBuf> {
    let folder = std::fs::read_dir(out.join("shards")).ok()?.next()?.ok()?.path();
    let files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.into_iter().find(|file| file.to_string_lossy().ends_with(ending))
}

#[test]
fn a_shard_that_was_killed_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let words = format!("likelihood --checkpoint {RUN} --split train --draws 30");
    let work = Work::new(folder.path(), &words, &[]);
    let whole = work.whole();
    let third = work.shard("3/3", &[]);
    let second = work.shard("2/3", &[]);
    // Killed after its first units.
    let mut child = command(ELBOW, &[&work.words[..], &["--shard", "1/3", "--out", out, "--quiet"]].concat());
    let mut child = child.spawn().expect("the binary starts");
    let clock = Instant::now();
    let begun = || {
        let text = std::fs::read_to_string(only(folder.path(), ".unfinished.jsonl")?).ok()?;
        (text.lines().count() > 2).then_some(text)
    };
    let text = loop {
        if let Some(text) = begun() {
            break text;
        }
        assert!(clock.elapsed() < Duration::from_secs(60), "no unit is done");
        std::thread::sleep(Duration::from_millis(2));
    };
    child.kill().and_then(|()| child.wait()).expect("a process");
    assert!(text.lines().count() < 12, "killed too late to show anything");
    // The hole, and what fills it.
    let shards = third.parent().expect("a folder");
    let hole = refusal(&work.merge(&[shards], &[]));
    let fill = hole.lines().find_map(|line| line.trim().strip_prefix("run: elbow ")).expect("a command").to_owned();
    assert!(hole.contains("shard 1/3 is missing") && fill.ends_with("--shard 1/3"), "{hole}");
    let fill: Vec<&str> = fill.split(' ').collect();
    let filled = elbow(ELBOW, &[&fill[..], &["--out", out]].concat());
    assert!(filled.code == 0 && filled.stderr.contains("are done already"), "{}", filled.stderr);
    let merged = work.merge(&[&second, &third, &shards.join("1-of-3.jsonl")], &[]);
    assert_eq!(without_times(&merged.stdout), without_times(&whole.stdout));
}
