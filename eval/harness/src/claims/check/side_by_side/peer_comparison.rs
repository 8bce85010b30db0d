//! One problem, written to files, and the command line of each program for it.

use std::path::{Path, PathBuf};

use elbow_base::Error;

use super::program::{Program, onnx_runtime};
use super::{PEERS, SideBySide, Task};
use crate::claims::context::Context;
use crate::timing::Case;

/// Number of images in the comparison of features.
const IMAGES: usize = 100;

/// The two programs.
pub struct PeerComparison {
    pub ours: Program,
    pub peer: Program,
    /// The problem of a step or a sample.
    pub case: Option<Case>,
}

/// The problem that both programs solve.
struct Problem {
    /// Our verb with its options.
    verb: Vec<String>,
    /// The problem's files, arguments of both.
    files: Vec<PathBuf>,
    /// Arguments of the peer alone.
    peers: Vec<PathBuf>,
    case: Option<Case>,
    /// Units of our whole process, where it does not time them itself.
    units: Option<f64>,
}

impl Problem {
    fn new(verb: &[&str], files: Vec<PathBuf>) -> Self {
        let verb = verb.iter().map(|&word| word.to_owned()).collect();
        Self { verb, files, peers: Vec::new(), case: None, units: None }
    }
}

impl PeerComparison {
    /// Writes the problem and makes both command lines.
    pub fn new(check: &SideBySide, context: &Context, python: &Path) -> Result<Self, Error> {
        let folder = context.out.join("bench");
        context.make_folder(&folder)?;
        if !Path::new(PEERS).is_dir() {
            return Err(Error::environment(format!("{PEERS} is not here"), "run in the root of the repository"));
        }
        let elbow = text(&std::env::current_exe().map_err(|e| Error::internal(e.to_string()))?);
        let problem = check.problem(context, python, &elbow, &folder)?;
        let files = problem.files.iter().map(|path| text(path));
        let seconds = ["--seconds".to_owned(), check.seconds.to_string()];
        let mut ours: Vec<String> = std::iter::once(elbow).chain(problem.verb).chain(files.clone()).collect();
        ours.extend(check.ours.iter().cloned());
        ours.extend(["--json".to_owned(), "--quiet".to_owned()]);
        ours.extend(context.given_data().iter().flat_map(|data| ["--data".to_owned(), text(data)]));
        if problem.units.is_none() {
            ours.extend(seconds.clone());
        }
        let mut peer = vec![text(python), text(&Path::new(PEERS).join(&check.peer[0]))];
        peer.extend(files.chain(problem.peers.iter().map(|path| text(path))));
        peer.extend(check.peer[1..].iter().cloned().chain(seconds));
        Ok(Self {
            ours: Program { words: ours, units: problem.units },
            peer: Program { words: peer, units: None },
            case: problem.case,
        })
    }
}

impl SideBySide {
    fn problem(&self, context: &Context, python: &Path, elbow: &str, folder: &Path) -> Result<Problem, Error> {
        match self.task {
            Task::Step | Task::Sample => {
                let preset = self.preset.as_ref().ok_or_else(|| Error::internal("the claim names no preset"))?;
                let place = folder.join(preset);
                let case = Case::write(&context.hushed(), preset, &[], &place)?;
                let verb = if self.task == Task::Step { "step" } else { "sample" };
                Ok(Problem { case: Some(case), ..Problem::new(&["bench", verb], vec![place]) })
            }
            Task::Trace => {
                let place = folder.join("trace");
                prepare(python, "prepare_trace.py", &place, &["--dimension", "2048"])?;
                Ok(Problem::new(&["bench", "trace"], ["a.npz", "b.npz"].map(|name| place.join(name)).into()))
            }
            Task::Enumeration => {
                let toy = folder.join("toy.json");
                prepare(python, "prepare_toy.py", &toy, &["--states", "9", "--length", "6"])?;
                Ok(Problem::new(&["bench", "enumeration"], vec![toy]))
            }
            Task::Features => {
                let place = folder.join("images");
                prepare(python, "prepare_features.py", &place, &["--images", &IMAGES.to_string()])?;
                let (weights, network) = (place.join("seeded.pth"), place.join("seeded.onnx"));
                if !network.exists() {
                    let words = [elbow, "fid", "export", &text(&weights), "-o", &text(&network)];
                    Program { words: words.map(str::to_owned).into(), units: None }.finish()?;
                }
                let verb = ["fid", "calc", "--convention", "tf", "--metrics", "fd", "--blocks", "0", "--no-cache"];
                let mut problem = Problem::new(&verb, ["a", "b"].map(|name| place.join(name)).into());
                problem.verb.extend(["--network".to_owned(), text(&network)]);
                if !self.is_embedded() {
                    problem.verb.extend(["--ort-lib".to_owned(), onnx_runtime(python)?]);
                }
                Ok(Problem { peers: vec![weights], units: Some(IMAGES as f64), ..problem })
            }
        }
    }
}

/// Runs a peer's script that writes a file or a folder, unless it is there.
fn prepare(python: &Path, script: &str, place: &Path, options: &[&str]) -> Result<(), Error> {
    if place.exists() {
        return Ok(());
    }
    // It has another name until it is complete.
    let part = place.with_extension("part");
    if part.is_dir() {
        std::fs::remove_dir_all(&part).map_err(Error::writing(&part))?;
    }
    let mut words = vec![text(python), text(&Path::new(PEERS).join(script)), text(&part)];
    words.extend(options.iter().map(|&option| option.to_owned()));
    Program { words, units: None }.finish()?;
    std::fs::rename(&part, place).map_err(Error::writing(place))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
