//! The denoising cross-entropies (DCE) of the any-order bound.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, Tensor};

use crate::corruption::{Corruption, MaskedBatch, PermutationStream, mask_bernoulli, mask_under};
use crate::error::{Result, UnknownName};
use crate::key::Key;
use crate::md4::end_terms;
use crate::network::{TokenDenoiser, rows_tensor};
use crate::objective::{Batch, BoundTerms, TokenObjective};
use crate::schedule::MaskedSchedule;

/// The law of the number of masked tokens, with the weight under which every form has the same mean.
#[derive(Clone, Debug, PartialEq)]
pub enum DceForm {
    /// k uniform in 1..=N, weight N/k.
    KDce,
    /// Each token independently with probability lambda uniform in (0, 1), weight 1/lambda.
    LambdaDce,
    /// Each token independently with probability 1 - alpha(t), weight -alpha'/(1 - alpha) = sigma'/(e^sigma - 1).
    TDce(MaskedSchedule),
}

impl fmt::Display for DceForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KDce => f.write_str("k-dce"),
            Self::LambdaDce => f.write_str("lambda-dce"),
            Self::TDce(schedule) => write!(f, "t-dce:{schedule}"),
        }
    }
}

impl FromStr for DceForm {
    type Err = elbow_base::Error;

    fn from_str(name: &str) -> std::result::Result<Self, elbow_base::Error> {
        match (name, name.strip_prefix("t-dce:")) {
            ("k-dce", _) => Ok(Self::KDce),
            ("lambda-dce", _) => Ok(Self::LambdaDce),
            (_, Some(schedule)) => Ok(Self::TDce(schedule.parse()?)),
            _ => Err(UnknownName::new("form", name, &["k-dce", "lambda-dce", "t-dce:SCHEDULE"]).into()),
        }
    }
}

/// The objective.
#[derive(Clone, Debug, PartialEq)]
pub struct AnyOrder {
    /// The law of the number of masked tokens.
    pub form: DceForm,
}

impl AnyOrder {
    /// The number of masked tokens of a uniform number: uniform in 1..=length.
    pub fn count(u: f64, length: usize) -> usize {
        ((u * length as f64) as usize + 1).min(length)
    }

    /// The weight of each sequence's cross-entropy.
    fn weights(&self, z: &MaskedBatch) -> Vec<f64> {
        match &self.form {
            DceForm::KDce => z.targets.counts().map(|k| z.targets.length as f64 / k as f64).collect(),
            DceForm::LambdaDce => z.times.iter().map(|lambda| 1.0 / lambda).collect(),
            DceForm::TDce(schedule) => z.times.iter().map(|&t| schedule.elbo_weight(t)).collect(),
        }
    }
}

/// k-DCE, an estimator of the bound of every continuous-time masked model whose denoiser sees no time.
pub static K_DCE: AnyOrder = AnyOrder { form: DceForm::KDce };

/// k-DCE's corruptions for several draws of the same sequences of V = `values`; `u` has each draw's, in place of the batch's.
///
/// The draws take their masked tokens from one order of each sequence, one window after the other: every token is then scored
/// about as often as the others, which lowers the variance of the draws' average and leaves its mean.
pub fn k_dce_draws(
    values: usize,
    batch: Batch,
    u: Vec<Vec<f64>>,
    key: &Key,
    device: &Device,
) -> impl Iterator<Item = Result<Corruption>> + use<> {
    let mut orders = PermutationStream::new(batch.len(), batch.x.length(), key);
    let device = device.clone();
    u.into_iter().map(move |u| Ok(mask_k(&batch.at(&u), &mut orders, values, &device)?.into()))
}

/// The next k positions of each row's order masked, k as the row's u says.
fn mask_k(batch: &Batch, orders: &mut PermutationStream, values: usize, device: &Device) -> Result<MaskedBatch> {
    let counts: Vec<usize> = batch.u.iter().map(|&u| AnyOrder::count(u, batch.x.length())).collect();
    orders.mask(batch, &counts, values, device)
}

impl TokenObjective for AnyOrder {
    fn corrupt(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Corruption> {
        let values = denoiser.values();
        let z = match &self.form {
            DceForm::KDce => {
                mask_k(batch, &mut PermutationStream::new(batch.len(), batch.x.length(), key), values, device)
            }
            DceForm::LambdaDce => mask_bernoulli(batch, &batch.u, values, |row, _| batch.u[row], key, device),
            DceForm::TDce(schedule) => mask_under(schedule, batch, &batch.u, values, key, device),
        };
        Ok(z?.into())
    }

    /// The weight of the form times the sum over masked n of -log mu_theta(z)\[n, x_n\] (RADD, section 3).
    fn loss_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Tensor<1>> {
        Ok(z.cross_entropy(denoiser) * rows_tensor(self.weights(z), &z.input.z.device()))
    }

    fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Vec<BoundTerms>> {
        let ends = match &self.form {
            DceForm::TDce(schedule) => end_terms(schedule, z.targets.length, denoiser.values()),
            DceForm::KDce | DceForm::LambdaDce => BoundTerms::default(),
        };
        let weights = self.weights(z);
        Ok(z.bound_terms(denoiser, ends, |row| weights[row]))
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        let ends = match &self.form {
            DceForm::TDce(_) => ["length (1 - alpha(0)) ln V, included", "length alpha(1) ln V, included"],
            DceForm::KDce | DceForm::LambdaDce => ["0, alpha runs from 1 to 0"; 2],
        };
        vec![
            ("objective", "any-order".into()),
            ("form", self.form.to_string()),
            ("steps", "every order, one token per step".into()),
            ("reconstruction", ends[0].into()),
            ("prior", ends[1].into()),
        ]
    }

    fn is_any_order(&self) -> bool {
        match &self.form {
            DceForm::KDce | DceForm::LambdaDce => true,
            DceForm::TDce(schedule) => schedule.mask_probability(0.0) == 0.0 && schedule.alpha(1.0) == 0.0,
        }
    }
}
