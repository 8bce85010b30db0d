//! Texts and their tokenizers.

use std::path::Path;

use elbow_impls::data::catalogue::{self, Spec};
use elbow_impls::data::{Alphabet, Reading, Split};

use super::mutations::{bytes, text};
use super::runner::Format;

const TEXT: &str = "In the beginning, 1 cat sat on 20 mats.\nNaïve déjà vu: 東京 🜁!\n\n  The end?  \n";

/// A tokenizer of each kind of model, as the library of tokenizers writes it.
fn tokenizers() -> Vec<Vec<u8>> {
    let whole = |model: &str, rest: &str| {
        format!(
            r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{{"id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}}], {rest}, "model": {model}}}"#
        )
    };
    let plain =
        r#""normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null"#;
    let folded = r#""normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]}, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\p{L}+|\\s+"}, "behavior": "Isolated", "invert": false}, "post_processor": null, "decoder": {"type": "Fuse"}"#;
    let bytes = r#""normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}, "post_processor": null, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}"#;
    let word_level = r#"{"type": "WordLevel", "vocab": {"<unk>": 0, "the": 1, "cat": 2}, "unk_token": "<unk>"}"#;
    let bpe = r#"{"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": {"<unk>": 0, "a": 1, "t": 2, "at": 3, "c": 4, "cat": 5}, "merges": [["a", "t"], ["c", "at"]]}"#;
    let unigram = r#"{"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["c", -2.0], ["at", -1.5], ["a", -3.0]], "byte_fallback": false}"#;
    let word_piece = r###"{"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"<unk>": 0, "c": 1, "##at": 2, "the": 3}}"###;
    let all = [(word_level, plain), (bpe, bytes), (unigram, folded), (word_piece, plain)];
    all.map(|(model, rest)| whole(model, rest).into_bytes()).into()
}

/// Opens a text as windows of four tokens, and reads the first and the last.
fn windows(path: &Path, alphabet: &str) -> bool {
    let set = path.display().to_string();
    let spec = Spec { alphabet: Some(alphabet.to_owned()), length: Some(4), ..Spec::new(set, Split::All) };
    let Ok(data) = catalogue::open(&spec, &[], &Reading::in_memory()) else { return false };
    let ids = data.select(&[0, data.len() - 1]).expect("in memory");
    ids.rows().for_each(|row| drop(data.text().expect("a text").decode(row)));
    true
}

#[test]
fn texts_of_letters() {
    Format { name: "text8", file: "current.txt", mutations: &[bytes, text] }
        .fuzz(&[TEXT.into(), b"12".to_vec()], |path| windows(path, "text8"));
}

#[test]
fn texts_of_bytes() {
    // Any four bytes are a text of bytes: files that are too short are refused.
    Format { name: "bytes", file: "current.txt", mutations: &[bytes] }
        .fuzz(&[TEXT.into(), b"four".to_vec()], |path| windows(path, "bytes"));
}

#[test]
fn texts_of_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    let tokenizer = folder.path().join("tokenizer.json");
    std::fs::write(&tokenizer, &tokenizers()[1]).expect("writable");
    let alphabet = format!("tokenizer:{}", tokenizer.display());
    Format { name: "tokens", file: "current.txt", mutations: &[bytes] }
        .fuzz(&[TEXT.into()], |path| windows(path, &alphabet));
}

#[test]
fn packed_texts() {
    let packed = std::fs::read(elbow_tests::root().join("fixtures/digits/digits.csv.gz")).expect("bundled");
    Format { name: "gzip", file: "current.txt.gz", mutations: &[bytes] }.fuzz(&[packed], |path| windows(path, "bytes"));
}

#[test]
fn tokenizer_files() {
    Format { name: "tokenizer", file: "current.json", mutations: &[text, text, bytes] }.fuzz(&tokenizers(), |path| {
        let Ok(alphabet) = Alphabet::parse(&format!("tokenizer:{}", path.display())) else { return false };
        alphabet.values();
        alphabet.tokens("the cat sat 東").is_ok_and(|ids| !alphabet.decode(&ids).is_empty())
    });
}
