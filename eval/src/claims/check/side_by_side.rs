//! Check: our program and another one on the same problem, in turns.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use impls::train::{DataShape, Plan};
use reports::record::Input;
use serde::Deserialize;
use serde_json::Value;

use super::{Outcome, figure, ranking};
use crate::cmd::bench::{Case, Timing, measure_machine};
use crate::failure::Failure;
use crate::likelihood::Estimate;
use crate::workspace::Workspace;

/// Where the peers lie, from the root of the repository.
const PEERS: &str = "eval/benches/compare/peers";
/// How far two checks of the same work may be apart, relative to their size: f32 sums of other orders. Measured: 4.0e-6 (FID).
const SAME_WORK: f64 = 2e-5;
/// Images of the comparison of features.
const IMAGES: usize = 200;
/// Stands among our arguments for the runtime that is built in.
const EMBEDDED: &str = "embedded";
/// Random checks may be this many standard errors apart.
const SAME_LAW: f64 = 5.0;

/// A comparison.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideBySide {
    task: Task,
    measure: Measure,
    /// Preset of a case (step, sample).
    preset: Option<String>,
    /// The peer's script and arguments, after those of the problem.
    peer: Vec<String>,
    /// Our arguments, after those of the problem.
    ours: Vec<String>,
    /// How often both are run, in turns.
    rounds: usize,
    /// How long each measures itself, seconds.
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

/// One run of one program.
struct Run {
    timing: Timing,
    /// Wall-clock seconds of the process.
    process: f64,
    /// Peak resident bytes.
    memory: f64,
}

/// How a program is called.
#[derive(Default)]
struct Program {
    /// The ONNX Runtime that it is given, where it wants one.
    onnx_runtime: Option<String>,
    words: Vec<String>,
    /// Units of the whole process, where the program does not time them itself.
    units: Option<f64>,
}

/// The two programs.
struct Contest {
    ours: Program,
    peer: Program,
    case: Option<Case>,
}

impl SideBySide {
    /// Times are no function of the inputs: a row is made again when the program or the claim changes.
    pub fn inputs(&self, _: &Workspace) -> Result<Vec<Input>, Failure> {
        Ok(Vec::new())
    }

    pub fn run(&self, workspace: &Workspace) -> Result<Outcome, Failure> {
        let python = workspace.peers.as_ref().ok_or_else(|| {
            Failure::environment("no Python for the peers", "run `just bench compare`, or name it with --peers")
        })?;
        let contest = self.contest(workspace, python)?;
        let name = self.peer.join(" ");
        workspace.bar.start(2 * self.rounds as u64, &format!("{} beside {name}", self.ours_name()));
        let (mut ours, mut peers) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            // Whoever is second finds the machine as the first left it: they take turns in that too.
            for first in [round % 2 == 0, round % 2 == 1] {
                match first {
                    true => ours.push(contest.ours.run()?),
                    false => peers.push(contest.peer.run()?),
                }
                workspace.bar.advance(1);
            }
        }
        workspace.bar.finish();
        same_work(&ours, &peers)?;
        let logs: Vec<f64> = ours.iter().zip(&peers).map(|(a, b)| (self.number(b) / self.number(a)).ln()).collect();
        let ratio = Estimate::of(&logs);
        let value = ratio.value.exp();
        let what = match self.measure {
            Measure::Unit => format!("seconds a {} of the peer / ours", ours[0].timing.unit),
            Measure::Process => "seconds of the peer's process / ours".to_owned(),
            Measure::Memory => "peak memory of the peer / ours".to_owned(),
        };
        let mut outcome =
            Outcome::exact(&what, value, "times").over(self.rounds, "rounds").with_error(value * ratio.standard_error);
        let sides = [(self.ours_name(), &ours), (name.as_str(), &peers)];
        for (who, runs) in sides {
            let mean = |f: &dyn Fn(&Run) -> f64| Estimate::of(&runs.iter().map(f).collect::<Vec<_>>());
            let unit = mean(&|run| run.timing.median() * 1e3);
            let (unit_name, memory, process) =
                (&runs[0].timing.unit, mean(&|run| run.memory / 1e6), mean(&|run| run.process));
            outcome.detail(format!("{who}: a {unit_name}"), unit.value, Some(unit.standard_error), "ms");
            outcome.detail(format!("{who}: process"), process.value, Some(process.standard_error), "s");
            outcome.detail(format!("{who}: peak memory"), memory.value, Some(memory.standard_error), "MB");
            outcome.detail(format!("{who}: check"), runs[0].timing.check, runs[0].timing.check_error, "1");
        }
        if let (Task::Step, Some(case)) = (self.task, &contest.case) {
            let plan = Plan::new(&case.settings, &DataShape::of(case.data.as_ref()))?;
            let operations = plan.total_operations / case.settings.steps as f64;
            let machine = measure_machine();
            outcome.detail("peak of the machine (f32 products)", machine.gflops, None, "GFLOP/s");
            outcome.detail("bandwidth of the machine", machine.gigabytes, None, "GB/s");
            for (who, runs) in sides {
                let rate = operations / Estimate::of(&runs.iter().map(|r| r.timing.median()).collect::<Vec<_>>()).value;
                outcome.detail(format!("{who}: share of the peak"), rate / 1e9 / machine.gflops, None, "1");
            }
        }
        let bars = sides.map(|(who, runs)| {
            let scale = if self.measure == Measure::Unit { 1e3 } else { 1.0 };
            let numbers: Vec<f64> = runs.iter().map(|run| self.number(run) * scale).collect();
            (who.to_owned(), Estimate::of(&numbers))
        });
        let axis = match self.measure {
            Measure::Unit => format!("ms a {}", ours[0].timing.unit),
            Measure::Process => "s".to_owned(),
            Measure::Memory => "bytes".to_owned(),
        };
        let caption = format!(
            "Mean and standard error of {} rounds, in turns on the same cores; shorter is better.",
            self.rounds
        );
        let id = format!("side-by-side-{}", self.slug());
        outcome.figures.push(figure(
            &id,
            &format!("{} beside {}", self.ours_name(), name),
            &caption,
            vec![ranking("", &axis, &bars)],
        ));
        Ok(outcome)
    }

    /// What decides.
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
        self.ours.iter().any(|word| word == EMBEDDED)
    }

    fn slug(&self) -> String {
        let parts =
            [format!("{:?}-{:?}", self.task, self.measure).to_lowercase(), self.preset.clone().unwrap_or_default()];
        let text = [parts.join("-"), self.peer.join("-"), self.ours.join("-")].join("-");
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
    }

    /// Writes the problem and says how both are called.
    fn contest(&self, workspace: &Workspace, python: &Path) -> Result<Contest, Failure> {
        let folder = workspace.out.join("bench");
        workspace.make_folder(&folder)?;
        let (elbow, root) = (std::env::current_exe().map_err(|e| Failure::internal(e.to_string()))?, Path::new(PEERS));
        if !root.is_dir() {
            return Err(Failure::environment(format!("{PEERS} is not here"), "run in the root of the repository"));
        }
        let text = |path: &Path| path.display().to_string();
        let prepare = |script: &str, place: &Path, options: &[&str]| -> Result<(), Failure> {
            if !place.exists() {
                let mut command = vec![text(python), text(&root.join(script)), text(place)];
                command.extend(options.iter().map(|&option| option.to_owned()));
                Program { words: command, ..Program::default() }.finish()?;
            }
            Ok(())
        };
        let mut ours = Program { words: vec![text(&elbow)], ..Program::default() };
        let mut case = None;
        let verb = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let mut problem: Vec<PathBuf> = Vec::new();
        match self.task {
            Task::Step | Task::Sample => {
                let preset = self.preset.as_ref().ok_or_else(|| Failure::internal("the claim names no preset"))?;
                let place = folder.join(preset);
                case = Some(Case::write(&workspace.hushed(), preset, &["steps=20".to_owned()], &place)?);
                ours.words.extend(verb(&["bench", if self.task == Task::Step { "step" } else { "sample" }]));
                problem.push(place);
            }
            Task::Trace => {
                let place = folder.join("trace");
                prepare("prepare_trace.py", &place, &["--dimension", "2048"])?;
                ours.words.extend(verb(&["bench", "trace"]));
                problem.extend(["a.npz", "b.npz"].map(|name| place.join(name)));
            }
            Task::Enumeration => {
                let toy = folder.join("toy.json");
                prepare("prepare_toy.py", &toy, &["--states", "9", "--length", "6"])?;
                ours.words.extend(verb(&["bench", "enumeration"]));
                problem.push(toy);
            }
            Task::Features => {
                let place = folder.join("images");
                prepare("prepare_features.py", &place, &["--images", &IMAGES.to_string()])?;
                let (weights, network) = (place.join("seeded.pth"), place.join("seeded.onnx"));
                if !network.exists() {
                    let words =
                        vec![text(&elbow), "fid".into(), "export".into(), text(&weights), "-o".into(), text(&network)];
                    Program { words, ..Program::default() }.finish()?;
                }
                ours.units = Some(IMAGES as f64);
                if !self.is_embedded() {
                    ours.onnx_runtime = Some(onnx_runtime(python)?);
                }
                ours.words.extend(verb(&["fid", "calc", "--convention", "tf", "--metrics", "fd", "--blocks", "0"]));
                ours.words.extend(["--no-cache".to_owned(), "--network".to_owned(), text(&network)]);
                problem.extend(["a", "b"].map(|name| place.join(name)));
            }
        }
        let problem: Vec<String> = problem.iter().map(|path| text(path)).collect();
        let seconds = ["--seconds".to_owned(), self.seconds.to_string()];
        ours.words.extend(problem.iter().cloned());
        ours.words.extend(self.ours.iter().filter(|word| *word != EMBEDDED).cloned());
        ours.words.extend(["--json".to_owned(), "--quiet".to_owned()]);
        if let Some(data) = workspace.data_flag() {
            ours.words.extend(["--data".to_owned(), text(data)]);
        }
        if ours.units.is_none() {
            ours.words.extend(seconds.clone());
        }
        let mut words = vec![text(python), text(&root.join(&self.peer[0]))];
        words.extend(problem);
        if self.task == Task::Features {
            words.push(text(&folder.join("images").join("seeded.pth")));
        }
        words.extend(self.peer[1..].iter().cloned());
        words.extend(seconds);
        Ok(Contest { ours, peer: Program { words, ..Program::default() }, case })
    }
}

/// The native library that the peers' environment holds.
fn onnx_runtime(python: &Path) -> Result<String, Failure> {
    let script = "import onnxruntime, pathlib; \
                  print(next((pathlib.Path(onnxruntime.__file__).parent / 'capi').glob('libonnxruntime.so.*')))";
    let words = vec![python.display().to_string(), "-c".into(), script.into()];
    Ok(Program { words, ..Program::default() }.finish()?.0.trim().to_owned())
}

impl Program {
    /// Runs it once and reads what it says of itself.
    fn run(&self) -> Result<Run, Failure> {
        let (output, process, memory) = self.finish()?;
        let unreadable = |what: String| Failure::internal(format!("{}: {what}", self.words.join(" ")));
        let start = output.find('{').ok_or_else(|| unreadable("it printed no JSON".into()))?;
        let answer: Value = serde_json::from_str(&output[start..]).map_err(|e| unreadable(e.to_string()))?;
        let timing = match self.units {
            None => serde_json::from_value(answer).map_err(|e| unreadable(e.to_string()))?,
            Some(units) => {
                let check = answer["value"].as_f64().ok_or_else(|| unreadable("no value".into()))?;
                let (unit, note) = ("image".to_owned(), String::new());
                Timing { unit, seconds: vec![process / units], check, check_error: None, note }
            }
        };
        Ok(Run { timing, process, memory })
    }

    /// Runs it to its end: output, wall-clock seconds and peak resident bytes.
    fn finish(&self) -> Result<(String, f64, f64), Failure> {
        let failed = |what: String| {
            let fix = "install eval/benches/compare/requirements.txt, as `just bench compare` does";
            Failure::environment(format!("{}: {what}", self.words.join(" ")), fix)
        };
        let clock = Instant::now();
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdout(Stdio::piped()).stderr(Stdio::piped());
        match &self.onnx_runtime {
            Some(library) => command.env("ORT_DYLIB_PATH", library),
            None => command.env_remove("ORT_DYLIB_PATH"),
        };
        let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
        // Read beside each other: a full pipe would stop the child.
        let errors = child.stderr.take().map(|mut errors| {
            std::thread::spawn(move || {
                let mut text = String::new();
                errors.read_to_string(&mut text).map(|_| text).unwrap_or_default()
            })
        });
        let mut output = String::new();
        if let Some(stdout) = &mut child.stdout {
            stdout.read_to_string(&mut output).map_err(|e| failed(e.to_string()))?;
        }
        let (status, memory) = waited(child.id()).map_err(failed)?;
        let seconds = clock.elapsed().as_secs_f64();
        let errors = errors.and_then(|errors| errors.join().ok()).unwrap_or_default();
        match status {
            0 => Ok((output, seconds, memory)),
            _ => Err(failed(errors.lines().last().unwrap_or("it failed").to_owned())),
        }
    }
}

/// Waits for a process: its status and its peak resident bytes.
fn waited(id: u32) -> Result<(i32, f64), String> {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid one, and both pointers are to live values.
    let (found, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(id as libc::pid_t, &mut status, 0, &mut usage), usage)
    };
    if found < 0 {
        return Err(std::io::Error::last_os_error().to_string());
    }
    // Linux counts kibibytes.
    Ok((status, usage.ru_maxrss as f64 * 1024.0))
}

/// Refuses a comparison of programs that did not do the same.
fn same_work(ours: &[Run], peers: &[Run]) -> Result<(), Failure> {
    let (a, b) = (&ours[0].timing, &peers[0].timing);
    let apart = (a.check - b.check).abs();
    let allowed = match (a.check_error, b.check_error) {
        (Some(x), Some(y)) => SAME_LAW * x.hypot(y),
        _ => SAME_WORK * b.check.abs(),
    };
    match apart <= allowed {
        true => Ok(()),
        false => Err(Failure::internal(format!("they did not do the same work: {} here, {} there", a.check, b.check))),
    }
}
