//! Features under the conventions of vision transformers.

use elbow_base::Silent;
use elbow_metrics::{Convention, Image};
use serde_json::Value;

use crate::networks::Assorted;
use crate::{bundled, json, largest, noise, numbers};

/// Features reach 2.9; PyTorch in single precision is 8.3e-7 off, this 1e-6.
const FEATURES: f64 = 8e-6;

fn images(golden: &Value) -> Assorted {
    let image = |row: &Value| {
        let row = numbers(row);
        noise(row[0] as u64, [row[1] as usize, row[2] as usize])
    };
    Assorted(golden["images"].as_array().expect("images").iter().map(image).collect())
}

/// The largest difference of a network's features from golden rows.
fn off(ours: &[f32], golden: &Value) -> f64 {
    let golden: Vec<f64> = golden.as_array().expect("rows").iter().flat_map(numbers).collect();
    assert_eq!(ours.len(), golden.len());
    largest(ours.iter().zip(golden).map(|(a, b)| (f64::from(*a) - b).abs()))
}

#[test]
fn a_vision_transformer_has_the_features_of_pillow_and_pytorch() {
    let golden = json("vit/golden.json");
    let set = images(&golden);
    for convention in [Convention::Dinov2, Convention::Clip] {
        let network = bundled("vit/vit.onnx", convention);
        assert_eq!(network.metric_name(), format!("fd.vit.{convention}"), "no weights of a published network");
        let ours = network.features(&set, &Silent).expect("runs");
        for (way, rows) in golden["features"].as_object().expect("ways") {
            let error = off(&ours.values, rows);
            println!("{convention} against {way}: {error:e}");
            // Witnesses: other constants, no crop, no antialias, no rounding to 8 bits.
            assert_eq!(error < FEATURES, *way == convention.to_string(), "{convention} against {way}: {error:e}");
        }
    }
}

#[test]
fn clip_cuts_a_square_and_refuses_other_inputs() {
    let image = noise(1, [8, 12]);
    let whole = Convention::Dinov2.prepare(&image, 3, Some([8, 12])).expect("as it is").0;
    let (cut, size) = Convention::Clip.prepare(&image, 3, Some([8, 8])).expect("a square");
    assert_eq!((size, cut.len()), ([8, 8], 3 * 64));
    // Two columns are cut from either side; undo the means and deviations of the first channel.
    let level = |value: f32, mean: f32, deviation: f32| (value * deviation + mean) * 255.0;
    let (ours, theirs) = (level(cut[0], 0.481_454_66, 0.268_629_54), level(whole[2], 0.485, 0.229));
    assert!((ours - theirs).abs() < 1e-3 && (ours - f32::from(image.pixels[6])).abs() < 1e-3, "{ours} {theirs}");
    let refused = Convention::Clip.prepare(&image, 3, Some([8, 12])).expect_err("no square");
    assert!(refused.to_string().contains("8x12") && refused.advice().contains("square"), "{refused}");
}

#[test]
fn grey_images_get_the_mean_and_deviation_of_each_channel() {
    let grey = Image { height: 2, width: 2, channels: 1, pixels: vec![0, 51, 102, 255], converted: Vec::new() };
    let (planes, _) = Convention::Dinov2.prepare(&grey, 3, Some([2, 2])).expect("as it is");
    let expected = |mean: f32, deviation: f32| [0.0, 0.2, 0.4, 1.0].map(|v: f32| (v - mean) / deviation);
    let all = [expected(0.485, 0.229), expected(0.456, 0.224), expected(0.406, 0.225)].concat();
    assert!(planes.iter().zip(all).all(|(a, b)| (a - b).abs() < 1e-6), "{planes:?}");
}
