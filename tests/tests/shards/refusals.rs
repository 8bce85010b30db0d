//! Shards that do not belong together.

use std::path::{Path, PathBuf};

use elbow_base::hash::sha256;
use serde_json::Value;

use crate::work::{RUN, Work, refusal};

/// The file with its header changed, and its checksum made to fit.
fn reheaded(file: &Path, change: impl Fn(&mut Value)) -> PathBuf {
    let text = std::fs::read_to_string(file).expect("a shard");
    let mut lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
    let mut header: Value = serde_json::from_str(&lines[0]).expect("JSON");
    change(&mut header);
    lines[0] = format!("{header}\n");
    let mut end: Value = serde_json::from_str(&lines.pop().expect("an end")).expect("JSON");
    end["sha256"] = sha256(lines.concat().as_bytes()).into();
    let changed = file.with_file_name(format!("changed-{}", file.file_name().expect("a name").to_string_lossy()));
    std::fs::write(&changed, format!("{}{end}\n", lines.concat())).expect("a file");
    changed
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let work = Work::new(folder.path(), &format!("likelihood --checkpoint {RUN} --sequences 64 --draws 1"), &[]);
    let [one, two] = [work.shard("1/2", &[]), work.shard("2/2", &[])];
    let refused = |places: &[&Path]| refusal(&work.merge(places, &[]));
    assert_eq!(work.merge(&[&one, &two], &[]).code, 0, "witness: these two belong together");
    let twice = refused(&[&one, &two, &one]);
    assert!(twice.contains("are both shard 1/2"), "{twice}");
    // Other settings: a seed, a word that is missing.
    let seeded = Work { words: [&work.words[..], &["--seed", "1"]].concat(), ..work };
    let other = refused(&[&one, &seeded.shard("2/2", &[])]);
    assert!(other.contains("other settings") && other.contains("--seed 1"), "{other}");
    let split = refused(&[&one, &work.shard("2/3", &[])]);
    assert!(split.contains("another split") && split.contains("of 3 shards"), "{split}");
    let text = std::fs::read_to_string(&two).expect("a shard");
    let digit = text.find("\"diffusion\":").expect("a number") + "\"diffusion\":".len();
    let tampered = two.with_file_name("tampered.jsonl");
    let other_digit = if text.as_bytes()[digit] == b'9' { "8" } else { "9" };
    std::fs::write(&tampered, format!("{}{other_digit}{}", &text[..digit], &text[digit + 1..])).expect("a file");
    let edited = refused(&[&one, &tampered]);
    assert!(edited.contains("tampered.jsonl: it was changed after it was written"), "{edited}");
    std::fs::write(&tampered, &text[..text.len() / 2]).expect("a file");
    assert!(refused(&[&one, &tampered]).contains("its end is missing"));
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 3] = [
        (|header| header["program"]["version"] = "0.0.1".into(), "another program"),
        (|header| header["inputs"][0]["sha256"] = "0".repeat(64).into(), "other inputs"),
        (|header| header["rounds"] = 3.into(), "another split"),
    ];
    for (change, told) in changes {
        let refusal = refused(&[&one, &reheaded(&two, change)]);
        assert!(refusal.contains(told) && refusal.contains("changed-2-of-2.jsonl"), "{told}: {refusal}");
    }
    // All shards of other inputs than those that are here.
    let elsewhere = |header: &mut Value| header["inputs"][1]["sha256"] = "1".repeat(64).into();
    let [a, b] = [&one, &two].map(|file| reheaded(file, elsewhere));
    let other = refused(&[&a, &b]);
    assert!(other.contains("other inputs") && other.contains("ema.safetensors"), "{other}");
    let none = refused(&[folder.path()]);
    assert!(none.contains("no shards"), "{none}");
}
