//! The kinds of checks for claims of users. A new kind is a file here with the trait [`OwnCheck`], a line in [`KINDS`], and
//! an example in `examples/claims-repository/claims`, from which `elbow claims new` makes a claim.

mod files;
mod image_distance;
mod model_bound;
mod paired_comparison;
mod program_losses;
mod sampler_law;
#[cfg(test)]
mod tests;
mod toy_cascade;

use std::path::PathBuf;

use elbow_base::Error;
use elbow_metrics::Runtime;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::claims::claim_file::{NamedParse, Parse};
use crate::claims::context::{Check, Context};

/// A kind of check for claims of users: the type of its parameters, whose documentation is that of the schema.
trait OwnCheck: Check + DeserializeOwned + JsonSchema {
    /// Its name in claim files.
    const NAME: &'static str;

    /// The id of its example, which is not that of a bundled claim.
    const EXAMPLE: &'static str = Self::NAME;

    /// The files that its example reads, beside the example.
    const FILES: &'static [&'static str];
}

/// A kind of check by name.
pub struct Kind {
    /// Its name in claim files.
    pub name: &'static str,
    /// The id of its example.
    pub example: &'static str,
    /// The files that its example reads, beside the example.
    pub files: &'static [&'static str],
    /// The schema of its parameters, without the key `check`.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    parse: Parse,
}

/// Every kind.
pub const KINDS: [Kind; 6] = [
    kind::<toy_cascade::ToyCascade>(),
    kind::<model_bound::ModelBound>(),
    kind::<paired_comparison::PairedComparison>(),
    kind::<image_distance::ImageDistance>(),
    kind::<sampler_law::SamplerLaw>(),
    kind::<program_losses::ProgramLosses>(),
];

/// The kinds with their parsers.
pub const PARSERS: [NamedParse; KINDS.len()] = {
    let mut parsers: [NamedParse; KINDS.len()] = [("", super::parse::<toy_cascade::ToyCascade>); KINDS.len()];
    let mut i = 0;
    while i < KINDS.len() {
        parsers[i] = (KINDS[i].name, KINDS[i].parse);
        i += 1;
    }
    parsers
};

const fn kind<C: OwnCheck>() -> Kind {
    Kind { name: C::NAME, example: C::EXAMPLE, files: C::FILES, schema: C::json_schema, parse: super::parse::<C> }
}

impl Context<'_> {
    /// A file that a claim names, relative to the claim's own file.
    fn beside(&self, name: &str) -> PathBuf {
        self.place.map_or_else(|| PathBuf::from(name), |place| place.folder.join(name))
    }

    /// The same for a name that may also be something else than a file, as that of a data set.
    fn named(&self, name: &str) -> String {
        let path = self.beside(name);
        if path.exists() { path.display().to_string() } else { name.to_owned() }
    }

    /// The runtime of ONNX networks.
    fn runtime(&self) -> Result<Runtime, Error> {
        Ok(Runtime::find(None, &self.device_name)?)
    }

    /// A schedule or weighting, in which the file of `table:FILE` is relative to the claim's own file.
    fn tabled(&self, name: &str) -> String {
        match name.strip_prefix("table:") {
            Some(file) => format!("table:{}", self.beside(file).display()),
            None => name.to_owned(),
        }
    }
}

/// The errors among some results.
fn faults<const N: usize>(results: [Result<(), Error>; N]) -> Vec<Error> {
    results.into_iter().filter_map(Result::err).collect()
}

/// Refuses a number outside of its range.
fn in_range(name: &str, number: usize, low: usize, high: usize) -> Result<(), Error> {
    if (low..=high).contains(&number) {
        return Ok(());
    }
    Err(Error::input(format!("{name} = {number}"), format!("give a number from {low} to {high}")))
}

/// Refuses keys that have no effect.
fn without_effect(keys: &[(&str, bool)], why: &str) -> Result<(), Error> {
    match keys.iter().find(|(_, given)| *given) {
        Some((key, _)) => Err(Error::input(format!("{key} has no effect: {why}"), "leave it out")),
        None => Ok(()),
    }
}
