//! The arithmetic and the activations of networks, counted from their shapes.

use elbow_impls::network::{DitShape, NetworkShape, UNetShape};
use serde_json::Value;

use crate::{flat, golden, networks, number, resolve, unet};

/// Operations equal the golden count, whole numbers that f64 holds exactly, and none of the wrong ones.
fn agrees(name: &str, shape: NetworkShape, golden: &Value) {
    let operations = shape.operations();
    assert_eq!(operations, number(&golden["total"]) as f64, "{name}");
    for (mistake, count) in golden["mistakes"].as_object().expect("wrong counts") {
        assert_ne!(operations, number(count) as f64, "{name}, witness: {mistake}");
    }
}

#[test]
fn operations_are_those_that_pytorch_counts() {
    for name in ["flat", "flat-class", "pyramid"] {
        let golden = golden(&format!("unet/{name}.json"));
        let shape = NetworkShape::UNet(unet::shape(&golden));
        assert_eq!(networks::parameters(&shape), number(&golden["parameters"]), "{name}");
        agrees(name, shape, &golden["operations"]);
    }
    let golden = golden("unet/parameters.json");
    let golden = &golden["configurations"]["vdm-cifar10"];
    agrees("vdm-cifar10", NetworkShape::UNet(unet::shape(&golden["hyper"])), &golden["operations"]);

    let golden = crate::golden("networks/dit.json");
    let of = |name: &str| number(&golden[name]);
    let dit = DitShape {
        values: of("mask"),
        length: of("length"),
        width: of("hidden"),
        heads: of("heads"),
        layers: of("blocks"),
        condition: of("condition"),
        time: true,
        dropout: 0.0,
    };
    agrees("dit", NetworkShape::Dit(dit), &golden["operations"]);
    for name in ["md4-transformer", "md4-transformer-outside", "md4-transformer-plain"] {
        let golden = crate::golden(&format!("networks/{name}.json"));
        agrees(name, NetworkShape::Transformer(networks::md4_shape(&golden)), &golden["operations"]);
    }
}

/// Vectors of a sequence that a tensor of a published network multiplies; none of a table.
fn vectors(network: &str, tensor: &str) -> usize {
    let has = |parts: &[&str]| parts.iter().any(|part| tensor.contains(part));
    match network {
        _ if has(&["token", "vocab_embed", "position", "class."]) => 0,
        _ if has(&["time.", "sigma_map", "modulation", "condition"]) => 1,
        // 64x64 pixels, and 2x2 patches of them.
        "md4-uvit" if !has(&["blocks.", "patch"]) => 4096,
        // Windows of 1024 tokens, 32x32 pixels, or patches.
        _ => 1024,
    }
}

#[test]
fn published_configurations_are_counted_tensor_by_tensor() {
    let golden = golden("networks/parameters.json");
    for (name, configuration) in golden["configurations"].as_object().expect("configurations") {
        let shape = networks::published(configuration);
        let network = configuration["network"].as_str().expect("a name");
        let mut expected = 0;
        for part in configuration["parts"].as_array().expect("parts") {
            for (tensor, sizes) in part["tensors"].as_object().expect("tensors") {
                let sizes = flat(sizes);
                // Biases have one axis.
                let weights = if sizes.len() > 1 { sizes.iter().product::<f64>() as usize } else { 0 };
                expected += number(&part["count"]) * 2 * weights * vectors(network, tensor);
            }
        }
        // Attention among 1024 positions, in all of them.
        let [width, layers] = match shape {
            NetworkShape::Transformer(shape) => [shape.width, shape.layers],
            NetworkShape::Dit(shape) => [shape.width, shape.layers],
            NetworkShape::UNet(UNetShape { patches: Some(patches), .. }) => [patches.width, patches.layers],
            NetworkShape::UNet(shape) => [shape.width, 1],
        };
        let attention = 4 * 1024 * 1024 * width * layers;
        assert_eq!(shape.operations(), (expected + attention) as f64, "{name}");
    }
}

fn shape(preset: &str, overrides: &[&str]) -> NetworkShape {
    let settings = resolve(preset, overrides).expect("a preset");
    settings.network(&settings.data.shape().expect("digits")).expect("a network")
}

/// Three blocks of width 64 and 256 hidden units in place of the presets' sizes.
const LARGER: [&str; 3] = ["width=64", "layers=3", "hidden=256"];

fn vdm() -> NetworkShape {
    shape("vdm-digits", &[&LARGER[..], &["condition_width=64"]].concat())
}

/// 64 positions of one pixel.
fn md4(overrides: &[&str]) -> NetworkShape {
    shape("md4-digits", &[&LARGER[..], &["patch_size=none"], overrides].concat())
}

/// By hand: a position of vdm-digits has 2x2 pixels of five features; 16 positions, three blocks of width 64 and 256 hidden units.
#[test]
fn the_arithmetic_of_a_network_is_counted() {
    let block = 4.0 * 64.0 * 64.0 + 2.0 * 64.0 * 256.0;
    let (weights, attention) = (3.0 * block + 20.0 * 64.0 + 64.0 * 4.0, 3.0 * 4.0 * 16.0 * 64.0);
    // The perceptron of the condition, and what it modulates.
    let condition = 2.0 * (64.0 * 256.0 + 256.0 * 64.0 + 64.0 * 64.0 * 20.0);
    assert_eq!(vdm().operations(), 16.0 * (2.0 * weights + attention) + condition);
    // MD4: 64 positions of one token, 17 logits each, no condition.
    let (weights, attention) = (3.0 * block + 64.0 * 17.0, 3.0 * 4.0 * 64.0 * 64.0);
    assert_eq!(md4(&[]).operations(), 64.0 * (2.0 * weights + attention));
    // Block diffusion reads 128 positions, each of which attends to 128, and has logits for 64.
    let twice = 128.0 * 3.0 * (2.0 * block + 4.0 * 128.0 * 64.0) + 64.0 * 2.0 * 64.0 * 17.0;
    assert_eq!(md4(&[]).operations_over(2), twice);
    assert_ne!(twice, 2.0 * md4(&[]).operations(), "witness: two passes have fewer pairs and more logits");
}

/// By hand, from what burn keeps of each operation. Witness: a tensor forgotten is a difference, for the counts are exact.
#[test]
fn the_activations_of_a_network_are_counted() {
    // MD4: of each vector of 64, two norms of 3, q, k, v and what they give; scores of four heads; x, relu(x), its square.
    let block = 64.0 * 64.0 * (2.0 * 3.0 + 4.0) + 3.0 * 4.0 * 64.0 * 64.0 + 64.0 * 3.0 * 256.0;
    let (last, logits) = (64.0 * 3.0 * 64.0, 64.0 * 17.0);
    assert_eq!(md4(&[]).activations(), 3.0 * block + last + logits);
    // Two masks a block.
    let masks = 3.0 * 2.0 * 64.0 * 64.0;
    assert_eq!(md4(&["dropout=0.1"]).activations(), 3.0 * block + last + logits + masks);
    // VDM: 16 positions, of which 20 numbers enter; two gated branches a block.
    let block = 16.0 * 64.0 * (2.0 * 4.0 + 4.0) + 3.0 * 4.0 * 16.0 * 16.0 + 16.0 * 3.0 * 256.0;
    let ends = 16.0 * 20.0 + 16.0 * 3.0 * 64.0 + 64.0;
    assert_eq!(vdm().activations(), 3.0 * block + ends);

    // A U-Net of 4x4 pixels, 8 channels: of a norm and its activation 5 tensors; one block down, two in the middle, two
    // up, which read 16 channels and keep them for their skip.
    let golden = golden("unet/flat-class.json");
    let (inner, up) = (2.0 * 5.0 * 8.0, 5.0 * 16.0 + 5.0 * 8.0 + 16.0);
    let attention = 16.0 * (3.0 * 8.0 + 4.0 * 8.0) + 3.0 * 16.0 * 16.0;
    let ends = 16.0 * (1.0 + 5.0 * 8.0 + 1.0);
    let found = NetworkShape::UNet(unet::shape(&golden)).activations();
    assert_eq!(found, 16.0 * (3.0 * inner + 2.0 * up) + attention + ends);
}
