//! A command, as a whole and in shards.

use std::path::{Path, PathBuf};

use elbow_tests::{Call, elbow};

pub const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// A small masked model of the digits.
pub const RUN: &str = "fixtures/digits-denoiser/run";

/// A command, and the folder of its results.
pub struct Work<'a> {
    pub out: &'a Path,
    pub words: Vec<&'a str>,
}

impl<'a> Work<'a> {
    pub fn new(out: &'a Path, words: &str, rest: &[&'a str]) -> Self {
        // Leaked: a handful of words per test.
        let words: Vec<&'a str> = words.split(' ').map(|word| &*Box::leak(word.to_owned().into_boxed_str())).collect();
        Self { out, words: [&words[..], rest].concat() }
    }

    pub fn with(&self, rest: &[&str]) -> Call {
        let out = self.out.to_str().expect("UTF-8");
        elbow(ELBOW, &[&self.words[..], &["--out", out], rest].concat())
    }

    /// The document of the whole.
    pub fn whole(&self) -> Call {
        self.with(&["--json"])
    }

    /// Runs a shard; its file.
    pub fn shard(&self, part: &str, rest: &[&str]) -> PathBuf {
        let done = self.with(&[&["--shard", part, "--json"], rest].concat()).json();
        done["file"].as_str().expect("a file").into()
    }

    /// Runs all shards; their files.
    pub fn shards(&self, of: usize) -> Vec<PathBuf> {
        (1..=of).map(|number| self.shard(&format!("{number}/{of}"), &[])).collect()
    }

    pub fn merge(&self, places: &[&Path], rest: &[&str]) -> Call {
        let places: Vec<&str> = places.iter().map(|place| place.to_str().expect("UTF-8")).collect();
        let out = self.out.to_str().expect("UTF-8");
        elbow(ELBOW, &[&["merge"], &places[..], &["--out", out, "--json"], rest].concat())
    }

    /// The whole, and the merge of 1, 2 and 7 shards in the opposite order: the same bytes on stdout but for times, and the same exit
    /// code; `made` are files of the results, which have the same bytes too.
    pub fn is_the_same_in_parts(&self, made: &[&Path]) {
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
pub fn without_times(document: &str) -> String {
    let is_time =
        |line: &&str| ["\"finished\":", "\"seconds\":"].iter().any(|name| line.trim_start().starts_with(name));
    document.lines().filter(|line| !is_time(line)).collect::<Vec<_>>().join("\n")
}

/// What a refused call says.
pub fn refusal(call: &Call) -> String {
    assert_eq!(call.code, 2, "{}{}", call.stdout, call.stderr);
    call.stderr.clone()
}
