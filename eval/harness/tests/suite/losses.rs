//! The bound of a program that answers to a file of noise is the bound of the same network from inside.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use elbow_arrays::{NpzReader, NpzWriter};
use elbow_base::Silent;
use elbow_harness::denoisers::MixtureDenoiser;
use elbow_harness::likelihood::{Bound, BoundEstimation, Estimator};
use elbow_harness::losses::{Answers, Noise, NoiseFile, judge};
use elbow_impls::data::{Dataset, InMemory, Tokens};
use elbow_impls::gaussian::{Level, Prediction};
use elbow_impls::network::{Input, TokenDenoiser};
use elbow_impls::train::ObjectiveConfig;
use elbow_theory::gaussian::{Component, Mixture};

/// Log-probabilities in double precision beside a softmax in single; measured 1.2e-7.
const SAME: f64 = 1e-6;

/// Predictions of points in double precision beside single; measured 2.7e-7.
const SINGLE: f64 = 2e-6;

const VALUES: usize = 3;
const LENGTH: usize = 5;

/// Logits by a formula that every program can compute: of all values, and one for the mask.
fn logits(z: &[i64]) -> Vec<f32> {
    let sum: i64 = z.iter().enumerate().map(|(n, z)| (n as i64 + 1) * z).sum();
    let logit = |n: usize, v: usize| ((sum as f64) * 0.37 + (n * VALUES + v) as f64 * 1.3).sin() as f32 * 2.0;
    (0..z.len()).flat_map(|n| (0..VALUES).map(move |v| logit(n, v))).collect()
}

struct Formula;

impl TokenDenoiser for Formula {
    fn values(&self) -> usize {
        VALUES
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let [batch, length] = input.z.dims();
        let z: Vec<i64> = input.z.to_data().iter::<i64>().collect();
        let all: Vec<f32> = z.chunks(length).flat_map(logits).collect();
        Tensor::from_data(TensorData::new(all, [batch, length, VALUES]), &input.z.device())
    }
}

/// Seventy sequences: more than two calls.
fn tokens() -> InMemory {
    let ids = (0..70 * LENGTH as u32).map(|i| (i * i + i / 7) % VALUES as u32).collect();
    InMemory::new("numbers", VALUES, Tokens::new(ids, LENGTH))
}

fn settings(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The noise of an objective in a file, read again.
fn noise(path: &Path, data: &dyn Dataset, objective: &str, changes: &[(&str, &str)], draws: usize) -> NoiseFile {
    let noise = Noise { objective, settings: settings(changes), data, draws, sequences: None, seed: 5 };
    noise.draw(&Device::flex(), &Silent).expect("noise").write(path).expect("a file");
    NoiseFile::read(path).expect("the same file")
}

/// Writes answers that a program finds by `answer` of each row of z and x.
fn answer(noise: &Path, losses: &Path, name: &str, width: &[usize], answer: impl Fn(&[i64], &[i64]) -> Vec<f64>) {
    let mut npz = NpzReader::open(noise).expect("noise");
    let (z, x) = (npz.integers("z").expect("z").data, npz.integers("x").expect("x").data);
    let sequence = npz.integers("sequence").expect("sequence").data;
    let of = |row: usize| &x[sequence[row] as usize * LENGTH..][..LENGTH];
    let all: Vec<f64> = z.chunks(LENGTH).enumerate().flat_map(|(row, z)| answer(z, of(row))).collect();
    let id = npz.bytes("id").expect("id").data;
    let mut out = NpzWriter::create(losses).expect("a file");
    out.array(name, &[&[sequence.len()], width].concat(), &all).expect("an array");
    out.array("id", &[id.len()], &id).expect("an array");
    out.finish().expect("a file");
}

/// Natural log-probabilities of the tokens themselves; NaN where they are visible, which nothing reads.
fn log_probabilities(z: &[i64], x: &[i64]) -> Vec<f64> {
    let logits = logits(z);
    let of = |(n, logits): (usize, &[f32])| {
        let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        if z[n] == VALUES as i64 { f64::from(logits[x[n] as usize]) - total.ln() } else { f64::NAN }
    };
    logits.chunks(VALUES).enumerate().map(of).collect()
}

/// The bound of the formula from inside.
fn inside(data: &dyn Dataset, objective: &str, changes: &[(&str, &str)], estimator: Estimator, draws: usize) -> Bound {
    let config = ObjectiveConfig::of_bound(objective, &settings(changes)).expect("an objective").objective();
    let model = config.with(&Formula as &dyn TokenDenoiser).expect("tokens");
    let estimation = BoundEstimation { estimator, ..BoundEstimation::new(model, data, draws, 5) };
    estimation.run(&Device::flex(), &Silent).expect("a bound")
}

/// The largest difference of two bounds' sequences, relative to 1 + their size.
#[track_caller]
fn difference(one: &Bound, other: &Bound) -> f64 {
    assert_eq!(
        (one.per_sequence.len(), &one.estimator, one.draws),
        (other.per_sequence.len(), &other.estimator, other.draws)
    );
    let pairs = one.per_sequence.iter().zip(&other.per_sequence);
    pairs.map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max)
}

#[test]
fn log_probabilities_give_the_bound_of_the_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let [file, losses] = ["noise.npz", "losses.npz"].map(|name| folder.path().join(name));
    let data = tokens();
    for (objective, changes, estimator) in [
        ("any-order", &[][..], Estimator::KDce),
        ("any-order", &[("form", "lambda-dce")], Estimator::Objective),
        ("md4", &[], Estimator::Objective),
        ("md4", &[("schedule", "cosine"), ("timesteps", "4")], Estimator::Objective),
        ("mdlm", &[], Estimator::Objective),
        ("mdlm", &[("protocol", "published")], Estimator::Objective),
    ] {
        let noise = noise(&file, &data, objective, changes, 3);
        answer(&file, &losses, "log_probabilities", &[LENGTH], log_probabilities);
        let answers = Answers::load(&losses, &noise).expect("answers");
        let judged = judge(&noise, &answers, &Device::flex(), &Silent).expect("a bound");
        let expected = inside(&data, objective, changes, estimator, 3);
        let apart = difference(&judged, &expected);
        println!("{objective} {changes:?}: {apart:e}");
        assert!(apart < SAME, "{objective} {changes:?}: {apart}");
        assert_eq!((judged.sequences, judged.available, judged.tokens_dropped), (70, 70, 0));
        let errors = [judged.bits_per_dim, expected.bits_per_dim].map(|bits| bits.standard_error);
        assert!((errors[0] - errors[1]).abs() < SAME, "{errors:?}");
        // Witness: bits in place of nats are another bound.
        answer(&file, &losses, "log_probabilities", &[LENGTH], |z, x| {
            log_probabilities(z, x).into_iter().map(|nats| nats / std::f64::consts::LN_2).collect()
        });
        let answers = Answers::load(&losses, &noise).expect("answers");
        let wrong = judge(&noise, &answers, &Device::flex(), &Silent).expect("a bound");
        assert!(difference(&wrong, &expected) > 0.05, "witness: {objective} {changes:?}");
    }
}

#[test]
fn logits_give_the_bound_of_every_objective() {
    let folder = tempfile::tempdir().expect("a folder");
    let [file, losses] = ["noise.npz", "losses.npz"].map(|name| folder.path().join(name));
    let data = tokens();
    let numbers = |z: &[i64], _: &[i64]| logits(z).into_iter().map(f64::from).collect();
    for (objective, changes) in [
        ("md4", &[][..]),
        ("d3pm-absorbing", &[("timesteps", "6")]),
        ("d3pm-uniform", &[]),
        ("d3pm-uniform", &[("timesteps", "5"), ("kernel", "mixture")]),
    ] {
        let noise = noise(&file, &data, objective, changes, 2);
        answer(&file, &losses, "logits", &[LENGTH, VALUES], numbers);
        let answers = Answers::load(&losses, &noise).expect("answers");
        let judged = judge(&noise, &answers, &Device::flex(), &Silent).expect("a bound");
        let apart = difference(&judged, &inside(&data, objective, changes, Estimator::Objective, 2));
        // The same numbers in the same precision.
        assert!(apart < 1e-12, "{objective} {changes:?}: {apart}");
    }
    answer(&file, &losses, "log_probabilities", &[LENGTH], log_probabilities);
    let refused = Answers::load(&losses, &NoiseFile::read(&file).expect("noise")).err().expect("refused");
    assert!(refused.what.contains("logits was expected"), "{refused}");
}

#[test]
fn predictions_of_points_give_the_bound_of_the_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let [file, losses] = ["noise.npz", "losses.npz"].map(|name| folder.path().join(name));
    let ids: Vec<u32> = (0..40).map(|i| u32::from(i % 10 < 7)).collect();
    let data = InMemory::new("atoms", 2, Tokens::new(ids, 1));
    let atom = |place: f64, weight: f64| Component { weight, mean: [place, 0.0], std: 0.0 };
    let law = Mixture { dimensions: 1, components: vec![atom(-0.5, 0.3), atom(0.5, 0.7)] };
    for (objective, changes) in [
        ("vdm", &[("schedule", "fixed-linear:-6:5")][..]),
        ("vdm", &[("timesteps", "8")]),
        ("flow", &[("schedule", "ot:-6:5")]),
    ] {
        let noise = noise(&file, &data, objective, changes, 4);
        let mut npz = NpzReader::open(&file).expect("noise");
        let (z, log_snr) = (npz.singles("z").expect("z").data, npz.floats("log_snr").expect("log-SNR").data);
        let id = npz.bytes("id").expect("id").data;
        for (name, prediction) in
            [("eps", Prediction::Eps), ("x", Prediction::X), ("v", Prediction::V), ("velocity", Prediction::Velocity)]
        {
            let predicted = |(&z, &log_snr): (&f32, &f64)| {
                let Level { alpha, sigma, .. } = Level::of_log_snr(log_snr);
                let z = f64::from(z);
                let x = law.posterior_mean((alpha, sigma), [z, 0.0])[0];
                let eps = (z - alpha * x) / sigma;
                match prediction {
                    Prediction::Eps => eps,
                    Prediction::X => x,
                    Prediction::V => alpha * eps - sigma * x,
                    _ => eps - x,
                }
            };
            let all: Vec<f64> = z.iter().zip(&log_snr).map(predicted).collect();
            let mut out = NpzWriter::create(&losses).expect("a file");
            out.array(name, &[all.len(), 1], &all).expect("an array");
            out.array("id", &[id.len()], &id).expect("an array");
            out.finish().expect("a file");
            let answers = Answers::load(&losses, &noise).expect("answers");
            let judged = judge(&noise, &answers, &Device::flex(), &Silent).expect("a bound");
            let config = ObjectiveConfig::of_bound(objective, &settings(changes)).expect("an objective");
            let gaussian = elbow_impls::gaussian::Gaussian { prediction, ..config.gaussian().expect("points").clone() };
            let network = MixtureDenoiser { law: law.clone(), prediction, values: 2 };
            let model = elbow_impls::DiffusionModel::Gaussian(&gaussian, &network);
            let expected = BoundEstimation::new(model, &data, 4, 5).run(&Device::flex(), &Silent).expect("a bound");
            let apart = difference(&judged, &expected);
            println!("{objective} {changes:?} {name}: {apart:e}");
            assert!(apart < SINGLE, "{objective} {changes:?} {name}: {apart}");
        }
    }
}

#[test]
fn answers_that_do_not_belong_to_the_noise_are_refused_with_their_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let [file, other, losses] = ["noise.npz", "other.npz", "losses.npz"].map(|name| folder.path().join(name));
    let data = tokens();
    let noise = noise(&file, &data, "md4", &[], 2);
    let refused = |words: &str| {
        let failure = Answers::load(&losses, &noise).err().unwrap_or_else(|| panic!("accepted: {words}"));
        assert!(failure.to_string().contains(words), "{failure}");
    };
    // Another seed is other noise.
    let mut again =
        Noise { objective: "md4", settings: BTreeMap::new(), data: &data, draws: 2, sequences: None, seed: 6 };
    again.draw(&Device::flex(), &Silent).expect("noise").write(&other).expect("a file");
    answer(&other, &losses, "log_probabilities", &[LENGTH], log_probabilities);
    refused("it answers other noise");
    answer(&file, &losses, "log_probabilities", &[LENGTH], |z, x| {
        log_probabilities(z, x).into_iter().map(|log_p| -log_p).collect()
    });
    refused("a log-probability is at most 0");
    answer(&file, &losses, "log_probabilities", &[LENGTH], |_, _| vec![f64::NAN; LENGTH]);
    refused("log_probabilities is NaN in row 0, token ");
    answer(&file, &losses, "log_probabilities", &[LENGTH - 1], |z, x| log_probabilities(z, x)[1..].to_vec());
    refused("[140, 5] was expected");
    answer(&file, &losses, "losses", &[LENGTH], log_probabilities);
    refused("it has losses, and one of log_probabilities, logits was expected");
    let mut out = NpzWriter::create(&losses).expect("a file");
    out.array("log_probabilities", &[1], &[0.0]).expect("an array");
    out.finish().expect("a file");
    refused("it does not say which noise it answers");
    // Probability 0 is an answer, and no bound is finite then.
    answer(&file, &losses, "log_probabilities", &[LENGTH], |_, _| vec![f64::NEG_INFINITY; LENGTH]);
    let answers = Answers::load(&losses, &noise).expect("answers");
    let infinite = judge(&noise, &answers, &Device::flex(), &Silent).expect_err("infinite");
    assert!(infinite.what.contains("has probability 0"), "{infinite}");
    // A number of the file that was changed after it was written.
    again.draws = 3;
    again.draw(&Device::flex(), &Silent).expect("noise").write(&other).expect("a file");
    let mut npz = NpzReader::open(&other).expect("noise");
    let (mut x, z) = (npz.integers("x").expect("x"), npz.integers("z").expect("z"));
    x.data[0] = (x.data[0] + 1) % VALUES as i64;
    let mut out = NpzWriter::create(&file).expect("a file");
    for name in ["t", "sequence", "draw"] {
        let array = npz.floats(name).expect("numbers");
        out.array(name, &array.shape, &array.data).expect("an array");
    }
    for name in ["id", "settings"] {
        let array = npz.bytes(name).expect("bytes");
        out.array(name, &array.shape, &array.data).expect("an array");
    }
    out.array("x", &x.shape, &x.data).expect("an array");
    out.array("z", &z.shape, &z.data).expect("an array");
    out.finish().expect("a file");
    let changed = NoiseFile::read(&file).err().expect("refused");
    assert!(changed.what.contains("it was changed since it was written"), "{changed}");
}
