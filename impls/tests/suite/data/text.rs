use std::path::Path;

use elbow_impls::data::alphabet::normalise;
use elbow_impls::data::{Alphabet, Dataset, Split, TextData};

use super::{fails, folder, gzip, rows, write};

/// Byte-level pairs, as of GPT-2, with one merge, one added token and no id 6; `Ġ` is the space, `Ċ` the
/// line end, `Ã¤` the letter ä.
const TOKENIZER: &str = r#"{"version": "1.0", "padding": null, "normalizer": null, "post_processor": null,
    "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "added_tokens": [{"id": 7, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false,
                      "normalized": false, "special": true}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
              "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
              "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ċ": 4, "Ã": 5, "¤": 8}, "merges": ["a b"]}}"#;

fn load(path: &Path, alphabet: &str, length: usize, split: Split) -> elbow_impls::Result<TextData> {
    TextData::load(path, Alphabet::parse(alphabet)?, length, split)
}

fn decoded(data: &TextData) -> Vec<String> {
    let indices: Vec<usize> = (0..data.len()).collect();
    let text = data.text().expect("a text");
    rows(data, &indices).iter().map(|row| text.decode(row)).collect()
}

#[test]
fn normalising_is_that_of_text8_and_idempotent() {
    for (text, normal) in [
        ("The  Quick,\nbrown fox!", "the quick brown fox"),
        ("In 1984: 2+2=5.", "in one nine eight four two two five"),
        ("r2d2", "r two d two"),
        ("\n \"Ça va?\" ", "a va"),
        ("...", ""),
        (" anarchism  originated ", " anarchism  originated "),
    ] {
        let once = normalise(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&once), normal);
        assert_eq!(normalise(&once), once);
    }
}

#[test]
fn splits_are_90_5_and_5_per_cent_of_the_characters() {
    let folder = folder();
    let text: String = ('a'..='z').cycle().take(200).collect();
    let path = write(&folder, "alphabet.txt", &text);
    let packed = write(&folder, "packed.txt.gz", gzip(text.to_uppercase().as_bytes()));
    for (split, range) in
        [(Split::Train, 0..180), (Split::Valid, 180..190), (Split::Test, 190..200), (Split::All, 0..200)]
    {
        let data = load(&path, "text8", 7, split).expect("whole");
        let (windows, size) = (range.len() / 7, range.len());
        assert_eq!((data.len(), data.dropped(), data.length(), data.values()), (windows, size - windows * 7, 7, 27));
        assert_eq!(decoded(&data).concat(), text[range][..windows * 7]);
        assert_eq!(data.name(), format!("alphabet:{split}"));
        assert_eq!(decoded(&load(&packed, "text8", 7, split).expect("whole")), decoded(&data));
    }
    assert_eq!(rows(&load(&path, "text8", 3, Split::All).expect("whole"), &[9, 0]), [[2, 3, 4], [1, 2, 3]]);
}

#[test]
fn bytes_are_any_file_and_characters_are_measured() {
    let folder = folder();
    let path = write(&folder, "bytes.bin", [b'a', 0xc3, 0xa4, 0xff]);
    let data = load(&path, "bytes", 3, Split::All).expect("whole");
    assert_eq!((rows(&data, &[0]), data.dropped(), data.values()), (vec![vec![97, 0xc3, 0xa4]], 1, 256));
    let text = data.text().expect("a text");
    assert_eq!((text.bytes_per_token(), text.characters_per_token()), (1.0, 0.75));
    assert_eq!(text.decode(&[97, 0xc3, 0xa4, 256, 98]), "aä\u{fffd}b");
    assert_eq!(Alphabet::Text8.decode(&[8, 9, 0, 27, 27, 26]), "hi \u{fffd}\u{fffd}z");
}

#[test]
fn a_tokenizer_gives_its_tokens_and_their_size() {
    let folder = folder();
    let name = format!("tokenizer:{}", write(&folder, "tokenizer.json", TOKENIZER).display());
    let path = write(&folder, "text.txt", "ab ab\nba<end>ä");
    let data = load(&path, &name, 9, Split::All).expect("whole");
    assert_eq!((data.values(), data.dropped()), (9, 0));
    assert_eq!(rows(&data, &[0]), [[3, 2, 3, 4, 1, 0, 7, 5, 8]]);
    let text = data.text().expect("a text");
    assert_eq!(text.decode(&[3, 2, 3, 6, 7, 5, 8]), "ab ab\u{fffd}<end>ä");
    assert_eq!((text.bytes_per_token(), text.characters_per_token()), (15.0 / 9.0, 14.0 / 9.0));
    assert_ne!(data.hash(), load(&path, "bytes", 9, Split::All).expect("whole").hash());

    // The cut at byte 18 of 20 would fall inside the last of ten letters of two bytes.
    let umlauts = write(&folder, "umlauts.txt", format!("a{}a", "ä".repeat(9)));
    assert_eq!(decoded(&load(&umlauts, &name, 17, Split::Train).expect("whole")), ["aääääääää"]);
    assert_eq!(decoded(&load(&umlauts, &name, 1, Split::Test).expect("whole")), ["a"]);
    // Longer than what is given to the tokenizer at a time.
    let long = "ab ab\n".repeat(400_000);
    let data = load(&write(&folder, "long.txt", &long), &name, 4, Split::All).expect("whole");
    assert_eq!((data.len(), data.dropped()), (400_000, 0));
    assert!(rows(&data, &[0, 174_762, 174_763, 399_999]).iter().all(|row| row == &[3, 2, 3, 4]));
}

#[test]
fn damaged_and_short_texts() {
    let folder = folder();
    let tokenizer = format!("tokenizer:{}", write(&folder, "tokenizer.json", TOKENIZER).display());
    let packed = gzip(&b"some text ".repeat(99));
    for (file, bytes, alphabet, words) in [
        ("a.txt", &b""[..], "bytes", ["a.txt", "empty"]),
        ("a.txt.gz", &gzip(b""), "bytes", ["a.txt.gz", "empty"]),
        ("a.txt", b"?! \xff.", "text8", ["no letter and no digit", "5 bytes"]),
        ("a.txt", b"short", "text8", ["its all split has 5 text8 tokens", "no window of 8"]),
        ("a.txt", b"ab\xff", &tokenizer, ["byte 2", "not UTF-8"]),
        ("a.txt.gz", &packed[..packed.len() - 8], "bytes", ["ends early", "after 990 unpacked bytes"]),
        ("a.txt.gz", b"some longer text", "bytes", ["damaged gzip", "a.txt.gz"]),
    ] {
        fails(load(&write(&folder, file, bytes), alphabet, 8, Split::All), &words);
    }
    let path = write(&folder, "a.txt", "some text");
    fails(load(&path, "bytes", 0, Split::All), &["length is 0"]);
    fails(load(&path, "latin", 1, Split::All), &["unknown alphabet \"latin\"", "text8, bytes, tokenizer:FILE"]);
    fails(load(&path, &format!("tokenizer:{}", path.display()), 1, Split::All), &["a.txt", "tokenizer.json"]);
    fails(load(&path, "tokenizer:nowhere.json", 1, Split::All), &["nowhere.json", "No such file"]);
}
