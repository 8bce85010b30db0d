//! Where and how a command runs: device, folders, seed, output.

use std::io::Write;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use elbow_base::{Error, Progress, Remedy, Silent};
use elbow_impls::data::{Dataset, Spec, catalogue};

use crate::device;
use crate::progress::Bar;

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
    /// A Python in which the programs compared with elbow run.
    pub peers: Option<PathBuf>,
    data: Option<PathBuf>,
}

impl Workspace {
    /// Opens the devices; `data` is the folder of `--data`.
    pub fn new(
        out: PathBuf,
        data: Option<PathBuf>,
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
            peers: None,
            data,
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
            peers: self.peers.clone(),
            data: self.data.clone(),
            ..*self
        }
    }

    /// The folder of `--data`, where it was given.
    pub fn data_flag(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// Folders that are searched for data: `--data`, or `fixtures/` and then `$ELBOW_DATA`.
    pub fn data_folders(&self) -> Vec<PathBuf> {
        match &self.data {
            Some(folder) => vec![folder.clone()],
            None => [Some(PathBuf::from("fixtures")), std::env::var_os("ELBOW_DATA").map(PathBuf::from)]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    /// A data file by its path inside a data folder: `digits/digits.csv.gz`.
    pub fn data_file(&self, name: &str) -> Result<PathBuf, Error> {
        let folders = self.data_folders();
        folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
            let searched: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
            let fix = "run in the root of the repository, or name the data folder";
            Error::input(format!("{name} is not in {}", searched.join(" or ")), fix).mended_by(Remedy::Data)
        })
    }

    /// A data set of the catalogue, or a file.
    pub fn open(&self, spec: &Spec) -> Result<Box<dyn Dataset>, Error> {
        Ok(catalogue::open(spec, &self.data_folders())?)
    }

    /// A data set other than text, by name and split: `digits:test`.
    pub fn dataset(&self, name: &str) -> Result<Box<dyn Dataset>, Error> {
        let (set, split) = name.split_once(':').unwrap_or((name, "train"));
        self.open(&Spec { set: set.to_owned(), split: split.parse()?, alphabet: None, length: None })
    }

    /// Prints the result of a command: one JSON document, or text for a person.
    pub fn print(&self, json: &impl serde::Serialize, text: impl FnOnce() -> String) -> Result<(), Error> {
        let document = match self.json {
            true => serde_json::to_string_pretty(json).map_err(|e| Error::internal(e.to_string()))?,
            false => text(),
        };
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
