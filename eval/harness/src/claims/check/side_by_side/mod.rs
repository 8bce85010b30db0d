//! Check: our program and another one on the same problem, in turns.

mod peer_comparison;
mod program;

use std::path::{Path, PathBuf};

use elbow_base::Remedy;
use elbow_impls::train::{DataShape, Plan};

use super::prelude::*;
use crate::provenance;
use crate::timing::{Case, measure_machine};
use peer_comparison::PeerComparison;
use program::{Run, THREADS};

/// The peers' scripts, from the root of the repository.
const PEERS: &str = "eval/benches/compare/peers";
/// Largest relative difference of two checks of the same work: f32 sums in different orders. Measured: 4.0e-6 (FID).
const SAME_WORK: f64 = 2e-5;
/// Random checks may be this many standard errors apart.
const SAME_LAW: f64 = 5.0;

/// A comparison with a peer: times or memory, each the mean of several rounds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideBySide {
    task: Task,
    measure: Measure,
    /// Preset of the model (tasks step and sample).
    preset: Option<String>,
    /// The peer's script and arguments, after those of the problem.
    peer: Vec<String>,
    /// Our arguments, after those of the problem.
    ours: Vec<String>,
    /// Number of times that both are run, in turns.
    rounds: usize,
    /// Seconds for which each program measures itself.
    seconds: f64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Task {
    Step,
    Sample,
    Features,
    Trace,
    Enumeration,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Median seconds of a unit, by each program's own clock.
    Unit,
    /// Seconds of the whole process.
    Process,
    /// Peak memory of the whole process.
    Memory,
}

impl Check for SideBySide {
    /// The peers' scripts and their packages.
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        if context.peers.is_none() {
            return Ok(Vec::new());
        }
        let folder = Path::new(PEERS);
        let entries = std::fs::read_dir(folder).map_err(Error::reading(folder))?;
        let mut scripts: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        scripts.retain(|path| path.extension().is_some_and(|end| end == "py"));
        scripts.push(folder.with_file_name("requirements.txt"));
        scripts.sort();
        scripts.iter().map(|path| provenance::file_input(path)).collect()
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let python = context.peers.as_ref().ok_or_else(|| {
            Error::environment("no Python for the peers", "run `just bench compare`, or name one")
                .mended_by(Remedy::Peers)
        })?;
        if context.device_name != "cpu" {
            return Err(Error::input("the peers compute on the CPU", "use the CPU").mended_by(Remedy::Device));
        }
        let comparison = PeerComparison::new(self, context, python)?;
        let name = self.peer.join(" ");
        let title = format!("{} beside {name}", self.ours_name());
        let [ours, peers] = self.in_turns(context, &title, &comparison)?;
        same_work(&ours, &peers)?;
        let logs: Vec<f64> = ours.iter().zip(&peers).map(|(a, b)| (self.number(b) / self.number(a)).ln()).collect();
        let ratio = Estimate::of(&logs);
        let value = ratio.value.exp();
        let unit = &ours[0].timing.unit;
        let (what, axis, scale) = match self.measure {
            Measure::Unit => (format!("seconds per {unit}, the peer over ours"), format!("ms per {unit}"), 1e3),
            Measure::Process => ("seconds of the peer's process / ours".to_owned(), "s".to_owned(), 1.0),
            Measure::Memory => ("peak memory of the peer / ours".to_owned(), "bytes".to_owned(), 1.0),
        };
        let mut outcome =
            Outcome::exact(&what, value, "times").over(self.rounds, "rounds").with_error(value * ratio.standard_error);
        let sides = [(self.ours_name(), &ours[..]), (name.as_str(), &peers[..])];
        for (who, runs) in sides {
            let unit = mean(runs, |run| run.timing.median() * 1e3);
            let (memory, process) = (mean(runs, |run| run.memory / 1e6), mean(runs, |run| run.process));
            outcome.estimate_detail(format!("{who}: time per {}", runs[0].timing.unit), &unit, "ms");
            outcome.estimate_detail(format!("{who}: process"), &process, "s");
            outcome.estimate_detail(format!("{who}: peak memory"), &memory, "MB");
            outcome.detail(format!("{who}: check"), runs[0].timing.check, runs[0].timing.check_error, "1");
        }
        if let (Task::Step, Some(case)) = (self.task, &comparison.case) {
            shares_of_the_machine(&mut outcome, case, sides)?;
        }
        let bars = sides.map(|(who, runs)| (who.to_owned(), mean(runs, |run| self.number(run) * scale)));
        let caption = format!(
            "Mean and standard error of {} rounds, in turns on the same {THREADS} cores; less is better. The other program: {}.",
            self.rounds, peers[0].timing.note
        );
        let id = format!("side-by-side-{}", self.slug());
        outcome.figures.push(figure(&id, &title, &caption, vec![from_zero(ranking("", &axis, &bars), &bars)]));
        Ok(outcome)
    }
}

impl SideBySide {
    /// The runs of ours and of the peer's.
    fn in_turns(&self, context: &Context, title: &str, comparison: &PeerComparison) -> Result<[Vec<Run>; 2], Error> {
        context.bar.start(2 * self.rounds as u64, title);
        let (mut ours, mut peers) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            // Alternate which program runs first, so that cache and thermal state favour neither.
            for first in [round % 2 == 0, round % 2 == 1] {
                match first {
                    true => ours.push(comparison.ours.run()?),
                    false => peers.push(comparison.peer.run()?),
                }
                context.bar.advance(1);
            }
        }
        context.bar.finish();
        Ok([ours, peers])
    }

    /// The number that decides.
    fn number(&self, run: &Run) -> f64 {
        match self.measure {
            Measure::Unit => run.timing.median(),
            Measure::Process => run.process,
            Measure::Memory => run.memory,
        }
    }

    fn ours_name(&self) -> &'static str {
        match (self.task, self.is_embedded()) {
            (Task::Features, true) => "elbow, embedded",
            (Task::Features, false) => "elbow, ONNX Runtime",
            _ => "elbow",
        }
    }

    /// Whether our features come from the embedded runtime.
    fn is_embedded(&self) -> bool {
        self.ours.iter().any(|word| word == "none")
    }

    fn slug(&self) -> String {
        let parts =
            [format!("{:?}-{:?}", self.task, self.measure).to_lowercase(), self.preset.clone().unwrap_or_default()];
        let text = [parts.join("-"), self.peer.join("-"), self.ours.join("-")].join("-");
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
    }
}

/// A ranking whose axis begins at zero, so that lengths are in proportion.
fn from_zero(mut panel: Panel, numbers: &[(String, Estimate)]) -> Panel {
    if let Panel::Plot { x, .. } = &mut panel {
        let ends = numbers.iter().map(|(_, number)| number.value + number.standard_error);
        x.range = Some((0.0, 1.05 * ends.fold(f64::MIN_POSITIVE, f64::max)));
    }
    panel
}

/// The mean over runs.
fn mean(runs: &[Run], number: impl Fn(&Run) -> f64) -> Estimate {
    Estimate::of(&runs.iter().map(number).collect::<Vec<_>>())
}

/// The share of the machine's best matrix product that the steps of each program reach.
fn shares_of_the_machine(outcome: &mut Outcome, case: &Case, sides: [(&str, &[Run]); 2]) -> Result<(), Error> {
    let plan = Plan::new(&case.settings, &DataShape::of(case.data.as_ref()))?;
    let operations = plan.total_operations / case.settings.steps as f64;
    let machine = measure_machine();
    outcome.detail("best matrix product of the machine (f32)", machine.gflops, None, "GFLOP/s");
    outcome.detail("bandwidth of the machine", machine.gigabytes, None, "GB/s");
    for (who, runs) in sides {
        let name = format!("{who}: share of the best matrix product, if all logits were made");
        let rate = operations / mean(runs, |run| run.timing.median()).value;
        outcome.detail(name, rate / 1e9 / machine.gflops, None, "1");
    }
    Ok(())
}

/// Refuses a comparison of programs whose checks differ: they did not do the same work.
fn same_work(ours: &[Run], peers: &[Run]) -> Result<(), Error> {
    for (ours, peer) in ours.iter().zip(peers) {
        let (a, b) = (&ours.timing, &peer.timing);
        let apart = (a.check - b.check).abs();
        let allowed = match (a.check_error, b.check_error) {
            (Some(x), Some(y)) => SAME_LAW * x.hypot(y),
            _ => SAME_WORK * b.check.abs(),
        };
        if apart.is_nan() || apart > allowed {
            let what = format!(
                "the two did not do the same work: their checks are {} ({}) and {} ({})",
                a.check, a.note, b.check, b.note
            );
            return Err(Error::environment(what, "compare the two programs, and their versions"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::Timing;

    fn runs(checks: &[f64], check_error: Option<f64>) -> Vec<Run> {
        let timing =
            |check| Timing { unit: "step".into(), seconds: vec![1.0], check, check_error, note: String::new() };
        checks.iter().map(|&check| Run { timing: timing(check), process: 1.0, memory: 1.0 }).collect()
    }

    #[test]
    fn unequal_work_is_refused() {
        let same = |a: &[f64], b: &[f64], error| same_work(&runs(a, error), &runs(b, error)).is_ok();
        assert!(same(&[4.0, 4.0], &[4.0, 4.0 * (1.0 + SAME_WORK / 2.0)], None));
        assert!(!same(&[4.0], &[4.0 * (1.0 + 2.0 * SAME_WORK)], None), "witness: another number");
        assert!(!same(&[4.0, 5.0], &[4.0, 4.0], None), "witness: only the first round agrees");
        assert!(!same(&[f64::NAN], &[4.0], None), "witness: no number");
        assert!(same(&[4.0], &[4.6], Some(0.1)), "4.2 standard errors");
        assert!(!same(&[4.0], &[4.8], Some(0.1)), "witness: 5.7 standard errors");
    }
}
