//! Hashes of the files and data that claims of users read.

use std::path::Path;

use elbow_base::{Error, hash, nearest};
use elbow_impls::data::catalogue;
use elbow_reports::record::Input;

use crate::claims::context::Context;
use crate::outside::ModelFile;
use crate::provenance;

/// The files of `table:FILE` among some schedules and weightings.
pub fn tables<'a>(context: &Context, names: impl IntoIterator<Item = &'a str>) -> Result<Vec<Input>, Error> {
    let files = names.into_iter().filter_map(|name| name.strip_prefix("table:"));
    files.map(|file| provenance::file_input(&context.beside(file))).collect()
}

/// A set of images or a model by its name: a file, a folder with all its files, a run, a model file, or a data set.
pub fn named(context: &Context, name: &str) -> Result<Input, Error> {
    let path = context.beside(name);
    if path.join("config.toml").is_file() {
        // What a run's samples depend on; its metrics and earlier samples are other files.
        let files = ["config.toml", "checkpoint/ema.safetensors"];
        let hashes = files.iter().map(|file| Ok(provenance::file_input(&path.join(file))?.sha256));
        let hashes = hashes.collect::<Result<Vec<String>, Error>>()?;
        return Ok(Input { name: name.to_owned(), sha256: hash::sha256(hashes.join("\n").as_bytes()) });
    }
    if path.is_dir() {
        let mut lines = Vec::new();
        add_files(&path, "", &mut lines)?;
        return Ok(Input { name: name.to_owned(), sha256: hash::sha256(lines.join("\n").as_bytes()) });
    }
    if path.extension().is_some_and(|ending| ending == "toml") {
        let mut hashes = vec![provenance::file_input(&path)?.sha256];
        if let Some(network) = &ModelFile::load(&path)?.model.onnx {
            hashes.push(provenance::file_input(network)?.sha256);
        }
        return Ok(Input { name: name.to_owned(), sha256: hash::sha256(hashes.join("\n").as_bytes()) });
    }
    if path.exists() || !name.contains(':') {
        return provenance::file_input(&path);
    }
    Ok(provenance::data_input(context.dataset(name)?.as_ref()))
}

/// Refuses a set of images that is neither a file, a folder nor the name of a data set.
pub fn check_set(context: &Context, name: &str) -> Result<(), Error> {
    let path = context.beside(name);
    match (path.exists(), path.extension().is_some_and(|ending| ending == "toml"), name.split_once(':')) {
        (true, true, _) => check_model(context, name),
        (true, false, _) => Ok(()),
        (false, _, Some((set, _))) if catalogue::SETS.iter().any(|known| known.name == set) => Ok(()),
        _ => {
            let fix = "name a folder, a file of images, a run, a model file, or a data set as digits:test";
            Err(Error::input(format!("{}: no such file or folder", path.display()), fix))
        }
    }
}

/// Refuses what is neither the folder of a run nor a model file with its network.
pub fn check_model(context: &Context, name: &str) -> Result<(), Error> {
    let path = context.beside(name);
    if path.is_dir() {
        return provenance::file_input(&path.join("config.toml")).map(drop);
    }
    if path.is_file() {
        let network = ModelFile::load(&path)?.model.onnx;
        return network.map_or(Ok(()), |network| provenance::file_input(&network).map(drop));
    }
    let fix = "name the folder of a training run, or a model file (docs/your-model.md)";
    Err(Error::input(format!("{}: no such file or folder", path.display()), fix))
}

/// Refuses a data set that is neither a file, a folder nor in the catalogue.
pub fn check_data(context: &Context, name: &str) -> Result<(), Error> {
    if context.beside(name).exists() || catalogue::SETS.iter().any(|set| set.name == name) {
        return Ok(());
    }
    let known = catalogue::SETS.iter().map(|set| set.name.to_owned()).collect::<Vec<_>>();
    let near = nearest(name, &known).map(|near| format!("did you mean {near}?"));
    let fix = near.unwrap_or_else(|| format!("name a file relative to the claim's, or one of {}", known.join(", ")));
    Err(Error::input(format!("{name}: no such file, and no data set"), fix))
}

/// Adds a line with path and hash for every file of a folder, in the order of their names.
fn add_files(folder: &Path, prefix: &str, lines: &mut Vec<String>) -> Result<(), Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::reading(folder))?;
    let paths = entries.map(|entry| Ok(entry.map_err(Error::reading(folder))?.path()));
    let mut paths = paths.collect::<Result<Vec<_>, Error>>()?;
    paths.sort();
    for path in paths {
        let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            add_files(&path, &format!("{name}/"), lines)?;
        } else {
            lines.push(format!("{name} {}", provenance::file_input(&path)?.sha256));
        }
    }
    Ok(())
}
