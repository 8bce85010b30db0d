//! `elbow fid export`: the canonical Inception as an ONNX network.

use std::path::{Path, PathBuf};

use clap::Args;
use elbow_base::{Error, atomic_file};
use elbow_harness::workspace::Workspace;
use elbow_impls::network::state_dict;
use elbow_metrics::{CANONICAL_WEIGHTS, Inception};
use serde_json::json;

use crate::flags::OutputFlags;
use crate::hints::written_by;

#[derive(Args)]
#[command(after_long_help = "Example:
  elbow fid export pt_inception-2015-12-05-6726825d.pth -o inception.onnx
  elbow fid calc samples/ reference/ --network inception.onnx --convention clean

The weights are those that pytorch-fid fetches (github.com/mseitzer/pytorch-fid/releases, 95.6
MB); torch-fidelity's weights-inception-2015-12-05-6726825d.pth is the same file. Every tensor
must have its place in the network. Numbers are called fid.CONVENTION only if the file's SHA-256
is the canonical one.")]
pub struct Arguments {
    /// The weights, as PyTorch wrote them
    weights: PathBuf,
    #[command(flatten)]
    output: OutputFlags,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let is_onnx = |path: &Path| path.extension().is_some_and(|extension| extension == "onnx");
    arguments.output.check(&[&arguments.weights], is_onnx)?;
    let skeleton = Inception::skeleton(&workspace.data_file("inception/inception-skeleton.onnx")?)?;
    let tensors = skeleton.weights().len();
    let (weights, hash) = state_dict::single_precision(&arguments.weights)?;
    let bytes = skeleton.with_weights(weights, &hash).map_err(|e| Error::from(e).in_file(&arguments.weights))?;
    atomic_file::write(&arguments.output.path, &bytes).map_err(written_by("-o FILE"))?;
    let canonical = hash == CANONICAL_WEIGHTS;
    let network = elbow_impls::hash::sha256(&bytes);
    let result = json!({
        "output": arguments.output.path, "sha256": network, "weights_sha256": hash, "canonical": canonical, "tensors": tensors,
    });
    workspace.print(&result, || {
        let name = match canonical {
            true => "the canonical weights: numbers will be called fid.CONVENTION",
            false => "not the canonical weights: numbers will not be called FID",
        };
        format!("all {tensors} tensors loaded; {name}\n{}", arguments.output.path.display())
    })
}
