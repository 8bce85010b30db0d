//! A text on disk has the tokens of the same text in memory.

use std::path::PathBuf;

use elbow_base::Silent;
use elbow_base::hash::sha256;
use elbow_impls::data::detokenizer::Detokenizer;
use elbow_impls::data::{Alphabet, Dataset, Reading, Split, TextData, TextOptions};
use tempfile::TempDir;

use super::text::TOKENIZER;
use super::{folder, gzip, write};

/// Some words, spaces and ends of lines over `ab`, five million bytes: more than is read at a time.
fn text() -> String {
    let words = ["ab", "a", " ", "b a", "\n", "bb", "\n\n", " ab", "abab", "ba\n"];
    let mut state = 1u32;
    let mut text = String::new();
    while text.len() < 5_000_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(words[(state >> 24) as usize % words.len()]);
    }
    text
}

/// A vocabulary without most words, which loses text.
const WORDS: &str = r#"{"version": "1.0", "normalizer": null, "post_processor": null, "truncation": null, "padding": null,
    "added_tokens": [], "decoder": null, "pre_tokenizer": {"type": "Whitespace"},
    "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"ab": 0, "bb": 1, "[UNK]": 2, "a": 3, "[EOS]": 4}}}"#;

struct Case {
    alphabet: String,
    options: TextOptions,
    path: PathBuf,
}

impl Case {
    fn load(&self, split: Split, reading: &Reading) -> TextData {
        let alphabet = Alphabet::parse(&self.alphabet).expect("an alphabet");
        TextData::load(&self.path, alphabet, 100, split, &self.options, reading).expect("a text")
    }

    /// All that is known of the text, and its tokens.
    fn known(&self, split: Split, reading: &Reading) -> (String, Vec<u32>) {
        let data = self.load(split, reading);
        let text = data.text().expect("a text");
        let (tokens, last) = (data.all().expect("tokens"), text.last_window().map(|window| window.ids().to_vec()));
        let rates = (text.bytes_per_token(), text.characters_per_token());
        let known =
            format!("{rates:?} {} {last:?} {:?} {:?} {}", text.rest(), text.loss(), text.normalised(), data.hash());
        (known, tokens.ids().to_vec())
    }
}

fn cases(folder: &TempDir) -> Vec<Case> {
    let path = write(folder, "text.txt", text());
    let packed = write(folder, "packed.txt.gz", gzip(text().to_uppercase().as_bytes()));
    let alphabet = |kind: &str, name: &str, content: &str| format!("{kind}:{}", write(folder, name, content).display());
    let (pairs, words) = (alphabet("tokenizer", "pairs.json", TOKENIZER), alphabet("tokenizer", "words.json", WORDS));
    let letters = alphabet("vocab", "letters.txt", "a\nb\n");
    let pieces = alphabet("vocab", "pieces.txt", "a\nb\n##a\n##b\n##ab\n");
    let case = |alphabet: &str, options: TextOptions| Case { alphabet: alphabet.into(), options, path: path.clone() };
    let documents =
        |name: &str| TextOptions { documents: Some(name.parse().expect("a name")), ..TextOptions::default() };
    let framed = |name: &str| TextOptions { frame: Some("<end>,<end>".into()), ..documents(name) };
    let detokenizer: Detokenizer = "wikitext".parse().expect("a name");
    vec![
        case("text8", TextOptions::default()),
        Case { path: packed, ..case("text8", TextOptions::default()) },
        case("bytes", TextOptions::default()),
        case(&pairs, TextOptions::default()),
        case(&pairs, framed("blank")),
        case(&words, documents("lines")),
        case(&words, TextOptions { detokenizer: Some(detokenizer), ..TextOptions::default() }),
        case(&letters, TextOptions::default()),
        case(&pieces, TextOptions::default()),
    ]
}

#[test]
fn a_text_on_disk_is_the_text_in_memory() {
    let folder = folder();
    for case in cases(&folder) {
        // A split that begins within the text, where it is cheap.
        let splits = if case.alphabet.contains(':') { &[Split::All][..] } else { &[Split::Valid, Split::All] };
        for &split in splits {
            let kept = tempfile::tempdir().expect("a folder");
            let reading = Reading { folder: kept.path(), large: 1, bar: &Silent };
            let in_memory = case.known(split, &Reading::in_memory());
            let [made, found] = [(); 2].map(|()| case.known(split, &reading));
            let name = format!("{} {:?} {split}", case.alphabet, case.options);
            assert_eq!(made.0, in_memory.0, "{name}");
            assert!(made.1 == in_memory.1, "{name}");
            assert!(found == in_memory, "{name}: found again");
        }
    }
}

#[test]
fn tokens_on_disk_are_found_again_and_damaged_ones_are_made_again() {
    let (folder, kept) = (folder(), tempfile::tempdir().expect("a folder"));
    let reading = Reading { folder: kept.path(), large: 1, bar: &Silent };
    let case = cases(&folder).swap_remove(2);
    let whole = case.known(Split::Test, &reading);
    let file = |ending: &str| {
        let mut files = std::fs::read_dir(kept.path()).expect("a folder").map(|file| file.expect("a file").path());
        files.find(|file| file.extension().is_some_and(|end| end == ending)).expect("kept")
    };
    let (tokens, summary) = (file("ids"), std::fs::read_to_string(file("json")).expect("a summary"));
    let mut bytes = std::fs::read(&tokens).expect("tokens");
    let before = sha256(&bytes);
    bytes[7] ^= 1;
    std::fs::write(&tokens, &bytes).expect("a file");
    assert!(case.known(Split::Test, &reading) == whole, "damaged tokens are made again");
    // Witness: with a fitting hash the changed tokens are taken, so the files are what is read.
    std::fs::write(&tokens, &bytes).expect("a file");
    std::fs::write(file("json"), summary.replace(&before, &sha256(&bytes))).expect("a file");
    assert!(case.known(Split::Test, &reading).1 != whole.1);
}
