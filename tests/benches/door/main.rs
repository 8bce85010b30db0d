//! The cost of the ONNX door: the time of a likelihood beside the network's own time, on one thread.
//!
//! `cargo bench --package elbow-tests --bench door` runs a transformer of 4.8 million parameters on the embedded runtime, or
//! on ONNX Runtime where ORT_DYLIB_PATH names its library. It fails above [`MOST`].

mod transformer;

use std::path::PathBuf;
use std::time::Instant;

use elbow_harness::likelihood::BoundEstimation;
use elbow_harness::outside::OutsideModel;
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{InMemory, Tokens};
use elbow_metrics::Runtime;
use transformer::Shape;

/// Share of the network's time that everything around it may take.
const MOST: f64 = 0.05;
/// Sequences, which are one call and so one thread, and draws of each; repetitions, of which the middle one counts.
const SEQUENCES: usize = 8;
const DRAWS: usize = 2;
const TIMES: usize = 5;

fn main() {
    let text = Shape { values: 27, length: 256, width: 256, heads: 4, layers: 6 };
    let words = Shape { values: 8192, length: 128, width: 256, heads: 4, layers: 6 };
    for (name, shape, most) in [("letters", text, MOST), ("words", words, MOST)] {
        let mut shares: Vec<f64> = (0..TIMES).map(|_| share(&shape)).collect();
        shares.sort_by(f64::total_cmp);
        let share = shares[TIMES / 2];
        println!(
            "door {name}: {:.2} % beside the network ({:.2} to {:.2}), {:.1} million parameters, V = {}, length {}",
            100.0 * share,
            100.0 * shares[0],
            100.0 * shares[TIMES - 1],
            shape.parameters() as f64 / 1e6,
            shape.values,
            shape.length
        );
        assert!(share < most, "{name}: {share} of the network's time is spent around it");
    }
}

/// The time of a likelihood beside the network's, as a share of the network's.
fn share(shape: &Shape) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let file = shape.write(folder.path());
    let runtime = match std::env::var_os("ORT_DYLIB_PATH") {
        Some(library) => Runtime::Native { library: library.into(), cuda: None },
        None => Runtime::Embedded,
    };
    let model = OutsideModel::load(&file, runtime).expect("a model file");
    let ids = (0..SEQUENCES * shape.length).map(|i| (i * 7919 % shape.values) as u32).collect();
    let data = InMemory::new("bench", shape.values, Tokens::new(ids, shape.length));
    let workspace = Workspace::new(PathBuf::new(), Vec::new(), 0, "cpu", true, false).expect("a CPU");
    let run = |draws| {
        let diffusion = model.diffusion().expect("one family");
        let (before, start) = (model.time_in_network(), Instant::now());
        BoundEstimation::new(diffusion, &data, draws, 0).run(&workspace.device, &elbow_base::Silent).expect("a bound");
        (start.elapsed(), model.time_in_network() - before)
    };
    // The first calls compile the network.
    run(1);
    let (whole, network) = run(DRAWS);
    (whole.as_secs_f64() - network.as_secs_f64()) / network.as_secs_f64()
}
