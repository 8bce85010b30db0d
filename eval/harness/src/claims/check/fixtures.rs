//! Small bundled data that checks read: toys, golden values, features.

use std::path::PathBuf;

use elbow_base::Error;
use elbow_metrics::Features;
use elbow_theory::gaussian::GaussianToy;
use elbow_theory::{Alphabet, Toy};
use serde_json::Value;

use crate::claims::context::Context;

impl Context<'_> {
    /// The file of a toy, `fixtures/NAME.json`.
    pub(super) fn toy_file(&self, name: &str) -> Result<PathBuf, Error> {
        self.data_file(&format!("{name}.json"))
    }

    /// A toy of tokens.
    pub(super) fn toy(&self, name: &str, alphabet: Alphabet) -> Result<Toy, Error> {
        Ok(Toy::load(&self.toy_file(name)?, alphabet)?)
    }

    /// A toy of Gaussian diffusion.
    pub(super) fn gaussian_toy(&self, name: &str) -> Result<GaussianToy, Error> {
        Ok(GaussianToy::load(&self.toy_file(name)?)?)
    }

    /// A JSON file of golden values.
    pub(super) fn golden(&self, name: &str) -> Result<Value, Error> {
        let path = self.data_file(name)?;
        let text = std::fs::read_to_string(&path).map_err(Error::reading(&path))?;
        serde_json::from_str(&text).map_err(|e| Error::input(format!("{}: {e}", path.display()), "restore the file"))
    }

    /// A feature matrix.
    pub(super) fn features(&self, name: &str) -> Result<Features, Error> {
        Ok(Features::load(&self.data_file(name)?)?)
    }
}
