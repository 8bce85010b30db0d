//! `docs/equations.md` and the tags in the doc comments name the same equations, files and functions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use elbow_tests::root;

/// Folders whose doc comments carry tags.
const SOURCES: [&str; 3] = ["impls", "eval/theory", "eval/metrics"];

/// A tag such as `[MD4 (5)]`, the file from the repository's root, and the function.
type Row = (String, String, String);

/// The tags in a text: `[Source, place]` or `[Source (number)]`, the source with a capital letter; no links, no escaped
/// brackets.
fn tags(text: &str) -> Vec<String> {
    let parts = text.match_indices('[').filter_map(|(at, _)| {
        let inside = &text[at + 1..at + text[at..].find(']')?];
        let after = text[at + inside.len() + 2..].chars().next();
        let escaped = text[..at].ends_with('\\') || after.is_some_and(|c| c == '(' || c == '[');
        let source = &inside[..inside.find(',').or_else(|| inside.find(" ("))?];
        let words = |c: char| c.is_alphanumeric() || c == ' ';
        let named = source.len() > 2 && source.starts_with(char::is_uppercase) && source.chars().all(words);
        (named && !escaped).then(|| format!("[{inside}]"))
    });
    parts.collect()
}

/// The rows that the doc comments of a source file give; a tag above anything but a function is an error.
fn tagged(file: &str, text: &str) -> Result<Vec<Row>, String> {
    let (mut rows, mut comment) = (Vec::new(), String::new());
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) {
            comment = format!("{comment} {}", words.trim());
            continue;
        }
        if line.starts_with("#[") {
            continue;
        }
        let found = tags(&std::mem::take(&mut comment));
        if found.is_empty() {
            continue;
        }
        let name = line.split_once("fn ").map(|(_, rest)| rest.split(['(', '<']).next().unwrap_or_default());
        let name = name.ok_or_else(|| format!("{file}: {} is not above a function: {line}", found.join(" ")))?;
        rows.extend(found.into_iter().map(|tag| (tag, file.to_owned(), name.to_owned())));
    }
    Ok(rows)
}

/// The rows of the tables: | tag | what | `file` | `function` |, where the function may be written with its type.
fn listed(text: &str) -> BTreeSet<Row> {
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
    let row = |cells: Vec<String>| match cells.as_slice() {
        [_, tag, _, file, function, _] if tag.starts_with('[') => {
            let function = function.trim_matches('`').rsplit("::").next().unwrap_or_default();
            Some((tag.clone(), file.trim_matches('`').to_owned(), function.to_owned()))
        }
        _ => None,
    };
    text.lines().filter(|line| line.starts_with('|')).map(cells).filter_map(row).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of the repository").flatten().map(|entry| entry.path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let below = folders.iter().filter(|path| !path.ends_with("target")).flat_map(|path| rust_files(path));
    files.chain(below).collect()
}

#[test]
fn every_equation_has_its_function_and_every_tag_its_row() {
    let listed = listed(&std::fs::read_to_string(root().join("docs/equations.md")).expect("docs/equations.md"));
    let mut tagged_rows = BTreeSet::new();
    for path in SOURCES.iter().flat_map(|folder| rust_files(&root().join(folder))) {
        let file = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        tagged_rows.extend(tagged(&file, &text).unwrap_or_else(|error| panic!("{error}")));
    }
    let show = |rows: Vec<&Row>| -> String {
        rows.iter().map(|(tag, file, function)| format!("\n  | {tag} | | `{file}` | `{function}` |")).collect()
    };
    let (unlisted, untagged) = (tagged_rows.difference(&listed).collect(), listed.difference(&tagged_rows).collect());
    let (unlisted, untagged): (Vec<_>, Vec<_>) = (unlisted, untagged);
    assert!(unlisted.is_empty(), "tags without a row in docs/equations.md:{}", show(unlisted));
    assert!(untagged.is_empty(), "rows of docs/equations.md without a tag above the function:{}", show(untagged));
    assert!(listed.len() >= 50, "{} rows", listed.len());
}

#[test]
fn tags_are_told_from_other_brackets_and_misplaced_ones_are_refused() {
    assert_eq!(tags("the bound [MD4 (5)] of [Kingma and Gao, Table 1]"), ["[MD4 (5)]", "[Kingma and Gao, Table 1]"]);
    assert!(tags(r"\[Batch, length\], [`Toy`], index [n, r], [Loss, see](there)").is_empty());
    let row = |name: &str| ("[VDM, prior]".to_owned(), "f.rs".to_owned(), name.to_owned());
    let tagged_function = "/// K [VDM,\n/// prior].\n#[inline]\npub fn k<T>() {}";
    assert_eq!(tagged("f.rs", tagged_function).expect("a function"), [row("k")]);
    assert!(tagged("f.rs", "/// K [VDM, prior].\nstruct K;").is_err());
    assert_eq!(listed("| [VDM, prior] | K | `f.rs` | `K::k` |\n| Equation | | | |"), BTreeSet::from([row("k")]));
}
