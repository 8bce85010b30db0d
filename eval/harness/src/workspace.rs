//! Where and how a command runs: device, folders, seed, output.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;
use elbow_base::{Error, Progress, Remedy, Silent};
use elbow_impls::data::catalogue::{self, Set};
use elbow_impls::data::{Dataset, InMemory, Reading, Spec};
use etcetera::{BaseStrategy, choose_base_strategy};

use crate::progress::Bar;
use crate::shards::Shards;
use crate::{bundled, device};

/// Where and how a command runs.
pub struct Workspace {
    /// Folder for results.
    pub out: PathBuf,
    /// Seed of every random number.
    pub seed: u64,
    /// The first of the devices.
    pub device: Device,
    /// All devices: training shares its steps among them.
    pub devices: Vec<Device>,
    /// The devices' names, separated by commas.
    pub device_name: String,
    /// Whether progress is hidden.
    pub quiet: bool,
    /// Whether results are printed as JSON.
    pub json: bool,
    /// Progress of long work.
    pub bar: Box<dyn Progress>,
    /// The part of the work that is done.
    pub shards: Shards,
    /// A Python in which the programs compared with elbow run.
    pub peers: Option<PathBuf>,
    data: Vec<PathBuf>,
    given: Vec<InMemory>,
    kept: Option<KeptResults>,
}

/// The results of a command, kept for the program that called it.
#[derive(Clone, Default)]
pub struct KeptResults(Arc<Mutex<Printed>>);

/// What a command would have printed.
#[derive(Default)]
pub struct Printed {
    /// Under `--json`.
    pub json: String,
    /// For a person.
    pub text: String,
    /// Numbers that are in neither, such as those of each sequence, by name.
    pub arrays: Vec<(String, Vec<f64>)>,
}

impl KeptResults {
    /// The results.
    pub fn take(&self) -> Printed {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Workspace {
    /// Opens the devices. `data`: folders with data, searched before all others.
    pub fn new(
        out: PathBuf,
        data: Vec<PathBuf>,
        seed: u64,
        device: &str,
        quiet: bool,
        json: bool,
    ) -> Result<Self, Error> {
        let devices = device.split(',').map(device::open).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            out,
            seed,
            device: devices[0].clone(),
            devices,
            device_name: device.to_owned(),
            quiet,
            json,
            bar: Box::new(Bar::new(quiet)),
            shards: Shards::whole(),
            peers: None,
            data,
            given: Vec::new(),
            kept: None,
        })
    }

    /// The same without a progress bar, for one of many parallel parts of a work.
    pub fn hushed(&self) -> Self {
        Self {
            out: self.out.clone(),
            device: self.device.clone(),
            devices: self.devices.clone(),
            device_name: self.device_name.clone(),
            bar: Box::new(Silent),
            shards: Shards::whole(),
            peers: self.peers.clone(),
            data: self.data.clone(),
            given: self.given.clone(),
            kept: self.kept.clone(),
            ..*self
        }
    }

    /// Takes seed, devices and folders with data of another: a command is run as there, and its results appear here.
    pub fn run_as(&mut self, other: Self) {
        let Self { seed, device, devices, device_name, data, .. } = other;
        self.data.extend(data);
        (self.seed, self.device, self.devices, self.device_name) = (seed, device, devices, device_name);
    }

    /// The folders that were given to be searched for data.
    pub fn given_data(&self) -> &[PathBuf] {
        &self.data
    }

    /// Folders that are searched for data, in this order: those given, `fixtures/` of the current folder, those of
    /// `$ELBOW_DATA`, `elbow/` in the user's data folder, `data/` beside the program.
    pub fn data_folders(&self) -> Vec<PathBuf> {
        let mut folders = self.data.clone();
        folders.push(PathBuf::from("fixtures"));
        folders.extend(std::env::var_os("ELBOW_DATA").iter().flat_map(std::env::split_paths));
        folders.extend(choose_base_strategy().ok().map(|system| system.data_dir().join("elbow")));
        folders.extend(std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("data"))));
        folders
    }

    /// A data file by its path inside a data folder, `digits/digits.csv.gz`; at last the bundled one.
    pub fn data_file(&self, name: &str) -> Result<PathBuf, Error> {
        let folders = self.data_folders();
        match folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()) {
            Some(path) => Ok(path),
            None if bundled::has(name) => Ok(bundled::folder()?.join(name)),
            None => {
                let searched: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
                let what = format!("{name} is in none of the data folders {}", searched.join(", "));
                Err(Error::input(what, "name the folder that has it").mended_by(Remedy::Data))
            }
        }
    }

    /// The file or folder of a named data set; at last the bundled one.
    pub fn find(&self, set: &Set) -> Result<PathBuf, Error> {
        match set.places.iter().find(|place| bundled::has(place)) {
            Some(place) => set.find(&self.data_folders()).or_else(|_| Ok(bundled::folder()?.join(place))),
            None => Ok(set.find(&self.data_folders())?),
        }
    }

    /// A data set that was given, one of the catalogue, or a file.
    pub fn open(&self, spec: &Spec) -> Result<Box<dyn Dataset>, Error> {
        if let Some(given) = self.given.iter().find(|data| data.name() == spec.set) {
            return Ok(Box::new(given.clone()));
        }
        let folder = bundled::user_cache().join("tokens");
        let reading = Reading::new(&folder, self.bar.as_ref());
        match catalogue::SETS.iter().find(|set| set.name == spec.set) {
            Some(set) => Ok(set.open(&self.find(set)?, spec, &reading)?),
            None => Ok(catalogue::open(spec, &self.data_folders(), &reading)?),
        }
    }

    /// A data set other than text, by name and split: `digits:test`.
    pub fn dataset(&self, name: &str) -> Result<Box<dyn Dataset>, Error> {
        let (set, split) = name.split_once(':').unwrap_or((name, "train"));
        self.open(&Spec::new(set, split.parse()?))
    }

    /// Keeps the results of a command in place of printing them.
    pub fn keep_results(&mut self) -> KeptResults {
        self.kept.insert(KeptResults::default()).clone()
    }

    /// Adds numbers to the results that are kept.
    pub fn keep_array(&self, name: &str, numbers: &[f64]) {
        if let Some(kept) = &self.kept {
            let mut printed = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
            printed.arrays.push((name.to_owned(), numbers.to_vec()));
        }
    }

    /// Gives data that lie in memory: their name comes before all others.
    pub fn give(&mut self, data: InMemory) {
        self.given.push(data);
    }

    /// Prints the result of a command: one JSON document, or text for a person.
    pub fn print(&self, json: &impl serde::Serialize, text: impl FnOnce() -> String) -> Result<(), Error> {
        let document = || serde_json::to_string_pretty(json).map_err(|e| Error::internal(e.to_string()));
        if let Some(kept) = &self.kept {
            let (json, text) = (document()?, text());
            let mut printed = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
            (printed.json, printed.text) = (json, text);
            return Ok(());
        }
        let document = if self.json { document()? } else { text() };
        match writeln!(std::io::stdout().lock(), "{document}") {
            // The reader has closed the pipe, as in `elbow ... | head`.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(Error::writing(Path::new("stdout"))),
        }
    }

    /// Creates a folder with its parents.
    pub fn make_folder(&self, path: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(path).map_err(Error::writing(path))
    }
}

#[cfg(test)]
mod tests {
    use elbow_impls::data::{Split, Tokens};

    use super::*;

    #[test]
    fn data_that_are_given_come_before_those_of_the_same_name() {
        let mut workspace = Workspace::new("out".into(), Vec::new(), 0, "cpu", true, false).expect("the CPU");
        let digits = || Spec::new("digits", Split::Test);
        assert_eq!(workspace.open(&digits()).expect("bundled").values(), 17);
        workspace.give(InMemory::new("digits", 2, Tokens::new(vec![0, 1], 1)));
        assert_eq!(workspace.open(&digits()).expect("given").values(), 2);
        assert_eq!(workspace.hushed().open(&digits()).expect("given").values(), 2);
        let kept = workspace.keep_results();
        workspace.keep_array("halves", &[0.5]);
        workspace.print(&1, || "one".to_owned()).expect("kept");
        let printed = kept.take();
        assert_eq!((printed.json.as_str(), printed.text.as_str()), ("1", "one"));
        assert_eq!(printed.arrays, [("halves".to_owned(), vec![0.5])]);
    }
}
