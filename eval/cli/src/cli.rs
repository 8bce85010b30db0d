//! The command line: arguments, dispatch, exit codes.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use elbow_base::{Error, Kind, Progress};
use elbow_harness::device;
use elbow_harness::shards::{Merged, Shards};
use elbow_harness::workspace::{Printed, Workspace};
use elbow_impls::data::InMemory;

use crate::flags::{Devices, PartOf, form, of_all_parts};
use crate::{allocator, cmd, hints};

/// What a newcomer reads last.
const FIRST_STEPS: &str = "First steps:
  elbow doctor                     # what this machine has, and what is missing
  elbow eval theory                # exact claims, in half a minute; then `elbow report --open`
  elbow train md4-digits           # a small model; it says how to measure it and how to sample it
  elbow model check FILE           # a denoiser of your own: ONNX with a model file; then `elbow likelihood --model FILE`
  elbow fid calc MINE/ THEIRS/     # two folders of images
  elbow COMMAND --help             # each command with examples";

/// Benchmarks and evaluates diffusion models: bounds, weightings, likelihoods and Frechet distances that can be
/// trusted.
#[derive(Parser)]
#[command(name = "elbow", version, arg_required_else_help = true, max_term_width = 110, after_help = FIRST_STEPS)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Args)]
struct Common {
    /// Print one JSON document on stdout
    #[arg(long, global = true)]
    json: bool,
    /// Seed of every random number, 0 or more
    #[arg(long, global = true, default_value_t = 0)]
    seed: u64,
    /// Where to compute: cpu or, in builds with the feature cuda or wgpu, cuda:N or wgpu:N; training shares its steps among
    /// several, as in cuda:0,cuda:1. The feature network of `fid` takes cuda:N in every build
    #[arg(long, global = true, default_value = "cpu", value_parser = form::<Devices>)]
    device: Devices,
    /// Folder for results
    #[arg(long, global = true, default_value = "out", value_name = "DIR")]
    out: PathBuf,
    /// Folder with data, searched first; may be given again. Then: fixtures, the folders of $ELBOW_DATA, elbow in the
    /// user's data folder ($XDG_DATA_HOME), data beside the program, and what the program carries
    #[arg(long, global = true, value_name = "DIR")]
    data: Vec<PathBuf>,
    /// No progress on stderr
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Run suites of claims; write rows, verdicts and the report
    Eval(cmd::eval::Arguments),
    /// Claims of your own: check their files, complete them in an editor, write one
    #[command(subcommand)]
    Claims(cmd::claims::Task),
    /// The exact cascade of bounds for a toy distribution
    #[command(subcommand)]
    Theory(cmd::theory::Process),
    /// Train a model from a preset; resumes by itself
    Train(cmd::train::Arguments),
    /// Likelihood bound of a run or of your own model: bits/dim, bits/char, perplexity, with standard errors
    Likelihood(cmd::likelihood::Arguments),
    /// The difference of two models' bounds under the same noise, or of two sets' distances, with its error
    Compare(cmd::compare::Arguments),
    /// Corrupted inputs for a program that keeps its network: for `elbow judge`
    Noise(cmd::noise::Arguments),
    /// The bound of a program from its log-probabilities of the inputs of `elbow noise`
    Judge(cmd::judge::Arguments),
    /// Draw samples from a run or from your own model
    Sample(cmd::sample::Arguments),
    /// Shards of one command, put together: the bytes of the command as a whole
    Merge(cmd::merge::Arguments),
    /// Generative perplexity against entropy of models over temperatures, compared at equal entropy
    Frontier(cmd::frontier::Arguments),
    /// Published weights of an MDLM transformer as a run
    Import(cmd::import::Arguments),
    /// Your own models: ONNX denoisers with a model file
    #[command(subcommand)]
    Model(cmd::model::Task),
    /// Distances between sets of images: FID and its family
    #[command(subcommand)]
    Fid(cmd::fid::Task),
    /// How long this machine takes: steps, samples, distances, enumerations
    #[command(subcommand)]
    Bench(cmd::bench::Task),
    /// Render recorded results again
    Report(cmd::report::Arguments),
    /// What this machine has, and what to do about what is missing
    Doctor,
}

/// The program: [`run`] on the process's arguments, with an allocator that suits them.
pub fn main() -> ExitCode {
    allocator::suit(std::env::args_os());
    quiet_driver();
    ExitCode::from(run(std::env::args_os()))
}

/// Runs the program on these arguments, of which the first is its name, and leaves the settings of the process alone.
///
/// Exit codes: 0 done, 1 a claim was refuted or a threshold does not hold, 2 bad usage or input, 3 something is missing in the environment,
/// 4 internal error.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(told) => {
            // Help and version are such errors too.
            let _ = told.print();
            return u8::try_from(told.exit_code()).unwrap_or(2);
        }
    };
    let words: Vec<String> = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let done = cli.workspace_of(&words).and_then(|mut workspace| cli.verb.run_guarded(&mut workspace));
    done.unwrap_or_else(|failure| {
        // `eprintln!` would panic where stderr is a file on the disk that is full.
        let _ = writeln!(std::io::stderr(), "elbow: {}", hints::message(&failure));
        exit_code(&failure)
    })
}

/// What a program gives beside the words of a command that it calls as a function.
#[derive(Default)]
pub struct Given {
    /// Data sets that the words name.
    pub data: Vec<InMemory>,
    /// Words that stand for a file or a folder. Shards record the word, which is the same wherever the file lies.
    pub places: Vec<(String, String)>,
    /// Shards, or folders that hold them, whose numbers are taken in place of the work.
    pub merged: Vec<PathBuf>,
}

impl Given {
    fn place<'a>(&'a self, word: &'a str) -> &'a str {
        self.places.iter().find(|(name, _)| name == word).map_or(word, |(_, place)| place)
    }
}

/// What a command prints, for programs that call it as a function. `arguments` are without the program's name; progress goes
/// to `bar`.
pub fn call(arguments: &[String], given: Given, bar: Box<dyn Progress>) -> Result<Printed, Error> {
    let words = ["elbow", "--quiet"].into_iter().chain(arguments.iter().map(|word| given.place(word)));
    let cli = Cli::try_parse_from(words).map_err(usage)?;
    let mut workspace = cli.workspace_of(arguments)?;
    workspace.bar = bar;
    if !given.merged.is_empty() {
        let shards = Merged::read(&given.merged)?;
        shards.check_command(&of_all_parts(arguments))?;
        workspace.shards = Shards::merged(shards);
    }
    given.data.into_iter().for_each(|set| workspace.give(set));
    let kept = workspace.keep_results();
    cli.verb.run_guarded(&mut workspace).map_err(|failure| match workspace.shards.unmet() {
        Some(unmet) => {
            Error::input(failure.what, format!("make each part again with rounds = {}", unmet.rounds_needed))
        }
        None => failure,
    })?;
    Ok(kept.take())
}

/// Runs the command with these words where results are already awaited, with the numbers of its shards.
fn again(words: &[String], workspace: &mut Workspace) -> Result<u8, Error> {
    let words = ["elbow"].into_iter().chain(words.iter().map(String::as_str));
    let cli = Cli::try_parse_from(words).map_err(usage)?;
    // The numbers are made: no network is asked, and its device need not be here.
    workspace.run_as(cli.workspace(!cli.verb.asks_networks_of_merged())?);
    cli.verb.run(workspace)
}

/// What is wrong with the words of a command, and the tip where there is one.
fn usage(told: clap::Error) -> Error {
    let text = told.to_string();
    let mut parts = text.split("\n\n").map(str::trim);
    let what = parts.next().unwrap_or_default().trim_start_matches("error: ");
    Error::input(what, parts.find_map(|part| part.strip_prefix("tip: ")).unwrap_or_default())
}

impl Cli {
    /// The workspace of a command with these words, which may be a part of a work.
    fn workspace_of(&self, words: &[String]) -> Result<Workspace, Error> {
        let mut workspace = self.workspace(false)?;
        if let Some(part) = self.verb.part()? {
            workspace.shards = part.shards(words, &workspace.out)?;
        }
        Ok(workspace)
    }

    fn workspace(&self, without_device: bool) -> Result<Workspace, Error> {
        let Common { json, seed, device, out, data, quiet } = &self.common;
        // The feature network has a device of its own, ONNX Runtime's; the doctor looks without opening.
        let elsewhere = match &self.verb {
            Verb::Fid(_) | Verb::Doctor => device.on_gpu,
            Verb::Compare(arguments) => device.on_gpu && arguments.is_of_sets(),
            _ => false,
        };
        let opened = if elsewhere || without_device { "cpu" } else { device.name.as_str() };
        let mut workspace = Workspace::new(out.clone(), data.clone(), *seed, opened, *quiet, *json)?;
        workspace.device_name.clone_from(&device.name);
        Ok(workspace)
    }
}

impl Verb {
    /// The part of the work that is asked for; none of a verb that has no parts.
    fn part(&self) -> Result<Option<PartOf<'_>>, Error> {
        Ok(match self {
            Self::Likelihood(arguments) => Some(arguments.shard.of("likelihood", arguments.rounds()?)),
            Self::Compare(arguments) => Some(arguments.shard.of("compare", arguments.rounds()?)),
            Self::Judge(arguments) => Some(arguments.shard.of("judge", None)),
            Self::Sample(arguments) => Some(arguments.shard.of("sample", None)),
            Self::Eval(arguments) => Some(arguments.shard.of("eval", None)),
            Self::Fid(task) => task.shard().map(|shard| shard.of("fid-stats", None)),
            _ => None,
        })
    }

    /// Whether the verb calls a network after its units.
    fn asks_networks_of_merged(&self) -> bool {
        matches!(self, Self::Sample(arguments) if arguments.has_judge())
    }

    /// The exit code of a command that ends without an error. A failure of a device while it computes is one.
    fn run_guarded(&self, workspace: &mut Workspace) -> Result<u8, Error> {
        let devices = workspace.device_name.clone();
        device::guarded(&devices, || self.run(workspace))
    }

    fn run(&self, workspace: &mut Workspace) -> Result<u8, Error> {
        match self {
            Self::Eval(arguments) => return cmd::eval::run(workspace, arguments),
            Self::Claims(task) => return cmd::claims::run(workspace, task),
            Self::Theory(process) => cmd::theory::run(workspace, process)?,
            Self::Train(arguments) => cmd::train::run(workspace, arguments)?,
            Self::Likelihood(arguments) => return cmd::likelihood::run(workspace, arguments),
            Self::Compare(arguments) => return cmd::compare::run(workspace, arguments),
            Self::Noise(arguments) => cmd::noise::run(workspace, arguments)?,
            Self::Judge(arguments) => return cmd::judge::run(workspace, arguments),
            Self::Sample(arguments) => return cmd::sample::run(workspace, arguments),
            Self::Merge(arguments) => return cmd::merge::run(workspace, arguments, again),
            Self::Frontier(arguments) => cmd::frontier::run(workspace, arguments)?,
            Self::Import(arguments) => cmd::import::run(workspace, arguments)?,
            Self::Model(task) => return cmd::model::run(workspace, task),
            Self::Fid(task) => return cmd::fid::run(workspace, task),
            Self::Bench(task) => cmd::bench::run(workspace, task)?,
            Self::Report(arguments) => cmd::report::run(workspace, arguments)?,
            Self::Doctor => cmd::doctor::run(workspace)?,
        }
        Ok(0)
    }
}

/// 2 bad usage or input, 3 something missing in the environment, 4 internal error.
fn exit_code(failure: &Error) -> u8 {
    match failure.kind {
        Kind::Input => 2,
        Kind::Environment => 3,
        Kind::Internal => 4,
    }
}

/// Mesa's Vulkan drivers ask the display which GPU it is on, and print an error where there is no display.
fn quiet_driver() {
    #[cfg(all(target_os = "linux", feature = "wgpu"))]
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() && std::env::var_os("DISPLAY").is_none() {
        // SAFETY: no other thread runs yet that could read the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use clap::{Arg, Command, CommandFactory};
    use elbow_base::Silent;

    use super::{Cli, Given, call};

    fn takes_a_number(arg: &Arg) -> bool {
        let numbers =
            [TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<usize>(), TypeId::of::<f32>(), TypeId::of::<f64>()];
        arg.get_action().takes_values() && numbers.iter().any(|number| arg.get_value_parser().type_id() == *number)
    }

    /// Whether a help names a range: "2 to 50", "1 or more", "above 0", "in (0, 1]", "any finite number".
    fn names_a_range(help: &str) -> bool {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit() || c == '-');
        let from_to = help
            .match_indices(" to ")
            .any(|(at, to)| digit(help[..at].chars().next_back()) && digit(help[at + to.len()..].chars().next()));
        let or_more = help.match_indices(" or more").any(|(at, _)| digit(help[..at].chars().next_back()));
        from_to || or_more || ["above 0", "in (0, 1]", "any finite number"].iter().any(|range| help.contains(range))
    }

    /// The options of a command and of those below it that take a number without naming its range.
    fn silent(command: &Command) -> Vec<String> {
        let help = |arg: &Arg| arg.get_help().map(ToString::to_string).unwrap_or_default();
        let own = command.get_arguments().filter(|arg| takes_a_number(arg) && !names_a_range(&help(arg)));
        let own = own.map(|arg| format!("{} --{}", command.get_name(), arg.get_id()));
        own.chain(command.get_subcommands().flat_map(silent)).collect()
    }

    #[test]
    fn every_number_of_the_command_line_names_its_range() {
        assert_eq!(silent(&Cli::command()), [""; 0]);
        let steps = |help: &'static str| {
            let steps = Arg::new("steps").long("steps").value_parser(clap::value_parser!(u32)).help(help);
            silent(&Command::new("elbow").subcommand(Command::new("draw").arg(steps)))
        };
        assert_eq!(steps("Steps, 1 or more"), [""; 0]);
        assert_eq!(steps("Steps from noise to data"), ["draw --steps"], "witness: a help without a range");
    }

    #[test]
    fn a_command_that_is_called_gives_what_it_would_print() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let toy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/toys/example-a.json");
        let places = vec![("the toy".to_owned(), toy.to_owned())];
        let given = Given { places, ..Given::default() };
        let line = [&words("theory masked --steps 2 --toy")[..], &["the toy".to_owned()]].concat();
        let printed = call(&line, given, Box::new(Silent));
        let printed = printed.expect("a cascade");
        let document: serde_json::Value = serde_json::from_str(&printed.json).expect("JSON");
        assert_eq!((&document["steps"], printed.text.contains("T = 2")), (&2.into(), true), "{}", printed.text);
        let wrong = call(&words("theory masked --toy toy.json --step 2"), Given::default(), Box::new(Silent)).err();
        let wrong = wrong.expect("no option");
        assert!(wrong.what.contains("--step") && wrong.advice.contains("--steps"), "{wrong}");
    }
}
