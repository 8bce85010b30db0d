//! Resizing and scaling against the code of torch-fidelity, pytorch-fid and clean-fid.

use elbow_metrics::{Convention, Image};
use serde_json::Value;

use crate::{colour, json, largest, noise, number, numbers};

/// The image of a case.
fn image(case: &Value) -> Image {
    let size = numbers(&case["size"]);
    let [height, width] = [size[0] as usize, size[1] as usize];
    let level = |place: usize| match case["kind"].as_str() {
        Some("impulse") => 255 * u8::from(place == height / 2 * width + width / 3),
        Some("checker") => 255 * ((place % width + place / width) % 2) as u8,
        other => panic!("unknown kind {other:?}"),
    };
    match case["kind"].as_str() {
        Some("noise") => noise(case["seed"].as_u64().expect("a seed"), [height, width]),
        _ => colour((0..height * width * 3).map(|i| level(i / 3)).collect(), [height, width]),
    }
}

/// Our network input at the case's positions, on the scale of 0 to 255, and its mean.
fn ours(convention: Convention, case: &Value) -> (Vec<f64>, f64) {
    let target = numbers(&case["target"]);
    let size = [target[0] as usize, target[1] as usize];
    let (planes, made) = convention.prepare(&image(case), 3, Some(size)).expect("resizes");
    assert_eq!((made, planes.len()), (size, 3 * size[0] * size[1]));
    let level = |v: f32| match convention {
        Convention::Pytorch => (f64::from(v) + 1.0) * 127.5,
        _ => f64::from(v) * 128.0 + 128.0,
    };
    let positions = case["positions"].as_array().expect("positions").iter().map(numbers);
    let at = |p: Vec<f64>| level(planes[((p[2] as usize) * size[0] + p[0] as usize) * size[1] + p[1] as usize]);
    (positions.map(at).collect(), planes.iter().map(|&v| level(v)).sum::<f64>() / planes.len() as f64)
}

/// Largest difference of the values at the positions, and of the means, over all cases.
fn worst(convention: Convention, of: &str, golden: &Value) -> [f64; 2] {
    let cases = golden["cases"].as_array().expect("cases").iter();
    let errors: Vec<[f64; 2]> = cases
        .map(|case| {
            let (values, mean) = ours(convention, case);
            let golden = numbers(&case["values"][of]);
            let value = largest(values.iter().zip(golden).map(|(a, b)| (a - b).abs()));
            [value, (mean - number(&case["means"][of])).abs()]
        })
        .collect();
    [0, 1].map(|k| largest(errors.iter().map(|error| error[k])))
}

#[test]
fn prepare_resizes_every_size_and_pattern_as_the_tools_do() {
    let golden = json("resize/golden.json");
    assert_eq!(golden["cases"].as_array().map(Vec::len), Some(27));
    // On the scale of 0 to 255, in single precision after scaling to 1; measured in the comment.
    let tolerances = [
        (Convention::Tf, 5e-5),        // 7.6e-6
        (Convention::Pytorch, 1.5e-4), // 3.0e-5
        (Convention::Clean, 1e-4),     // 2.0e-5
    ];
    for (convention, tolerance) in tolerances {
        let name = convention.to_string();
        let [value, mean] = worst(convention, &name, &golden);
        println!("{name}: {value:e}, means {mean:e}");
        assert!(value < tolerance && mean < tolerance, "{name}: {value:e}, means {mean:e}");
        // Witnesses: the resizing of other tools, and the other conventions.
        let others = ["align_corners", "antialias", "pil_8bit", "bicubic_no_antialias", "tf", "pytorch", "clean"];
        for other in others.into_iter().filter(|other| *other != name) {
            let [wrong, _] = worst(convention, other, &golden);
            assert!(wrong > 20.0, "{name} taken for {other}: {wrong}");
        }
    }
}

#[test]
fn scale_is_that_of_the_tools() {
    let scaled = |convention: Convention| [0.0, 127.5, 255.0].map(|level| convention.scale(level, 0));
    assert_eq!(scaled(Convention::Unit), [0.0, 0.5, 1.0]);
    assert_eq!(scaled(Convention::Signed), [-1.0, 0.0, 1.0]);
    assert_eq!(scaled(Convention::Pytorch), [-1.0, 0.0, 1.0]);
    assert_eq!(scaled(Convention::Tf), [-1.0, -0.00390625, 0.9921875]);
    assert_eq!(scaled(Convention::Clean), scaled(Convention::Tf));
    assert_eq!(scaled(Convention::Lite), [-0.9921875, 0.00390625, 1.0]);
}

#[test]
fn prepare_repeats_grey_and_refuses_inputs_that_do_not_fit() {
    let grey = Image { height: 2, width: 2, channels: 1, pixels: vec![0, 51, 102, 255], converted: Vec::new() };
    let (planes, _) = Convention::Unit.prepare(&grey, 3, None).expect("repeats");
    assert_eq!(planes, [0.0, 0.2, 0.4, 1.0].repeat(3));
    // The message or its advice has this word.
    let fails = |image: &Image, convention: Convention, channels, size, word: &str| {
        let failure = convention.prepare(image, channels, size).expect_err(word);
        assert!(format!("{failure}; {}", failure.advice()).contains(word), "{failure}");
    };
    fails(&noise(1, [2, 2]), Convention::Unit, 1, None, "network for colour images");
    fails(&grey, Convention::Tf, 3, None, "takes any size");
    fails(&grey, Convention::Signed, 3, Some([4, 4]), "a convention that resizes");
}
