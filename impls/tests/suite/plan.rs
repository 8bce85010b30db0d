//! The plan of a run, against the model and the losses of its settings.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Float, Tensor};
use elbow_impls::Key;
use elbow_impls::data::{Reading, Split, Tokens, catalogue};
use elbow_impls::network::{Denoiser, GaussianDenoiser, Input, Model, TokenDenoiser};
use elbow_impls::objective::Batch;
use elbow_impls::train::{DataShape, PRESETS, Plan, Settings};

use crate::{golden, number};

fn resolve(preset: &str, overrides: &[&str]) -> Settings {
    crate::resolve(preset, overrides).expect("a valid preset")
}

/// The shape of a preset's data; of OpenWebText with GPT-2's vocabulary.
fn data(settings: &Settings) -> DataShape {
    match settings.data.dataset.as_str() {
        "owt" => DataShape { values: 50257, length: 1024, classes: 0, image: None },
        _ => settings.data.shape().expect("known without its files"),
    }
}

fn model(settings: &Settings) -> Model {
    let shape = settings.network(&data(settings)).expect("a network");
    Model::new(&shape, settings.objective.learned_schedule(), &Key::new(0, "weights"), &Device::flex())
        .expect("a model")
}

#[test]
fn shapes_without_files_are_those_of_the_files() {
    let folders = [crate::fixture("")];
    let cases: [(&str, &[&str]); 3] = [
        ("md4-digits", &[]),
        ("ar-shakespeare", &[]),
        ("ar-shakespeare", &["dataset=kjv", "alphabet=bytes", "sequence_length=9"]),
    ];
    for (preset, overrides) in cases {
        let settings = resolve(preset, overrides);
        let opened = catalogue::open(&settings.data(Split::Train), &folders, &Reading::in_memory()).expect("bundled");
        assert_eq!(settings.data.shape().expect("known"), DataShape::of(opened.as_ref()));
    }
    let fails = |settings: Settings| settings.data.shape().expect_err("not known").to_string();
    let tokenizer = fails(resolve("mdlm-owt", &["alphabet=tokenizer:nowhere.json"]));
    assert!(tokenizer.contains("nowhere.json") && tokenizer.contains("tokenizer:FILE"), "{tokenizer}");
    assert!(fails(resolve("md4-digits", &["dataset=./images.npz"])).contains("./images.npz"));
    assert!(fails(resolve("md4-text8", &["dataset=./images.npz"])).contains("./images.npz"));
}

#[test]
fn a_plan_counts_the_learned_schedule() {
    let parameters = |preset: &str, overrides: &[&str]| {
        let settings = resolve(preset, overrides);
        Plan::new(&settings, &data(&settings)).expect("a plan").parameters
    };
    assert_eq!(parameters("vdm-digits", &["schedule=learned:-8:5"]), parameters("vdm-digits", &[]) + 2);
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
    let (model, objective) = (model(settings), settings.objective());
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

/// Witness: with GenMD4's second evaluation forgotten, or the derivative, all of these totals differ.
#[test]
fn a_plan_has_the_totals_that_were_counted_by_hand() {
    let plan = |overrides: &[&str]| {
        let settings = resolve("genmd4-digits", overrides);
        Plan::new(&settings, &data(&settings)).expect("a plan")
    };
    // Layer by layer, of 16 positions of four pixels: 55,352 weights and 17 numbers of the schedule.
    let one = plan(&["batch_size=10", "accumulation=1", "shards=2", "steps=7"]);
    assert_eq!((one.parameters, one.forward_operations, one.evaluations), (55_369, 1_097_728.0, 2));
    assert_eq!((one.step_operations, one.steps, one.total_operations), (65_863_680.0, 7, 461_045_760.0));
    let bytes = |plan: &Plan| {
        let memory = plan.memory;
        [memory.weights, memory.gradients, memory.moments, memory.average, memory.activations, memory.total]
    };
    // The gradients of two shards; 35,392 numbers for each of twenty evaluations.
    assert_eq!(bytes(&one), [221_476, 442_952, 442_952, 221_476, 2_831_360, 4_160_216]);
    // Five sequences of 16 positions with 128 hidden units; four heads' scores are half of that.
    assert_eq!(one.largest_tensor, 5 * 16 * 128 * 4);
    // Three parts of at most four sequences, which are four shards at most, and the sum of their gradients.
    let parts = plan(&["batch_size=10", "accumulation=3", "shards=8", "steps=7"]);
    assert_eq!(bytes(&parts), [221_476, 1_107_380, 442_952, 221_476, 1_132_544, 3_125_828]);
    assert_eq!(parts.total_operations, one.total_operations, "the work is the same");
    assert_eq!(parts.largest_tensor, 16 * 128 * 4, "one sequence per shard");
    // The scores of a long text: four heads.
    let text = resolve("md4-shakespeare", &["sequence_length=1000", "batch_size=6", "shards=2"]);
    assert_eq!(Plan::new(&text, &data(&text)).expect("a plan").largest_tensor, 3 * 4 * 1000 * 1000 * 4);
}

/// By hand: two layers of width 48 and 192 hidden units on 128 positions, the noisy and the clean, and 27 logits for 64.
#[test]
fn a_plan_of_blocks_counts_both_sequences() {
    let plan = |preset: &str, overrides: &[&str]| {
        let settings = resolve(preset, overrides);
        Plan::new(&settings, &data(&settings)).expect("a plan")
    };
    let (layer, attention) = (4 * 48 * 48 + 2 * 48 * 192, 4 * 128 * 48);
    let expected = 128 * 2 * (2 * layer + attention) + 64 * 2 * 48 * 27;
    for size in ["block_size=16", "block_size=1"] {
        let blocks = plan("block-shakespeare", &[size]);
        assert_eq!((blocks.forward_operations, blocks.evaluations), (f64::from(expected), 1));
        assert_eq!(blocks.parameters, plan("md4-shakespeare", &[]).parameters, "the same network");
    }
    let settings = resolve("block-shakespeare", &["block_size=12"]);
    let refused = Plan::new(&settings, &data(&settings)).expect_err("12 is no divisor of 64").to_string();
    assert!(refused.contains("no divisor of 64"), "{refused}");
}

/// VDM's network, of which `fixtures/unet` has PyTorch's counts: 30,577,667 weights, 53,369,896,960 operations.
#[test]
fn a_plan_has_the_totals_of_pytorch() {
    let settings = resolve("vdm-cifar10", &[]);
    let plan = Plan::new(&settings, &data(&settings)).expect("a plan");
    let golden = golden("unet/parameters.json");
    let golden = &golden["configurations"]["vdm-cifar10"];
    assert_eq!(plan.parameters, number(&golden["total"]));
    assert_eq!(plan.forward_operations, number(&golden["operations"]["total"]) as f64);
    // 128 sequences and their derivatives, ten million times.
    assert_eq!((plan.step_operations, plan.total_operations), (20_494_040_432_640.0, 20_494_040_432_640.0 * 1e7));
    // 8 x 100 TFLOP/s.
    assert!((plan.hours(1e14, 8) - 71.159_862_613_3).abs() < 1e-9, "{}", plan.hours(1e14, 8));
    // Eight shards' gradients.
    let memory = plan.memory;
    assert_eq!([memory.weights, memory.gradients, memory.moments], [122_310_668, 978_485_344, 244_621_336]);
}
