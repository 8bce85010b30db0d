use std::path::Path;

use elbow_impls::data::alphabet::normalise;
use elbow_impls::data::detokenizer::Detokenizer;
use elbow_impls::data::{Alphabet, Dataset, Reading, Split, TextData, TextOptions};

use super::{fails, folder, gzip, rows, write};

/// Byte-level pairs, as of GPT-2, with one merge, one added token and no id 6; `Ġ` is the space, `Ċ` the
/// line end, `Ã¤` the letter ä.
pub const TOKENIZER: &str = r#"{"version": "1.0", "padding": null, "normalizer": null, "post_processor": null,
    "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "added_tokens": [{"id": 7, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false,
                      "normalized": false, "special": true}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
              "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
              "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ċ": 4, "Ã": 5, "¤": 8}, "merges": ["a b"]}}"#;

fn load(path: &Path, alphabet: &str, length: usize, split: Split) -> elbow_impls::Result<TextData> {
    TextData::load(path, Alphabet::parse(alphabet)?, length, split, &TextOptions::default(), &Reading::in_memory())
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
        assert_eq!(
            (data.len(), data.text().expect("a text").rest(), data.length(), data.values()),
            (windows, size - windows * 7, 7, 27)
        );
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
    assert_eq!(
        (rows(&data, &[0]), data.text().expect("a text").rest(), data.values()),
        (vec![vec![97, 0xc3, 0xa4]], 1, 256)
    );
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
    assert_eq!((data.values(), data.text().expect("a text").rest()), (9, 0));
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
    assert_eq!((data.len(), data.text().expect("a text").rest()), (400_000, 0));
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

/// A tokenizer of single characters and added tokens, by their ids, which gives every text back that it knows.
fn characters(vocabulary: &[&str], normalizer: &str) -> String {
    let id = |(id, token): (usize, &&str)| format!("{token:?}: {id}");
    let ids: Vec<String> = vocabulary.iter().enumerate().map(id).collect();
    let added = |(id, token): (usize, &&str)| {
        format!(
            r#"{{"id": {id}, "content": {token:?}, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true}}"#
        )
    };
    let long = vocabulary.iter().enumerate().filter(|(_, token)| token.chars().count() > 1);
    let added: Vec<String> = long.map(added).collect();
    format!(
        r#"{{"version": "1.0", "padding": null, "truncation": null, "normalizer": {normalizer}, "post_processor": null,
            "added_tokens": [{}], "decoder": {{"type": "Fuse"}},
            "pre_tokenizer": {{"type": "Split", "pattern": {{"Regex": "[\\s\\S]"}}, "behavior": "Isolated", "invert": false}},
            "model": {{"type": "WordLevel", "vocab": {{{}}}, "unk_token": "?"}}}}"#,
        added.join(", "),
        ids.join(", ")
    )
}

/// The options' reading of a text by a tokenizer of characters.
fn read(vocabulary: &[&str], text: &str, length: usize, options: &TextOptions) -> elbow_impls::Result<TextData> {
    let folder = folder();
    let tokenizer = write(&folder, "tokenizer.json", characters(vocabulary, "null"));
    let alphabet = Alphabet::with_mask(&format!("tokenizer:{}", tokenizer.display()), options.mask_id.as_deref())?;
    TextData::load(&write(&folder, "text.txt", text), alphabet, length, Split::All, options, &Reading::in_memory())
}

#[test]
fn what_tokens_do_not_give_back_is_measured() {
    let lowercase = r#"{"type": "Lowercase"}"#;
    let strip = r#"{"type": "Strip", "strip_left": true, "strip_right": true}"#;
    let vocabulary = ["?", "a", "b", " ", "2", "B"];
    for (text, normalizer, loss) in [
        ("ab ab", "null", None),
        ("abc ab", "null", Some((1.0 / 6.0, 1))),
        // The sign for unknown text is itself unknown text: it stands for others too.
        ("ab?", "null", Some((1.0 / 3.0, 1))),
        ("ccc", "null", Some((1.0, 3))),
        ("aB", lowercase, Some((0.5, 0))),
        ("ab", lowercase, None),
        ("a\u{b2}", r#"{"type": "NFKC"}"#, Some((2.0 / 3.0, 0))),
        (" ab ", strip, Some((0.5, 0))),
    ] {
        let folder = folder();
        let tokenizer = write(&folder, "tokenizer.json", characters(&vocabulary, normalizer));
        let path = write(&folder, "text.txt", text);
        let data = load(&path, &format!("tokenizer:{}", tokenizer.display()), 1, Split::All).expect("whole");
        let found = data.text().expect("a text").loss().map(|loss| (loss.share, loss.unknown_tokens));
        assert_eq!(found, loss, "{text:?} {normalizer}");
        // Witness: the bytes of the same text are never lost.
        assert!(load(&path, "bytes", 1, Split::All).expect("whole").text().expect("a text").loss().is_none());
    }
}

#[test]
fn what_the_rules_of_text8_change_is_said_and_is_no_loss() {
    let folder = folder();
    for (text, share) in [("Ab cd", Some(0.2)), ("ab cd", None), ("ab,  cd", Some(2.0 / 7.0))] {
        let data = load(&write(&folder, "text.txt", text), "text8", 1, Split::All).expect("whole");
        let text = data.text().expect("a text");
        assert_eq!((text.loss(), text.normalised().map(|changed| changed.share)), (None, share));
        assert_eq!(text.protocol().iter().any(|(_, how)| how.contains("rules of text8")), share.is_some());
    }
}

#[test]
fn a_mask_inside_a_vocabulary_is_taken_out_of_its_ids() {
    let vocabulary = ["a", "[MASK]", "b"];
    let with = |mask: &str| TextOptions { mask_id: Some(mask.to_owned()), ..TextOptions::default() };
    let plain = read(&vocabulary, "abba", 4, &TextOptions::default()).expect("whole");
    assert_eq!((plain.values(), rows(&plain, &[0])), (3, vec![vec![0, 2, 2, 0]]));
    for mask in ["[MASK]", "1"] {
        let data = read(&vocabulary, "abba", 4, &with(mask)).expect("whole");
        assert_eq!((data.values(), rows(&data, &[0])), (2, vec![vec![0, 1, 1, 0]]));
        assert_eq!(data.text().expect("a text").decode(&[1, 0, 2]), "ba\u{fffd}");
        assert!(data.text().expect("a text").loss().is_none());
        assert_ne!(data.hash(), plain.hash(), "the ids mean other tokens");
    }
    // The last row of a vocabulary that was enlarged: nothing moves.
    assert_eq!(rows(&read(&vocabulary, "abba", 4, &with("7")).expect("whole"), &[0]), [[0, 2, 2, 0]]);
    fails(read(&vocabulary, "ab[MASK]ba", 4, &with("1")), &["holds the mask token [MASK]"]);
    fails(read(&vocabulary, "abba", 4, &with("<mask>")), &["mask_id \"<mask>\"", "no such token"]);
    fails(Alphabet::with_mask("text8", Some("3")).map(|_| ()), &["mask_id is for tokenizers"]);
}

#[test]
fn windows_are_framed_and_documents_end() {
    let vocabulary = ["a", "b", "\n", "<s>", "</s>"];
    let read = |text: &str, length, frame: Option<&str>, documents: Option<&str>| {
        let options = TextOptions {
            frame: frame.map(str::to_owned),
            documents: documents.map(|name| name.parse().expect("a name")),
            ..TextOptions::default()
        };
        read(&vocabulary, text, length, &options)
    };
    for frame in ["bos,eos", "<s>,</s>"] {
        let data = read("abbab", 4, Some(frame), None).expect("whole");
        assert_eq!((rows(&data, &[0, 1]), data.length()), (vec![vec![3, 0, 1, 4], vec![3, 1, 0, 4]], 4));
        let text = data.text().expect("a text");
        // Five bytes in two and a half windows of four tokens each.
        assert_eq!((text.rest(), text.bytes_per_token()), (1, 0.5));
        assert!(text.last_window().is_none() && text.protocol().iter().any(|(name, _)| *name == "frame"));
    }
    for (text, documents, ids) in [
        ("ab\nba\n", None, vec![0, 1, 2, 1, 0, 2]),
        ("ab\nba\n", Some("lines"), vec![0, 1, 4, 1, 0, 4]),
        ("ab\n\nba\n", Some("lines"), vec![0, 1, 4, 4, 1, 0, 4]),
        ("ab\n\n\nba\nb\n", Some("blank"), vec![0, 1, 4, 1, 0, 2, 1, 4]),
    ] {
        let data = read(text, ids.len(), None, documents).expect("whole");
        assert_eq!(rows(&data, &[0]), [ids], "{text:?} {documents:?}");
    }
    assert_eq!(
        read("ab\nba", 4, Some("</s>,<s>"), Some("lines")).map(|d| rows(&d, &[0])).expect("whole"),
        [[4, 0, 1, 3]]
    );
    fails(read("abba", 4, Some("bos"), None), &["two tokens, separated by a comma"]);
    fails(read("abba", 4, Some("bos,<end>"), None), &["no token <end>"]);
    fails(read("abba", 2, Some("bos,eos"), None), &["beside the two of its frame"]);
    let framed = TextOptions { frame: Some("bos,eos".to_owned()), ..TextOptions::default() };
    let path = write(&folder(), "text.txt", "abba");
    fails(
        TextData::load(&path, Alphabet::Text8, 4, Split::All, &framed, &Reading::in_memory()),
        &["frame and documents are for tokenizers"],
    );
}

/// An example for each rule.
#[test]
fn detokenizers_follow_their_rules() {
    let examples: [(Detokenizer, &[(&str, &str)]); 4] = [
        (
            Detokenizer::Wikitext,
            &[
                ("the dogs ' tail", "the dogs' tail"),
                ("a well @-@ known 1 @,@ 000 @.@ 5", "a well-known 1,000.5"),
                ("so : it ; is , not . ok ? no ! yes", "so: it; is, not. ok? no! yes"),
                ("a ( b ) [ c ] { d }", "a (b) [c] {d}"),
                ("\" e \" and ' f '", "\"e\" and 'f'"),
                (" = = = = Title = = = = \n", " ==== Title ====\n"),
                (" = = = T = = =", " === T ==="),
                (" = = T = =", " == T =="),
                ("40 \u{b0} C", "40\u{b0}C"),
                ("of N men", "of 1 men"),
                ("it 's", "it's"),
                ("/' 5/", "/'[0-9]/"),
            ],
        ),
        (
            Detokenizer::Ptb,
            &[
                ("it 's", "it's"),
                ("the dogs ' tail", "the dogs' tail"),
                ("do n't", "don't"),
                ("1\\/2", "1/2"),
                ("a N N N b", "a 1 1 1 b"),
                ("$ N million", "$1 million"),
                ("# N billion", "#1 billion"),
                ("a <unk> b", "a ? b"),
            ],
        ),
        (
            Detokenizer::Lm1b,
            &[
                ("http : / / a.b", "http://a.b"),
                ("https : / / a.b", "https://a.b"),
                ("it 's", "it's"),
                ("so a . b .", "so a. b."),
                ("a ? b ?", "a? b?"),
                ("a ! b !", "a! b!"),
                ("a , b : c ; d / e", "a, b: c; d/e"),
                ("\" a b \" ( c d ) [ e ]", "\"a b\" (c d) [e]"),
                ("costs $ 5 or £ 4", "costs $5 or £4"),
                ("the end .\n", "the end.\n"),
            ],
        ),
        (Detokenizer::Lambada, &[("  “Yes,” he said. ", "\n\"Yes,\" he said.")]),
    ];
    for (detokenizer, pairs) in examples {
        for (separated, running) in pairs {
            assert_eq!(detokenizer.apply(separated), *running, "{detokenizer}: {separated:?}");
        }
    }
    // In the data: bytes are those of the file.
    let options = TextOptions { detokenizer: Some(Detokenizer::Ptb), ..TextOptions::default() };
    let data = read(&["a", "1", " ", "\n", "?"], "a N N\na N a\n", 10, &options).expect("whole");
    assert_eq!(data.text().expect("a text").loss().map(|loss| loss.unknown_tokens), Some(1), "N ends a line");
    assert_eq!(data.text().expect("a text").bytes_per_token(), 1.0);
}

#[test]
fn what_is_no_text_is_refused_with_its_place_and_its_likely_encoding() {
    let folder = folder();
    let tokenizer = format!("tokenizer:{}", write(&folder, "tokenizer.json", TOKENIZER).display());
    let utf16: Vec<u8> = "a text".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [&[0xff, 0xfe], &utf16[..]].concat();
    for (bytes, words) in [
        (&b"caf\xe9 au lait"[..], ["byte 3 (0xe9)", "iconv -f LATIN1"]),
        (&marked, ["byte 3", "mark of UTF-16"]),
        (&utf16, ["byte 1 is 0", "iconv -f UTF-16"]),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR-and-much-that-is-not-zero", ["byte 8 is 0", "no text"]),
        (b"a \xc3", ["byte 2", "ends within a character"]),
        (b"\x80\x81\x82", ["byte 0 (0x80)", "convert it to UTF-8"]),
    ] {
        let path = write(&folder, "a.txt", bytes);
        fails(load(&path, &tokenizer, 1, Split::All), &words);
        // The rules of text8 take the letters of any text, but not of UTF-16 and of binary files.
        assert_eq!(load(&path, "text8", 1, Split::All).is_ok(), !bytes.contains(&0) && bytes[0] != 0x80, "{words:?}");
        // Witness: as bytes, each is data.
        assert!(load(&path, "bytes", 1, Split::All).is_ok());
    }
    fails(load(folder.path(), "bytes", 1, Split::All), &["a folder: name a file"]);
    #[cfg(unix)]
    fails(load(Path::new("/dev/zero"), "bytes", 1, Split::All), &["/dev/zero", "no file"]);
}
