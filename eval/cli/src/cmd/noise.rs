//! `elbow noise`: corrupted inputs for a program that keeps its network.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use clap::builder::PossibleValuesParser;
use elbow_arrays::NpzReader;
use elbow_base::Error;
use elbow_harness::losses::{Noise, NoiseFile, is_noise};
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{Spec, Split, TextOptions};
use elbow_impls::train::ObjectiveConfig;
use serde_json::json;

use crate::flags::{OutputFlags, TextFlags, one_of};

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow noise digits --objective any-order -o noise.npz
  elbow noise ./test.txt --alphabet text8 --length 256 --objective md4 --set schedule=cosine -o noise.npz
  elbow noise cifar10 --objective vdm --sequences 500 -o noise.npz

Your program reads z and t (and class), and writes the log-probability of each hidden token, or its
prediction of each point; `elbow judge` gives the bound with its error. The file holds:

  z         [n, length]     corrupted ids, with mask_id where a token is hidden; or noisy points
  t         [n]             the time; log_snr [n] beside it for points
  hidden    [n, length]     which tokens are to be predicted
  x         [sequences, length]   the tokens themselves: x[sequence] has the shape of z
  sequence, draw  [n]       which sequence, and which draw of it
  class     [sequences]     where the data have labels
  id                        to be saved beside the answers

The objective says which noise is drawn. any-order (k-DCE) needs the fewest calls, for a masked model
that sees no time. The log-SNR of points is log(alpha^2 / sigma^2), and z = alpha x + sigma eps with
alpha^2 + sigma^2 = 1 and value v of V at (2v + 1)/V - 1.")]
pub struct Arguments {
    /// Data set, by name or file
    #[arg(id = "set", value_name = "DATA")]
    data: String,
    /// The process that the model was trained for
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(ObjectiveConfig::bounds()))]
    objective: String,
    /// A setting of the objective's bound, may be given again: schedule, timesteps (0: continuous time), protocol, form, kernel
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Part of the data set; images have train and test
    #[arg(long, value_name = "NAME", default_value = "test", value_parser = one_of::<Split>())]
    split: Split,
    /// What cuts a text into tokens: text8, bytes or tokenizer:FILE
    #[arg(long, value_name = "NAME")]
    alphabet: Option<String>,
    /// Tokens per sequence of a text, 1 to 1,000,000
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    length: Option<u32>,
    /// The mask token of the tokenizer, or its id, where the tokenizer holds it
    #[arg(long, value_name = "ID")]
    mask_id: Option<String>,
    #[command(flatten)]
    text: TextFlags,
    /// Stratified draws of the noise for each sequence, 1 to 100,000
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    draws: u32,
    /// Only the first N sequences of the split, 2 or more
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    sequences: Option<u64>,
    #[command(flatten)]
    output: OutputFlags,
}

impl Arguments {
    /// The first option that was given and is for texts alone.
    fn of_text(&self) -> Option<&'static str> {
        let Self { alphabet, length, mask_id, text, .. } = self;
        let given = [("alphabet", alphabet.is_some()), ("length", length.is_some()), ("mask-id", mask_id.is_some())];
        given.into_iter().find_map(|(name, given)| given.then_some(name)).or(text.changes().first())
    }

    /// The settings of the objective.
    fn changes(&self) -> Result<BTreeMap<String, String>, Error> {
        let pair = |pair: &String| match pair.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(Error::input(format!("--set {pair}"), "write KEY=VALUE")),
        };
        self.settings.iter().map(pair).collect()
    }
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let path = &arguments.output.path;
    let of_kind = |path: &Path| NpzReader::open(path).is_ok_and(|npz| is_noise(&npz));
    arguments.output.check(&[Path::new(&arguments.data)], of_kind)?;
    let changes = arguments.changes()?;
    ObjectiveConfig::of_bound(&arguments.objective, &changes)?;
    let mut text = TextOptions { mask_id: arguments.mask_id.clone(), ..TextOptions::default() };
    arguments.text.changes().apply(&mut text);
    let spec = Spec {
        text,
        alphabet: arguments.alphabet.clone(),
        length: arguments.length.map(|length| length as usize),
        ..Spec::new(&arguments.data, arguments.split)
    };
    let data = workspace.open(&spec)?;
    if let (Some(option), None) = (arguments.of_text(), data.text()) {
        return Err(Error::input(format!("--{option}: {} is no text", data.name()), "leave it out"));
    }
    let noise = Noise {
        objective: &arguments.objective,
        settings: changes,
        data: data.as_ref(),
        draws: arguments.draws as usize,
        sequences: arguments.sequences.map(|sequences| sequences as usize),
        seed: workspace.seed,
    };
    let noise = noise.draw(&workspace.device, workspace.bar.as_ref())?;
    noise.write(path).map_err(crate::hints::written_by("-o FILE"))?;
    let result = json!({
        "file": path, "id": noise.id(), "rows": noise.rows(), "sequences": noise.x.len(), "length": noise.x.length(),
        "settings": noise.settings,
    });
    workspace.print(&result, || describe(path, &noise))
}

fn describe(path: &Path, noise: &NoiseFile) -> String {
    let NoiseFile { settings, x, .. } = noise;
    format!(
        "{}: {} inputs of {} tokens, {} draws of {} sequences of {}, {}\n  judge the answers with: elbow judge LOSSES.npz --noise {}",
        path.display(),
        noise.rows(),
        x.length(),
        settings.draws,
        x.len(),
        settings.data.name,
        settings.objective,
        path.display()
    )
}
