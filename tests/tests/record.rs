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
