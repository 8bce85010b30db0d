//! Settings and records: presets, claims, tables, rows of results.

use std::fs;

use elbow_harness::claims::{Catalogue, ClaimFile};
use elbow_impls::Weighting;
use elbow_impls::schedule::{GaussianSchedule, LogSnr, MaskedSchedule};
use elbow_impls::train::{PRESETS, Settings};
use elbow_reports::record::About;

use super::mutations::{bytes, text};
use super::runner::Format;

#[test]
fn presets() {
    let valid: Vec<Vec<u8>> = PRESETS.iter().map(|(_, text)| text.as_bytes().to_vec()).collect();
    Format { name: "preset", file: "current.toml", mutations: &[text, text, bytes] }
        .fuzz(&valid, |path| Settings::resolve(&path.display().to_string(), &[]).is_ok());
}

#[test]
fn claims() {
    let folder = elbow_tests::root().join("eval/claims/papers/sampling");
    let valid: Vec<Vec<u8>> =
        elbow_tests::files::files(&folder).iter().map(|path| elbow_tests::files::read(path)).collect();
    Format { name: "claim", file: "current.toml", mutations: &[text, text, bytes] }.fuzz(&valid, |path| {
        let contents = fs::read(path).expect("written");
        // The file's name is that of its claim.
        let table = std::str::from_utf8(&contents).ok().and_then(|text| text.parse::<toml::Table>().ok());
        let name = table.as_ref().and_then(|table| table.get("id")?.as_str()).unwrap_or("more-steps");
        Catalogue::load([ClaimFile { about: About::Paper, suite: "sampling", id: name, contents: &contents }]).is_ok()
    });
}

#[test]
fn tables() {
    let valid = [
        b"t,alpha\n0,1\n0.1,0.95\n0.4,0.5\n1,0\n".to_vec(),
        b"t,log_snr\n0,10\n0.5,0.25\n1,-10\n".to_vec(),
        b"log_snr,w\n-10,0.1\n0,1\n10,2.5\n".to_vec(),
    ];
    Format { name: "table", file: "current.csv", mutations: &[text, text, bytes] }.fuzz(&valid, |path| {
        let name = format!("table:{}", path.display());
        let masked = name.parse::<MaskedSchedule>();
        if let Ok(schedule) = &masked {
            schedule.time_of_log_snr(schedule.log_snr(0.3));
        }
        masked.is_ok() || name.parse::<GaussianSchedule>().is_ok() || name.parse::<Weighting>().is_ok()
    });
}

#[test]
fn rows_of_results() {
    let recorded = fs::read_to_string(elbow_tests::root().join("reports/record/2026-11-23-cpu/results.jsonl"));
    let mut lines: Vec<String> = recorded.expect("recorded").lines().map(|line| format!("{line}\n")).collect();
    lines.sort_by_key(String::len);
    let valid: Vec<Vec<u8>> = lines[..6].chunks(2).map(|lines| lines.concat().into_bytes()).collect();
    Format { name: "rows", file: "current.jsonl", mutations: &[text, text, bytes] }.fuzz(&valid, |path| {
        let Ok(rows) = elbow_reports::record::read_rows(path) else { return false };
        let folder = tempfile::tempdir().expect("a folder");
        elbow_reports::render(&rows, folder.path()).is_ok()
    });
}
