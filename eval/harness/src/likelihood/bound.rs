//! The bound of a trained model on a data set, or its likelihood where that is exact.

use std::collections::BTreeMap;

use burn::tensor::Device;
use elbow_impls::DiffusionModel;
use elbow_impls::any_order::{K_DCE, k_dce_draws};
use elbow_impls::data::Dataset;
use elbow_impls::key::permutation;
use elbow_impls::network::TokenDenoiser;
use elbow_impls::objective::{Batch, BoundTerms, TokenObjective};
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::{Key, Workers};
use serde::Serialize;

use elbow_base::Estimate;
use elbow_base::Progress;
use elbow_base::{Error, Remedy};

/// How a bound is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// k-DCE where it estimates the model's bound, the objective's own elsewhere.
    Auto,
    /// The training objective's own.
    Objective,
    /// The any-order bound with k ~ U{1..N} hidden tokens, the draws of a sequence sharing one order: the least variance.
    KDce,
}

elbow_impls::names!(Estimator, "estimator": Auto = "auto", Objective = "objective", KDce = "k-dce");

/// What is evaluated, and how.
pub struct Question<'a> {
    pub model: DiffusionModel<'a>,
    pub data: &'a dyn Dataset,
    /// Whether the model is told each sequence's class.
    pub conditional: bool,
    pub estimator: Estimator,
    /// Stratified draws of the noise for each sequence.
    pub draws: usize,
    /// The first sequences of the data, or all.
    pub sequences: Option<usize>,
    /// Bits a token: sequences in random order until the standard error is as small, where it is set.
    pub target: Option<f64>,
    pub seed: u64,
}

/// An upper bound on the negative log-likelihood, terms apart: a mean over sequences, with its standard error, which holds
/// the spread of the data and the noise of the draws.
#[derive(Clone, Debug, Serialize)]
pub struct Bound {
    pub dataset: String,
    pub sequences: u64,
    /// Tokens a sequence, every one of which is scored (the D of bits/dim).
    pub dims: usize,
    pub draws: usize,
    /// The standard error that was asked for, bits a token, and whether it was reached before the sequences ended.
    pub target: Option<Target>,
    pub estimator: String,
    /// The choices that decide what the number means.
    pub protocol: BTreeMap<String, String>,
    /// All terms, nats a sequence.
    pub nats: Estimate,
    /// All terms, bits a token: nats / (D ln 2).
    pub bits_per_dim: Estimate,
    /// exp(nats / D), a scored token.
    pub perplexity: Estimate,
    /// Bits a character and a byte of text, by the characters and bytes that the tokens stand for.
    pub text: Option<TextUnits>,
    /// E -log p(x | z_0), bits a token.
    pub reconstruction: f64,
    /// KL(q(z_1|x) || p(z_1)), bits a token.
    pub prior: f64,
    /// The rest, bits a token.
    pub diffusion: Estimate,
    /// All terms of each sequence, nats.
    #[serde(skip)]
    pub per_sequence: Vec<f64>,
}

/// A bound of text in units that do not depend on the tokens.
#[derive(Clone, Debug, Serialize)]
pub struct TextUnits {
    pub bits_per_character: Estimate,
    pub bits_per_byte: Estimate,
    /// Measured over the split.
    pub characters_per_token: f64,
    pub bytes_per_token: f64,
}

/// A standard error that was asked for. Sequences are looked at in rounds, and the first error that is small enough ends it: among
/// many rounds that picks errors that are a little too small.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Target {
    /// Bits a token.
    pub standard_error: f64,
    pub reached: bool,
    /// Sequences that there were.
    pub available: u64,
}

/// Sequences between two looks at the standard error: the same on any machine, so that all stop at the same one, and so many
/// that the error itself is known to a few percent.
const ROUND: usize = 128;

/// Tokens times values of one network call, about: what fits into memory.
const CALL_SIZE: usize = 1 << 23;

impl<'a> Question<'a> {
    /// The denoiser, where k-DCE's draws are averaged. It is refused where it would estimate another model's number.
    fn by_k_dce(&self) -> Result<Option<&'a dyn TokenDenoiser>, Error> {
        let valid = self.model.any_order();
        match self.estimator {
            Estimator::KDce if valid.is_none() => {
                let what = "k-dce is no estimator of this model's bound: it needs masked diffusion in continuous time with \
                            alpha from 1 to 0 and a network that sees no time";
                Err(Error::input(what, "use the objective's own estimator").mended_by(Remedy::ObjectiveEstimator))
            }
            Estimator::KDce | Estimator::Auto => Ok(valid),
            Estimator::Objective => Ok(None),
        }
    }

    /// Estimates the bound.
    pub fn answer(&self, device: &Device, bar: &dyn Progress) -> Result<Bound, Error> {
        let by_k_dce = self.by_k_dce()?;
        let draws = if by_k_dce.is_none() && self.model.is_exact() { 1 } else { self.draws };
        let count = self.sequences.unwrap_or(usize::MAX).min(self.data.len());
        if count < 2 {
            let what = format!("{}: {count} sequences have no standard error", self.data.name());
            return Err(Error::input(what, "evaluate at least two"));
        }
        let dims = self.data.length();
        // The first of a random order are like the rest; the first of a file need not be.
        let all: Vec<usize> = match self.target {
            None => (0..count).collect(),
            Some(_) => permutation(&mut Key::new(self.seed, "likelihood order").rng(), count),
        };
        let chunk = (CALL_SIZE / (dims * self.data.values())).clamp(1, 32);
        let chunks: Vec<(usize, &[usize])> = all.chunks(chunk).enumerate().collect();
        bar.start((chunks.len() * draws) as u64, &format!("likelihood of {}", self.data.name()));
        let key = |purpose| Key::new(self.seed, purpose);
        let (times, masks) = (key("likelihood times"), key("likelihood masks"));
        let workers = Workers::new(usize::MAX);
        let one = |_: usize, &(number, chunk): &(usize, &[usize])| -> Result<Vec<BoundTerms>, Error> {
            let x = self.data.select(chunk)?;
            let class = if self.conditional { self.data.labels(chunk) } else { Vec::new() };
            let of_sequence = |&i: &usize| TimeSampling::Stratified.draw(draws, &times.fold(i as u64));
            let strata: Vec<Vec<f64>> = chunk.iter().map(of_sequence).collect();
            let u: Vec<Vec<f64>> = (0..draws).map(|draw| strata.iter().map(|u| u[draw]).collect()).collect();
            let batch = Batch { class, ..Batch::new(x, u[0].clone()) };
            let mut sums = vec![BoundTerms::default(); chunk.len()];
            let key = masks.fold(number as u64);
            let draws_of: Box<dyn Iterator<Item = elbow_impls::Result<Vec<BoundTerms>>>> = match by_k_dce {
                Some(denoiser) => Box::new(k_dce_draws(denoiser, &batch, &u, &key, device)),
                None => Box::new(
                    u.iter()
                        .enumerate()
                        .map(|(draw, u)| self.model.nelbo(&batch.at(u), &key.fold(draw as u64), device)),
                ),
            };
            for draw in draws_of {
                for (sum, terms) in sums.iter_mut().zip(draw?) {
                    sum.reconstruction += terms.reconstruction / draws as f64;
                    sum.prior += terms.prior / draws as f64;
                    sum.diffusion += terms.diffusion / draws as f64;
                }
                bar.advance(1);
            }
            Ok(sums)
        };
        let to_bits = 1.0 / (dims as f64 * std::f64::consts::LN_2);
        let mut terms: Vec<BoundTerms> = Vec::new();
        let mut reached = false;
        for round in chunks.chunks(self.target.map_or(chunks.len(), |_| ROUND.div_ceil(chunk))) {
            for part in workers.map(round, one) {
                terms.extend(part?);
            }
            let nats: Vec<f64> = terms.iter().map(BoundTerms::sum).collect();
            reached = self.target.is_some_and(|target| Estimate::of(&nats).standard_error * to_bits <= target);
            if reached {
                break;
            }
        }
        bar.finish();
        let of = |f: &dyn Fn(&BoundTerms) -> f64| Estimate::of(&terms.iter().map(f).collect::<Vec<_>>());
        let nats = of(&BoundTerms::sum);
        let per_token = nats.scaled(1.0 / dims as f64);
        let bits_per_dim = nats.scaled(to_bits);
        let perplexity = per_token.value.exp();
        let text = self.data.text().map(|text| TextUnits {
            bits_per_character: bits_per_dim.scaled(1.0 / text.characters_per_token()),
            bits_per_byte: bits_per_dim.scaled(1.0 / text.bytes_per_token()),
            characters_per_token: text.characters_per_token(),
            bytes_per_token: text.bytes_per_token(),
        });
        Ok(Bound {
            dataset: self.data.name(),
            sequences: terms.len() as u64,
            dims,
            draws,
            target: self.target.map(|standard_error| Target { standard_error, reached, available: count as u64 }),
            estimator: if by_k_dce.is_some() { "k-dce".into() } else { "objective".into() },
            protocol: by_k_dce
                .map_or_else(|| self.model.protocol(), |_| K_DCE.protocol())
                .into_iter()
                .map(|(name, choice)| (name.to_owned(), choice))
                .collect(),
            nats,
            bits_per_dim,
            // The error of a smooth function of the mean, to first order.
            perplexity: Estimate {
                value: perplexity,
                standard_error: perplexity * per_token.standard_error,
                n: nats.n,
            },
            text,
            reconstruction: of(&|t| t.reconstruction).value * to_bits,
            prior: of(&|t| t.prior).value * to_bits,
            diffusion: of(&|t| t.diffusion).scaled(to_bits),
            per_sequence: terms.iter().map(BoundTerms::sum).collect(),
        })
    }
}
