//! What judges samples: a model, or a function that knows the likelihood of a sequence.

use std::path::Path;

use burn::tensor::Device;
use elbow_base::{Error, Progress, Tokens};
use elbow_impls::data::Dataset;
use elbow_metrics::{InputArray, Runtime};
use elbow_reports::record::Input;
use serde_json::{Value, json};

use crate::likelihood::{Generative, generative};
use crate::models::AnyModel;
use crate::outside::{Backend, function};
use crate::provenance;

/// Sequences per call of a function.
const ROWS: usize = 32;

/// What judges samples.
pub enum Judge {
    /// A model: its likelihood where that is exact, else its bound.
    Model(Box<AnyModel>),
    /// A function of the program that uses elbow: log p of each sequence.
    Function {
        /// Its name, as `module:function`.
        name: String,
        /// Calls it.
        backend: Box<dyn Backend>,
    },
}

impl Judge {
    /// Opens the folder of a run, a model file, or a function of Python by its name, `module:function`.
    pub fn open(
        place: &Path,
        device: &Device,
        runtime: impl FnOnce() -> Result<Runtime, Error>,
    ) -> Result<Self, Error> {
        let name = place.to_string_lossy();
        if names_a_function(&name) && !place.exists() {
            let backend = function(&name, Path::new("."), None)?;
            return Ok(Self::Function { name: name.into_owned(), backend });
        }
        AnyModel::open(place, device, runtime).map(|model| Self::Model(Box::new(model)))
    }

    /// The model, if it is one.
    pub fn model(&self) -> Option<&AnyModel> {
        match self {
            Self::Model(model) => Some(model),
            Self::Function { .. } => None,
        }
    }

    /// Whether it knows likelihoods, and not bounds alone.
    pub fn is_exact(&self) -> Result<bool, Error> {
        self.model().map_or(Ok(true), |model| Ok(model.diffusion()?.is_exact()))
    }

    /// Samples of a model of `data` under the judge.
    pub fn judge(
        &self,
        data: &dyn Dataset,
        samples: &Tokens,
        device: &Device,
        bar: &dyn Progress,
    ) -> Result<Generative, Error> {
        match self {
            Self::Model(model) => model.calls(|| generative(model.diffusion()?, data, samples, device, bar)),
            Self::Function { name, backend } => {
                let nats = nats_per_token(backend.as_ref(), samples, bar).map_err(|what| {
                    Error::input(format!("{name}: {what}"), "return log p of each row, [rows], in nats")
                })?;
                Generative::new(samples, nats, [samples.length(), 1], false)
            }
        }
    }

    /// The inputs of a number: the judge, and the held-out data where there are any.
    pub fn inputs(&self, held_out: Option<&dyn Dataset>) -> Vec<Input> {
        let own = match self {
            Self::Model(model) => model.input(),
            Self::Function { backend, .. } => {
                Input { name: "judge in Python".to_owned(), sha256: backend.hash().to_owned() }
            }
        };
        held_out.map(provenance::data_input).into_iter().chain([own]).collect()
    }

    /// What a result says of it.
    pub fn facts(&self) -> Value {
        match self {
            Self::Model(model) => {
                let mut facts = Value::Object(model.facts());
                facts["place"] = json!(model.place);
                facts
            }
            Self::Function { name, .. } => json!({ "python": name }),
        }
    }
}

/// Whether a word has the form `module:function` of Python.
fn names_a_function(word: &str) -> bool {
    let is_name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "._".contains(c));
    // One letter before the colon is a drive of Windows.
    word.split_once(':').is_some_and(|(module, name)| module.len() > 1 && is_name(module) && is_name(name))
}

/// -log p / length of each sequence.
fn nats_per_token(backend: &dyn Backend, samples: &Tokens, bar: &dyn Progress) -> Result<Vec<f64>, String> {
    let (count, length) = (samples.len(), samples.length());
    bar.start(count as u64, "sequences under the judge");
    let mut nats = Vec::with_capacity(count);
    for start in (0..count).step_by(ROWS) {
        let rows = samples.slice(start..count.min(start + ROWS));
        let ids = rows.ids().iter().map(|&id| i64::from(id)).collect();
        let (found, shape) = backend.run(&[InputArray::Ids(ids, vec![rows.len(), length])])?;
        if found.len() != rows.len() {
            return Err(format!("it returned the shape {shape:?} for {} rows", rows.len()));
        }
        nats.extend(found.iter().map(|&log_p| -f64::from(log_p) / length as f64));
        bar.advance(rows.len() as u64);
    }
    bar.finish();
    Ok(nats)
}

#[cfg(test)]
mod tests {
    use elbow_base::Silent;
    use elbow_metrics::Port;

    use super::*;

    /// log p = -(sum of the ids) of each row.
    struct Sums;

    impl Backend for Sums {
        fn inputs(&self) -> &[Port] {
            &[]
        }

        fn run(&self, inputs: &[InputArray]) -> Result<(Vec<f32>, Vec<usize>), String> {
            let InputArray::Ids(ids, shape) = &inputs[0] else { return Err("no ids".to_owned()) };
            let sums: Vec<f32> = ids.chunks(shape[1]).map(|row| -(row.iter().sum::<i64>() as f32)).collect();
            let count = sums.len();
            Ok((sums, vec![count]))
        }

        fn hash(&self) -> &str {
            ""
        }
    }

    #[test]
    fn a_function_judges_every_sequence_whatever_the_calls_hold() {
        let count = 2 * ROWS as u32 + 3;
        let samples = Tokens::new((0..2 * count).collect(), 2);
        let nats = nats_per_token(&Sums, &samples, &Silent).expect("sums");
        // Row i holds 2 i and 2 i + 1.
        assert!(nats.iter().enumerate().all(|(i, &nats)| nats == (4 * i + 1) as f64 / 2.0), "{nats:?}");
        assert_eq!(nats.len(), count as usize);
    }

    #[test]
    fn names_of_functions_are_told_from_places() {
        let names = ["my_judge:log_p", "a.b:C.log_p"];
        let places = ["out/runs/ar", "C:\\runs", "judge.toml", "a:b:c", "./m:f", "m:"];
        assert!(names.iter().all(|name| names_a_function(name)));
        assert!(!places.iter().any(|place| names_a_function(place)));
    }
}
