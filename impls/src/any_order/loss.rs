//! The forms of the any-order bound.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, Tensor};

use crate::corruption::{Corrupted, Orders, hide_each, numbers, row_sums};
use crate::error::UnknownName;
use crate::key::Key;
use crate::network::{Denoiser, rows_tensor};
use crate::objective::{Batch, Objective, Terms};
use crate::schedule::MaskedSchedule;

/// How many tokens are hidden, and the weight that makes the mean the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// k uniform in 1..=N, weight N/k.
    KDce,
    /// Each token by itself with probability lambda uniform in (0, 1), weight 1/lambda.
    LambdaDce,
    /// Each token by itself with probability 1 - alpha(t), weight -alpha'/(1 - alpha) = sigma'/(e^sigma - 1).
    TDce(MaskedSchedule),
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KDce => f.write_str("k-dce"),
            Self::LambdaDce => f.write_str("lambda-dce"),
            Self::TDce(schedule) => write!(f, "t-dce:{schedule}"),
        }
    }
}

impl FromStr for Form {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match (name, name.strip_prefix("t-dce:")) {
            ("k-dce", _) => Ok(Self::KDce),
            ("lambda-dce", _) => Ok(Self::LambdaDce),
            (_, Some(schedule)) => Ok(Self::TDce(schedule.parse()?)),
            _ => Err(UnknownName::new("form", name, &["k-dce", "lambda-dce", "t-dce:SCHEDULE"])),
        }
    }
}

/// The objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnyOrder {
    pub form: Form,
}

impl AnyOrder {
    /// The number of hidden tokens that a uniform number stands for: uniform in 1..=length.
    pub fn count(u: f64, length: usize) -> usize {
        ((u * length as f64) as usize + 1).min(length)
    }

    /// The hidden batch and the weight of each sequence.
    fn corrupt(&self, batch: &Batch, values: usize, key: &Key, device: &Device) -> (Corrupted, Vec<f64>) {
        match self.form {
            Form::KDce => k_dce(batch, &mut Orders::new(batch.len(), batch.x.length(), key), values, device),
            Form::LambdaDce => {
                let hidden = hide_each(batch, &batch.u, values, |row, _| batch.u[row], key, device);
                (hidden, batch.u.iter().map(|lambda| 1.0 / lambda).collect())
            }
            Form::TDce(schedule) => {
                let probability = |row: usize, _| schedule.mask_probability(batch.u[row]);
                let hidden = hide_each(batch, &batch.u, values, probability, key, device);
                (hidden, batch.u.iter().map(|&t| schedule.elbo_weight(t)).collect())
            }
        }
    }

    /// The bound's terms of a hidden batch.
    fn terms(&self, denoiser: &dyn Denoiser, (hidden, weights): (Corrupted, Vec<f64>)) -> Vec<Terms> {
        let cost = numbers(row_sums(hidden.cross_entropies(denoiser)));
        let ends = match self.form {
            Form::TDce(schedule) => Terms::ends(&schedule, hidden.tokens.length, denoiser.values()),
            Form::KDce | Form::LambdaDce => Terms::default(),
        };
        let terms = |(cost, weight): (f64, f64)| Terms { diffusion: cost * weight, ..ends };
        cost.into_iter().zip(weights).map(terms).collect()
    }
}

/// k-DCE, which estimates the bound of every masked model in continuous time that sees no time.
pub static K_DCE: AnyOrder = AnyOrder { form: Form::KDce };

/// k-DCE's terms for several draws of the same sequences, one answer a draw; `u` has each draw's, in place of the batch's. The draws
/// take their hidden tokens from one order of each sequence, one window after the other: every token is then scored about as often as
/// the others, which lowers the variance of the draws' average and leaves its mean.
pub fn k_dce_draws(
    denoiser: &dyn Denoiser,
    batch: &Batch,
    u: &[Vec<f64>],
    key: &Key,
    device: &Device,
) -> impl Iterator<Item = Vec<Terms>> {
    let mut orders = Orders::new(batch.len(), batch.x.length(), key);
    u.iter().map(move |u| K_DCE.terms(denoiser, k_dce(&batch.at(u), &mut orders, denoiser.values(), device)))
}

/// The next k positions of each row's order hidden, with the weight N/k.
fn k_dce(batch: &Batch, orders: &mut Orders, values: usize, device: &Device) -> (Corrupted, Vec<f64>) {
    let length = batch.x.length();
    let counts: Vec<usize> = batch.u.iter().map(|&u| AnyOrder::count(u, length)).collect();
    let weights = counts.iter().map(|&k| length as f64 / k as f64).collect();
    (orders.hide_next(batch, &counts, values, device), weights)
}

impl Objective for AnyOrder {
    fn loss(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Tensor<1> {
        let (hidden, weights) = self.corrupt(batch, denoiser.values(), key, device);
        row_sums(hidden.cross_entropies(denoiser)) * rows_tensor(&weights, device)
    }

    fn nelbo(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Vec<Terms> {
        self.terms(denoiser, self.corrupt(batch, denoiser.values(), key, device))
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        let ends = match self.form {
            Form::TDce(_) => ["length (1 - alpha(0)) ln V, included", "length alpha(1) ln V, included"],
            Form::KDce | Form::LambdaDce => ["0, alpha runs from 1 to 0"; 2],
        };
        vec![
            ("objective", "any-order".into()),
            ("form", self.form.to_string()),
            ("steps", "every order, one token a step".into()),
            ("reconstruction", ends[0].into()),
            ("prior", ends[1].into()),
        ]
    }

    fn is_any_order(&self) -> bool {
        match self.form {
            Form::KDce | Form::LambdaDce => true,
            Form::TDce(schedule) => schedule.mask_probability(0.0) == 0.0 && schedule.alpha(1.0) == 0.0,
        }
    }
}
