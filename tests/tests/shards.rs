//! One work by several processes, put together: the bytes of one process.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use elbow_arrays::{NpzReader, NpzWriter};
use elbow_base::hash::sha256;
use elbow_tests::{Call, command, elbow, root};
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// A small masked model of the digits.
const RUN: &str = "fixtures/digits-denoiser/run";

/// A command, and the folder of its results.
struct Work<'a> {
    out: &'a Path,
    words: Vec<&'a str>,
}

impl<'a> Work<'a> {
    fn new(out: &'a Path, words: &str, rest: &[&'a str]) -> Self {
        // Leaked: a handful of words per test.
        let words: Vec<&'a str> = words.split(' ').map(|word| &*Box::leak(word.to_owned().into_boxed_str())).collect();
        Self { out, words: [&words[..], rest].concat() }
    }

    fn with(&self, rest: &[&str]) -> Call {
        let out = self.out.to_str().expect("UTF-8");
        elbow(ELBOW, &[&self.words[..], &["--out", out], rest].concat())
    }

    /// The document of the whole.
    fn whole(&self) -> Call {
        self.with(&["--json"])
    }

    /// Runs a shard; its file.
    fn shard(&self, part: &str, rest: &[&str]) -> PathBuf {
        let done = self.with(&[&["--shard", part, "--json"], rest].concat()).json();
        done["file"].as_str().expect("a file").into()
    }

    /// Runs all shards; their files.
    fn shards(&self, of: usize) -> Vec<PathBuf> {
        (1..=of).map(|number| self.shard(&format!("{number}/{of}"), &[])).collect()
    }

    fn merge(&self, places: &[&Path], rest: &[&str]) -> Call {
        let places: Vec<&str> = places.iter().map(|place| place.to_str().expect("UTF-8")).collect();
        let out = self.out.to_str().expect("UTF-8");
        elbow(ELBOW, &[&["merge"], &places[..], &["--out", out, "--json"], rest].concat())
    }

    /// The whole, and the merge of 1, 2 and 7 shards in the opposite order: the same bytes on stdout but for times, and the same exit
    /// code; `made` are files of the results, which have the same bytes too.
    fn is_the_same_in_parts(&self, made: &[&Path]) {
        let read = || made.iter().map(|file| std::fs::read(file).expect("made")).collect::<Vec<_>>();
        let clear = || made.iter().for_each(|file| std::fs::remove_file(file).expect("made"));
        let (whole, files) = (self.whole(), read());
        assert!(!whole.stdout.is_empty(), "{}", whole.stderr);
        for of in [1, 2, 7] {
            clear();
            let shards = self.shards(of);
            assert!(made.iter().all(|file| !file.exists()), "a shard makes no result");
            let places: Vec<&Path> = shards.iter().rev().map(PathBuf::as_path).collect();
            let merged = self.merge(&places, &[]);
            assert_eq!(merged.code, whole.code, "{of}: {}", merged.stderr);
            assert_eq!(without_times(&merged.stdout), without_times(&whole.stdout), "{of} shards");
            assert!(read() == files, "{of} shards");
            // The folder of the shards names them all; those of another number of shards lie there too.
            for shard in shards {
                std::fs::remove_file(shard).expect("a shard");
            }
        }
    }
}

/// The lines of a document without those that tell times, of which there are some.
fn without_times(document: &str) -> String {
    let is_time =
        |line: &&str| ["\"finished\":", "\"seconds\":"].iter().any(|name| line.trim_start().starts_with(name));
    document.lines().filter(|line| !is_time(line)).collect::<Vec<_>>().join("\n")
}

/// What a refused call says.
fn refusal(call: &Call) -> String {
    assert_eq!(call.code, 2, "{}{}", call.stdout, call.stderr);
    call.stderr.clone()
}

#[test]
fn a_likelihood_is_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = format!("likelihood --checkpoint {RUN} --draws 2 --at-most 0.5");
    let work = Work::new(folder.path(), &words, &[]);
    assert_eq!(work.whole().code, 1, "the threshold does not hold");
    work.is_the_same_in_parts(&[]);
    // Numbers and words: the document tells all, and the words are made of it.
    let text = work.with(&[]).stdout;
    let shards = work.shards(2);
    let places = shards[0].parent().expect("a folder").to_str().expect("UTF-8").to_owned();
    let merged = elbow(ELBOW, &["merge", &places]);
    assert_eq!((merged.stdout, merged.code), (text, 1));
}

/// The model file of two points, judged on these data.
fn atoms(folder: &Path, data: &str) -> String {
    let models = root().join("fixtures/models");
    std::fs::copy(models.join("atoms.onnx"), folder.join("atoms.onnx")).expect("a copy");
    let text = std::fs::read_to_string(models.join("atoms.toml")).expect("a model file");
    let file = folder.join("atoms.toml");
    std::fs::write(&file, format!("{text}[data]\n{data}\n")).expect("a model file");
    file.display().to_string()
}

#[test]
fn points_and_their_likelihood_are_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut npz = NpzWriter::create(&folder.path().join("bits.npz")).expect("a file");
    let bits: Vec<i64> = (0..150).map(|at| i64::from(at % 7 < 3)).collect();
    npz.array("ids", &[50, 3], &bits).and_then(|()| npz.finish()).expect("a file");
    let model = atoms(folder.path(), "dataset = \"bits.npz\"\nalphabet = \"ids:2\"");
    let words = "likelihood --split all --draws 2 --ode --ode-steps 4 --ort-lib none --model";
    Work::new(folder.path(), words, &[&model]).is_the_same_in_parts(&[]);
}

#[test]
fn lines_are_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("vocab.txt"), "a\nb\n").expect("a file");
    let lines: Vec<String> = (0..90).map(|line| "abbab"[..2 + line % 4].repeat(1 + line % 2)).collect();
    std::fs::write(folder.path().join("lines.txt"), lines.join("\n")).expect("a file");
    let model = atoms(folder.path(), "dataset = \"lines.txt\"\nalphabet = \"vocab:vocab.txt\"\nlines = true");
    let words = "likelihood --split all --draws 2 --ort-lib none --model";
    Work::new(folder.path(), words, &[&model]).is_the_same_in_parts(&[]);
}

#[test]
fn a_comparison_is_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = format!("compare {RUN} fixtures/digits-denoiser/digits.toml --sequences 100 --draws 1 --ort-lib none");
    Work::new(folder.path(), &words, &[]).is_the_same_in_parts(&[]);
}

#[test]
fn a_judgement_is_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let [noise, losses] = ["noise.npz", "losses.npz"].map(|name| folder.path().join(name));
    let [file, answers] = [&noise, &losses].map(|path| path.to_str().expect("UTF-8"));
    let made = ["noise", "digits", "--objective", "mdlm", "--sequences", "100", "--draws", "2", "-o", file];
    assert_eq!(elbow(ELBOW, &made).code, 0);
    let mut npz = NpzReader::open(&noise).expect("noise");
    let (z, id) = (npz.integers("z").expect("z"), npz.bytes("id").expect("id"));
    let mut out = NpzWriter::create(&losses).expect("a file");
    let costs: Vec<f64> = (0..z.data.len()).map(|at| -1.0 - (at % 7) as f64 / 3.0).collect();
    out.array("log_probabilities", &z.shape, &costs).expect("an array");
    out.array("id", &id.shape, &id.data).expect("an array");
    out.finish().expect("a file");
    Work::new(folder.path(), "judge", &[answers, "--noise", file]).is_the_same_in_parts(&[]);
}

#[test]
fn statistics_of_images_are_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole.npz");
    let file = whole.to_str().expect("UTF-8");
    let work = Work::new(folder.path(), "fid stats digits:train", &["-o", file]);
    work.is_the_same_in_parts(&[&whole]);
    let bytes = std::fs::read(&whole).expect("statistics");
    // Parts with files of their own, merged in another order.
    for of in [2, 5] {
        let part = |number: usize| {
            let path = folder.path().join(format!("{number}-of-{of}.npz")).display().to_string();
            let (share, out) = (format!("{number}/{of}"), folder.path().display().to_string());
            let words = ["fid", "stats", "digits:train", "--part", &share, "-o", &path];
            assert_eq!(elbow(ELBOW, &[&words[..], &["--out", &out]].concat()).code, 0);
            path
        };
        let parts: Vec<String> = (1..=of).rev().map(part).collect();
        let merged = folder.path().join("merged.npz");
        let merge = |parts: &[&str]| {
            elbow(ELBOW, &[&["fid", "merge"], parts, &["-o", merged.to_str().expect("UTF-8")]].concat())
        };
        let all: Vec<&str> = parts.iter().map(String::as_str).collect();
        assert_eq!(merge(&all).code, 0);
        assert!(std::fs::read(&merged).expect("statistics") == bytes, "{of} parts");
        let twice = refusal(&merge(&[all[0], all[1], all[0]]));
        assert!(twice.contains("are both part"), "{twice}");
    }
}

#[test]
fn samples_are_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("samples");
    let files = ["samples.npz", "samples.png"].map(|name| to.join(name));
    let words = format!("sample --checkpoint {RUN} --count 200 --steps 8 --seed 3");
    let work = Work::new(folder.path(), &words, &["--to", to.to_str().expect("UTF-8")]);
    work.is_the_same_in_parts(&[&files[0], &files[1]]);
    // A judge, which the merge asks.
    let judged = Work::new(folder.path(), &format!("{words} --judge {RUN}"), &["--to", to.to_str().expect("UTF-8")]);
    files.iter().for_each(|file| std::fs::remove_file(file).expect("made"));
    judged.is_the_same_in_parts(&[&files[0], &files[1]]);
}

/// The rows of a run of claims, without what tells times.
fn rows(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("results.jsonl")).expect("rows");
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).expect("JSON");
        for name in ["seconds", "checksum"] {
            assert!(!row[name].take().is_null(), "{name}: {row}");
        }
        assert!(!row["provenance"]["finished"].take().is_null(), "{row}");
        row
    };
    text.lines().map(row).collect()
}

#[test]
fn claims_are_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let (claims, example) = (folder.path().join("claims"), root().join("examples/claims-repository/claims"));
    std::fs::create_dir(&claims).expect("a folder");
    std::fs::copy(example.join("toy.json"), claims.join("toy.json")).expect("a toy");
    let claim = std::fs::read_to_string(example.join("toy-cascade.toml")).expect("a claim");
    // Of four numbers of steps one is that of the claim.
    for steps in [4, 1, 8, 2] {
        let text = claim.replace("steps = 4", &format!("steps = {steps}"));
        std::fs::write(claims.join(format!("steps-{steps}.toml")), text).expect("a claim");
    }
    let place = claims.display().to_string();
    let [one, parts] = ["one", "parts"].map(|name| folder.path().join(name));
    let work = |out| Work::new(out, "eval --claims", &[&place]);
    let whole = work(&one).whole();
    assert_eq!((whole.code, rows(&one).len()), (1, 4), "three are refuted: {}", whole.stderr);
    let shards = work(&parts).shards(3);
    assert!(!parts.join("results.jsonl").exists());
    let places: Vec<&Path> = shards.iter().rev().map(PathBuf::as_path).collect();
    let merged = work(&parts).merge(&places, &[]);
    let [told, expected] = [(&merged, &parts), (&whole, &one)]
        .map(|(call, out)| without_times(&call.stdout).replace(out.to_str().expect("UTF-8"), "OUT"));
    assert_eq!((told, merged.code), (expected, 1), "{}", merged.stderr);
    assert_eq!(rows(&parts), rows(&one));
    assert!(parts.join("report").is_dir());
    // Another toy than the shards': no claim of it is in them.
    let toy = std::fs::read_to_string(claims.join("toy.json")).expect("a toy");
    std::fs::write(claims.join("toy.json"), toy.replace("0.75, 0.25", "0.5, 0.5")).expect("a toy");
    let other = refusal(&work(&parts).merge(&places, &[]));
    assert!(other.contains("was made of other inputs"), "{other}");
}

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

#[test]
fn launchers_name_the_shard() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let call = |variables: &[(&str, &str)]| {
        let words = ["likelihood", "--checkpoint", RUN, "--sequences", "64", "--draws", "1", "--out", out];
        let mut command = command(ELBOW, &[&words[..], &["--shard", "env", "--json"]].concat());
        for name in ["RANK", "WORLD_SIZE", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).output().expect("the binary starts")
    };
    let shard = |variables: &[(&str, &str)]| {
        let document: Value = serde_json::from_slice(&call(variables).stdout).expect("JSON");
        document["shard"].clone()
    };
    assert_eq!(shard(&[("RANK", "0"), ("WORLD_SIZE", "2")]), serde_json::json!({ "number": 1, "of": 2 }));
    let array = |id: &'static str, first: &'static str| {
        [("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_COUNT", "2"), ("SLURM_ARRAY_TASK_MIN", first)]
    };
    assert_eq!(shard(&array("1", "0")), serde_json::json!({ "number": 2, "of": 2 }));
    assert_eq!(shard(&array("1", "1")), serde_json::json!({ "number": 1, "of": 2 }));
    let nothing = call(&[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("neither RANK and WORLD_SIZE"));
}
