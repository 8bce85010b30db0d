//! A program's answers to noise.

use std::path::Path;

use elbow_arrays::{Array, NpzReader};
use elbow_base::Error;
use elbow_impls::gaussian::Prediction;
use elbow_impls::train::ObjectiveConfig;

use super::noise_file::NoiseFile;
use crate::likelihood::Noisy;

/// The largest log-probability that is taken for 0: rounding of a log-softmax in half precision.
const ROUNDING: f64 = 1e-3;

/// What a program says of each row of a file of noise.
pub enum Answers {
    /// log mu_theta(z)\[n, x_n\], \[n, length\]: of the token itself where it is hidden; 0 elsewhere.
    LogProbabilities(Vec<f64>),
    /// Logits, \[n, length, columns\]: a column per value, and perhaps one more for the mask.
    Logits {
        /// V, or V + 1.
        columns: usize,
        /// In row-major order.
        logits: Vec<f32>,
    },
    /// Predictions of points, \[n, length\], and what they are of.
    Points(Prediction, Vec<f64>),
}

/// The arrays that hold predictions of points, and their meaning.
const POINTS: [(&str, Prediction); 4] =
    [("eps", Prediction::Eps), ("x", Prediction::X), ("v", Prediction::V), ("velocity", Prediction::Velocity)];

impl Answers {
    /// Reads the answers to `noise`: one array of them, and the noise's `id`. Answers to other noise, of another shape, that are
    /// NaN or no log-probabilities are refused with their place.
    pub fn load(path: &Path, noise: &NoiseFile) -> Result<Self, Error> {
        let wrong = |what: String, advice: &str| Error::input(format!("{}: {what}", path.display()), advice.to_owned());
        let mut npz = NpzReader::open(path)?;
        if !npz.has("id") {
            return Err(wrong(
                "it does not say which noise it answers".into(),
                "save id=noise[\"id\"] beside the answers",
            ));
        }
        if npz.bytes("id")?.data != noise.id().as_bytes() {
            return Err(wrong("it answers other noise".into(), "name the file of noise that the program read"));
        }
        let names: Vec<&str> = match &noise.inputs.z {
            Noisy::Points { .. } => POINTS.iter().map(|(name, _)| *name).collect(),
            Noisy::Tokens(_) if needs_logits(&noise.settings.config()?) => vec!["logits"],
            Noisy::Tokens(_) => vec!["log_probabilities", "logits"],
        };
        let given: Vec<&str> = names.iter().copied().filter(|name| npz.has(name)).collect();
        let [name] = given[..] else {
            let one = if names.len() == 1 { "" } else { "one of " };
            let had: Vec<String> = npz.names().into_iter().filter(|name| name != "id").collect();
            let what = format!("it has {}, and {one}{} was expected", had.join(", "), names.join(", "));
            return Err(wrong(what, "save the answers under that name"));
        };
        let (rows, length, values) = (noise.rows(), noise.x.length(), noise.settings.data.values);
        let check = |shape: &[usize], fits: bool, expected: &str| match fits {
            true => Ok(()),
            false => {
                Err(wrong(format!("{name} is {shape:?}, and {expected} was expected"), "give one answer per row of z"))
            }
        };
        let place = |at: usize| format!("row {}, token {}, counted from 0", at / length, at % length);
        let not_a_number =
            |at: usize| wrong(format!("{name} is NaN in {}", place(at)), "look at the program's weights");
        if name == "logits" {
            let Array { shape, data } = npz.singles(name)?;
            let columns = shape.last().copied().unwrap_or(0);
            let fits = shape.len() == 3 && shape[..2] == [rows, length] && (columns == values || columns == values + 1);
            check(&shape, fits, &format!("[{rows}, {length}, {values}] (or {} columns)", values + 1))?;
            return match data.iter().position(|logit| logit.is_nan()) {
                Some(at) => Err(not_a_number(at / columns)),
                None => Ok(Self::Logits { columns, logits: data }),
            };
        }
        let Array { shape, data } = npz.floats(name)?;
        check(&shape, shape == [rows, length], &format!("[{rows}, {length}]"))?;
        let hidden = noise.hidden();
        if let Some(at) = (0..data.len()).find(|&at| hidden[at] && data[at].is_nan()) {
            return Err(not_a_number(at));
        }
        if let Some((_, prediction)) = POINTS.iter().find(|(known, _)| *known == name) {
            return Ok(Self::Points(*prediction, data));
        }
        if let Some(at) = (0..data.len()).find(|&at| hidden[at] && data[at] > ROUNDING) {
            let what = format!("{name} is {} in {}", data[at], place(at));
            return Err(wrong(what, "a log-probability is at most 0: give natural logarithms, not costs"));
        }
        let of_hidden = |(log_p, hidden): (f64, &bool)| if *hidden { log_p.min(0.0) } else { 0.0 };
        Ok(Self::LogProbabilities(data.into_iter().zip(&hidden).map(of_hidden).collect()))
    }

    /// What they are, by the array's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LogProbabilities(_) => "log_probabilities",
            Self::Logits { .. } => "logits",
            Self::Points(prediction, _) => {
                POINTS.iter().find(|(_, known)| known == prediction).map_or("points", |(name, _)| *name)
            }
        }
    }
}

/// Whether the bound needs the whole distribution of every token.
fn needs_logits(config: &ObjectiveConfig) -> bool {
    matches!(config, ObjectiveConfig::D3pmAbsorbing(_) | ObjectiveConfig::D3pmUniform(_))
}
