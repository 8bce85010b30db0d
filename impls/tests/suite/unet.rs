//! VDM's U-Net against PyTorch on the same weights, and the size of the published one (`fixtures/unet`); MD4's with a
//! transformer over patches against NumPy (`fixtures/uvit`).

use burn::tensor::{Device, Tensor, TensorData};
use burn_store::{ModuleSnapshot, SafetensorsStore};
use elbow_impls::Key;
use elbow_impls::network::{
    ConditioningShape, Input, Model, NetworkShape, PatchTransformerShape, Signal, UNet, UNetShape, ids_tensor,
};
use serde_json::Value;

use crate::networks::parameters;
use crate::{fixture, flat, golden, ids, number};

/// Largest error of an output over PyTorch's own between single and double precision. Measured: 1.0.
const TOLERANCE: f64 = 8.0;

pub fn shape(hyper: &Value) -> UNetShape {
    let of = |name: &str| number(&hyper[name]);
    let exponents = ids(&hyper["fourier"]);
    let fourier = exponents.first().map(|&first| [first, exponents[exponents.len() - 1]]);
    let image: Vec<usize> = flat(&hyper["image"]).into_iter().map(|n| n as usize).collect();
    let width = of("width");
    UNetShape {
        values: 256,
        signal: Signal::Points { fourier },
        image: [image[0], image[1], image[2]],
        width,
        levels: of("levels"),
        layers: of("layers"),
        patches: None,
        conditioning: ConditioningShape { time: true, classes: of("classes"), width: 4 * width, sinusoid: width },
        dropout: 0.0,
    }
}

#[test]
fn vdm_u_nets_give_the_outputs_of_pytorch() {
    let device = Device::flex();
    for name in ["flat", "flat-class", "pyramid"] {
        let golden = golden(&format!("unet/{name}.json"));
        let shape = shape(&golden);
        let path = fixture(&format!("unet/{name}.safetensors"));
        let model = Model::from(UNet::import(&shape, &path, &device).expect("every tensor has its place"));
        assert!(model.tokens().is_err(), "a network over points has no logits");
        let network = model.gaussian().expect("it reads points");
        let rows = golden["z"].as_array().expect("rows").len();
        let z: Vec<f32> = flat(&golden["z"]).into_iter().map(|z| z as f32).collect();
        let length = z.len() / rows;
        let z = Tensor::<2>::from_data(TensorData::new(z, [rows, length]), &device);
        let error = |times: &[f64]| {
            let mut input = Input::points(z.clone(), times);
            if golden["class"].is_array() {
                input = input.with_class(&ids(&golden["class"]));
            }
            let found: Vec<f64> = network.output(&input).into_data().iter::<f64>().collect();
            found.iter().zip(flat(&golden["output"])).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let own = golden["float32_deviation"].as_f64().expect("a number");
        let times = flat(&golden["time"]);
        let worst = error(&times);
        println!("{name}: {worst:.1e}, {:.1} times PyTorch's", worst / own);
        assert!(worst < TOLERANCE * own, "{name}: {worst:e}, PyTorch {own:e}");
        // Witness: the networks see the time.
        assert!(error(&[0.5; 3][..rows]) > 100.0 * own, "{name}: the time makes no difference");
    }
}

/// Largest error of a logit of the patch transformer over NumPy's own between single and double precision. Measured: 1.4.
const PATCHES: f64 = 8.0;

#[test]
fn md4s_u_net_with_a_transformer_over_patches_gives_the_logits_of_numpy() {
    let golden = golden("uvit/golden.json");
    let device = Device::flex();
    let shape = UNetShape {
        values: 17,
        signal: Signal::Tokens,
        image: [8, 8, 1],
        width: 8,
        levels: 1,
        layers: 1,
        patches: Some(PatchTransformerShape { width: 8, heads: 2, layers: 2 }),
        conditioning: ConditioningShape { time: true, classes: 10, width: 12, sinusoid: 12 },
        dropout: 0.0,
    };
    let mut model = Model::new(&NetworkShape::UNet(shape), None, &Key::new(0, "replaced"), &device).expect("a network");
    let mut file = SafetensorsStore::from_file(fixture("uvit/weights.safetensors")).allow_partial(true);
    let read = model.load_from(&mut file).expect("safetensors");
    assert!(read.missing.is_empty() && read.unused.is_empty() && read.errors.is_empty(), "{read:?}");
    let network = model.tokens().expect("it reads tokens");
    let error = |times: &[f64], classes: &[u32]| {
        let input = Input::new(ids_tensor(&ids(&golden["z"]), 64, &device), times).with_class(classes);
        let found = network.value_logits(&input).into_data();
        found.iter::<f64>().zip(flat(&golden["logits"])).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    let own = golden["float32_deviation"].as_f64().expect("a number");
    let (times, classes) = (flat(&golden["time"]), ids(&golden["class"]));
    let worst = error(&times, &classes);
    println!("patches: {worst:.1e}, {:.1} times NumPy's", worst / own);
    assert!(worst < PATCHES * own, "{worst:e}, NumPy {own:e}");
    // Witnesses: time and class are seen, and every wrong network of the generator is farther off than the tolerance.
    assert!(error(&[0.5; 3], &classes) > 100.0 * own && error(&times, &[1; 3]) > 100.0 * own);
    let mistakes = golden["mistakes"].as_object().expect("witnesses");
    assert!(mistakes.len() > 8 && mistakes.values().all(|moved| moved.as_f64().expect("a number") > PATCHES * own));
}

#[test]
fn the_published_vdm_network_has_its_number_of_parameters() {
    let golden = golden("unet/parameters.json");
    let configuration = &golden["configurations"]["vdm-cifar10"];
    let shape = NetworkShape::UNet(shape(&configuration["hyper"]));
    assert_eq!(parameters(&shape), number(&configuration["total"]));
}
