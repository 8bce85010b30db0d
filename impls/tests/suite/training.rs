//! The trainer: repeatable, resumable bit for bit, and learning.

use std::path::Path;

use burn::tensor::Device;
use elbow_impls::data::{Dataset, Images, InMemory, Split, Tokens, digits as digit_file};
use elbow_impls::md4::{Grid, Md4, ancestral};
use elbow_impls::network::{Model, TableDenoiser};
use elbow_impls::objective::{Batch, TokenObjective};
use elbow_impls::sampler_state::{Predictor, TokenState};
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::train::checkpoint::Checkpoint;
use elbow_impls::train::{DataShape, Progress, Settings, Trainer, TrainingCallback, train};
use elbow_impls::weighting::Weighting;
use elbow_impls::{Error, Key};

fn small() -> Settings {
    small_with(&[])
}

fn small_with(changes: &[&str]) -> Settings {
    let small =
        "width=16 heads=2 layers=1 hidden=32 batch_size=8 steps=6 warmup_steps=2 checkpoint_every=2 log_every=1";
    let overrides: Vec<&str> = small.split(' ').chain(changes.iter().copied()).collect();
    crate::resolve("md4-digits", &overrides).expect("a valid preset")
}

fn digits(split: Split) -> Images {
    digit_file::load(&crate::fixture("digits/digits.csv.gz"), split).expect("the bundled digits")
}

/// Looks at nothing; fails on a step before the one that it expects first.
struct From(u64);

impl TrainingCallback for From {
    fn step(&mut self, progress: &Progress) {
        assert!(progress.step > self.0, "step {} was done again", progress.step);
    }

    fn evaluate(&mut self, _: &Trainer) -> elbow_impls::Result<Vec<(String, f64)>> {
        Ok(Vec::new())
    }
}

const NAMES: [&str; 3] =
    ["checkpoint/model.safetensors", "checkpoint/optimizer.safetensors", "checkpoint/ema.safetensors"];

fn files(run: &Path) -> Vec<Vec<u8>> {
    NAMES.map(|name| std::fs::read(run.join(name)).expect("written by the run")).to_vec()
}

#[test]
fn the_split_is_as_documented() {
    assert_eq!((digits(Split::Train).len(), digits(Split::Test).len()), (1498, 299));
    // The first test image is image 5 of the file, a five.
    assert_eq!(digits(Split::Test).labels(&[0]), [5]);
}

#[test]
fn resuming_from_a_checkpoint_is_bit_for_bit_the_uninterrupted_run() {
    let (data, settings) = (digits(Split::Train), small());
    let (straight, stopped) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    train(&settings, &data, &[Device::flex()], straight.path(), None, &mut From(0)).expect("trains");
    // Stop in the middle, after a checkpoint and one more step that is lost.
    let mut first = Trainer::new(&settings, &data, &[Device::flex()]).expect("starts");
    for _ in 0..4 {
        first.advance().expect("steps");
    }
    first.save(stopped.path()).expect("saves");
    first.advance().expect("steps");
    drop(first);
    train(&settings, &data, &[Device::flex()], stopped.path(), None, &mut From(4)).expect("resumes");
    for (name, (a, b)) in NAMES.iter().zip(files(straight.path()).iter().zip(files(stopped.path()))) {
        assert!(*a == b, "{name} of the resumed run differs");
    }
}

#[test]
fn the_law_of_times_is_that_of_the_losses() {
    let data = digits(Split::Train);
    // A fresh network's prediction is uniform: under constant cross-entropy the loss is the mask rate, times a constant.
    let first = |changes: &[&str]| {
        let changes = [&["schedule=linear", "weighting=simple", "batch_size=64"], changes].concat();
        let mut trainer = Trainer::new(&small_with(&changes), &data, &[Device::flex()]).expect("starts");
        trainer.advance().expect("a step").weighted_loss
    };
    let uniform = first(&[]);
    assert_eq!(first(&["time_law=uniform"]), uniform);
    // Mean rates of 0.9 and 0.5; the weights of the middle-heavy law leave 0.5. Five standard errors of 4096 tokens.
    let ratio = |law: &str| first(&[law]) / uniform;
    let clipped = ratio("time_law=clipped:0.8:1");
    assert!((clipped - 1.8).abs() < 0.07, "{clipped}");
    let weighted = ratio("time_law=middle-heavy-weighted");
    assert!((weighted - 1.0).abs() < 0.07 && weighted != 1.0, "{weighted}");
    assert!(ratio("time_law=middle-heavy") != weighted, "witness: the weights are seen");
}

#[test]
fn witness_a_resumed_step_is_the_runs_next_and_needs_the_optimisers_memory() {
    let (data, settings) = (digits(Split::Train), small());
    let run = tempfile::tempdir().expect("a folder");
    let mut straight = Trainer::new(&settings, &data, &[Device::flex()]).expect("starts");
    for _ in 0..4 {
        straight.advance().expect("steps");
    }
    straight.save(run.path()).expect("saves");
    let resume = || Trainer::new(&settings, &data, &[Device::flex()]).expect("starts").resume(run.path());
    let mut resumed = resume().expect("resumes");
    let (a, b) = (straight.advance().expect("steps"), resumed.advance().expect("steps"));
    assert_eq!(a, b);
    let after = |trainer: &mut Trainer| {
        let folder = tempfile::tempdir().expect("a folder");
        trainer.save(folder.path()).expect("saves");
        files(folder.path())
    };
    assert!(after(&mut straight) == after(&mut resumed), "the resumed step wrote other weights");
    // The same weights with another memory: one moment changed, its hash corrected.
    let path = run.path().join("checkpoint/optimizer.safetensors");
    let mut bytes = std::fs::read(&path).expect("written");
    let before = elbow_impls::hash::sha256(&bytes);
    let last = bytes.len() - 1;
    bytes[last] ^= 0x40;
    std::fs::write(&path, &bytes).expect("writable");
    let state = run.path().join("checkpoint/state.json");
    let text = std::fs::read_to_string(&state).expect("read").replace(&before, &elbow_impls::hash::sha256(&bytes));
    std::fs::write(&state, text).expect("writable");
    let mut forgetful = resume().expect("reads");
    assert_eq!(forgetful.advance().expect("steps"), a, "the loss is that of the same weights");
    assert!(after(&mut forgetful) != after(&mut straight), "witness: the moments make no difference");
}

#[test]
fn devices_that_share_a_step_give_the_weights_of_one() {
    let (data, settings) = (digits(Split::Train), small_with(&["shards=4"]));
    let trained = |devices: &[Device]| {
        let run = tempfile::tempdir().expect("a folder");
        train(&settings, &data, devices, run.path(), None, &mut From(0)).expect("trains");
        files(run.path())
    };
    let one = trained(&[Device::flex()]);
    assert!(one == trained(&[Device::flex(), Device::flex()]), "two devices trained other weights");
    let idle = Trainer::new(&small_with(&["shards=1"]), &data, &[Device::flex(), Device::flex()]);
    assert!(idle.err().expect("one shard, two devices").to_string().contains("shards to 2"));
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let (data, settings) = (digits(Split::Train), small());
    let run = tempfile::tempdir().expect("a folder");
    train(&settings, &data, &[Device::flex()], run.path(), None, &mut From(0)).expect("trains");
    let path = run.path().join("checkpoint/ema.safetensors");
    let mut bytes = std::fs::read(&path).expect("written");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).expect("writable");
    let error = Checkpoint::of_run(run.path()).state().expect_err("one bit differs").to_string();
    assert!(error.contains("ema.safetensors") && error.contains("damaged"), "{error}");
}

#[test]
fn an_untrained_network_has_exactly_the_uniform_nelbo() {
    let data = digits(Split::Test);
    let device = Device::flex();
    let shape = small().network(&DataShape::of(&data)).expect("a network");
    let network = Model::new(&shape, None, &Key::new(0, "weights"), &device).expect("a model");
    let objective = Md4::new(MaskedSchedule::Linear, Weighting::Elbo);
    let x = data.select(&(0..64).collect::<Vec<_>>()).expect("in memory");
    let times = TimeSampling::Stratified.draw(64, &Key::new(1, "times"));
    let batch = Batch::new(x, times.clone());
    let nelbo =
        objective.nelbo(network.tokens().expect("tokens"), &batch, &Key::new(1, "mask"), &device).expect("a bound");
    assert!(nelbo.iter().all(|terms| (terms.reconstruction, terms.prior) == (0.0, 0.0)));
    // Each masked token costs ln 17, so a draw is (number masked / t) ln 17; its mean is 64 ln 17.
    let mean = nelbo.iter().map(|terms| terms.diffusion).sum::<f64>() / 64.0;
    let exact = 64.0 * 17f64.ln();
    assert!((mean / exact - 1.0).abs() < 0.1, "{mean} against {exact}");
    for (draw, t) in nelbo.iter().zip(&times) {
        let masked = draw.diffusion * t / 17f64.ln();
        assert!((masked - masked.round()).abs() < 1e-3, "{masked} is not a count");
    }
}

/// Example A of the theory as a table: position 1 P(0|mm) = .6, P(0|m0) = .7, P(0|m1) = .3, and so on.
fn example_a(device: &Device) -> TableDenoiser {
    // P(0) of both positions for 00 01 0m, 10 11 1m, m0 m1 mm.
    let zeros = [
        [[0.5, 0.5], [0.5, 0.5], [0.5, 0.75]],
        [[0.5, 0.5], [0.5, 0.5], [0.5, 0.35]],
        [[0.7, 0.5], [0.3, 0.5], [0.6, 0.5]],
    ];
    let rows: Vec<_> = zeros.as_flattened().iter().map(|&[a, b]: &[f64; 2]| vec![a, 1.0 - a, b, 1.0 - b]).collect();
    TableDenoiser::new(2, 2, &rows, device)
}

#[test]
fn the_sampler_draws_from_the_any_order_law() {
    // With many steps two tokens are almost never revealed together, and the sampler's law is that of a uniformly
    // random order: p(x) = 1/2 [mu_1(x1|mm) mu_2(x2|x1,m) + mu_2(x2|mm) mu_1(x1|m,x2)].
    let device = Device::flex();
    let law = [
        0.5 * (0.6 * 0.75 + 0.5 * 0.7),
        0.5 * (0.6 * 0.25 + 0.5 * 0.3),
        0.5 * (0.4 * 0.35 + 0.5 * 0.3),
        0.5 * (0.4 * 0.65 + 0.5 * 0.7),
    ];
    let n = 20_000;
    let table = example_a(&device);
    let draw = |schedule: &MaskedSchedule, grid: Grid, steps: usize| {
        let state = TokenState::all_masks(n, 2, 2, &Key::new(3, "sample"));
        ancestral(Predictor::new(&table, &device), schedule, grid, steps, state).expect("samples")
    };
    for (schedule, grid) in [
        (MaskedSchedule::Linear, Grid::Uniform),
        (MaskedSchedule::Linear, Grid::Cosine),
        (MaskedSchedule::Cosine, Grid::Uniform),
    ] {
        let drawn = draw(&schedule, grid, 400);
        let mut counts = [0f64; 4];
        for row in drawn.tokens.rows() {
            counts[(row[0] * 2 + row[1]) as usize] += 1.0;
        }
        let chi: f64 = counts.iter().zip(&law).map(|(c, p)| (c - n as f64 * p).powi(2) / (n as f64 * p)).sum();
        // 0.999 quantile of chi-square with 3 degrees of freedom.
        assert!(chi < 16.27, "chi-square {chi} under {schedule} {grid}");
        // One step at once is a product law; it must be told apart.
        let product = draw(&schedule, grid, 1);
        assert_eq!(product.network_calls, 1);
        let both = product.tokens.rows().filter(|r| *r == [0, 0]).count() as f64 / n as f64;
        assert!((both - 0.3).abs() < 0.02 && (law[0] - 0.4).abs() < 1e-12, "witness: {both}");
    }
}

#[test]
fn a_diverging_run_stops_with_the_step() {
    let settings = small_with(&["patch_size=none", "learning_rate=1e30", "clip_norm=0"]);
    let data = InMemory::new("toy", 17, Tokens::new(vec![1, 2, 3, 4], 4));
    let mut trainer = Trainer::new(&settings, &data, &[Device::flex()]).expect("starts");
    let error = (0..6).find_map(|_| trainer.advance().err()).expect("a step of 1e30 diverges");
    // The first step starts from finite weights.
    assert!(matches!(&error, Error::Diverged { step: 1..6, kept: None, .. }), "{error:?}");
}

#[test]
fn another_number_of_devices_in_the_middle_of_a_run_changes_nothing() {
    let (data, settings) = (digits(Split::Train), small_with(&["shards=4", "dropout=0.1"]));
    let devices = [Device::flex(), Device::flex()];
    let [straight, moved] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    train(&settings, &data, &devices[..1], straight.path(), None, &mut From(0)).expect("trains");
    let mut first = Trainer::new(&settings, &data, &devices[..1]).expect("starts");
    for _ in 0..4 {
        first.advance().expect("steps");
    }
    first.save(moved.path()).expect("saves");
    train(&settings, &data, &devices, moved.path(), None, &mut From(4)).expect("resumes on two");
    assert!(files(straight.path()) == files(moved.path()), "two devices went on with other weights");
}

#[test]
fn numbers_that_are_not_finite_are_not_saved() {
    let settings =
        small_with(&["patch_size=none", "learning_rate=1e38", "weight_decay=1e38", "clip_norm=0", "warmup_steps=0"]);
    let data = InMemory::new("toy", 17, Tokens::new(vec![1, 2, 3, 4], 4));
    let run = tempfile::tempdir().expect("a folder");
    let mut trainer = Trainer::new(&settings, &data, &[Device::flex()]).expect("starts");
    trainer.save(run.path()).expect("the first weights are finite");
    let before = files(run.path());
    // The loss of the step is that of the weights before it.
    trainer.advance().expect("a step from finite weights");
    let error = trainer.save(run.path()).expect_err("the weights overflowed").to_string();
    assert!(error.contains("not finite") && error.contains("was not written"), "{error}");
    assert!(files(run.path()) == before, "the last finite checkpoint is gone");
}
