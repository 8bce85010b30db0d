//! What a network is asked about: the inputs of a corruption.

use elbow_base::Error;
use elbow_impls::gaussian::{Gaussian, Level};
use elbow_impls::schedule::{GaussianSchedule, LogSnr};
use elbow_impls::{BoundCorruption, DiffusionModel};

/// Corrupted inputs, row after row.
pub(crate) struct Inputs {
    pub z: Noisy,
    /// The time of each row: of the objective's schedule; for k-DCE the share of masked tokens.
    pub t: Vec<f64>,
}

/// z of some rows.
pub(crate) enum Noisy {
    /// Ids, the mask is V.
    Tokens(Vec<u32>),
    /// The variance-preserving z, and the log-SNR of each row.
    Points { z: Vec<f32>, log_snr: Vec<f64> },
}

impl Inputs {
    /// The inputs of a corruption under an objective.
    pub fn of(model: &DiffusionModel, corruption: &BoundCorruption) -> Result<Self, Error> {
        match (model, corruption) {
            (_, BoundCorruption::Tokens(corruption)) => {
                let z = corruption.z.input.z.to_data();
                let z = Noisy::Tokens(z.iter::<i64>().map(|id| id as u32).collect());
                Ok(Self { z, t: corruption.z.times.clone() })
            }
            (DiffusionModel::Gaussian(gaussian, denoiser), BoundCorruption::Gaussian(corruption)) => {
                let schedule = gaussian.schedule_of(*denoiser)?;
                let log_snr = log_snrs(gaussian, &schedule, &corruption.batch.u)?;
                let z = points(&corruption.x, &corruption.eps, &log_snr).into_iter().map(|z| z as f32).collect();
                let t = log_snr.iter().map(|&log_snr| schedule.time_of_log_snr(log_snr)).collect();
                Ok(Self { z: Noisy::Points { z, log_snr }, t })
            }
            _ => Err(Error::internal("a corruption of the other family")),
        }
    }

    /// The number of the `rows` whose z is the same as another model's.
    pub fn same(&self, other: &Self, rows: usize) -> usize {
        match (&self.z, &other.z) {
            (Noisy::Tokens(z), Noisy::Tokens(other)) => same_rows(z, other, rows),
            (Noisy::Points { z, .. }, Noisy::Points { z: other, .. }) => same_rows(z, other, rows),
            _ => 0,
        }
    }

    /// Adds the first `rows` of each of several draws, all draws of the first row before those of the second.
    pub fn extend(&mut self, draws: &[Self], rows: usize) {
        for row in 0..rows {
            for draw in draws {
                self.t.push(draw.t[row]);
                match (&mut self.z, &draw.z) {
                    (Noisy::Points { z, log_snr }, Noisy::Points { z: more, log_snr: level }) => {
                        z.extend_from_slice(row_of(more, row, rows));
                        log_snr.push(level[row]);
                    }
                    (Noisy::Tokens(z), Noisy::Tokens(more)) => z.extend_from_slice(row_of(more, row, rows)),
                    _ => {}
                }
            }
        }
    }
}

fn same_rows<T: PartialEq>(one: &[T], other: &[T], rows: usize) -> usize {
    (0..rows).filter(|&row| row_of(one, row, rows) == row_of(other, row, rows)).count()
}

fn row_of<T>(all: &[T], row: usize, rows: usize) -> &[T] {
    let length = all.len() / rows;
    &all[row * length..(row + 1) * length]
}

/// The log-SNR of each row of the bound.
pub(crate) fn log_snrs(gaussian: &Gaussian, schedule: &GaussianSchedule, u: &[f64]) -> Result<Vec<f64>, Error> {
    let level = |&u: &f64| Ok(gaussian.bound_weight(schedule, u)?.log_snr);
    u.iter().map(level).collect()
}

/// z = alpha x + sigma eps of rows with these log-SNRs.
pub(crate) fn points(x: &[f64], eps: &[f64], log_snr: &[f64]) -> Vec<f64> {
    let length = x.len() / log_snr.len();
    let level = |at: usize| Level::of_log_snr(log_snr[at / length]);
    (0..x.len()).map(|at| level(at).alpha * x[at] + level(at).sigma * eps[at]).collect()
}
