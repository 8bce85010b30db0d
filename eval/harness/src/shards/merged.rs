//! The shards of one command, put together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use elbow_base::Error;
use elbow_reports::record::Input;
use serde::de::DeserializeOwned;

use super::Part;
use super::file::{self, Shard};
use super::header::{Header, Program, check_inputs};

/// All shards of one command: its units, wherever they were computed.
pub struct Merged {
    header: Header,
    units: BTreeMap<(String, usize), (usize, String)>,
    files: Vec<PathBuf>,
}

impl Merged {
    /// Reads shards from files, and from the folders that hold them. Refuses those that are not all of one command by this
    /// program, each once.
    pub fn read(places: &[PathBuf]) -> Result<Self, Error> {
        let shards = files(places)?.iter().map(|file| Shard::read(file)).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = shards.first() else {
            let places = places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ");
            return Err(Error::input(format!("{places}: no shards"), "make them with `elbow ... --shard m/n`"));
        };
        let header = first.header.clone();
        let running = Header { program: Program::running(), ..header.clone() };
        let name = |shard: &Shard| shard.path.display().to_string();
        header.check_same(&running, [&name(first), "this program"])?;
        for shard in &shards[1..] {
            header.check_same(&shard.header, [&name(first), &name(shard)])?;
            let splits = [&header, &shard.header].map(|header| (header.shard.of, header.rounds));
            if splits[0] != splits[1] {
                let words = |(of, rounds): (usize, Option<usize>)| {
                    format!("{of} shards{}", rounds.map_or(String::new(), |rounds| format!(" of {rounds} rounds")))
                };
                let (one, two) = (words(splits[0]), words(splits[1]));
                let what = format!("another split: {} is of {two}, {} of {one}", name(shard), name(first));
                return Err(Error::input(what, "name the shards of one split"));
            }
        }
        check_whole(&header, &shards)?;
        let files = shards.iter().map(|shard| shard.path.clone()).collect();
        let mut units = BTreeMap::new();
        for (number, shard) in shards.into_iter().enumerate() {
            units.extend(shard.units.into_iter().map(|(key, line)| (key, (number, line))));
        }
        Ok(Self { header, units, files })
    }

    /// The command's words.
    pub fn command(&self) -> &[String] {
        &self.header.command
    }

    /// Refuses another command than that of the shards.
    pub fn check_command(&self, command: &[String]) -> Result<(), Error> {
        let asked = Header { command: command.to_vec(), ..self.header.clone() };
        asked.check_same(&self.header, ["this call", &self.files[0].display().to_string()])
    }

    /// The header of one of the shards.
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Refuses shards of other inputs than those that are here.
    pub(super) fn check_inputs(&self, inputs: &[Input]) -> Result<(), Error> {
        check_inputs(inputs, &self.header.inputs, ["what lies here", &self.files[0].display().to_string()])
    }

    /// The value of a unit.
    pub(super) fn value<T: DeserializeOwned>(&self, stream: &str, unit: usize) -> Result<T, Error> {
        let found = self.units.get(&(stream.to_owned(), unit));
        let (place, value) = match found {
            Some((shard, line)) => (self.files[*shard].display().to_string(), file::value(line)),
            None => ("the shards".to_owned(), None),
        };
        value.ok_or_else(|| {
            let what = format!("{place}: no numbers of unit {unit} of {stream}");
            Error::input(what, "it is no shard of this command as it runs here: make it again")
        })
    }
}

/// The finished files that places name, in the order of their names.
fn files(places: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut all = Vec::new();
    for place in places {
        if !place.is_dir() {
            all.push(place.clone());
            continue;
        }
        let entries = std::fs::read_dir(place).map_err(Error::reading(place))?;
        let mut found: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|file| is_shard(file)).collect();
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

/// Whether the name is that of a finished shard.
fn is_shard(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".jsonl") && !name.ends_with(".unfinished.jsonl")
}

/// Refuses a shard that is there twice, and shards that are not there.
fn check_whole(header: &Header, shards: &[Shard]) -> Result<(), Error> {
    let mut places: BTreeMap<usize, &Path> = BTreeMap::new();
    for shard in shards {
        if let Some(other) = places.insert(shard.header.shard.number, &shard.path) {
            let what =
                format!("{} and {} are both shard {}", other.display(), shard.path.display(), shard.header.shard);
            return Err(Error::input(what, "name each shard once"));
        }
    }
    let of = header.shard.of;
    let missing: Vec<usize> = (1..=of).filter(|number| !places.contains_key(number)).collect();
    let parts = |numbers: &[usize]| {
        let shown: Vec<String> = numbers.iter().take(8).map(|number| format!("{number}/{of}")).collect();
        let more = if numbers.len() > 8 { format!(" and {} more", numbers.len() - 8) } else { String::new() };
        shown.join(", ") + &more
    };
    match Part::new(missing.first().copied().unwrap_or(0), of) {
        None => Ok(()),
        Some(first) => {
            let (word, verb) = if missing.len() == 1 { ("shard", "is") } else { ("shards", "are") };
            let what = format!("{word} {} {verb} missing", parts(&missing));
            let rest = if missing.len() == 1 { "" } else { ", and so on for each of them" };
            Err(Error::input(what, format!("run: {}{rest}", header.command_of(&first.to_string()))))
        }
    }
}
