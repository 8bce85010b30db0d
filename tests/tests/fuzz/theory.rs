//! Toys and transitions of the exact theory.

use std::fs;

use elbow_impls::schedule::MaskedSchedule;
use elbow_theory::discrete::Forward;
use elbow_theory::gaussian::GaussianToy;
use elbow_theory::{Alphabet, Toy};

use super::mutations::{bytes, text};
use super::runner::Format;

fn fixtures(names: &[&str]) -> Vec<Vec<u8>> {
    let read = |name: &&str| fs::read(elbow_tests::root().join("fixtures").join(name)).expect("bundled");
    names.iter().map(read).collect()
}

#[test]
fn masked_toys() {
    let valid = fixtures(&["toys/example-a.json", "toys/example-b.json", "toys/exact-a.json", "toys/copy.json"]);
    Format { name: "masked-toy", file: "current.json", mutations: &[text, text, bytes] }
        .fuzz(&valid, |path| Toy::load(path, Alphabet::Masked).is_ok());
}

#[test]
fn uniform_toys() {
    let valid = fixtures(&["toys/uniform-three.json", "toys/three-tokens.json", "discrete/pair-table.json"]);
    Format { name: "uniform-toy", file: "current.json", mutations: &[text, text, bytes] }
        .fuzz(&valid, |path| Toy::load(path, Alphabet::Values).is_ok());
}

#[test]
fn gaussian_toys() {
    let valid = fixtures(&["gaussian/atoms.json", "gaussian/mixture.json", "gaussian/plane-exact.json"]);
    Format { name: "gaussian-toy", file: "current.json", mutations: &[text, text, bytes] }
        .fuzz(&valid, |path| GaussianToy::load(path).is_ok());
}

#[test]
fn transitions() {
    let valid = fixtures(&["discrete/walk.json", "discrete/steps.json"]);
    Format { name: "transition", file: "current.json", mutations: &[text, text, bytes] }
        .fuzz(&valid, |path| Forward::load(path, 3, MaskedSchedule::Linear).is_ok());
}
