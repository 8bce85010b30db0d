//! Texts: what a number is over, and of which text it is one.

use std::fs;
use std::path::{Path, PathBuf};

use elbow_tests::{Call, elbow, root};
use serde_json::{Value, json};

use super::ELBOW;

/// A file in a folder, by its path.
fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("writable");
    path.display().to_string()
}

/// A tokenizer of single characters and of added tokens, `?` for what it does not have.
fn characters(vocabulary: &[&str]) -> String {
    let ids: serde_json::Map<String, Value> =
        vocabulary.iter().enumerate().map(|(id, token)| ((*token).to_owned(), json!(id))).collect();
    let added = vocabulary.iter().enumerate().filter(|(_, token)| token.len() > 1).map(|(id, token)| {
        json!({ "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    });
    let split = json!({ "type": "Split", "pattern": { "Regex": "[\\s\\S]" }, "behavior": "Isolated", "invert": false });
    json!({
        "version": "1.0", "padding": null, "truncation": null, "normalizer": null, "post_processor": null,
        "added_tokens": added.collect::<Vec<_>>(), "pre_tokenizer": split, "decoder": { "type": "Fuse" },
        "model": { "type": "WordLevel", "vocab": ids, "unk_token": "?" },
    })
    .to_string()
}

/// A few steps of a tiny network in `folder/name`.
fn train(folder: &Path, preset: &str, changes: &[&str]) -> PathBuf {
    let run = folder.join(preset);
    let small = ["width=16", "heads=2", "layers=1", "hidden=32", "batch_size=4", "steps=2", "sequence_length=16"];
    let mut arguments = vec!["train", preset, "-q", "--run", run.to_str().expect("UTF-8")];
    small.iter().chain(changes).for_each(|setting| arguments.extend(["--set", setting]));
    let call = elbow(ELBOW, &arguments);
    assert_eq!(call.code, 0, "{}", call.stderr);
    run
}

/// `elbow likelihood` of the whole of the data.
fn likelihood(run: &Path, more: &[&str]) -> Call {
    let run = run.to_str().expect("UTF-8");
    elbow(ELBOW, &[&["likelihood", "--checkpoint", run, "-q", "--split", "all", "--draws", "2"], more].concat())
}

fn refused(call: &Call, words: &[&str]) {
    assert_eq!(call.code, 2, "{}{}", call.stdout, call.stderr);
    words.iter().for_each(|word| assert!(call.stderr.contains(word), "{word:?}: {}", call.stderr));
}

/// The bound in `json`, without a null in it.
fn bound(call: &Call) -> Value {
    let bound = call.json()["nelbo"].take();
    assert!(bound["bits_per_dim"]["value"].as_f64().is_some_and(f64::is_finite), "{bound}");
    bound
}

#[test]
fn a_text_that_the_tokens_cannot_give_back_has_no_bits_per_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let tokenizer =
        format!("alphabet=tokenizer:{}", write(folder, "tokenizer.json", characters(&["?", "a", "b", " "])));
    let known = write(folder, "known.txt", "ab ba ".repeat(20));
    let unknown = write(folder, "unknown.txt", "cd ab ".repeat(20));
    let run = train(folder, "ar-shakespeare", &[&format!("dataset={known}"), &tokenizer, "sequence_length=8"]);
    let text = bound(&likelihood(&run, &["--json"]))["text"].take();
    assert!(text["bits_per_byte"]["value"].is_f64() && text["lost"].is_null(), "witness: the known text: {text}");
    let text = bound(&likelihood(&run, &["--json", "--dataset", &unknown]))["text"].take();
    assert!(text["bits_per_byte"].is_null() && text["bits_per_character"].is_null(), "{text}");
    assert_eq!(text["lost"], json!({ "share": 1.0 / 3.0, "unknown_tokens": 40 }));
    let printed = likelihood(&run, &["--dataset", &unknown]).stdout;
    assert!(
        printed.contains("do not give the text back; at least 33.33 %") && printed.contains("40 tokens are unknown"),
        "{printed}"
    );
    assert!(!printed.contains("bits/byte,") && printed.contains("bits/token"), "{printed}");
}

#[test]
fn every_token_of_a_text_is_scored_or_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let text = write(folder, "text.txt", "The quick brown fox. ".repeat(12));
    let changes = [&format!("dataset={text}")[..], "alphabet=bytes"];
    for (preset, scored, dropped, says) in [
        ("ar-shakespeare", 252, 0, "the last 12 tokens are scored given those before them"),
        ("md4-shakespeare", 240, 12, "the last 12 tokens fill no window and are not scored"),
    ] {
        let run = train(folder, preset, &changes);
        let found = bound(&likelihood(&run, &["--json"]));
        assert_eq!((&found["tokens_scored"], &found["tokens_dropped"]), (&json!(scored), &json!(dropped)), "{preset}");
        assert_eq!((&found["sequences"], &found["available"]), (&json!(15), &json!(15)));
        assert!(likelihood(&run, &[]).stdout.contains(says), "{preset}");
        let few = likelihood(&run, &["--sequences", "3"]).stdout;
        assert!(few.contains("3 of 15 sequences") && few.contains("over 48 tokens; 204 are not scored"), "{few}");
        refused(&likelihood(&run, &["--sequences", "1"]), &["--sequences 1", "two or more"]);
    }
    // In 27 letters: the field's convention, and it is said.
    let run = train(folder, "mdlm-shakespeare", &[changes[0]]);
    let printed = likelihood(&run, &[]).stdout;
    assert!(printed.contains("by the rules of text8, at least 9.92 % of the file's bytes changed"), "{printed}");
    assert!(printed.contains("k-DCE, exact at both ends") && !printed.contains("form: k-dce"), "{printed}");
}

#[test]
fn other_data_than_those_of_training_are_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let [first, other] = [["?", "a", "b", " "], ["?", "b", "a", " "]].map(|vocabulary| characters(&vocabulary));
    let tokenizer = write(folder, "tokenizer.json", &first);
    let text = write(folder, "text.txt", "ab ba ".repeat(20));
    let settings = [&format!("dataset={text}")[..], &format!("alphabet=tokenizer:{tokenizer}"), "sequence_length=8"];
    let run = train(folder, "ar-shakespeare", &settings);
    let plain = likelihood(&run, &["--json"]).json();
    assert!(plain["other_data"].is_null(), "witness: the data of training");

    // The same ids for other tokens, on the text of training and on another.
    write(folder, "tokenizer.json", &other);
    let zero_shot = write(folder, "zero-shot.txt", "b a ".repeat(20));
    for dataset in [&[][..], &["--dataset", &zero_shot]] {
        refused(&likelihood(&run, dataset), &["the tokenizer is not that of training", "--other-data"]);
    }
    refused(
        &elbow(ELBOW, &["sample", "--checkpoint", run.to_str().expect("UTF-8"), "-q"]),
        &["the tokenizer is not that"],
    );
    write(folder, "tokenizer.json", &first);
    assert!(likelihood(&run, &["--dataset", &zero_shot]).code == 0, "zero-shot is allowed");

    write(folder, "text.txt", "a a a a ".repeat(20));
    refused(&likelihood(&run, &[]), &["text:all is not what the model was trained on", "--other-data"]);
    let accepted = likelihood(&run, &["--other-data", "--json"]).json();
    assert!(accepted["other_data"].as_str().is_some_and(|what| what.contains("not what the model was trained on")));
    assert!(likelihood(&run, &["--other-data"]).stdout.contains("OTHER DATA: "));
    write(folder, "text.txt", "ab ba ".repeat(20));
    assert_eq!(likelihood(&run, &["--json"]).json()["nelbo"], plain["nelbo"], "back as it was");

    // An edited config; one whose data were moved is not edited.
    let config = fs::read_to_string(run.join("config.toml")).expect("settings");
    fs::write(run.join("config.toml"), config.replace("\"relu2\"", "\"swiglu\"")).expect("writable");
    refused(&likelihood(&run, &[]), &["config.toml", "edited after the training"]);
    let moved = write(folder, "moved.txt", "ab ba ".repeat(20));
    fs::write(run.join("config.toml"), config.replace(&text, &moved)).expect("writable");
    assert_eq!(likelihood(&run, &["--json"]).json()["nelbo"]["nats"], plain["nelbo"]["nats"]);
}

/// MDLM's network of the fixtures with its ids in another order: the mask, its last row, at `mask`.
fn with_mask_at(folder: &Path, mask: usize) -> String {
    let mut bytes = fs::read(root().join("fixtures/networks/dit.safetensors")).expect("a fixture");
    let start = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..start]).expect("JSON");
    for name in ["vocab_embed.embedding", "output_layer.linear.weight", "output_layer.linear.bias"] {
        let at = |end: usize| {
            start + header[format!("backbone.{name}")]["data_offsets"][end].as_u64().expect("a place") as usize
        };
        let (from, to) = (at(0), at(1));
        let row = (to - from) / 11;
        bytes[from + mask * row..to].rotate_right(row);
    }
    write(folder, &format!("mask-at-{mask}.safetensors"), bytes)
}

#[test]
fn a_mask_inside_the_vocabulary_gives_the_number_of_one_at_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "?"];
    let mut with_mask = letters.to_vec();
    with_mask.insert(3, "[MASK]");
    let plain = format!("alphabet=tokenizer:{}", write(folder, "plain.json", characters(&letters)));
    let inside = format!("alphabet=tokenizer:{}", write(folder, "inside.json", characters(&with_mask)));
    let fewer = format!("alphabet=tokenizer:{}", write(folder, "fewer.json", characters(&letters[..6])));
    let text = write(folder, "text.txt", "abcdefghiabcadebfcigahb".repeat(6));
    let import = |weights: &str, run: &str, more: &[&str]| {
        let run = folder.join(run);
        let to = ["import", weights, "--preset", "mdlm-text8", "--set", "sequence_length=12", "-q"];
        let data = format!("dataset={text}");
        let call = elbow(ELBOW, &[&to[..], &["--set", &data, "--run", run.to_str().expect("UTF-8")], more].concat());
        (run, call)
    };
    let number = |run: &Path, text: &str| bound(&likelihood(run, &["--json", "--dataset", text]))["nats"].take();
    let (at_the_end, call) = import("fixtures/networks/dit.safetensors", "end", &["--set", &plain]);
    assert_eq!(call.code, 0, "{}", call.stderr);
    let expected = number(&at_the_end, &text);
    let permuted = with_mask_at(folder, 3);
    for mask in ["3", "[MASK]"] {
        let (run, call) = import(&permuted, &format!("mask {mask}"), &["--set", &inside, "--mask-id", mask]);
        assert_eq!(call.code, 0, "{}", call.stderr);
        assert_eq!(number(&run, &text), expected, "{mask}");
        let sample = elbow(ELBOW, &["sample", "--checkpoint", run.to_str().expect("UTF-8"), "--count", "4", "-q"]);
        assert_eq!(sample.code, 0, "{}", sample.stderr);
        let drawn = fs::read_to_string(run.join("samples/samples.txt")).expect("texts");
        assert!(!drawn.contains("MASK") && drawn.lines().all(|line| line.chars().count() == 12), "{drawn}");
    }
    // Without a word about the mask the numbers of values differ, and the remedy is said.
    let (run, _) = import(&permuted, "untold", &["--set", &inside]);
    refused(&likelihood(&run, &["--dataset", &text]), &["11 values", "the model 10", "--mask-id"]);
    let (run, _) = import(&permuted, "witness", &["--set", &plain]);
    assert_ne!(number(&run, &text), expected, "witness: the rows as they lie");
    let (_, call) = import(&permuted, "beyond", &["--set", &inside, "--mask-id", "99"]);
    refused(&call, &["mask_id 99", "ids 0 to 10"]);
    // A vocabulary that the network has enlarged.
    let (run, _) = import("fixtures/networks/dit.safetensors", "fewer", &["--set", &fewer]);
    let abc = write(folder, "abc.txt", "abcabcbca".repeat(6));
    assert!(number(&run, &abc)["value"].is_f64());
}

#[test]
fn a_tokenizer_with_a_mask_trains_and_conventions_are_in_the_protocol() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let vocabulary = ["[MASK]", "<s>", "</s>", "?", "a", "b", " ", "1", "\n"];
    let tokenizer = format!("alphabet=tokenizer:{}", write(folder, "tokenizer.json", characters(&vocabulary)));
    let text = format!("dataset={}", write(folder, "text.txt", "a b N a\n".repeat(40)));
    let settings = [&text[..], &tokenizer, "mask_id=[MASK]", "frame=bos,eos", "documents=lines", "detokenizer=ptb"];
    let run = train(folder, "md4-shakespeare", &settings);
    let found = bound(&likelihood(&run, &["--json"]));
    let protocol = &found["protocol"];
    for (name, word) in [("frame", "bos,eos"), ("documents", "lines"), ("detokenizer", "ptb")] {
        assert!(protocol[name].as_str().is_some_and(|choice| choice.contains(word)), "{name}: {protocol}");
    }
    // "a b 1 a" and the end: eight tokens a line, 14 of them in a window of 16.
    assert_eq!((&found["sequences"], &found["tokens_dropped"]), (&json!(22), &json!(12)));
    assert!((found["text"]["bytes_per_token"].as_f64().expect("a number") - 14.0 / 16.0).abs() < 1e-12, "{found}");
    let words = likelihood(&run, &["--detokenizer", "lm1b"]).stdout;
    assert!(words.contains("40 tokens are unknown"), "another detokenizer leaves N: {words}");
    refused(&likelihood(&run, &["--frame", "bos"]), &["two tokens, separated by a comma"]);
}

#[test]
fn what_is_no_text_is_refused_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let tokenizer =
        format!("alphabet=tokenizer:{}", write(folder, "tokenizer.json", characters(&["?", "a", "b", " "])));
    let text = write(folder, "text.txt", "ab ba ".repeat(20));
    let run = train(folder, "ar-shakespeare", &[&format!("dataset={text}"), &tokenizer, "sequence_length=8"]);
    let utf16: Vec<u8> = "\u{feff}ab ba".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, bytes, words) in [
        ("latin.txt", &b"ab b\xe9 ab"[..], ["byte 4", "iconv -f LATIN1"]),
        ("utf16.txt", &utf16, ["byte 3", "iconv -f UTF-16"]),
        ("binary.txt", b"ab ab ab \0 ab", ["byte 9 is 0", "no text"]),
        ("empty.txt", b"", ["empty.txt", "empty"]),
    ] {
        refused(&likelihood(&run, &["--dataset", &write(folder, name, bytes)]), &words);
    }
    refused(
        &likelihood(&run, &["--dataset", &folder.display().to_string()]),
        &["holds images, which have no alphabet"],
    );
}
