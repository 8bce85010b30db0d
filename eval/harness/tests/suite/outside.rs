//! Models from outside give the numbers of the same denoisers from inside, and mistakes of their files are found.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use elbow_base::Silent;
use elbow_harness::denoisers::MixtureDenoiser;
use elbow_harness::likelihood::{Bound, BoundEstimation, Estimator};
use elbow_harness::outside::{Finding, OutsideModel, Verdict};
use elbow_impls::DiffusionModel;
use elbow_impls::data::{InMemory, Tokens};
use elbow_impls::gaussian::Prediction;
use elbow_impls::md4::Md4;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::weighting::Weighting;
use elbow_metrics::Runtime;
use elbow_theory::gaussian::{Component, Mixture};

use crate::fixture::{Bench, agrees, fixture};

/// Single precision on both sides; measured 1e-7.
const SAME: f64 = 1e-6;

/// A posterior in single precision beside one in double; measured 1.4e-6.
const SINGLE: f64 = 1e-5;

fn model(name: &str) -> OutsideModel {
    OutsideModel::load(&fixture(&format!("models/{name}.toml")), Runtime::Embedded).expect("a model")
}

/// The data of the toy in its proportions: 40 % 00, 10 % 01, 20 % 10, 30 % 11.
fn toy_data(count: usize) -> InMemory {
    let ten = [[0, 0], [0, 0], [0, 0], [0, 0], [0, 1], [1, 0], [1, 0], [1, 1], [1, 1], [1, 1]];
    let ids: Vec<u32> = ten.iter().cycle().take(count).flatten().copied().collect();
    InMemory::new("toy", 2, Tokens::new(ids, 2))
}

fn bound(model: DiffusionModel, data: &InMemory, estimator: Estimator, draws: usize) -> Bound {
    let estimation = BoundEstimation { estimator, ..BoundEstimation::new(model, data, draws, 3) };
    estimation.run(&Device::flex(), &Silent).expect("a bound")
}

#[track_caller]
fn same(one: &Bound, other: &Bound, tolerance: f64) {
    assert_eq!(one.estimator, other.estimator);
    for (a, b) in one.per_sequence.iter().zip(&other.per_sequence) {
        assert!((a - b).abs() < tolerance * (1.0 + b.abs()), "{a} and {b}");
    }
}

#[test]
fn a_framed_model_of_other_ids_has_the_tables_bound() {
    let bench = Bench::new("example-a");
    let (model, data) = (model("table"), toy_data(40));
    let md4 = Md4::new(MaskedSchedule::Linear, Weighting::Elbo);
    let inside = bound(DiffusionModel::Tokens(&md4, &bench.table), &data, Estimator::Auto, 64);
    let outside = bound(model.diffusion().expect("tokens"), &data, Estimator::Auto, 64);
    assert_eq!(outside.estimator, "k-dce");
    same(&outside, &inside, SAME);
    model.check_calls().expect("no call has failed");
    let exact = elbow_theory::masked::weighted_loss(&bench.all, &md4.schedule, &Weighting::Elbo);
    // The data have the toy's proportions: what is left is the noise of the draws, less than the error over sequences.
    agrees("NELBO", &outside.nats, exact);
}

#[test]
fn a_fixed_batch_of_small_integers_has_the_tables_bound() {
    let bench = Bench::new("example-a");
    // An odd number: the last call is filled up.
    let (model, data) = (model("table-fixed"), toy_data(11));
    let md4 = Md4::new(MaskedSchedule::Cosine, Weighting::Elbo);
    let inside = bound(DiffusionModel::Tokens(&md4, &bench.table), &data, Estimator::Objective, 8);
    same(&bound(model.diffusion().expect("tokens"), &data, Estimator::Objective, 8), &inside, SAME);
}

#[test]
fn a_model_that_sees_the_time_is_told_it() {
    let bench = Bench::new("example-a");
    let (model, data) = (model("table-timed"), toy_data(10));
    let diffusion = model.diffusion().expect("tokens");
    assert!(diffusion.any_order().is_none(), "its bound is no any-order bound");
    let md4 = Md4::new(MaskedSchedule::Cosine, Weighting::Elbo);
    let blind = bound(DiffusionModel::Tokens(&md4, &bench.table), &data, Estimator::Objective, 8);
    let seeing = bound(diffusion, &data, Estimator::Objective, 8);
    assert!((seeing.nats.value - blind.nats.value).abs() > 0.05, "witness: the tilt by the time costs something");
}

#[test]
fn a_gaussian_model_has_the_mixtures_bound() {
    let model = model("atoms");
    let ids: Vec<u32> = (0..40).map(|i| u32::from(i % 10 < 7)).collect();
    let data = InMemory::new("atoms", 2, Tokens::new(ids, 1));
    let atom = |place: f64, weight: f64| Component { weight, mean: [place, 0.0], std: 0.0 };
    let law = Mixture { dimensions: 1, components: vec![atom(-0.5, 0.3), atom(0.5, 0.7)] };
    let inside = MixtureDenoiser { law, prediction: Prediction::Eps, values: 2 };
    let DiffusionModel::Gaussian(gaussian, _) = model.diffusion().expect("points") else { panic!("a Gaussian model") };
    let expected = bound(DiffusionModel::Gaussian(gaussian, &inside), &data, Estimator::Auto, 16);
    same(&bound(model.diffusion().expect("points"), &data, Estimator::Auto, 16), &expected, SINGLE);
}

/// A model file with one change, beside a copy of its network.
fn changed(folder: &Path, name: &str, from: &str, to: &str) -> PathBuf {
    let text = std::fs::read_to_string(fixture(&format!("models/{name}.toml"))).expect("bundled");
    assert!(text.contains(from), "{from}");
    let onnx = format!("{name}.onnx");
    std::fs::copy(fixture(&format!("models/{onnx}")), folder.join(&onnx)).expect("a copy");
    let path = folder.join("model.toml");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("a file");
    path
}

#[test]
fn files_that_cannot_be_are_refused_with_their_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = [
        ("table", "kind = ", "kin = ", "unknown field `kin`"),
        ("table", "mask_id = 2", "mask_id = 3", "mask_id = 3 is one of the data's ids 3 to 4"),
        ("table", "mask_id = 2\n", "", "mask_id is missing"),
        ("table", "value_ids = [3, 4]", "value_ids = [3, 5]", "are 3 ids, and values = 2"),
        ("table", "length = 2", "length = 3", "its sequences have 4 tokens, and the model file says 5"),
        ("table", "frame = { first = 0, last = 1 }", "", "its sequences have 4 tokens, and the model file says 2"),
        ("table", "name = \"logits\"", "name = \"logit\"", "no output is called \"logit\"; it has logits"),
        ("table", "tokens = \"tokens\"", "tokens = \"ids\"", "no input is called \"ids\"; it has tokens"),
        ("table-timed", "time = { name = \"t\", means = \"mask-rate\" }", "", "its input \"t\" is not among"),
        ("table", "schedule = \"linear\"", "schedule = \"linaer\"", "linaer"),
        ("atoms", "means = \"eps\"", "means = \"f\"", "sigma_data"),
        ("atoms", "kind = \"gaussian\"", "kind = \"masked\"", "mask_id is missing"),
        ("table", "means = \"logits\"", "means = \"eps\"", "output.means"),
    ];
    for (name, from, to, words) in refused {
        let path = changed(folder.path(), name, from, to);
        let failure = OutsideModel::load(&path, Runtime::Embedded).err().unwrap_or_else(|| panic!("{to}: accepted"));
        assert!(failure.to_string().contains(words), "{to}: {failure}");
    }
}

fn probed(path: &Path) -> Vec<Finding> {
    let model = OutsideModel::load(path, Runtime::Embedded).expect("a model");
    let atoms = InMemory::new("atoms", 2, Tokens::new((0..40).map(|i| u32::from(i % 10 < 7)).collect(), 1));
    let (toy, device) = (toy_data(32), Device::flex());
    let data = if path.ends_with("atoms.toml") || model.denoiser().gaussian().is_ok() { &atoms } else { &toy };
    model.probe(Some(data), 2, 0, &device).expect("findings")
}

#[test]
fn probes_pass_right_files_and_find_planted_mistakes() {
    for name in ["table", "table-fixed", "atoms"] {
        let findings = probed(&fixture(&format!("models/{name}.toml")));
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good), "{name}: {findings:#?}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let planted = [
        ("table", "means = \"logits\"", "means = \"log-probabilities\"", "output"),
        ("atoms", "means = \"eps\"", "means = \"x\"", "output"),
        ("atoms", "means = \"eps\"", "means = \"velocity\"", "output"),
    ];
    for (name, from, to, probe) in planted {
        let findings = probed(&changed(folder.path(), name, from, to));
        let found = findings.iter().find(|finding| finding.probe == probe).expect("probed");
        assert_eq!(found.verdict, Verdict::Wrong, "{to}: {findings:#?}");
    }
}
