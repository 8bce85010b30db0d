//! `elbow sample`: draw samples from a trained model.

use std::path::PathBuf;

use clap::Args;
use impls::md4::{Grid, sample};
use impls::schedule::MaskedSchedule;
use impls::{Key, Workers};
use serde_json::json;

use super::{CheckpointFlag, Trained};
use crate::failure::Failure;
use crate::fid::Images;
use crate::workspace::Workspace;

#[derive(Args)]
#[command(after_long_help = "Example:
  elbow sample --checkpoint out/runs/md4-digits --count 64 --steps 64 --grid cosine

Writes samples.npz (arr_0, uint8, NHWC) and samples.png.")]
pub struct Arguments {
    #[command(flatten)]
    run: CheckpointFlag,
    /// Samples to draw
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// Ancestral steps
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    steps: u32,
    /// Placement of the steps in time: uniform or cosine
    #[arg(long, default_value = "cosine")]
    grid: String,
    /// Masking schedule of the sampler [default: that of training]
    #[arg(long)]
    schedule: Option<String>,
    /// Folder for the samples [default: RUN/samples]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Samples drawn by one call of the sampler, so that memory does not grow with their number.
const BATCH: usize = 128;

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Failure> {
    let model = Trained::load(&arguments.run.checkpoint, workspace)?;
    let grid: Grid = arguments.grid.parse()?;
    let schedule: MaskedSchedule = match &arguments.schedule {
        Some(name) => name.parse()?,
        None => model.objective.schedule,
    };
    let shape = workspace
        .dataset(&model.settings.dataset)?
        .image()
        .ok_or_else(|| Failure::input("this model makes no images", ""))?;
    let (images, calls) =
        draw(workspace, &model, grid, schedule, arguments.steps as usize, arguments.count as usize, shape);
    let folder = arguments.to.clone().unwrap_or_else(|| arguments.run.checkpoint.join("samples"));
    workspace.make_folder(&folder)?;
    let (npz, png) = (folder.join("samples.npz"), folder.join("samples.png"));
    images.save_npz(&npz)?;
    let shown: Vec<usize> = (0..images.len().min(256)).collect();
    images.select(&shown).save_grid(&png, (shown.len() as f64).sqrt().ceil() as usize, 4)?;
    let result = json!({
        "npz": npz, "png": png, "count": images.len(), "steps": arguments.steps, "grid": grid.to_string(),
        "schedule": schedule.to_string(), "seed": workspace.seed, "network_calls_per_batch": calls,
        "checkpoint_hash": model.hash,
    });
    workspace.print(&result, || {
        format!("{} samples, at most {calls} network calls each\n{}\n{}", images.len(), npz.display(), png.display())
    })
}

/// Draws samples in batches; the second value is the largest number of network calls of a batch.
pub fn draw(
    workspace: &Workspace,
    model: &Trained,
    grid: Grid,
    schedule: MaskedSchedule,
    steps: usize,
    count: usize,
    shape: [usize; 3],
) -> (Images, usize) {
    workspace.bar.start(count as u64, "samples");
    let batches: Vec<usize> = (0..count).step_by(BATCH).collect();
    let made = Workers::new(usize::MAX).map(&batches, |_, &first| {
        let size = BATCH.min(count - first);
        let key = Key::new(workspace.seed, "sample").fold(first as u64);
        let made = sample(&model.network, &schedule, grid, steps, (size, model.state.length), &key, &workspace.device);
        workspace.bar.advance(size as u64);
        (Images::from_tokens(&made.tokens, model.state.values, shape), made.network_calls)
    });
    workspace.bar.finish();
    let calls = made.iter().map(|(_, calls)| *calls).max().unwrap_or(0);
    let pixels = made.iter().flat_map(|(images, _)| (0..images.len()).flat_map(|i| images.image(i))).copied().collect();
    (Images::new(pixels, shape), calls)
}
