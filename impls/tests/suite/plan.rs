//! What a run will take, against what is made of its settings.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Float, Tensor};
use impls::Key;
use impls::data::{Split, Tokens, catalogue};
use impls::network::{Denoiser, GaussianDenoiser, Input, Model, TokenDenoiser};
use impls::objective::Batch;
use impls::train::{DataShape, PRESETS, Plan, Settings};

fn resolve(preset: &str, overrides: &[&str]) -> Settings {
    let overrides: Vec<String> = overrides.iter().map(|&pair| pair.to_owned()).collect();
    Settings::resolve(preset, &overrides).expect("a valid preset")
}

/// The shape of a preset's data; of OpenWebText with GPT-2's vocabulary.
fn data(settings: &Settings) -> DataShape {
    match settings.dataset.as_str() {
        "owt" => DataShape { values: 50257, length: 1024, classes: 0, image: None },
        _ => DataShape::named(settings).expect("known without its files"),
    }
}

fn model(settings: &Settings) -> Model {
    let shape = settings.network(&data(settings)).expect("a network");
    let learned = settings.learned_schedule().expect("a preset");
    Model::new(&shape, learned, &Key::new(0, "weights"), &Device::flex()).expect("a model")
}

#[test]
fn shapes_without_files_are_those_of_the_files() {
    let folders = [Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")];
    let cases: [(&str, &[&str]); 3] = [
        ("md4-digits", &[]),
        ("ar-shakespeare", &[]),
        ("ar-shakespeare", &["dataset=kjv", "alphabet=bytes", "sequence_length=9"]),
    ];
    for (preset, overrides) in cases {
        let settings = resolve(preset, overrides);
        let opened = catalogue::open(&settings.data(Split::Train), &folders).expect("bundled");
        assert_eq!(DataShape::named(&settings).expect("known"), DataShape::of(opened.as_ref()));
    }
    let fails = |settings: Settings| DataShape::named(&settings).expect_err("not known").to_string();
    let tokenizer = fails(resolve("mdlm-owt", &["alphabet=tokenizer:nowhere.json"]));
    assert!(tokenizer.contains("nowhere.json") && tokenizer.contains("tokenizer:FILE"), "{tokenizer}");
    assert!(fails(resolve("md4-digits", &["dataset=./images.npz"])).contains("./images.npz"));
    assert!(fails(resolve("md4-text8", &["dataset=./images.npz"])).contains("./images.npz"));
}

#[test]
fn every_preset_has_the_parameters_of_its_model() {
    for (preset, _) in PRESETS {
        let settings = resolve(preset, &[]);
        let plan = Plan::new(&settings, &data(&settings)).expect("a plan");
        assert_eq!(plan.parameters, model(&settings).parameters(), "{preset}");
    }
    let learned = resolve("vdm-digits", &["schedule=learned:-8:5"]);
    let plan = Plan::new(&learned, &data(&learned)).expect("a plan");
    assert_eq!(plan.parameters, model(&learned).parameters());
    let fixed = resolve("vdm-digits", &[]);
    assert_eq!(plan.parameters, model(&fixed).parameters() + 2, "witness: the ends are learned");
}

/// A model that counts how often it is evaluated.
struct Counting<M> {
    model: M,
    evaluations: AtomicUsize,
}

impl TokenDenoiser for Counting<&dyn TokenDenoiser> {
    fn values(&self) -> usize {
        self.model.values()
    }

    fn sees_time(&self) -> bool {
        self.model.sees_time()
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        self.model.logits(input)
    }

    fn value_schedule(&self) -> Option<Tensor<1>> {
        self.model.value_schedule()
    }
}

impl GaussianDenoiser for Counting<&dyn GaussianDenoiser> {
    fn values(&self) -> usize {
        self.model.values()
    }

    fn output(&self, input: &Input<Float>) -> Tensor<2> {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        self.model.output(input)
    }
}

/// The evaluations that one loss takes.
fn evaluations(settings: &Settings) -> usize {
    fn counting<M>(model: M) -> Counting<M> {
        Counting { model, evaluations: AtomicUsize::new(0) }
    }
    let (model, objective) = (model(settings), settings.objective().expect("a preset"));
    let batch = Batch::new(Tokens::new(vec![3; 128], 64), vec![0.3, 0.8]);
    let loss = |denoiser: Denoiser| {
        objective.with(denoiser).expect("of one family").loss(&batch, &Key::new(0, "mask"), &Device::flex())
    };
    let (loss, count) = match Denoiser::from(&model) {
        Denoiser::Tokens(model) => {
            let counting = counting(model);
            (loss(Denoiser::Tokens(&counting)), counting.evaluations)
        }
        Denoiser::Gaussian(model) => {
            let counting = counting(model);
            (loss(Denoiser::Gaussian(&counting)), counting.evaluations)
        }
    };
    loss.expect("a loss");
    count.into_inner()
}

#[test]
fn a_loss_takes_as_many_evaluations_as_planned() {
    let mut counts = Vec::new();
    for (preset, _) in PRESETS.iter().filter(|(name, _)| name.ends_with("-digits")) {
        let settings = resolve(preset, &[]);
        let plan = Plan::new(&settings, &data(&settings)).expect("a plan");
        assert_eq!(evaluations(&settings), plan.evaluations, "{preset}");
        counts.push(plan.evaluations);
    }
    // Every implementation; GenMD4 alone takes two.
    assert_eq!((counts.len(), counts.iter().sum::<usize>()), (11, 12));
}

#[test]
fn a_plan_adds_up() {
    let plan = |overrides: &[&str]| {
        let settings = resolve("genmd4-digits", overrides);
        let shape = settings.network(&data(&settings)).expect("a network");
        (Plan::new(&settings, &data(&settings)).expect("a plan"), shape)
    };
    let (one, shape) = plan(&["batch_size=10", "accumulation=1", "shards=2", "steps=7"]);
    assert_eq!(one.forward_operations, shape.operations());
    // Ten sequences, evaluated twice, each with a derivative.
    assert_eq!(one.step_operations, 60.0 * shape.operations());
    assert_eq!((one.steps, one.total_operations), (7, 420.0 * shape.operations()));
    assert_eq!(one.hours(1e9, 2), one.total_operations / 2e9 / 3600.0);

    let weights = 4 * one.parameters as u64;
    let memory = one.memory;
    assert_eq!((memory.weights, memory.moments, memory.average), (weights, 2 * weights, weights));
    assert_eq!(memory.gradients, 2 * weights, "one set for each shard");
    assert_eq!(memory.activations, 4 * 2 * 10 * shape.activations() as u64);
    assert_eq!(memory.total, 6 * weights + memory.activations);
    // Three parts of at most four sequences, and the sum of their gradients; the work is the same.
    let (parts, _) = plan(&["batch_size=10", "accumulation=3", "shards=8", "steps=7"]);
    assert_eq!(parts.memory.gradients, 5 * weights, "four sequences are four shards at most");
    assert_eq!(parts.memory.activations, 4 * 2 * 4 * shape.activations() as u64);
    assert_eq!(parts.total_operations, one.total_operations);
}
