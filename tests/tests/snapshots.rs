//! Snapshots of what the command line prints: every help, ten outputs, the texts of errors.
//!
//! What depends on the machine or the time is replaced by a word in brackets. After an intended change, `INSTA_UPDATE=always
//! cargo nextest run --release --package elbow-tests snapshots` writes the snapshots anew; read the difference before committing.

use std::path::Path;

use elbow_tests::elbow;
use insta::assert_snapshot;
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

const EXAMPLE_A: &str = "fixtures/toys/example-a.json";

/// Numbers below this are rounding errors, which differ between processors.
const ROUNDING: f64 = 1e-9;

/// The words of a command, separated by spaces.
fn run(command: &str) -> elbow_tests::Call {
    elbow(ELBOW, &command.split(' ').collect::<Vec<_>>())
}

/// Text without rounding errors, hashes, versions and the place of a folder.
fn redacted(text: &str, folder: &Path) -> String {
    let text = text.replace(folder.to_str().expect("UTF-8"), "[FOLDER]").replace("elbow-under-test", "elbow");
    let program = Path::new(ELBOW).parent().and_then(Path::to_str).expect("UTF-8");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "[VERSION]").replace(program, "[PROGRAM]");
    let word = |word: &str| {
        let bare = word.trim_matches([',', ';', '(', ')', '"']);
        let tiny = bare.contains("e-") && bare.parse::<f64>().is_ok_and(|number| number.abs() < ROUNDING);
        let hash = bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (tiny, hash) {
            (true, _) => word.replace(bare, "[TINY]"),
            (_, true) => word.replace(bare, "[HASH]"),
            _ => word.to_owned(),
        }
    };
    let words = |part: &str| part.split(' ').map(word).collect::<Vec<_>>().join(" ");
    let line = |line: &str| {
        // A residual may be exactly 0.
        let residual = line.starts_with("Theorem ") || line.starts_with("quadrature error");
        match (line.split_once("  "), line.split_once("; found ")) {
            (Some((name, _)), _) if residual => format!("{name}: [TINY]"),
            // The tolerance before it is no rounding error.
            (_, Some((expected, found))) => format!("{expected}; found {}", words(found)),
            _ if line.contains("\"expected\"") => line.to_owned(),
            _ => words(line),
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// JSON with six digits per number, without rounding errors and what `secret` fields hold.
fn rounded(value: &Value, secret: &[&str]) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().expect("a number");
            let short = format!("{number:.5e}").parse::<f64>().expect("a number");
            if number.abs() < ROUNDING { "[TINY]".into() } else { short.into() }
        }
        Value::Array(values) => values.iter().map(|value| rounded(value, secret)).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let redacted = || Value::from(format!("[{}]", name.to_uppercase()));
                let value = if secret.contains(&name.as_str()) { redacted() } else { rounded(value, secret) };
                (name.clone(), value)
            };
            Value::Object(fields.iter().map(field).collect())
        }
        other => other.clone(),
    }
}

/// The JSON document of a command, redacted.
fn json(command: &str, folder: &Path, secret: &[&str]) -> String {
    let document = rounded(&run(&format!("{command} --json")).json(), secret);
    redacted(&serde_json::to_string_pretty(&document).expect("JSON"), folder)
}

/// The text of a command that ends well and prints nothing on stderr, redacted.
fn text(command: &str, folder: &Path) -> String {
    let call = run(command);
    assert_eq!((call.code, call.stderr.as_str()), (0, ""), "{command}");
    redacted(&call.stdout, folder)
}

/// The commands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|&name| name != "help").map(str::to_owned).collect()
}

#[test]
fn help() {
    let none = Path::new("/nowhere");
    let all = text("--help", none);
    assert_snapshot!("help", all);
    let verbs = commands(&all);
    assert!(verbs.len() >= 10, "{verbs:?}");
    for verb in verbs {
        let help = text(&format!("{verb} --help"), none);
        for task in commands(&help) {
            assert_snapshot!(format!("help_{verb}_{task}"), text(&format!("{verb} {task} --help"), none));
        }
        assert_snapshot!(format!("help_{verb}"), help);
    }
}

#[test]
fn theory() {
    let none = Path::new("/nowhere");
    let masked = format!("theory masked --toy {EXAMPLE_A} --schedule cosine --steps 5 --weighting sigmoid:1");
    assert_snapshot!("theory_masked", text(&masked, none));
    assert_snapshot!("theory_masked_json", json(&masked, none, &[]));
    let gaussian = "theory gaussian --toy fixtures/gaussian/atoms.json --gamma-min -6 --gamma-max 5 --steps 4";
    assert_snapshot!("theory_gaussian", text(gaussian, none));
    assert_snapshot!("theory_gaussian_json", json(gaussian, none, &[]));
    let uniform = "theory uniform --toy fixtures/toys/three-tokens.json --steps 4";
    assert_snapshot!("theory_uniform", text(uniform, none));
    assert_snapshot!("theory_uniform_json", json(uniform, none, &[]));
}

#[test]
fn presets_and_plans() {
    let none = Path::new("/nowhere");
    assert_snapshot!("train_list", text("train --list", none));
    assert_snapshot!("train_dry_run", text("train md4-imagenet64 --dry-run --throughput 300", none));
    assert_snapshot!("train_dry_run_json", json("train md4-digits --set steps=5 --dry-run", none, &[]));
}

#[test]
fn distances() {
    let none = Path::new("/nowhere");
    let calc = "fid calc digits:test digits:train --no-cache --ort-lib none";
    assert_snapshot!("fid_calc", text(calc, none));
    let hashes = ["sha256", "network_hash", "program_hash"];
    assert_snapshot!("fid_calc_json", json(&format!("{calc} --metrics fd,is"), none, &hashes));
}

#[test]
fn claims_and_their_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let eval = format!("eval worked-example theorem-1 --out {out} --quiet");
    assert_snapshot!("eval", text(&eval, folder.path()));
    assert_snapshot!("eval_json", json(&eval, folder.path(), &["seconds"]));
    assert_snapshot!("report", text(&format!("report --out {out}"), folder.path()));
    assert_snapshot!("report_json", json(&format!("report --out {out}"), folder.path(), &[]));
}

#[test]
fn inventory() {
    let all = text("doctor", Path::new("/nowhere"));
    let machine = ["CPU:", "CUDA device:", "ONNX Runtime:", "FID's Inception:"];
    let mut lines = Vec::new();
    // The advice about what is missing stands on a line of its own.
    let mut redacts = false;
    for line in all.lines() {
        let own = machine.iter().find(|what| line.contains(*what));
        match own {
            Some(what) => lines.push(format!("[OK OR MISSING] {what} [DETAIL]")),
            None if redacts && line.starts_with("          ") => {}
            None => lines.push(line.to_owned()),
        }
        redacts = own.is_some() || (redacts && line.starts_with("          "));
    }
    assert_snapshot!("doctor", lines.join("\n"));
}

#[test]
fn timings() {
    let timing = run(&format!("bench enumeration {EXAMPLE_A} --seconds 0.01 --json")).json();
    let secret = ["seconds"];
    assert_snapshot!("bench_enumeration", redacted(&rounded(&timing, &secret).to_string(), Path::new("/nowhere")));
}

/// What a command that fails prints on stderr, with its exit code; it prints nothing else.
fn error(command: &str, folder: &Path) -> String {
    let call = run(&command.replace("[FOLDER]", folder.to_str().expect("UTF-8")));
    assert!(call.stdout.is_empty(), "{command}: {}", call.stdout);
    assert!(!call.stderr.contains("panicked"), "{command}: {}", call.stderr);
    format!("$ elbow {command}\nexit {}\n{}\n", call.code, redacted(&call.stderr, folder))
}

fn errors(commands: &[&str], folder: &Path) -> String {
    commands.iter().map(|command| error(command, folder)).collect::<Vec<_>>().join("\n")
}

#[test]
fn errors_of_usage() {
    let commands = [
        "theory masked --toi x",
        "theory masked --toy fixtures/toys/copy.json --schedule cosin",
        "theory masked --toy fixtures/toys/copy.json --weighting sigmod:1",
        "theory masked --toy fixtures/toys/copy.json --weighting p2:-1",
        "theory uniform --toy fixtures/toys/copy.json --parameterization d3p",
        "theory gaussian --toy fixtures/gaussian/atoms.json --schedule vdn",
        "likelihood --checkpoint nowhere --estimator k-dc",
        "likelihood --checkpoint nowhere --split tets",
        "likelihood --checkpoint nowhere --trace exact",
        "sample --checkpoint nowhere --sampler heum",
        "sample --checkpoint nowhere --nucleus 0",
        "sample --checkpoint nowhere --churn=-1",
        "fid calc digits:test digits:train --metrics fdi",
        "fid calc digits:test digits:train --convention klean",
        "fid calc digits:test digits:train --network lite1",
        "fid stats digits:test --part 3/2 -o nowhere.npz",
        "train md4-digits --dry-run --throughput 0",
        "doctor --device gpu",
    ];
    assert_snapshot!("errors_of_usage", errors(&commands, Path::new("/nowhere")));
}

#[test]
fn errors_of_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let toy = r#"{"states": 2, "length": 1, "data": {"0": 0.7, "1": 0.2}, "denoiser": {"kind": "exact"}}"#;
    std::fs::write(folder.path().join("toy.json"), toy).expect("written");
    std::fs::write(folder.path().join("weights.pth"), "no weights").expect("written");
    let commands = [
        "theory masked --toy [FOLDER]/toy.json",
        "theory masked --toy absent.json",
        "theory masked --toy fixtures/toys/copy.json --steps 0",
        "theory masked --toy fixtures/toys/copy.json --schedule poly:1,2",
        "theory uniform --toy fixtures/toys/copy.json --transition fixtures/discrete/walk.json",
        "theory gaussian --toy fixtures/toys/copy.json",
        "theory gaussian --toy fixtures/gaussian/atoms.json --gamma-min 5 --gamma-max -6",
        "eval theorie --out [FOLDER]/out",
        "eval texts --out [FOLDER]/out",
        "train md4-digit",
        "train md4-digits --set widht=3",
        "train md4-digits --dry-run --devices 3",
        "likelihood --checkpoint nowhere",
        "report --out [FOLDER]/out",
        "fid calc nowhere digits:test",
        "fid calc README.md digits:train --no-cache",
        "fid calc digits:test digits:train --network lite0 --convention unit --no-cache",
        "fid calc fixtures/frechet/stats-f32.npz fixtures/frechet/stats-f32.npz --metrics kid",
        "fid calc fixtures/photos/odd fixtures/photos/jpeg --no-cache",
        "fid export [FOLDER]/weights.pth -o nowhere.onnx",
    ];
    assert_snapshot!("errors_of_input", errors(&commands, folder.path()));
}

#[test]
fn errors_of_the_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    // No folder can be made below a file.
    std::fs::write(folder.path().join("file"), "x").expect("written");
    let commands = [
        "train md4-cifar10 --data [FOLDER] --quiet",
        "eval theorem-1 --quiet --out [FOLDER]/file/out",
        "train md4-digits --quiet --run [FOLDER]/file/run",
        "fid stats digits:test --no-cache --quiet -o [FOLDER]/file/stats.npz",
        "fid calc digits:test digits:train --ort-lib nowhere/libonnxruntime.so --no-cache",
        "eval trace --peers nowhere/python --out [FOLDER]/out",
    ];
    assert_snapshot!("errors_of_the_environment", errors(&commands, folder.path()));
}
