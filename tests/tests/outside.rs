//! Models from outside on the command line.

use std::path::{Path, PathBuf};

use elbow_tests::{elbow, root};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// A model file over a text of two tokens, `a` and `b`, in pairs: 40 % aa, 10 % ab, 20 % ba, 30 % bb.
fn model(folder: &Path, network: &str, from: &str, to: &str) -> PathBuf {
    let models = root().join("fixtures/models");
    let text = std::fs::read_to_string(models.join(format!("{network}.toml"))).expect("bundled");
    assert!(text.contains(from), "{from}");
    let onnx = format!("{network}.onnx");
    std::fs::copy(models.join(&onnx), folder.join(&onnx)).expect("a copy");
    let data = "[data]\ndataset = \"pairs.txt\"\nalphabet = \"tokenizer:tokenizer.json\"\n";
    let path = folder.join(format!("{network}-model.toml"));
    std::fs::write(&path, format!("{}{data}", text.replacen(from, to, 1))).expect("a file");
    let pairs = "a a a a a a a a a b b a b a b b b b b b ".repeat(20);
    std::fs::write(folder.join("pairs.txt"), pairs.trim_end()).expect("a text");
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": { "a": 0, "b": 1 }, "unk_token": "a" },
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).expect("a tokenizer");
    path
}

fn run(arguments: &[&str]) -> elbow_tests::Call {
    elbow(ELBOW, &[arguments, &["--ort-lib", "none", "--json", "--quiet"]].concat())
}

#[test]
fn a_model_file_gives_a_likelihood_with_its_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = model(folder.path(), "table", "linear", "linear");
    let file = file.to_str().expect("UTF-8");
    let json = run(&["likelihood", "--model", file, "--split", "all", "--draws", "32"]).json();
    assert_eq!(json["nelbo"]["estimator"], "k-dce");
    let exact =
        elbow(ELBOW, &["theory", "masked", "--toy", "fixtures/toys/example-a.json", "--steps", "2", "--json"]).json();
    let nats = |key: &str| json["nelbo"]["nats"][key].as_f64().expect("a number");
    let expected = exact["any_order_ar_nll"].as_f64().expect("a number");
    assert!((nats("value") - expected).abs() < 4.0 * nats("standard_error"), "{json} against {expected}");
    let run_of_ours = run(&["likelihood", "--checkpoint", "nowhere"]);
    assert!(run_of_ours.code == 2 && run_of_ours.stderr.contains("--ort-lib"), "no effect: {}", run_of_ours.stderr);
    let none = run(&["likelihood", "--model", "fixtures/models/table.toml"]);
    assert_eq!((none.code, none.stderr.contains("--dataset NAME")), (2, true), "{}", none.stderr);
}

#[test]
fn probes_name_planted_mistakes_and_exit_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = model(folder.path(), "table", "linear", "linear");
    let check = |file: &Path| run(&["model", "check", file.to_str().expect("UTF-8"), "--split", "all"]);
    assert_eq!(check(&good).json()["wrong"], 0);
    let planted = model(folder.path(), "table-timed", "means = \"logits\"", "means = \"log-probabilities\"");
    let call = check(&planted);
    assert_eq!(call.code, 2, "{}", call.stderr);
    assert!(call.stdout.contains("do not sum to 1"), "{}", call.stdout);
    let refused = model(folder.path(), "table", "mask_id = 2", "mask_id = 4");
    let call = check(&refused);
    assert_eq!(
        (call.code, call.stderr.contains("mask_id = 4 is one of the data's ids 3 to 4")),
        (2, true),
        "{}",
        call.stderr
    );
}

/// Largest error of the code length of four tokens under the ODE, nats: that of the prior. Measured: 4.4e-5.
const ODE: f64 = 4e-4;

/// The documents of a file of JSON lines.
fn documents(path: &serde_json::Value) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path.as_str().expect("a path")).expect("a file");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_function_in_python_needs_the_wheel_and_a_model_has_one_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = |from: &str, to: &str| {
        let file = model(folder.path(), "table", from, to);
        run(&["likelihood", "--model", file.to_str().expect("UTF-8")])
    };
    let function = written("onnx = \"table.onnx\"", "python = \"my_model:denoiser\"");
    assert_eq!(function.code, 3, "{}", function.stderr);
    assert!(function.stderr.contains("this program has no Python") && function.stderr.contains("elbow-diffusion"));
    for (from, to) in [
        ("onnx = \"table.onnx\"", ""),
        ("onnx = \"table.onnx\"", "onnx = \"table.onnx\"\npython = \"my_model:denoiser\""),
    ] {
        let call = written(from, to);
        assert_eq!((call.code, call.stderr.contains("a model has a network")), (2, true), "{}", call.stderr);
    }
}

#[test]
fn samples_of_a_model_file_are_texts_or_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = model(folder.path(), "table", "linear", "linear");
    let (file, out) = (file.to_str().expect("UTF-8"), folder.path().to_str().expect("UTF-8"));
    let sample = |more: &[&str]| run(&[&["sample", "--model", file, "--out", out], more].concat());
    let made = sample(&["--count", "3", "--sampler", "first-hitting"]).json();
    assert_eq!((&made["nfe"], &made["model"]["model"]["kind"]), (&2.0.into(), &"masked".into()), "{made}");
    let samples = Path::new(out).join("samples/table-model/samples.jsonl");
    assert_eq!(made["jsonl"].as_str().map(Path::new), Some(samples.as_path()));
    for document in documents(&made["jsonl"]) {
        let names = ["a", "b"];
        let ids = document["ids"].as_array().expect("ids").iter().map(|id| names[id.as_u64().expect("an id") as usize]);
        assert_eq!(
            document["text"].as_str().expect("a text").split_whitespace().collect::<String>(),
            ids.collect::<String>()
        );
    }
    let known = sample(&["--count", "4", "--infill", "b_"]).json();
    assert!(documents(&known["jsonl"]).iter().all(|document| document["ids"][0] == 1), "{known}");
    let long = sample(&["--count", "2", "--length", "5", "--stride", "1"]).json();
    assert_eq!(documents(&long["jsonl"])[1]["ids"].as_array().map(Vec::len), Some(5));
    // Without data ids are ids.
    let to = folder.path().join("ids");
    let bare =
        ["sample", "--model", "fixtures/models/atoms.toml", "--length", "7", "--to", to.to_str().expect("UTF-8")];
    let made = run(&bare).json();
    assert_eq!((&made["length"], &made["sampler"]), (&7.into(), &"ancestral".into()));
    assert!(
        made["npz"].is_string() && made["png"].is_null() && documents(&made["jsonl"])[0]["text"].is_null(),
        "{made}"
    );
    let unknown = model(folder.path(), "table", "mask_id = 2", "mask_id = 9");
    let unknown = ["sample", "--model", unknown.to_str().expect("UTF-8"), "--out", out];
    let refused = [
        // A call of the network that fails says more than that its answer is no number.
        (run(&unknown), "see `elbow model check FILE`"),
        (sample(&["--sampler", "heun"]), "sampler heun does not draw from md4"),
        (sample(&["--class", "1"]), "inputs.class"),
        (sample(&["--length", "5", "--stride", "3"]), "--stride 3: 1 to 2"),
        (sample(&["--to", out, "--judge", "nowhere"]), "nowhere: no such file or folder"),
        (run(&["sample", "--model", "fixtures/models/table.toml", "--infill", "a"]), "[data]"),
        (run(&[&bare[..], &["--judge", file]].concat()), "the model file names no data"),
        (run(&["sample", "--checkpoint", "nowhere"]), "--ort-lib has no effect"),
    ];
    for (call, words) in refused {
        assert_eq!((call.code, call.stderr.contains(words)), (2, true), "{words}: {}", call.stderr);
    }
}

#[test]
fn a_model_file_judges_samples_by_its_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = model(folder.path(), "table", "linear", "linear");
    let (file, to) = (file.to_str().expect("UTF-8"), folder.path().join("to"));
    let call = ["sample", "--model", file, "--judge", file, "--count", "400", "--to", to.to_str().expect("UTF-8")];
    let made = run(&call).json();
    let judged = &made["generative"];
    assert_eq!((&judged["at_most"], &judged["draws"]), (&true.into(), &16.into()), "{judged}");
    // The samples as data have the same bound.
    let text = std::fs::read_to_string(made["txt"].as_str().expect("a file")).expect("a text").replace('\n', " ");
    let drawn = folder.path().join("drawn.txt");
    std::fs::write(&drawn, text.trim_end()).expect("a text");
    let drawn = drawn.to_str().expect("UTF-8");
    let bound = run(&["likelihood", "--model", file, "--dataset", drawn, "--split", "all", "--draws", "64"]).json();
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let (found, expected) = (&judged["perplexity"], &bound["nelbo"]["perplexity"]);
    assert_eq!(bound["nelbo"]["sequences"], 400);
    let difference = (number(&found["value"]) - number(&expected["value"])).abs();
    // Only the draws differ: their part of the error is less than that of the samples.
    assert!(difference < number(&found["standard_error"]), "{found} against {expected}");
    let words = elbow(ELBOW, &[&call[..], &["--ort-lib", "none", "-q"]].concat()).stdout;
    assert!(words.contains("generative perplexity at most "), "{words}");
}

#[test]
fn a_gaussian_model_file_has_an_ode_likelihood() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = model(folder.path(), "atoms", "eps", "eps");
    // The proportions of the atoms: what the prior at gamma = 5 costs one atom more, it then costs the other less.
    std::fs::write(folder.path().join("pairs.txt"), "a b b a b b a b b b ".repeat(20).trim_end()).expect("a text");
    let likelihood = ["likelihood", "--model", file.to_str().expect("UTF-8"), "--length", "4", "--split", "all"];
    let ode = ["--ode", "--sequences", "50", "--draws", "4", "--trace", "exact"];
    let json = run(&[&likelihood[..], &ode].concat()).json();
    let ode = &json["ode"];
    let exact = -4.0 * (0.3 * 0.3f64.ln() + 0.7 * 0.7f64.ln());
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let error = (number(&ode["nats"]["value"]) - exact).abs();
    println!("{error:.1e} nats; step {}", ode["step_difference"]);
    assert!(error < ODE, "{ode} against {exact}");
    assert!(
        number(&ode["step_difference"]).abs() < ODE && ode["trace"].as_str().expect("words").contains("differences")
    );
    let masked = model(folder.path(), "table", "linear", "linear");
    let call = run(&["likelihood", "--model", masked.to_str().expect("UTF-8"), "--ode"]);
    assert_eq!((call.code, call.stderr.contains("is no Gaussian diffusion")), (2, true), "{}", call.stderr);
}

#[test]
fn the_theory_takes_a_network_in_place_of_a_toys_denoiser() {
    let toy = ["theory", "masked", "--toy", "fixtures/toys/example-a.json", "--steps", "4"];
    let json = |more: &[&str]| {
        let call = elbow(ELBOW, &[&toy[..], more, &["--json", "-q"]].concat());
        call.json()
    };
    let own = json(&["--schedule", "cosine"]);
    // The model file's schedule is the default.
    let network = json(&["--model", "fixtures/models/table-fixed.toml", "--ort-lib", "none"]);
    let gap = |json: &serde_json::Value, i: usize| json["gap"][i].as_f64().expect("a number");
    for i in 0..4 {
        assert!((gap(&own, i) - gap(&network, i)).abs() < 1e-6, "{own} {network}");
    }
    assert_eq!((&network["schedule"], &network["model"]["model"]["kind"]), (&own["schedule"], &"masked".into()));
    let timed =
        elbow(ELBOW, &[&toy[..], &["--model", "fixtures/models/table-timed.toml", "--ort-lib", "none"]].concat());
    assert_eq!((timed.code, timed.stderr.contains("sees the time")), (2, true), "{}", timed.stderr);
    let without = elbow(ELBOW, &[&toy[..], &["--ort-lib", "none"]].concat());
    assert_eq!((without.code, without.stderr.contains("--ort-lib has no effect")), (2, true), "{}", without.stderr);
}

#[test]
fn images_of_a_model_file_are_compared_as_they_are_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let draw = ["--count", "200", "--sampler", "one-by-one"];
    let pixels = "fixtures/models/pixels.toml";
    let to = folder.path().to_str().expect("UTF-8");
    let made = run(&[&["sample", "--model", pixels, "--to", to][..], &draw].concat()).json();
    assert_eq!(
        (&made["classes"], &made["nfe"]),
        (&"all classes in turn, equally often".into(), &64.0.into()),
        "{made}"
    );
    let calc = |generated: &str, more: &[&str]| {
        let measure = ["--per-class", "--metrics", "fd", "--blocks", "0", "--no-cache"];
        run(&[&["fid", "calc", generated, "digits:test"], &measure[..], more].concat()).json()
    };
    let drawn = calc(pixels, &draw);
    assert!(drawn["generated"].to_string().contains("200 samples by one-by-one"), "{drawn}");
    let written = calc(made["npz"].as_str().expect("a file"), &[]);
    assert_eq!(drawn["measures"].as_array().map(Vec::len), Some(2), "{drawn}");
    for i in 0..2 {
        assert_eq!(
            drawn["measures"][i]["value"], written["measures"][i]["value"],
            "the same images of the same classes"
        );
    }
    // Witness: one class in place of all.
    let one =
        run(
            &[
                &[
                    "fid",
                    "calc",
                    pixels,
                    "digits:test",
                    "--metrics",
                    "fd",
                    "--blocks",
                    "0",
                    "--no-cache",
                    "--class",
                    "3",
                ][..],
                &draw,
            ]
            .concat(),
        );
    assert_ne!(one.json()["value"], written["value"]);
    let guided =
        run(&["sample", "--model", pixels, "--to", to, "--count", "2", "--guidance", "2", "--sampler", "one-by-one"])
            .json();
    assert_eq!(guided["nfe"], 128.0, "two calls per token: {guided}");
    let none = folder.path().join("pixels.toml");
    let text = std::fs::read_to_string(root().join(pixels)).expect("bundled").replace(", none = 10", "");
    std::fs::write(&none, text).expect("a file");
    std::fs::copy(root().join("fixtures/models/pixels.onnx"), folder.path().join("pixels.onnx")).expect("a copy");
    let none = none.to_str().expect("UTF-8");
    let call = run(&["sample", "--model", none, "--count", "2", "--guidance", "2"]);
    assert_eq!((call.code, call.stderr.contains("as none in inputs.class")), (2, true), "{}", call.stderr);
    let table = run(&["fid", "calc", "fixtures/models/table.toml", "digits:test"]);
    assert_eq!((table.code, table.stderr.contains("its samples are no images")), (2, true), "{}", table.stderr);
}

#[test]
fn the_digits_model_as_onnx_gives_the_native_bound() {
    // Measured: 5e-10 on the embedded runtime, 9e-9 on ONNX Runtime. Both see the same draws.
    const TOLERANCE: f64 = 5e-8;
    let bits = |model: &[&str]| {
        let json = elbow(ELBOW, &[&["likelihood", "--draws", "4", "--json", "--quiet"], model].concat()).json();
        json["nelbo"]["bits_per_dim"]["value"].as_f64().expect("a number")
    };
    let native = bits(&["--checkpoint", "fixtures/digits-denoiser/run"]);
    let outside = ["--model", "fixtures/digits-denoiser/digits.toml", "--ort-lib", "none"];
    let outside_bits = bits(&outside);
    assert!((native - outside_bits).abs() < TOLERANCE, "{native} and {outside_bits}");
    let witness = bits(&[&outside[..], &["--seed", "1"]].concat());
    assert!((native - witness).abs() > 1e-4, "witness: other draws are seen, {native} and {witness}");
}
