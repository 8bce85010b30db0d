//! Samples: classes, texts, prompts, numbers of steps, options without effect, requests beyond every limit.

use std::fs;
use std::path::{Path, PathBuf};

use elbow_impls::data::{Dataset, Npz, Split};
use elbow_metrics::NpzWriter;
use elbow_tests::{Call, elbow};
use serde_json::Value;

use super::ELBOW;

/// A few steps of a tiny network.
fn train(folder: &Path, preset: &str, changes: &[&str]) -> PathBuf {
    let run = folder.join(preset);
    let small = ["width=16", "heads=2", "layers=1", "hidden=32", "batch_size=8", "steps=4", "warmup_steps=2"];
    let mut arguments = vec!["train", preset, "--json", "-q", "--run", run.to_str().expect("UTF-8")];
    for setting in small.iter().chain(changes) {
        arguments.extend(["--set", setting]);
    }
    elbow(ELBOW, &arguments).json();
    run
}

/// A model of twelve bytes.
fn bytes(folder: &Path) -> PathBuf {
    let text = folder.join("text.txt");
    fs::write(&text, "def f(x_1):\n    return x_1\n".repeat(200)).expect("written");
    let dataset = format!("dataset={}", text.display());
    train(folder, "md4-shakespeare", &[&dataset, "alphabet=bytes", "sequence_length=12"])
}

fn sample(run: &Path, more: &[&str]) -> Call {
    let run = run.to_str().expect("UTF-8");
    elbow(ELBOW, &[&["sample", "--checkpoint", run, "--json", "-q"], more].concat())
}

fn assert_refused(call: &Call, words: &[&str]) {
    assert_eq!(call.code, 2, "{}", call.stderr);
    for word in words {
        assert!(call.stderr.contains(word), "{word}: {}", call.stderr);
    }
}

/// The documents of a file of JSON lines.
fn documents(path: &Value) -> Vec<Value> {
    let text = fs::read_to_string(path.as_str().expect("a path")).expect("a file");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

const CLASSES: [&str; 3] = ["class_conditioning=true", "label_dropout=0.1", "condition_width=16"];

#[test]
fn samples_of_classes_say_their_class_and_are_compared_by_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = train(folder.path(), "md4-digits", &CLASSES);
    let draw = ["--count", "40", "--steps", "4"];
    let made = sample(&run, &draw).json();
    assert_eq!(made["classes"], "all classes in turn, equally often");
    let npz = made["npz"].as_str().expect("a file");
    let images = Npz::file(Path::new(npz), Split::All).expect("images");
    let all: Vec<usize> = (0..images.len()).collect();
    assert_eq!((images.classes(), images.labels(&all)), (10, (0..40).map(|i| i % 10).collect()));
    let calc = |generated: &str, more: &[&str]| {
        let measure = ["--per-class", "--metrics", "fd", "--blocks", "0", "--no-cache", "--ort-lib", "none"];
        elbow(ELBOW, &[&["fid", "calc", generated, "digits:test", "--json", "-q"], &measure[..], more].concat())
    };
    let per_class = |call: Call| {
        let measures = call.json()["measures"].clone();
        let of = |m: &&Value| m["metric"].as_str().is_some_and(|name| name.ends_with(".per-class"));
        measures.as_array().expect("measures").iter().find(of).expect("a value per class").clone()
    };
    let drawn = calc(run.to_str().expect("UTF-8"), &draw);
    assert!(drawn.json()["generated"].to_string().contains("all classes in turn, equally often"), "{}", drawn.stdout);
    let (drawn, written) = (per_class(drawn), per_class(calc(npz, &[])));
    assert_eq!(drawn["details"]["classes"]["3"]["n"][0], 4, "{drawn}");
    assert_eq!(drawn["value"], written["value"], "the same images of the same classes");
    // Witnesses: images without classes have no distance per class, and with other classes another one.
    let other = |name: &str, classes: Option<Vec<i64>>| {
        let file = folder.path().join(name);
        let mut writer = NpzWriter::create(&file).expect("writable");
        let pixels: Vec<u8> = images.all().expect("images").ids().iter().map(|&level| level as u8).collect();
        writer.array("arr_0", &[40, 8, 8, 1], &pixels).expect("written");
        if let Some(classes) = classes {
            writer.array("arr_1", &[40], &classes).expect("written");
        }
        writer.finish().expect("written");
        calc(file.to_str().expect("UTF-8"), &[])
    };
    assert_refused(&other("bare.npz", None), &["no class", "arr_1"]);
    let shifted = per_class(other("shifted.npz", Some((0..40).map(|i| (i + 1) % 10).collect())));
    assert_ne!(shifted["value"], written["value"]);
    let threes = sample(&run, &["--count", "3", "--steps", "2", "--class", "3"]).json();
    let images = Npz::file(Path::new(threes["npz"].as_str().expect("a file")), Split::All).expect("images");
    assert_eq!((&threes["classes"], images.labels(&[0, 1, 2])), (&"class 3".into(), vec![3; 3]));
}

#[test]
fn texts_with_line_breaks_are_told_apart_and_prompts_hold_any_sign() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = bytes(folder.path());
    let known = |text: &str, more: &[&str]| {
        let made = sample(&run, &[&["--count", "3", "--infill", text], more].concat()).json();
        documents(&made["jsonl"])
    };
    let literal = known("return x_1??", &["--mask-with", "?"]);
    assert_eq!(literal.len(), 3);
    for document in &literal {
        let ids = document["ids"].as_array().expect("ids");
        assert_eq!((ids.len(), &document["class"]), (12, &Value::Null));
        assert!(document["text"].as_str().is_some_and(|text| text.starts_with("return x_1")), "{document}");
    }
    // Witness: where '_' is a gap, what is drawn there is hardly ever '_' again.
    let gaps = known("return x_1??", &[]);
    assert!(!gaps.iter().all(|document| document["text"].as_str().expect("text").starts_with("return x_1")));
    // Known line breaks stay within one document.
    let prompts = folder.path().join("prompts.jsonl");
    fs::write(&prompts, "{\"text\": \"a\\nb\\nc\\n\"}\n\"d\\ne_\"\n").expect("written");
    let file = prompts.to_str().expect("UTF-8");
    let made = sample(&run, &["--infill-file", file]).json();
    let texts = documents(&made["jsonl"]);
    let starts = |at: usize, start: &str| texts[at]["text"].as_str().is_some_and(|text| text.starts_with(start));
    assert!(made["count"] == 2 && starts(0, "a\nb\nc\n") && starts(1, "d\ne"), "{texts:?}");
    assert!(made["first"].as_str().is_some_and(|first| first.starts_with("a\nb\nc\n")), "{made}");
    // The samples take the prompts in turn.
    let made = sample(&run, &["--infill-file", file, "--count", "5"]).json();
    let texts = documents(&made["jsonl"]);
    assert!((0..5).all(|i| texts[i]["text"].as_str().expect("text").starts_with(["a\nb", "d\ne"][i % 2])), "{texts:?}");
    assert_eq!(made["replaced"].as_array().map(Vec::len), Some(2), "{made}");
    let shown = elbow(ELBOW, &["sample", "--checkpoint", run.to_str().expect("UTF-8"), "-q", "--count", "2"]);
    assert!(shown.stdout.contains("the first: \"") && shown.stdout.contains("(replaced)"), "{}", shown.stdout);
}

#[test]
fn prompts_that_are_none_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = bytes(folder.path());
    let refused = |name: &str, content: &[u8], more: &[&str], words: &[&str]| {
        let file = folder.path().join(name);
        fs::write(&file, content).expect("written");
        assert_refused(&sample(&run, &[&["--infill-file", file.to_str().expect("UTF-8")], more].concat()), words);
    };
    refused("empty.txt", b"", &[], &["is empty"]);
    refused("latin.txt", b"caf\xe9", &[], &["UTF-8"]);
    refused("numbers.jsonl", b"\"a\"\n7\n", &[], &["numbers.jsonl, line 2"]);
    refused("long.txt", b"a\nthirteen byte\n", &[], &["long.txt, line 2", "13 tokens where the window has 12"]);
    refused("three.txt", b"a\nb\nc\n", &["--count", "2"], &["--count 2 for the 3 texts"]);
    assert_refused(&sample(&run, &["--mask-with", "?"]), &["--infill"]);
    assert_refused(&sample(&run, &["--infill", "a", "--mask-with", ""]), &["--mask-with"]);
    // The text of the training, and the prompts, are no place for samples.
    let prompts = folder.path().join("to/samples.txt");
    fs::create_dir(folder.path().join("to")).expect("a folder");
    fs::write(&prompts, "a\n").expect("written");
    let [prompts, to] = [&prompts, &folder.path().join("to")].map(|path| path.to_str().expect("UTF-8").to_owned());
    let call = sample(&run, &["--infill-file", &prompts, "--to", &to]);
    assert_refused(&call, &["samples.txt is an input", "--to DIR"]);
    assert_eq!(fs::read(&prompts).expect("there"), b"a\n");
}

/// One, two, three, an odd number of steps, and more than there are tokens: no call of the network for nothing.
#[test]
fn any_number_of_steps_draws_and_more_steps_than_tokens_cost_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = bytes(folder.path());
    for steps in [1u32, 2, 3, 53, 500] {
        for sampler in ["ancestral", "cached", "confidence"] {
            let words = ["--count", "2", "--sampler", sampler, "--steps", &steps.to_string()];
            let made = sample(&run, &words).json();
            let nfe = made["nfe"].as_f64().expect("a number");
            assert!(nfe >= 1.0 && nfe <= f64::from(12.min(steps + 1)), "{sampler}, {steps} steps: NFE {nfe}");
            if sampler == "confidence" {
                assert_eq!(nfe, f64::from(steps.min(12)), "{steps} steps");
            }
        }
    }
    let vdm = train(folder.path(), "vdm-digits", &[]);
    for (steps, sampler) in [(1, "ancestral"), (1, "heun"), (2, "ddim"), (3, "heun"), (53, "ancestral")] {
        let made = sample(&vdm, &["--count", "2", "--sampler", sampler, "--steps", &f64::to_string(&f64::from(steps))]);
        let expected = if sampler == "heun" { 2 * steps } else { steps };
        assert_eq!(made.json()["nfe"], f64::from(expected), "{sampler}, {steps} steps");
    }
}

#[test]
fn an_option_without_effect_is_refused_and_says_who_takes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let [text, digits, vdm, ar, uniform] = [
        bytes(folder.path()),
        train(folder.path(), "md4-digits", &[]),
        train(folder.path(), "vdm-digits", &[]),
        train(folder.path(), "ar-digits", &[]),
        train(folder.path(), "d3pm-uniform-digits", &[]),
    ];
    let cases: [(&Path, &[&str], &[&str]); 21] = [
        (&digits, &["--logit-temperature", "2"], &["--logit-temperature has no effect", "use --temperature"]),
        (&digits, &["--sampler", "first-hitting", "--steps", "8"], &["--steps has no effect", "ancestral or cached"]),
        (&digits, &["--sampler", "cached", "--grid", "cosine"], &["--grid has no effect", "--sampler ancestral"]),
        (&digits, &["--sampler", "confidence", "--schedule", "cosine"], &["--schedule has no effect"]),
        (&digits, &["--churn", "0"], &["--churn has no effect", "--sampler heun"]),
        (&digits, &["--class", "3"], &["--class has no effect", "class_conditioning = true"]),
        (&digits, &["--guidance", "2"], &["--guidance has no effect", "class_conditioning = true"]),
        (&digits, &["--length", "65"], &["--length 65", "texts"]),
        (&digits, &["--infill", "a"], &["this model makes no text"]),
        (&vdm, &["--nucleus", "1"], &["--nucleus has no effect", "masked"]),
        (&vdm, &["--sampler", "ddim", "--churn", "1"], &["--churn has no effect", "--sampler heun"]),
        (&vdm, &["--temperature", "1"], &["--temperature has no effect", "masked"]),
        (&vdm, &["--top-k", "3"], &["--top-k has no effect", "masked"]),
        (&ar, &["--greedy-tail"], &["--greedy-tail has no effect", "ancestral"]),
        (&ar, &["--steps", "8"], &["--steps has no effect", "left-to-right"]),
        (&ar, &["--grid", "uniform"], &["--grid has no effect"]),
        (&uniform, &["--length", "65"], &["--length has no effect", "masked"]),
        (&uniform, &["--grid", "cosine"], &["--grid has no effect"]),
        (&text, &["--stride", "4"], &["--length"]),
        (&text, &["--stride", "4", "--length", "12"], &["--stride has no effect", "one window"]),
        (&text, &["--stride", "13", "--length", "40"], &["--stride 13: 1 to 12"]),
    ];
    for (run, options, words) in cases {
        assert_refused(&sample(run, &[&["--count", "2"], options].concat()), words);
    }
    // Where an option has an effect, the result says so; where it has none, nothing is said.
    let made = sample(&uniform, &["--count", "2", "--schedule", "cosine", "--steps", "3"]).json();
    assert_eq!((&made["steps"], &made["placement"]), (&3.into(), &"cosine schedule".into()));
    let made = sample(&ar, &["--count", "2"]).json();
    assert_eq!((&made["steps"], &made["placement"]), (&Value::Null, &"the sampler's own".into()));
    // Where nothing is drawn, no option of drawing has an effect; where a side is drawn, they have.
    for options in [["--sampler", "heun"], ["--steps", "3"], ["--class", "4"], ["--count", "20"], ["--guidance", "1"]] {
        let calc = ["fid", "calc", "digits:test", "digits:train", "--no-cache", "-q"];
        let call = elbow(ELBOW, &[&calc[..], &options].concat());
        assert_refused(&call, &[&format!("{} has no effect", options[0]), "neither side is a trained run"]);
    }
}

#[test]
fn requests_beyond_every_limit_are_refused_before_anything_is_allocated() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = bytes(folder.path());
    let confident = ["--sampler", "confidence", "--count", "2"];
    for temperature in ["--temperature=-1", "--temperature=nan", "--temperature=inf", "--temperature=1e308"] {
        assert_refused(&sample(&run, &[&confident[..], &[temperature]].concat()), &["a number from 0 to 1000"]);
    }
    sample(&run, &[&confident[..], &["--temperature", "0", "--steps", "2"]].concat()).json();
    for guidance in ["--guidance=1e308", "--guidance=-1e308", "--guidance=nan"] {
        assert_refused(&sample(&run, &[guidance]), &["from -1000 to 1000"]);
    }
    for nucleus in ["--nucleus=0", "--nucleus=1.5", "--nucleus=nan"] {
        assert_refused(&sample(&run, &[nucleus]), &["(0, 1]"]);
    }
    let beyond = ["--length=1000000000000", "--length=0", "--length=1e12", "--steps=0", "--count=0", "--count=1000001"];
    for option in beyond {
        let name = option.split('=').next().expect("a name");
        assert_refused(&sample(&run, &[option]), &[name]);
    }
    let call = sample(&run, &["--length", "1000000000", "--count", "1000000"]);
    assert_refused(&call, &["1000000 samples of 1000000000 tokens take", "GB of memory", "are free"]);
}
