//! Networks against PyTorch and JAX on the same weights, and the sizes of the published ones (`fixtures/networks`).

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use elbow_impls::network::{
    ConditioningShape, Dit, DitImport, DitShape, Input, Model, NetworkShape, PatchTransformerShape, Perceptron,
    Positions, Signal, Transformer, TransformerShape, UNetShape, ids_tensor,
};
use elbow_impls::train::DataShape;
use elbow_impls::{Error, Key};
use serde_json::Value;

use crate::{fixture, flat, golden, ids, number, resolve};

/// Largest error of a logit. Measured: 8.4e-7 here, 9e-7 between the reference tools' own single and double precision.
/// The smallest mistake that the fixtures list moves a logit by 2.4e-4.
const TOLERANCE: f64 = 8e-6;

/// The golden input: tokens, times, classes.
fn input(golden: &Value, device: &Device) -> Input {
    let rows = golden["z"].as_array().expect("rows");
    let ids = ids(&golden["z"]);
    let times = golden.get("t").map_or(vec![0.0; rows.len()], flat);
    let input = Input::new(ids_tensor(&ids, ids.len() / rows.len(), device), &times);
    match golden.get("label") {
        Some(label) => input.with_class(&crate::ids(label)),
        None => input,
    }
}

fn error(found: Tensor<3>, golden: &Value) -> f64 {
    let (found, golden): (Vec<f64>, Vec<f64>) = (found.into_data().iter::<f64>().collect(), flat(golden));
    assert_eq!(found.len(), golden.len());
    found.iter().zip(&golden).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn sigma(golden: &Value, device: &Device) -> Tensor<1> {
    let sigma: Vec<f32> = flat(&golden["sigma"]).into_iter().map(|x| x as f32).collect();
    let count = sigma.len();
    Tensor::from_data(TensorData::new(sigma, [count]), device)
}

fn import_dit(path: &Path, time: bool, device: &Device) -> Result<Dit, Error> {
    Ok(Dit::import(path, &DitImport { length: 12, time, heads: None, raw: false }, device)?.0)
}

#[test]
fn imported_mdlm_weights_give_the_logits_of_pytorch() {
    let (device, golden) = (Device::flex(), golden("networks/dit.json"));
    for file in ["dit.safetensors", "dit.pt"] {
        let network = import_dit(&fixture(&format!("networks/{file}")), true, &device).expect("a published layout");
        let shape = network.shape();
        assert_eq!((shape.values, shape.width, shape.heads, shape.layers, shape.condition), (10, 32, 4, 2, 16));
        assert_eq!(Model::from(network.clone()).parameters(), number(&golden["parameters"]));
        let input = input(&golden, &device);
        let worst = error(network.all_logits(&input, sigma(&golden, &device)), &golden["logits"]);
        println!("{file}: {worst:.1e}");
        assert!(worst < TOLERANCE, "{file}: {worst:e}");
        // Without the noise level the network sees sigma = 0, whatever the time.
        let blind = Model::from(import_dit(&fixture(&format!("networks/{file}")), false, &device).expect("the same"));
        let blind = blind.tokens().expect("it reads tokens");
        let worst = error(blind.logits(&input), &golden["logits_without_time"]);
        assert!(worst < TOLERANCE, "{file} without time: {worst:e}");
        let witness = error(blind.logits(&input), &golden["logits"]);
        assert!(witness > 1e-2, "witness: the noise level makes no difference ({witness:e})");
    }
}

#[test]
fn every_imported_tensor_is_accounted_for() {
    let device = Device::flex();
    let bytes = std::fs::read(fixture("networks/dit.safetensors")).expect("the fixture");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("valid");
    let folder = tempfile::tempdir().expect("a folder");
    let rewrite = |change: &dyn Fn(&str) -> Option<String>| {
        let views = file.tensors().into_iter().filter_map(|(name, view)| Some((change(&name)?, view)));
        let path = folder.path().join("changed.safetensors");
        std::fs::write(&path, safetensors::serialize(views.collect::<Vec<_>>(), None).expect("serialises"))
            .expect("written");
        import_dit(&path, false, &device).map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(rewrite(&|name| Some(name.to_owned())), Ok(()));
    let missing = rewrite(&|name| (name != "backbone.blocks.1.norm2.weight").then(|| name.to_owned()));
    assert!(missing.expect_err("missing").contains("no tensor backbone.blocks.1.norm2.weight"));
    let renamed =
        rewrite(&|name| Some(if name.ends_with("mlp.0.bias") { format!("{name}.old") } else { name.to_owned() }));
    assert!(renamed.expect_err("renamed").contains("no tensor"));
    let mut tensors = file.tensors();
    let spare = tensors[0].1.clone();
    tensors.push(("backbone.spare".into(), spare));
    let path = folder.path().join("extra.safetensors");
    std::fs::write(&path, safetensors::serialize(tensors, None).expect("serialises")).expect("written");
    let unused = import_dit(&path, false, &device).map(|_| ()).expect_err("unused").to_string();
    assert!(unused.contains("backbone.spare"), "{unused}");
    let garbage = folder.path().join("garbage.pt");
    std::fs::write(&garbage, b"not a checkpoint").expect("written");
    assert!(import_dit(&garbage, false, &device).is_err());
}

/// MD4's transformer at the size of a golden file.
pub fn md4_shape(golden: &Value) -> TransformerShape {
    let width = number(&golden["hidden"]);
    let time = golden.get("time") != Some(&Value::Bool(false));
    TransformerShape {
        values: number(&golden["vocabulary"]),
        signal: Signal::Tokens,
        outputs: number(&golden["vocabulary"]),
        length: golden["z"][0].as_array().expect("a row").len(),
        patches: None,
        width,
        heads: number(&golden["heads"]),
        layers: number(&golden["layers"]),
        hidden: number(&golden["glu"]),
        embedding: golden["outside_embedding"].as_bool().expect("a flag").then(|| number(&golden["feature"])),
        positions: Positions::Rotary,
        perceptron: Perceptron::Glu,
        conditioning: ConditioningShape {
            time,
            // Ours has one more row, for "no class": theirs ends with the last class.
            classes: golden.get("classes").map_or(0, |classes| number(classes) - 1),
            width: number(&golden["feature"]),
            sinusoid: number(&golden["feature"]),
        },
        block: None,
        dropout: 0.0,
    }
}

#[test]
fn md4_transformers_give_the_logits_of_jax() {
    let device = Device::flex();
    for name in ["md4-transformer", "md4-transformer-outside", "md4-transformer-plain"] {
        let golden = golden(&format!("networks/{name}.json"));
        let shape = md4_shape(&golden);
        let path = fixture(&format!("networks/{name}.safetensors"));
        let import = |shape: &TransformerShape| {
            Model::from(Transformer::import(shape, &path, &device).expect("every tensor has its place"))
        };
        let input = input(&golden, &device);
        let error_of = |model: &Model| error(model.tokens().expect("tokens").logits(&input), &golden["logits"]);
        let worst = error_of(&import(&shape));
        println!("{name}: {worst:.1e}");
        assert!(worst < TOLERANCE, "{name}: {worst:e}");
        let causal = import(&TransformerShape { block: Some(1), ..shape });
        assert!(error_of(&causal) > 1e-3, "witness: a causal mask makes no difference");
    }
}

/// The shape of a published configuration.
pub fn published(configuration: &Value) -> NetworkShape {
    let hyper = &configuration["hyper"];
    let of = |name: &str| hyper.get(name).filter(|value| !value.is_null()).map_or(0, number);
    // Ours has one more class than theirs, "no class".
    let (classes, width) = (of("classes").saturating_sub(1), of("feature"));
    let conditioning = ConditioningShape { time: true, classes, width, sinusoid: width };
    match configuration["network"].as_str().expect("a name") {
        "mdlm" => NetworkShape::Dit(DitShape {
            values: of("vocabulary") - 1,
            length: 1024,
            width: of("hidden"),
            heads: of("heads"),
            layers: of("blocks"),
            condition: of("condition"),
            time: false,
            dropout: 0.1,
        }),
        "md4-text" => {
            let derived = &configuration["derived"];
            NetworkShape::Transformer(TransformerShape {
                values: of("vocabulary"),
                signal: Signal::Tokens,
                outputs: of("vocabulary"),
                length: 1024,
                patches: None,
                width: number(&derived["hidden"]),
                heads: of("heads"),
                layers: of("layers"),
                hidden: number(&derived["glu"]),
                embedding: (hyper["outside_embedding"] == true).then(|| of("feature")),
                positions: Positions::Rotary,
                perceptron: Perceptron::Glu,
                conditioning,
                block: None,
                dropout: 0.0,
            })
        }
        kind => NetworkShape::UNet(UNetShape {
            values: of("values"),
            signal: Signal::Tokens,
            levels: 1,
            image: if kind == "md4-unet" { [32, 32, 3] } else { [64, 64, 3] },
            width: of("feature"),
            layers: of("layers"),
            patches: (kind == "md4-uvit").then(|| PatchTransformerShape {
                width: of("hidden"),
                heads: of("heads").max(1),
                layers: of("dit_layers"),
            }),
            conditioning,
            dropout: 0.1,
        }),
    }
}

/// Parameters of a fresh network.
pub fn parameters(shape: &NetworkShape) -> usize {
    Model::new(shape, None, &Key::new(0, "uncounted"), &Device::flex()).expect("a model").parameters()
}

#[test]
fn published_configurations_have_their_number_of_parameters() {
    let golden = golden("networks/parameters.json");
    let all = golden["configurations"].as_object().expect("configurations");
    assert_eq!(all.len(), 12);
    for (name, configuration) in all {
        assert_eq!(parameters(&published(configuration)), number(&configuration["total"]), "{name}");
    }
}

#[test]
fn presets_of_the_papers_have_the_papers_sizes() {
    let golden = golden("networks/parameters.json");
    let total = |name: &str| number(&golden["configurations"][name]["total"]);
    let text = |values| DataShape { values, length: 256, classes: 0, image: None };
    let image = |size| DataShape { values: 256, length: size * size * 3, classes: 1000, image: Some([size, size, 3]) };
    for (preset, data, expected) in [
        ("md4-text8", text(27), total("md4-text8")),
        ("genmd4-text8", text(27), total("md4-text8") + 27),
        ("md4-cifar10", image(32), total("md4-cifar10")),
        ("md4-imagenet64", image(64), total("md4-imagenet64-likelihood")),
        // Ours has one more row of 256, for "no class".
        ("md4-imagenet64-324m", image(64), total("md4-imagenet64-class-large") + 256),
        ("mdlm-owt", text(50257), total("mdlm-owt-small")),
    ] {
        let settings = resolve(preset, &[]).expect("a valid preset");
        let shape = settings.network(&data).expect("a network");
        let model =
            Model::new(&shape, settings.objective.learned_schedule(), &Key::new(0, "uncounted"), &Device::flex())
                .expect("a model");
        assert_eq!(model.parameters(), expected, "{preset}");
    }
}

#[test]
fn a_causal_network_does_not_see_what_comes_after() {
    let device = Device::flex();
    let golden = golden("networks/md4-transformer-plain.json");
    let path = fixture("networks/md4-transformer-plain.safetensors");
    let logits = |block: Option<usize>, changed: usize| -> Vec<f64> {
        let shape = TransformerShape { block, ..md4_shape(&golden) };
        let model = Model::from(Transformer::import(&shape, &path, &device).expect("read"));
        let network = model.tokens().expect("it reads tokens");
        let ids: Vec<u32> = (0..9).map(|n| if n == changed { 7 } else { n as u32 % 5 }).collect();
        network.logits(&Input::new(ids_tensor(&ids, 9, &device), &[0.0])).into_data().iter::<f64>().collect()
    };
    let plain = logits(Some(1), 99);
    for changed in 0..9 {
        let after = logits(Some(1), changed);
        let same = |n: usize| plain[n * 10..(n + 1) * 10] == after[n * 10..(n + 1) * 10];
        assert!((0..changed).all(same), "a change at {changed} was seen before it");
        assert!((changed..9).all(|n| !same(n)), "a change at {changed} was not seen from it on");
    }
    assert!(
        logits(None, 8)[..10] != logits(None, 99)[..10],
        "witness: without the mask the first position sees the last"
    );
}

#[test]
fn unets_have_a_row_of_logits_for_each_token_and_start_uniform() {
    let device = Device::flex();
    let conditioning = ConditioningShape { time: true, classes: 3, width: 16, sinusoid: 16 };
    let small = UNetShape {
        values: 5,
        signal: Signal::Tokens,
        image: [4, 4, 3],
        width: 8,
        levels: 1,
        layers: 1,
        patches: None,
        conditioning,
        dropout: 0.0,
    };
    let patches = Some(PatchTransformerShape { width: 16, heads: 2, layers: 1 });
    for shape in [small, UNetShape { patches, ..small }] {
        let network = Model::new(&NetworkShape::UNet(shape), None, &Key::new(1, "weights"), &device).expect("a model");
        assert!(network.gaussian().is_err(), "a network over tokens has no output for points");
        let network = network.tokens().expect("it reads tokens");
        let ids: Vec<u32> = (0..96).map(|i| i % 6).collect();
        let input = Input::new(ids_tensor(&ids, 48, &device), &[0.2, 0.7]).with_class(&[1, 3]);
        let logits = network.logits(&input);
        assert_eq!(logits.dims(), [2, 48, 5]);
        assert_eq!(logits.abs().max().into_scalar::<f32>(), 0.0, "the last convolution starts at zero");
    }
}

#[test]
fn dropout_is_keyed_and_absent_in_evaluation() {
    let device = Device::flex();
    let golden = golden("networks/md4-transformer.json");
    let shape = TransformerShape { dropout: 0.5, ..md4_shape(&golden) };
    let model = Model::from(
        Transformer::import(&shape, &fixture("networks/md4-transformer.safetensors"), &device).expect("read"),
    );
    let network = model.tokens().expect("it reads tokens");
    let plain = input(&golden, &device);
    let with = |key: u64| Input { dropout: Some(Key::new(key, "dropout")), ..plain.clone() };
    let logits = |input: &Input| network.logits(input).into_data();
    assert_eq!(logits(&with(1)), logits(&with(1)));
    assert_ne!(logits(&with(1)), logits(&with(2)));
    assert!(error(network.logits(&plain), &golden["logits"]) < TOLERANCE);
}
