//! What the documents say is so: their commands run, their outputs are real, their links lead somewhere.
//!
//! - A fence `console` is a session: the lines after `$ ` run in order, in one temporary folder per document that has the
//!   repository's `fixtures`, and print what stands below them. `...` stands for any text, on a line of its own for any
//!   lines; decimal numbers may differ by [`TOLERANCE`].
//! - A fence with `file=NAME` is a file in that folder.
//! - The commands of a fence `sh`, and those with options in code spans, are not run: their verbs, flags and recipes must
//!   exist.
//! - Between `<!-- results -->` and `<!-- /results -->` stands what the newest record in `reports/record` holds.
//!
//! `ELBOW_UPDATE_DOCUMENTS=1` (`just readme`) writes outputs and results that differ into the documents.

mod document;

use std::fs;
use std::path::{Path, PathBuf};

use document::results::results;
use document::session::{Session, replaced};
use document::{Fence, anchors, code_spans, fences, links, markdown_files};
use elbow_tests::{elbow, root};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The path as it is written in the repository.
fn name(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").display().to_string()
}

/// Every document: those in the root, in docs and of the wheel.
fn documents() -> Vec<PathBuf> {
    let mut documents: Vec<PathBuf> = markdown_files(&root(), false);
    documents.extend(markdown_files(&root().join("docs"), true));
    documents.extend(markdown_files(&root().join("python"), false));
    documents
}

fn updates() -> bool {
    std::env::var_os("ELBOW_UPDATE_DOCUMENTS").is_some()
}

#[test]
fn sessions_print_what_the_documents_show() {
    let mut wrong = Vec::new();
    let mut commands = 0;
    for path in documents() {
        let text = read(&path);
        if !text.contains("```console") {
            continue;
        }
        let mut session = Session::new(Path::new(ELBOW), &root());
        let outcome = session.run(&text);
        commands += outcome.commands;
        if outcome.wrong.is_empty() {
            continue;
        }
        if updates() {
            fs::write(&path, replaced(&text, &outcome.wrong)).expect("writable");
        }
        wrong.extend(outcome.wrong.iter().map(|wrong| format!("{}:{wrong}", name(&path))));
    }
    assert!(wrong.is_empty() || updates(), "{}\n`just readme` writes the outputs anew", wrong.join("\n"));
    assert!(commands >= 20, "{commands} commands");
}

#[test]
fn results_are_those_of_the_record() {
    let path = root().join("README.md");
    let text = read(&path);
    let (before, rest) = text.split_once("<!-- results -->\n").expect("the place of the results");
    let (shown, after) = rest.split_once("<!-- /results -->").expect("the end of the results");
    let recorded = results(&root().join("reports/record"));
    if updates() {
        fs::write(&path, format!("{before}<!-- results -->\n{recorded}<!-- /results -->{after}")).expect("writable");
    } else {
        assert_eq!(shown, recorded, "README.md's results: `just readme` writes them anew");
    }
    // Witness: another number is another text.
    assert_ne!(shown.replacen('2', "3", 1), recorded);
}

#[test]
fn commands_that_are_not_run_exist() {
    let recipes = read(&root().join("justfile"));
    let mut unknown = Vec::new();
    let mut seen = 0;
    for path in documents() {
        let text = read(&path);
        let fences: Vec<Fence> = fences(&text).into_iter().filter(|fence| fence.language == "sh").collect();
        let texts: Vec<String> = fences.iter().map(|fence| fence.text.replace("\\\n", " ")).collect();
        let spans = code_spans(&text);
        let inline = spans.iter().map(String::as_str).filter(|span| span.starts_with("elbow ") && span.contains(" -"));
        for line in texts.iter().flat_map(|text| text.lines()).chain(inline) {
            seen += 1;
            unknown.extend(problem(line, &recipes).map(|what| format!("{}: {line}: {what}", name(&path))));
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    assert!(seen >= 20, "{seen} lines");
    // Witnesses.
    assert!(problem("elbow likelihood --chekpoint x", &recipes).is_some());
    assert!(problem("cargo elbow fid calk a b", &recipes).is_some());
    assert!(problem("just reproduce", &recipes).is_some());
}

/// What is wrong with a line of a shell, where it calls elbow or just.
fn problem(line: &str, recipes: &str) -> Option<String> {
    let line = line.split("  #").next().unwrap_or_default().trim();
    let words: Vec<&str> = line.split_whitespace().skip_while(|word| word.contains('=')).collect();
    let arguments = match words.as_slice() {
        ["elbow", rest @ ..] | ["cargo", "elbow" | "elbow-lite", rest @ ..] | ["target/release/elbow", rest @ ..] => {
            rest
        }
        ["just", recipe, ..] => {
            let known = recipes.lines().any(|line| line.split([' ', ':']).next() == Some(recipe));
            return (!known).then(|| format!("no recipe {recipe}"));
        }
        _ => return None,
    };
    let help = |verb: &[&str]| elbow(ELBOW, &[verb, &["--help"]].concat());
    let verb: Vec<&str> = arguments.iter().copied().take_while(|word| !word.starts_with('-')).collect();
    let (first, second) = (verb.first().copied()?, verb.get(1).copied());
    let mut text = help(&[first]);
    if text.stdout.contains("\nCommands:\n") {
        text = help(&[first, second.unwrap_or_default()]);
    }
    if text.code != 0 {
        return Some("no such command".to_owned());
    }
    let options = arguments.iter().filter(|word| word.starts_with('-') && word.len() > 1);
    let mut options = options.map(|word| word.split('=').next().unwrap_or_default());
    let shown = |option: &str| {
        let mut words = text.stdout.split([' ', ',', '\n', ']']);
        words.any(|word| word == option)
    };
    let number = |option: &str| option.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit() || c == '.');
    options.find(|option| !number(option) && !shown(option)).map(|option| format!("no option {option}"))
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut broken = Vec::new();
    for path in documents() {
        let text = read(&path);
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(file) };
            let there = target.exists() && (anchor.is_empty() || anchors(&read(&target)).iter().any(|a| a == anchor));
            if !there {
                broken.push(format!("{}: {link}", name(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "links without a target:\n{}", broken.join("\n"));
}

#[test]
fn the_summary_lists_every_page() {
    let docs = root().join("docs");
    let listed = links(&read(&docs.join("SUMMARY.md")));
    let pages = markdown_files(&docs, true);
    let page = |path: &PathBuf| path.strip_prefix(&docs).expect("below docs").display().to_string();
    let missing: Vec<String> = pages.iter().map(page).filter(|p| p != "SUMMARY.md" && !listed.contains(p)).collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {}", missing.join(", "));
    assert!(listed.len() >= 10, "{listed:?}");
}

#[test]
fn the_front_page_is_short() {
    let lines = read(&root().join("README.md")).lines().count();
    assert!(lines <= 130, "README.md has {lines} lines");
}
