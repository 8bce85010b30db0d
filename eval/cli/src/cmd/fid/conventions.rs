//! `elbow fid conventions`: one pair of sets under every input convention.

use clap::Args;
use elbow_base::Error;
use elbow_harness::images::{ConventionMatrix, convention_matrix};
use elbow_harness::workspace::Workspace;
use elbow_metrics::Convention;
use serde_json::{Value, json};

use super::flags::{ImageFlags, WhichNetwork};

#[derive(Args)]
#[command(after_long_help = "Example:
  elbow fid conventions samples/ reference/ --network inception.onnx

A matrix over the conventions of the FID tools and of the bundled network (tf, pytorch, clean, lite): rows are those of the
generated images, columns those of the reference. With the canonical Inception its diagonal has
the numbers that torch-fidelity, pytorch-fid and clean-fid report; beside it stands what one gets
from statistics that were made under another convention.")]
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

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let names = [arguments.generated.as_str(), &arguments.reference];
    let cache = arguments.images.cache(workspace);
    let arrays = arguments.images.arrays.options();
    let found = convention_matrix(workspace, names, arguments.images.on_bad, &arrays, &cache, |scans| {
        arguments.network.open(workspace, scans, Some(Convention::Tf))
    });
    let ConventionMatrix { network, summaries: [generated, reference], distances, notes } =
        found.map_err(arguments.images.hint())?;
    let names = Convention::RESIZING.map(|convention| network.with_convention(convention).metric_name());
    let own: serde_json::Map<String, Value> =
        names.iter().enumerate().map(|(i, name)| (name.clone(), json!(distances[i][i]))).collect();
    let result = json!({
        "conventions": Convention::RESIZING.map(|convention| convention.to_string()), "matrix": distances, "distances": own,
        "generated": generated, "reference": reference, "network_hash": network.hash(),
        "runtime": network.runtime().to_string(), "notes": notes,
    });
    workspace.print(&result, || {
        let head: String = Convention::RESIZING.iter().map(|c| format!("{:>20}", format!("reference {c}"))).collect();
        let line = |(convention, row): (&Convention, &Vec<f64>)| {
            let cells: String = row.iter().map(|value| format!("{value:>20.4}")).collect();
            format!("{:<18}{cells}", format!("generated {convention}"))
        };
        let rows: Vec<String> = Convention::RESIZING.iter().zip(&distances).map(line).collect();
        let rows = rows.into_iter().chain(notes.iter().map(|note| format!("  note: {note}")));
        format!("{:<18}{head}\n{}", "", rows.collect::<Vec<_>>().join("\n"))
    })
}
