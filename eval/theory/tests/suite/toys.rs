//! Toys at the limits of size, and bad ones.

use elbow_process::Weighting;
use elbow_process::schedule::MaskedSchedule;
use elbow_theory::masked::{Enumeration, cascade};
use elbow_theory::{Alphabet, Error, Toy};

use crate::fixture::{run, toy};

/// The text of a toy whose tokens are a chain: each digit repeats the one before with some probability.
fn chain(states: usize, length: usize) -> String {
    let words = states.pow(length as u32);
    let weight = |mut w: usize| {
        let (mut p, mut last) = (1.0, 0);
        for _ in 0..length {
            p *= if w % states == last { 2.0 } else { 1.0 };
            last = w % states;
            w /= states;
        }
        p
    };
    let total: f64 = (0..words).map(weight).sum();
    let entry = |w: usize| {
        let word: String = (0..length).map(|n| char::from(b'0' + (w / states.pow(n as u32) % states) as u8)).collect();
        format!("{word:?}: {}", weight(w) / total)
    };
    let data: Vec<String> = (0..words).map(entry).collect();
    let denoiser = r#"{"kind": "tempered", "temperature": 1.3, "floor": 0.01}"#;
    format!(r#"{{"states": {states}, "length": {length}, "data": {{{}}}, "denoiser": {denoiser}}}"#, data.join(","))
}

#[test]
fn the_largest_toys_keep_the_theorems() {
    // The last two have more than 3e8 pairs of sequences: their gaps come from single sequences.
    for (states, length, is_walked) in
        [(9, 6, true), (5, 8, true), (2, 11, true), (1, 17, true), (1, 20, false), (2, 13, false)]
    {
        let enumeration =
            Enumeration::new(&Toy::parse(&chain(states, length), Alphabet::Masked).expect("valid")).expect("support");
        assert_eq!(enumeration.is_walked(), is_walked);
        assert_eq!(enumeration.check_walked().is_ok(), is_walked);
        let ours = run(&enumeration, "cosine", 10, "sigmoid:1");
        assert_eq!(ours.notes.iter().any(|note| note.starts_with("gap is summed")), !is_walked);
        let residuals = (ours.theorem1_residual, ours.theorem2_residual);
        assert!(residuals.0 < 1e-11 && residuals.1 < 1e-11, "{states}^{length}: {residuals:?}");
    }
}

#[test]
fn toys_that_are_too_large_are_refused_with_number_and_limit() {
    for (states, length, size, limit) in [(3, 12, "16777216", "5000000"), (1, 23, "8388608", "5000000")] {
        let file =
            format!(r#"{{"states": {states}, "length": {length}, "data": {{}}, "denoiser": {{"kind": "exact"}}}}"#);
        let refused = Toy::parse(&file, Alphabet::Masked).expect_err("too large");
        assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
        assert!(refused.to_string().contains(size) && refused.advice().contains(limit), "{refused}");
    }
}

#[test]
fn a_number_of_steps_out_of_range_is_refused_with_the_limit() {
    let enumeration = toy("example-a");
    for steps in [0, 1 << 30] {
        let refused =
            cascade(&enumeration, &MaskedSchedule::Linear, steps, &Weighting::Elbo).expect_err("out of range");
        let Error::Steps { limit, .. } = refused else { panic!("{refused}") };
        assert!(limit > 1_000_000 && refused.advice().contains(&limit.to_string()), "{refused}");
        assert!(!refused.advice().contains("--"), "a library knows no flags");
    }
}

#[test]
fn bad_toys_get_a_clear_error() {
    let table = |entries: &str| {
        format!(
            r#"{{"states": 2, "length": 2, "data": {{"00": 0.5, "11": 0.5}}, "denoiser": {{"kind": "table", "entries": {{{entries}}}}}}}"#
        )
    };
    let data =
        |data: &str| format!(r#"{{"states": 2, "length": 2, "data": {{{data}}}, "denoiser": {{"kind": "exact"}}}}"#);
    let full = r#""??": [[0.5,0.5],[0.5,0.5]], "?0": [[1,0],[1,0]], "?1": [[0,1],[1,0]], "0?": [[1,0],[1,0]]"#;
    let cases = [
        (data(r#""00": 0.5, "11": 0.4"#), "sum to 0.9"),
        (data(r#""00": 0.5, "12": 0.5"#), "unknown digit '2'"),
        (data(r#""00": 0.5, "111": 0.5"#), "3 digits"),
        (data(r#""00": 0.5, "00": 0.5"#), "listed twice"),
        (data(r#""00": 1.5, "11": -0.5"#), "probability 1.5"),
        (data(r#""00": NaN, "11": 0.5"#), "not a toy"),
        (data(r#""00": 1e999, "11": 0.5"#), "not a toy"),
        (data(""), "sum to 0"),
        (table(full), r#""1?" is missing"#),
        (table(&format!(r#"{full}, "1?": [[1,0],[1,0]]"#)), "gives probability 0 to value 1"),
        (table(&format!(r#"{full}, "1?": [[1,0],[0.5,0.6]]"#)), "position 2"),
        (table(&format!(r#"{full}, "1?": [[1,0]]"#)), "1 rows"),
        (table(&format!(r#"{full}, "??": [[1,0],[0,1]]"#)), "listed twice"),
        (table(&format!(r#"{full}, "11": [[1,0],[0,1]]"#)), "no '?'"),
        (r#"{"states": 2, "length": 2, "data": {"00": 1}, "denoiser": {"kind": "exakt"}}"#.into(), "exakt"),
        (r#"{"states": 2, "states": 3, "length": 2, "data": {"00": 1}, "denoiser": {"kind": "exact"}}"#.into(), "duplicate"),
        (r#"{"states": 11, "length": 2, "data": {"00": 1}, "denoiser": {"kind": "exact"}}"#.into(), "states = 11"),
        (r#"{"states": 2, "length": 0, "data": {"": 1}, "denoiser": {"kind": "exact"}}"#.into(), "length = 0"),
        (r#"{"states": 2, "length": 1, "data": {"0": 1}, "denoiser": {"kind": "tempered", "temperature": 0, "floor": 0}}"#.into(), "temperature"),
        (r#"{"states": 2, "length": 1, "data": {"0": 1}, "denoiser": {"kind": "exact"}, "colour": 1}"#.into(), "colour"),
    ];
    for (text, expected) in cases {
        let error =
            Toy::parse(&text, Alphabet::Masked).and_then(|toy| Enumeration::new(&toy).map(|_| ())).expect_err(&text);
        assert!(error.to_string().contains(expected), "{expected:?} is not in {error}");
        let printed = elbow_base::Error::from(error);
        assert_eq!(printed.kind, elbow_base::Kind::Input);
        assert!(!printed.advice.is_empty(), "{printed} says nothing to do");
    }
}
