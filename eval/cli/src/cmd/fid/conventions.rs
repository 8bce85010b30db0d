//! `elbow fid conventions`: one pair of sets under every input convention.

use clap::Args;
use serde_json::{Value, json};

use super::flags::{ImageFlags, WhichNetwork};
use elbow_harness::failure::Failure;
use elbow_harness::fid::{Convention, FeatureProvenance, GaussianFit, ImageScan};
use elbow_harness::images;
use elbow_harness::workspace::Workspace;

#[derive(Args)]
#[command(after_long_help = "Example:
  elbow fid conventions samples/ reference/ --network inception.onnx

A matrix over the conventions that resize (tf, pytorch, clean, lite): rows are those of the generated images, columns those of the
reference. With the canonical Inception its diagonal has the numbers that torch-fidelity, pytorch-fid and clean-fid report; beside
it stands what one gets from statistics that were made under another convention.")]
pub struct Arguments {
    /// Generated images
    generated: String,
    /// Reference images
    reference: String,
    #[command(flatten)]
    network: WhichNetwork,
    #[command(flatten)]
    images: ImageFlags,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Failure> {
    let on_bad = arguments.images.on_bad()?;
    let sets = [&arguments.generated, &arguments.reference].map(|name| images::images(workspace, name, None));
    let [generated, reference] = sets;
    let sets = [generated?, reference?];
    let look = |i: usize| ImageScan::take(sets[i].as_ref(), [1, 1], on_bad, workspace.bar.as_ref());
    let scans = [look(0)?, look(1)?];
    let network = arguments.network.open(workspace, &[&scans[0], &scans[1]], Some(Convention::Tf))?;
    let cache = arguments.images.cache(workspace);
    let mut fits: [Vec<GaussianFit>; 2] = Default::default();
    for convention in Convention::RESIZING {
        let network = network.with_convention(convention);
        for (scan, fits) in scans.iter().zip(&mut fits) {
            let features = cache.features(&network, scan, workspace.bar.as_ref())?.features;
            // One provenance for all: features of different conventions are compared on purpose.
            fits.push(GaussianFit::of_features(&features, &FeatureProvenance::named("of any convention"))?);
        }
    }
    let row = |a: &GaussianFit| fits[1].iter().map(|b| a.to(b)).collect::<Result<Vec<f64>, _>>();
    let matrix = fits[0].iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let names = Convention::RESIZING.map(|convention| network.with_convention(convention).metric_name());
    let own: serde_json::Map<String, Value> =
        names.iter().enumerate().map(|(i, name)| (name.clone(), json!(matrix[i][i]))).collect();
    let result = json!({
        "conventions": Convention::RESIZING.map(|convention| convention.to_string()), "matrix": matrix, "distances": own,
        "generated": scans[0].summary, "reference": scans[1].summary, "network_hash": network.hash(),
        "runtime": network.runtime().to_string(),
    });
    workspace.print(&result, || {
        let head: String = Convention::RESIZING.iter().map(|c| format!("{:>20}", format!("reference {c}"))).collect();
        let line = |(convention, row): (&Convention, &Vec<f64>)| {
            let cells: String = row.iter().map(|value| format!("{value:>20.4}")).collect();
            format!("{:<18}{cells}", format!("generated {convention}"))
        };
        let rows: Vec<String> = Convention::RESIZING.iter().zip(&matrix).map(line).collect();
        format!("{:<18}{head}\n{}", "", rows.join("\n"))
    })
}
