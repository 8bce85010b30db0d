//! `elbow fid conventions`: one pair of sets under every input convention.

use clap::Args;
use serde_json::{Value, json};

use super::flags::{ImageFlags, WhichNetwork};
use elbow_harness::failure::Failure;
use elbow_harness::fid::{Convention, Origin, Side, Survey};
use elbow_harness::images as side;
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
    let sets = [&arguments.generated, &arguments.reference].map(|name| side::images(workspace, name, None));
    let [generated, reference] = sets;
    let sets = [generated?, reference?];
    let look = |i: usize| Survey::take(sets[i].as_ref(), [1, 1], on_bad, workspace.bar.as_ref());
    let surveys = [look(0)?, look(1)?];
    let network = arguments.network.open(workspace, &[&surveys[0], &surveys[1]], Some(Convention::Tf))?;
    let cache = arguments.images.cache(workspace);
    let mut sides: [Vec<Side>; 2] = Default::default();
    for convention in Convention::RESIZING {
        let network = network.with_convention(convention);
        for (survey, sides) in surveys.iter().zip(&mut sides) {
            let features = cache.features(&network, survey, workspace.bar.as_ref())?.features;
            // One origin for all: here features of different conventions are compared on purpose.
            sides.push(Side::of_features(&features, &Origin::made("of any convention"))?);
        }
    }
    let row = |a: &Side| sides[1].iter().map(|b| a.to(b)).collect::<Result<Vec<f64>, Failure>>();
    let matrix = sides[0].iter().map(row).collect::<Result<Vec<_>, Failure>>()?;
    let names = Convention::RESIZING.map(|convention| network.with_convention(convention).metric_name());
    let own: serde_json::Map<String, Value> =
        names.iter().enumerate().map(|(i, name)| (name.clone(), json!(matrix[i][i]))).collect();
    let result = json!({
        "conventions": Convention::RESIZING.map(|convention| convention.to_string()), "matrix": matrix, "distances": own,
        "generated": surveys[0].summary, "reference": surveys[1].summary, "network_hash": network.hash(),
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
