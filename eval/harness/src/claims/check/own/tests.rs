//! Checks of users' claims against numbers that are known otherwise.

use std::path::Path;

use elbow_arrays::NpzWriter;
use elbow_base::Error;
use elbow_reports::record::About;

use super::PARSERS;
use crate::claims::claim::Claim;
use crate::claims::claim_file;
use crate::claims::context::{Context, Outcome};
use crate::claims::place::Place;
use crate::workspace::Workspace;

const TOY: &str = r#"{"states": 2, "length": 2, "data": {"00": 0.5, "11": 0.5}, "denoiser": {"kind": "exact"}}"#;

fn claim(folder: &Path, protocol: &str) -> Claim {
    let text = format!(
        "title = \"t\"\nstatement = \"s\"\n[protocol]\n{protocol}\n[expect]\nrelation = \"equals\"\nvalue = 0.0\ntolerance = \
         0.0\nwhy = \"\"\n"
    );
    let read = claim_file::parse("claim.toml", &text, &PARSERS);
    let read = read.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let place = Place { given: folder.to_owned(), folder: folder.to_owned() };
    read.into_claim("suite", "claim", text.as_bytes(), About::Own, Some(place))
}

fn in_context<T>(folder: &Path, protocol: &str, work: impl FnOnce(&Claim, &Context) -> T) -> T {
    let workspace = Workspace::new(folder.join("out"), Vec::new(), 0, "cpu", true, false).expect("a processor");
    let claim = claim(folder, protocol);
    work(&claim, &claim.context(&workspace, 0.95))
}

fn outcome(folder: &Path, protocol: &str) -> Outcome {
    in_context(folder, protocol, |claim, context| {
        let faults = claim.check.faults(context);
        assert!(faults.is_empty(), "{faults:?}");
        claim.check.run(context).expect("an outcome")
    })
}

fn faults(folder: &Path, protocol: &str) -> Vec<String> {
    let words = |faults: Vec<Error>| faults.into_iter().map(|fault| fault.what).collect();
    in_context(folder, protocol, |claim, context| words(claim.check.faults(context)))
}

/// A folder with a toy of two equal tokens, and another file.
fn folder(file: &str, contents: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("toy.json"), TOY).expect("written");
    std::fs::write(folder.path().join(file), contents).expect("written");
    folder
}

#[test]
fn exact_numbers_of_a_toy_are_those_of_the_theory() {
    let atoms = r#"{"atoms": [[-1.0, 0.3], [0.5, 0.7]], "denoiser": {"kind": "exact"}}"#;
    let folder = folder("atoms.json", atoms);
    let value = |keys: &str| outcome(folder.path(), &format!("check = \"toy-cascade\"\n{keys}")).measured.value;
    let masked = "toy = \"toy.json\"\nsteps = 4";
    // One step of four reveals both tokens together with probability 1/16, which costs their mutual information, ln 2.
    let gap = value(&format!("{masked}\nquantity = \"gap\"\nstep = 3"));
    assert!((gap - 2f64.ln() / 16.0).abs() < 1e-15, "{gap}");
    assert!((value(&format!("{masked}\nquantity = \"entropy\"")) - 2f64.ln()).abs() < 1e-15);
    // Any-order autoregression of an exact denoiser is the entropy.
    assert!((value(&format!("{masked}\nquantity = \"any_order_ar_nll\"")) - 2f64.ln()).abs() < 1e-15);
    let uniform = value("toy = \"toy.json\"\nsteps = 3\nprocess = \"uniform\"\nquantity = \"theorem1_residual\"");
    assert!(uniform.abs() < 1e-14, "{uniform}");
    let entropy = value("toy = \"atoms.json\"\nsteps = 3\nprocess = \"gaussian\"\nquantity = \"entropy\"");
    assert!((entropy + 0.3 * 0.3f64.ln() + 0.7 * 0.7f64.ln()).abs() < 1e-12, "{entropy}");
    let refused = |keys: &str| faults(folder.path(), &format!("check = \"toy-cascade\"\n{masked}\n{keys}"));
    assert_eq!(refused("quantity = \"gap\"\nstep = 5"), ["step = 5"]);
    assert_eq!(refused("quantity = \"gap\""), ["no step"]);
    let effect = "transition has no effect: it is one of process = \"uniform\"";
    assert_eq!(refused("quantity = \"entropy\"\ntransition = \"uniform\""), [effect]);
}

#[test]
fn draws_of_ones_own_have_the_law_of_the_data_or_are_refuted() {
    // 600 sequences with the shares of the data in another order in every block of 30.
    let draw = |i: usize| if (i * 7 + i / 30).is_multiple_of(2) { "00\n" } else { "11\n" };
    let good: String = (0..600).map(draw).collect();
    let folder = folder("draws.txt", &good);
    let protocol = "check = \"sampler-law\"\ntoy = \"toy.json\"\nlaw = \"data\"\ndraws = \"draws.txt\"\nblocks = 20";
    let found = outcome(folder.path(), protocol).measured;
    assert!(found.value < 1.0 && found.standard_error.is_some(), "{found:?}");
    // Two thirds of 00 in place of a half: chi-square of 30 draws is 30 (1/6)^2 / (1/4) = 3.33 in the mean, and more by noise.
    let biased: String = (0..600).map(|i| if i % 3 == 0 { "11\n" } else { "00\n" }).collect();
    std::fs::write(folder.path().join("draws.txt"), biased).expect("written");
    let found = outcome(folder.path(), protocol).measured;
    assert!((found.value - 10.0 / 3.0).abs() < 1e-12, "{found:?}");
    // One sequence that the law does not have decides, without an interval.
    std::fs::write(folder.path().join("draws.txt"), good.replacen("00", "01", 1)).expect("written");
    let found = outcome(folder.path(), protocol).measured;
    assert!(found.value > 1e5 && found.standard_error.is_none(), "{found:?}");
    let elbow = "check = \"sampler-law\"\ntoy = \"toy.json\"\nlaw = \"any-order\"\nblock_size = 200";
    let found = outcome(folder.path(), elbow).measured;
    let error = found.standard_error.expect("an error over blocks");
    assert!((found.value - 1.0).abs() < 4.0 * error, "{found:?}");
    assert_eq!(faults(folder.path(), "check = \"sampler-law\"\ntoy = \"toy.json\"\nlaw = \"data\""), ["no draws"]);
}

#[test]
fn losses_of_a_program_are_compared_in_each_of_their_forms() {
    // In one step both tokens are drawn from their marginal: 2 ln 2 nats.
    let exact = 2.0 * 2f64.ln();
    let expected = format!(r#"{{"unit": "bits", "losses": {{"00": 2.0, "11": {}}}}}"#, 2.0 + 1e-3);
    let folder = folder("losses.json", &expected);
    let protocol = |file: &str, numbers: &str| {
        format!(
            "check = \"program-losses\"\ntoy = \"toy.json\"\nlosses = \"{file}\"\nnumbers = \"{numbers}\"\nsteps = 1"
        )
    };
    let found = outcome(folder.path(), &protocol("losses.json", "expected")).measured;
    assert!((found.value - 1e-3 * 2f64.ln()).abs() < 1e-12 && found.standard_error.is_none(), "{found:?}");
    // Draws: the mean of each sequence, weighted by the data; the error of draws alone.
    let draws = format!(r#"{{"losses": {{"00": [{0}, {1}], "11": [{0}, {0}, {0}]}}}}"#, exact, exact + 0.2);
    std::fs::write(folder.path().join("draws.json"), draws).expect("written");
    let found = outcome(folder.path(), &protocol("draws.json", "draws")).measured;
    assert!((found.value - 0.05).abs() < 1e-12, "{found:?}");
    assert!((found.standard_error.expect("an error") - 0.05).abs() < 1e-12, "{found:?}");
    let mut archive = NpzWriter::create(&folder.path().join("draws.npz")).expect("a file");
    archive.array("sequences", &[5, 2], &[0i64, 0, 0, 0, 1, 1, 1, 1, 1, 1]).expect("written");
    archive.array("losses", &[5], &[exact, exact + 0.2, exact, exact, exact]).expect("written");
    archive.finish().expect("a file");
    let same = outcome(folder.path(), &protocol("draws.npz", "draws")).measured;
    assert_eq!((same.value, same.standard_error), (found.value, found.standard_error));
    let mean = r#"{"mean": 1.5, "standard_error": 0.1, "n": 50}"#;
    std::fs::write(folder.path().join("mean.json"), mean).expect("written");
    let found = outcome(folder.path(), &protocol("mean.json", "mean")).measured;
    assert!((found.value - (1.5 - exact)).abs() < 1e-12 && found.standard_error == Some(0.1), "{found:?}");
    // Files that do not hold what the claim says.
    let refused = |file: &str, numbers: &str| faults(folder.path(), &protocol(file, numbers)).concat();
    assert!(refused("mean.json", "expected").contains("no losses per sequence"));
    assert!(refused("losses.json", "draws").contains("1 draws of 00"));
    assert!(refused("draws.json", "expected").contains("2 losses of 00"));
    std::fs::write(folder.path().join("few.json"), r#"{"losses": {"00": 1.0}}"#).expect("written");
    assert!(refused("few.json", "expected").contains("no loss of 11"));
    std::fs::write(folder.path().join("more.json"), r#"{"losses": {"00": 1.0, "11": 1.0, "01": 1.0}}"#)
        .expect("written");
    assert!(refused("more.json", "expected").contains("a loss of 01"));
}
