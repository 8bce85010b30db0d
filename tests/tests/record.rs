//! The recorded reports are what their recorded rows give, byte for byte.

use std::path::{Path, PathBuf};

use elbow_tests::files::{contents, read};
use elbow_tests::{elbow, root};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// Renders some rows into a folder of their own.
fn rendered(rows: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows.jsonl");
    std::fs::write(&path, rows).expect("writable");
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    elbow(ELBOW, &["report", "--rows", &text(&path), "--out", &text(folder.path()), "--json"]).json();
    let report = folder.path().join("report");
    (folder, report)
}

#[test]
fn a_recorded_report_is_a_function_of_its_rows() {
    let entries = std::fs::read_dir(root().join("reports/record")).expect("reports/record");
    let records: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).filter(|p| p.is_dir()).collect();
    assert!(!records.is_empty(), "nothing is recorded");
    for record in records {
        let rows = read(&record.join("results.jsonl"));
        let (_folder, again) = rendered(&rows);
        let (recorded, again) = (contents(&record.join("report")), contents(&again));
        assert!(recorded.contains_key(Path::new("index.html")), "{}: no page", record.display());
        let names = |files: &std::collections::BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&recorded), names(&again), "{}", record.display());
        for (name, bytes) in &recorded {
            let fix = "render it again with `just record`";
            assert!(*bytes == again[name], "{}: {} has changed: {fix}", record.display(), name.display());
        }
        // Witness: other rows give another page.
        let changed = String::from_utf8(rows).expect("UTF-8").replacen("\"verified\"", "\"refuted\"", 1);
        let (_folder, other) = rendered(changed.as_bytes());
        assert!(contents(&other)[Path::new("index.html")] != recorded[Path::new("index.html")], "the witness passed");
    }
}

#[test]
fn a_report_against_an_earlier_run_says_what_has_changed() {
    let records = std::fs::read_dir(root().join("reports/record")).expect("reports/record");
    let record = records.map(|entry| entry.expect("an entry").path()).find(|path| path.is_dir()).expect("a record");
    let text = String::from_utf8(read(&record.join("results.jsonl"))).expect("UTF-8");
    // The newest rows of two claims, one of which is missing on either side.
    let of = |id: &str| text.lines().rfind(|row| row.contains(&format!("\"id\":\"{id}\""))).expect("a row").to_owned();
    let [first, second, third] = ["theorem-1", "theorem-2", "kl-bound"].map(of);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, rows: [&String; 2]| {
        let path = folder.path().join(name);
        std::fs::write(&path, rows.map(|row| format!("{row}\n")).concat()).expect("writable");
        path.to_str().expect("UTF-8").to_owned()
    };
    let (now, earlier) = (file("now.jsonl", [&first, &second]), file("earlier.jsonl", [&first, &third]));
    let out = folder.path().to_str().expect("UTF-8");
    let report = |against: &[&str]| {
        let arguments = [&["report", "--rows", &now, "--out", out, "--json"], against].concat();
        let files = elbow(ELBOW, &arguments).json();
        ["html", "markdown"].map(|name| {
            let path = files[name].as_str().expect("a path").to_owned();
            std::fs::read_to_string(path).expect("a file of the report")
        })
    };
    let summary = "0 verdicts and 0 numbers changed, 1 claim new, 1 claim gone; 1 claim in both runs";
    for text in report(&["--against", &earlier]) {
        assert!(text.contains("Since the earlier run") && text.contains(summary), "{text}");
    }
    for text in report(&[]) {
        assert!(!text.contains("Since the earlier run"), "witness: nothing to compare with");
    }
}
