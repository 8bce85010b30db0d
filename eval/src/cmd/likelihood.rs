//! `elbow likelihood`: the NELBO of a trained model.

use clap::Args;
use serde_json::json;

use super::{CheckpointFlag, Trained};
use crate::failure::Failure;
use crate::likelihood::masked_nelbo;
use crate::provenance;
use crate::workspace::Workspace;

#[derive(Args)]
#[command(after_long_help = "Example:
  elbow likelihood --checkpoint out/runs/md4-digits --split test --draws 16

The bound is that of the averaged weights and uses the ELBO's own weight, whatever weighting trained them. The
standard error is over sequences.")]
pub struct Arguments {
    #[command(flatten)]
    run: CheckpointFlag,
    /// train or test
    #[arg(long, default_value = "test")]
    split: String,
    /// Stratified time draws for each sequence
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    draws: u32,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Failure> {
    let model = Trained::load(&arguments.run.checkpoint, workspace)?;
    let data = workspace.dataset(&format!("{}:{}", model.settings.dataset, arguments.split))?;
    let draws = arguments.draws as usize;
    let bound = masked_nelbo(
        &model.objective,
        &model.network,
        data.as_ref(),
        draws,
        workspace.seed,
        &workspace.device,
        &workspace.bar,
    );
    let inputs = vec![
        provenance::data_input(data.as_ref()),
        reports::record::Input { name: "ema.safetensors".into(), sha256: model.hash.clone() },
    ];
    let block = provenance::block(workspace.seed, &workspace.device_name, String::new(), inputs);
    let result = json!({ "nelbo": bound, "step": model.state.step, "settings": model.settings, "provenance": block });
    workspace.print(&result, || {
        let b = &bound.bits_per_dim;
        format!(
            "NELBO {:.4} +- {:.4} bits/dim ({} sequences of {}, {} draws each, standard error over sequences)\n  \
             reconstruction {:.4}, prior {:.4}, diffusion {:.4} +- {:.4}",
            b.value,
            b.standard_error,
            bound.sequences,
            bound.dataset,
            draws,
            bound.reconstruction,
            bound.prior,
            bound.diffusion.value,
            bound.diffusion.standard_error
        )
    })
}
