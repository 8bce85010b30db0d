//! VDM's U-Net against PyTorch on the same weights, and the size of the published one (`fixtures/unet`).

use burn::tensor::{Device, Tensor, TensorData};
use elbow_impls::network::{ConditioningShape, Input, Model, NetworkShape, Signal, UNet, UNetShape};
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

#[test]
fn the_published_vdm_network_has_its_number_of_parameters() {
    let golden = golden("unet/parameters.json");
    let configuration = &golden["configurations"]["vdm-cifar10"];
    let shape = NetworkShape::UNet(shape(&configuration["hyper"]));
    assert_eq!(parameters(&shape), number(&configuration["total"]));
}
