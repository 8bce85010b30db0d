//! Transition files: a jump matrix or a list of one-step matrices, as JSON.

use std::path::{Path, PathBuf};

use elbow_process::schedule::MaskedSchedule;
use ndarray::Array2;
use serde::Deserialize;

use super::forward::{Forward, Kind};
use crate::error::Error;

/// Tolerance of the sum of a row of a transition against 1.
const SUM_TOLERANCE: f64 = 1e-9;
const FORMAT: &str =
    "it holds {\"jump\": P} or {\"steps\": [Q_1, ..., Q_T]}, matrices as lists of rows (from) that sum to 1";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum TransitionFile {
    Jump(Vec<Vec<f64>>),
    Steps(Vec<Vec<Vec<f64>>>),
}

impl Forward {
    /// `uniform`, `absorbing`, or the transition of a file, whose path `locate` finds.
    pub fn named<E: From<Error>>(
        name: &str,
        values: usize,
        schedule: MaskedSchedule,
        locate: impl FnOnce(&str) -> Result<PathBuf, E>,
    ) -> Result<Self, E> {
        match name {
            "uniform" => Ok(Self::uniform(values, schedule)),
            "absorbing" => Ok(Self::absorbing(values, schedule)),
            file => Ok(Self::load(&locate(file)?, values, schedule)?),
        }
    }

    /// The transition that a file describes, {"jump": P} or {"steps": \[Q_1, ..., Q_T\]}, for `values` data values.
    pub fn load(path: &Path, values: usize, schedule: MaskedSchedule) -> Result<Self, Error> {
        let text = Error::read(path)?;
        Self::parse(&text, path.display().to_string(), values, schedule).map_err(|error| error.in_file(path))
    }

    fn parse(text: &str, name: String, values: usize, schedule: MaskedSchedule) -> Result<Self, Error> {
        let file: TransitionFile = serde_json::from_str(text).map_err(|source| Error::Malformed {
            kind: "transition",
            source,
            format: FORMAT,
        })?;
        let (states, kind) = match &file {
            TransitionFile::Jump(rows) => {
                let jump = matrix(rows, values)?;
                let idempotent = (jump.dot(&jump) - &jump).iter().all(|entry| entry.abs() < 1e-15);
                (jump.nrows(), Kind::Jump { name, jump, idempotent, schedule })
            }
            TransitionFile::Steps(list) => {
                let matrices = list.iter().map(|rows| matrix(rows, values)).collect::<Result<Vec<_>, _>>()?;
                let states = matrices.first().map_or(0, |m| m.nrows());
                if matrices.is_empty() || matrices.iter().any(|m| m.nrows() != states) {
                    return Err(Error::invalid("steps must be matrices of one size, at least one", FORMAT));
                }
                (states, Kind::Steps { name, matrices, schedule })
            }
        };
        Ok(Self { values, states, kind })
    }
}

/// A stochastic matrix over the values, or over the values and the mask.
fn matrix(rows: &[Vec<f64>], values: usize) -> Result<Array2<f64>, Error> {
    let size = rows.len();
    if size != values && size != values + 1 {
        return Err(Error::invalid(format!("{size} rows for a toy of {values} values"), FORMAT));
    }
    for (from, row) in rows.iter().enumerate() {
        let total: f64 = row.iter().sum();
        if row.len() != size || row.iter().any(|p| p.is_nan() || *p < 0.0) || (total - 1.0).abs() > SUM_TOLERANCE {
            let what = format!("row {} is no distribution over {size} states: {row:?}", from + 1);
            return Err(Error::invalid(what, FORMAT));
        }
    }
    Ok(Array2::from_shape_fn((size, size), |(from, to)| rows[from][to]))
}
