//! `elbow bench sample`: samples a second.

use std::path::PathBuf;

use clap::Args;
use impls::md4::Grid;

use super::seconds::Seconds;
use elbow_base::Silent;
use elbow_harness::failure::Failure;
use elbow_harness::likelihood::Estimate;
use elbow_harness::runs::Trained;
use elbow_harness::sampling::{self, Request, Sampler};
use elbow_harness::timing::Case;
use elbow_harness::timing::Timing;
use elbow_harness::workspace::Workspace;

#[derive(Args)]
pub struct Arguments {
    /// A folder that `elbow bench case` wrote
    case: PathBuf,
    /// Ancestral steps
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    steps: u32,
    /// Samples drawn together
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    count: u32,
    #[command(flatten)]
    seconds: Seconds,
}

/// A unit is a sample. The check is the mean token over all that were drawn, by the averaged weights.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<Timing, Failure> {
    let case = Case::open(workspace, &arguments.case)?;
    let model = Trained::load(case.run(), &workspace.device)?;
    let count = arguments.count as usize;
    let (mut seed, mut means) = (workspace.seed, Vec::new());
    let timing = Timing::of("sample", count, arguments.seconds.seconds, || {
        let request = Request::new(&model.settings, &model.model, count, case.data.length(), seed);
        let steps = arguments.steps as usize;
        let request = Request { sampler: Sampler::Ancestral, grid: Grid::Uniform, steps, ..request };
        let drawn = sampling::draw(&workspace.device, &model.settings, &model.model, &request, &Silent)?;
        let mean = |row: &[u32]| row.iter().map(|&token| f64::from(token)).sum::<f64>() / row.len() as f64;
        means.extend(drawn.tokens.rows().map(mean));
        seed += 1;
        Ok(())
    })?;
    let mean = Estimate::of(&means);
    Ok(timing.checked(mean.value, Some(mean.standard_error)))
}
