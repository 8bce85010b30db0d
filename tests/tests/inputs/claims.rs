//! Claims and recorded rows.

use std::path::Path;

use elbow_base::hash::sha256;
use elbow_tests::{Call, elbow};
use serde_json::{Value, json};

use super::ELBOW;

/// Evaluates one exact claim.
fn eval(out: &Path) -> Call {
    elbow(ELBOW, &["eval", "theorem-1", "--out", out.to_str().expect("UTF-8"), "--json", "-q"])
}

fn report(out: &Path) -> Value {
    elbow(ELBOW, &["report", "--out", out.to_str().expect("UTF-8"), "--json", "-q"]).json()
}

fn write(out: &Path, rows: &[Value]) {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(out.join("results.jsonl"), lines).expect("writable");
}

/// The row that `elbow eval` has just written into a new folder.
fn row() -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let first = eval(folder.path()).json();
    assert_eq!((&first["verified"], &first["reused"], &first["dropped"]), (&json!(1), &json!(0), &json!([])));
    let text = std::fs::read_to_string(folder.path().join("results.jsonl")).expect("a row");
    (folder, serde_json::from_str(&text).expect("JSON"))
}

/// The row with the checksum of what it holds now: a forgery that the checksum does not show.
fn resealed(mut row: Value) -> Value {
    row.as_object_mut().expect("an object").remove("checksum");
    let checksum = sha256(row.to_string().as_bytes());
    row["checksum"] = checksum.into();
    row
}

#[test]
fn an_edited_row_is_dropped_with_a_word_and_made_again() {
    let (folder, row) = row();
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut row = row.clone();
        edit(&mut row);
        row
    };
    let number = edited(&|row| row["measured"]["value"] = 123.0.into());
    let cases = [
        (number.clone(), "edited"),
        (edited(&|row| row["verdict"] = "refuted".into()), "edited"),
        (edited(&|row| row["provenance"]["seed"] = 7.into()), "edited"),
        (resealed(number), "verified is written where its number is refuted"),
        (resealed(edited(&|row| row["verdict"] = "refuted".into())), "refuted is written where its number is verified"),
        (resealed(edited(&|row| row["measured"] = Value::Null)), "verified without a number"),
    ];
    for (row, why) in cases {
        write(folder.path(), &[row]);
        let shown = report(folder.path());
        assert!(shown["dropped"][0].as_str().expect(why).contains(why), "{shown}");
        let again = eval(folder.path()).json();
        assert_eq!((&again["verified"], &again["reused"]), (&json!(1), &json!(0)), "{why}");
        assert!(again["claims"][0]["measured"]["value"].as_f64().expect("a number") < 1e-13);
        let dropped = again["dropped"][0].as_str().expect("one line");
        assert!(dropped.starts_with("row 1, theorem-1: ") && dropped.contains(why), "{dropped}");
        // The edited row is still in the file, below one that counts.
        let third = eval(folder.path()).json();
        assert_eq!((&third["reused"], &third["dropped"]), (&json!(1), &json!([])), "{why}");
    }
}

#[test]
fn a_whole_row_is_reused_however_it_is_spaced_and_one_without_a_checksum_is_made_again() {
    let (folder, mut row) = row();
    assert_eq!(resealed(row.clone()), row, "the checksum is of the row without it");
    write(folder.path(), &[row.clone(), row.clone()]);
    let twice = eval(folder.path()).json();
    assert_eq!((&twice["reused"], &twice["claims"].as_array().map(Vec::len)), (&json!(1), &Some(1)));
    std::fs::write(folder.path().join("results.jsonl"), format!("{row}\n").replace("\":", "\" : ")).expect("writable");
    assert_eq!(eval(folder.path()).json()["reused"], 1);
    // A row of an older version: shown, but not believed.
    row.as_object_mut().expect("an object").remove("checksum");
    write(folder.path(), &[row]);
    assert_eq!(report(folder.path())["dropped"], json!([]));
    let again = eval(folder.path()).json();
    assert_eq!((&again["reused"], &again["dropped"]), (&json!(0), &json!([])));
}

#[test]
fn rows_without_numbers_are_refused_by_line() {
    let (folder, row) = row();
    for (from, to) in [("\"value\":", "\"value\":null,\"was\":"), ("\"seconds\":", "\"seconds\":NaN,\"was\":")] {
        let text = row.to_string();
        assert!(text.contains(from), "{from}");
        std::fs::write(folder.path().join("results.jsonl"), format!("{row}\n{}\n", text.replacen(from, to, 1)))
            .expect("writable");
        let call = eval(folder.path());
        assert_eq!((call.code, call.stdout.as_str()), (2, ""), "{}", call.stderr);
        assert!(call.stderr.contains("results.jsonl, line 2: "), "{}", call.stderr);
    }
}

#[test]
fn a_claim_file_is_not_taken_for_a_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    for file in ["my-claim.toml", "./claims/mine"] {
        let call = elbow(ELBOW, &["eval", file, "--out", out]);
        assert_eq!(call.code, 2, "{}", call.stderr);
        assert!(call.stderr.contains("names of claims and suites, not files"), "{}", call.stderr);
    }
    let one = elbow(ELBOW, &["eval", "theorem-1", "--out", out, "-q"]);
    assert!(one.stdout.contains("\n1 claim: 1 verified"), "{}", one.stdout);
}
