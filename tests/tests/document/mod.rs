//! Markdown as far as the documents use it: fences, links, headings.

pub mod matching;
pub mod results;
pub mod session;

use std::path::{Path, PathBuf};

/// A fenced block.
pub struct Fence {
    /// The first word after the backticks.
    pub language: String,
    /// The words after it.
    pub attributes: Vec<String>,
    /// The lines between the backticks.
    pub text: String,
    /// Index of its first line in the document, from 0.
    pub line: usize,
}

/// The fenced blocks of a document, in order.
pub fn fences(text: &str) -> Vec<Fence> {
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => fences.extend(open.take()),
            (Some(info), None) => {
                let mut words = info.split_whitespace().map(str::to_owned);
                let language = words.next().unwrap_or_default();
                let attributes = words.collect();
                open = Some(Fence { language, attributes, text: String::new(), line: index + 1 });
            }
            (None, Some(fence)) => fence.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    fences
}

/// The lines outside of fenced blocks.
fn unfenced(text: &str) -> Vec<&str> {
    let mut inside = false;
    let outside = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    };
    text.lines().filter(outside).collect()
}

/// The text without fenced blocks and code spans.
fn prose(text: &str) -> String {
    // Every second part stands between backticks.
    let without = |line: &str| line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    unfenced(text).into_iter().map(without).collect::<Vec<_>>().join("\n")
}

/// The texts between backticks.
pub fn code_spans(text: &str) -> Vec<String> {
    unfenced(text).into_iter().flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The targets of the links and pictures of a document.
pub fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.match_indices("](").filter_map(|(at, _)| prose[at + 2..].split(')').next());
    targets.map(|target| target.split(" \"").next().unwrap_or_default().to_owned()).collect()
}

/// The anchors of a document's headings, as GitHub and mdBook make them.
pub fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for line in unfenced(text) {
        let Some(heading) = line.strip_prefix('#') else { continue };
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let again = anchors.iter().filter(|other| **other == anchor).count();
        anchors.push(if again == 0 { anchor } else { format!("{anchor}-{again}") });
    }
    anchors
}

/// The Markdown files of a folder, sorted, of its folders too where `below`.
pub fn markdown_files(folder: &Path, below: bool) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries.flatten().map(|entry| entry.path()).partition(|path| path.is_dir());
    let mut found: Vec<PathBuf> =
        files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    if below {
        found.extend(folders.iter().flat_map(|folder| markdown_files(folder, true)));
    }
    found.sort();
    found
}

#[test]
fn markdown_is_read() {
    let text = "# A b: c\n[x](y.md#z) `[no](no.md)`\n```sh file=a\n[no](no)\n# no\n```\n## A b c\n";
    assert_eq!(links(text), ["y.md#z"]);
    assert_eq!(anchors(text), ["a-b-c", "a-b-c-1"]);
    assert_eq!(code_spans(text), ["[no](no.md)"]);
    let fences = fences(text);
    assert_eq!((fences.len(), fences[0].language.as_str(), fences[0].line), (1, "sh", 3));
    assert_eq!((fences[0].attributes.join(" "), fences[0].text.as_str()), ("file=a".to_owned(), "[no](no)\n# no\n"));
}
