//! The bound of a trained model on a data set, or its likelihood where that is exact.

use std::collections::BTreeMap;

use burn::tensor::Device;
use elbow_base::{Error, Estimate, Progress, Remedy};
use elbow_impls::any_order::{K_DCE, k_dce_draws};
use elbow_impls::data::Dataset;
use elbow_impls::key::permutation;
use elbow_impls::network::TokenDenoiser;
use elbow_impls::objective::{Batch, BoundTerms, TokenObjective};
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::{DiffusionModel, Key, Workers};
use serde::Serialize;

/// Estimator of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// k-DCE where it estimates the model's bound, otherwise the objective's own.
    Auto,
    /// The training objective's own estimator.
    Objective,
    /// The any-order bound with k ~ U{1..N} masked tokens, one order per sequence for all draws: the least variance.
    KDce,
}

elbow_impls::names!(Estimator, "estimator": Auto = "auto", Objective = "objective", KDce = "k-dce");

/// The bound of a model on a data set, with the settings of its estimate.
///
/// The bound of a masked model of one token that predicts 0 with probability 3/4, on the data 0, 0, 0, 1:
///
/// ```
/// use burn::tensor::Device;
/// use elbow_harness::likelihood::BoundEstimation;
/// use elbow_impls::DiffusionModel;
/// use elbow_impls::any_order::K_DCE;
/// use elbow_impls::data::{InMemory, Tokens};
/// use elbow_impls::network::TableDenoiser;
///
/// let device = Device::flex();
/// let table = TableDenoiser::new(2, 1, &[vec![1.0, 0.0], vec![0.0, 1.0], vec![0.75, 0.25]], &device);
/// let data = InMemory::new("bits", 2, Tokens::new(vec![0, 0, 0, 1], 1));
/// let estimation = BoundEstimation::new(DiffusionModel::Tokens(&K_DCE, &table), &data, 1, 0);
/// let bound = estimation.run(&device, &elbow_base::Silent)?;
/// assert!((bound.bits_per_dim.value - 0.8113).abs() < 1e-4);
/// assert!((bound.bits_per_dim.standard_error - 0.3962).abs() < 1e-4, "over the four sequences");
/// # Ok::<(), elbow_base::Error>(())
/// ```
pub struct BoundEstimation<'a> {
    /// The objective with its denoiser.
    pub model: DiffusionModel<'a>,
    /// The data.
    pub data: &'a dyn Dataset,
    /// Whether the denoiser is given each sequence's class.
    pub conditional: bool,
    /// The estimator.
    pub estimator: Estimator,
    /// Stratified draws of the noise per sequence.
    pub draws: usize,
    /// The first sequences of the data, or all.
    pub sequences: Option<usize>,
    /// A standard error in bits per token: sequences in random order until it is reached.
    pub target: Option<f64>,
    /// Seed of the draws and of the random order.
    pub seed: u64,
}

/// An upper bound on the negative log-likelihood with its terms: a mean over sequences, whose standard error holds the
/// spread of the data and the noise of the draws.
#[derive(Clone, Debug, Serialize)]
pub struct Bound {
    /// Name of the data.
    pub dataset: String,
    /// Number of sequences.
    pub sequences: u64,
    /// Tokens per sequence, all of which are scored (the D of bits/dim).
    pub dims: usize,
    /// Draws per sequence.
    pub draws: usize,
    /// The standard error that was to be reached.
    pub target: Option<Target>,
    /// Name of the estimator.
    pub estimator: String,
    /// The choices that define the number.
    pub protocol: BTreeMap<String, String>,
    /// All terms, nats per sequence.
    pub nats: Estimate,
    /// All terms, bits per token: nats / (D ln 2).
    pub bits_per_dim: Estimate,
    /// exp(nats / D), per token.
    pub perplexity: Estimate,
    /// Bits per character and per byte of text.
    pub text: Option<TextUnits>,
    /// E -log p(x | z_0), bits per token.
    pub reconstruction: f64,
    /// KL(q(z_1|x) || p(z_1)), bits per token.
    pub prior: f64,
    /// The diffusion term, bits per token.
    pub diffusion: Estimate,
    /// All terms of each sequence, nats.
    #[serde(skip)]
    pub per_sequence: Vec<f64>,
}

/// A bound of text in units that do not depend on the tokens.
#[derive(Clone, Debug, Serialize)]
pub struct TextUnits {
    /// Bits per character.
    pub bits_per_character: Estimate,
    /// Bits per byte of UTF-8.
    pub bits_per_byte: Estimate,
    /// Characters per token of the split.
    pub characters_per_token: f64,
    /// Bytes per token of the split.
    pub bytes_per_token: f64,
}

/// A standard error to be reached. It is tested after rounds of sequences, and the first one that is small enough ends
/// the estimation: over many rounds this selects errors that are a little too small.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Target {
    /// Bits per token.
    pub standard_error: f64,
    /// Whether it was reached before the sequences ended.
    pub reached: bool,
    /// Number of sequences available.
    pub available: u64,
}

/// Sequences between two tests of the standard error: the same on any machine, so that all stop at the same one, and
/// enough that the error itself is known to a few percent.
const ROUND: usize = 128;

/// Tokens times values of one network call, about, so that it fits into memory.
const CALL_SIZE: usize = 1 << 23;

/// The draws of an estimation, and the denoiser where they are k-DCE's.
struct Draws<'a> {
    by_k_dce: Option<&'a dyn TokenDenoiser>,
    per_sequence: usize,
}

impl<'a> BoundEstimation<'a> {
    /// The bound on all of `data`, by the estimator of least variance with `draws` per sequence, without classes.
    pub fn new(model: DiffusionModel<'a>, data: &'a dyn Dataset, draws: usize, seed: u64) -> Self {
        let (conditional, estimator) = (false, Estimator::Auto);
        Self { model, data, conditional, estimator, draws, sequences: None, target: None, seed }
    }

    /// Estimates the bound.
    pub fn run(&self, device: &Device, bar: &dyn Progress) -> Result<Bound, Error> {
        let draws = self.draws()?;
        let count = self.sequences.unwrap_or(usize::MAX).min(self.data.len());
        if count < 2 {
            let what = format!("{}: {count} sequences have no standard error", self.data.name());
            return Err(Error::input(what, "evaluate at least two"));
        }
        // The first of a random order are like the rest; the first of a file need not be.
        let order: Vec<usize> = match self.target {
            None => (0..count).collect(),
            Some(_) => permutation(&mut Key::new(self.seed, "likelihood order").rng(), count),
        };
        let (terms, reached) = self.terms(&order, &draws, device, bar)?;
        let target = self.target.map(|standard_error| Target { standard_error, reached, available: count as u64 });
        Ok(self.summary(&terms, &draws, target))
    }

    /// The draws of the estimator. k-DCE is refused where it would estimate another model's number.
    fn draws(&self) -> Result<Draws<'a>, Error> {
        let by_k_dce = match (self.estimator, self.model.any_order()) {
            (Estimator::KDce, None) => {
                let what = "k-dce is no estimator of this model's bound: it needs masked diffusion in continuous time with \
                            alpha from 1 to 0 and a network that sees no time";
                let error = Error::input(what, "use the objective's own estimator");
                return Err(error.mended_by(Remedy::ObjectiveEstimator));
            }
            (Estimator::KDce | Estimator::Auto, valid) => valid,
            (Estimator::Objective, _) => None,
        };
        let per_sequence = if by_k_dce.is_none() && self.model.is_exact() { 1 } else { self.draws };
        Ok(Draws { by_k_dce, per_sequence })
    }

    /// The terms of the sequences in this order, in rounds up to the target, and whether that was reached.
    fn terms(
        &self,
        order: &[usize],
        draws: &Draws,
        device: &Device,
        bar: &dyn Progress,
    ) -> Result<(Vec<BoundTerms>, bool), Error> {
        let dims = self.data.length();
        let size = (CALL_SIZE / (dims * self.data.values())).clamp(1, 32);
        let chunks: Vec<(usize, &[usize])> = order.chunks(size).enumerate().collect();
        bar.start((chunks.len() * draws.per_sequence) as u64, &format!("likelihood of {}", self.data.name()));
        let workers = Workers::new(usize::MAX);
        let (mut terms, mut reached) = (Vec::new(), false);
        for round in chunks.chunks(self.target.map_or(chunks.len(), |_| ROUND.div_ceil(size))) {
            for part in workers.map(round, |_, &(number, chunk)| self.chunk_terms(number, chunk, draws, device, bar)) {
                terms.extend(part?);
            }
            let error = per_sequence(&terms, BoundTerms::sum).bits_per(dims).standard_error;
            reached = self.target.is_some_and(|target| error <= target);
            if reached {
                break;
            }
        }
        bar.finish();
        Ok((terms, reached))
    }

    /// The terms of one chunk of sequences, means over the draws.
    fn chunk_terms(
        &self,
        number: usize,
        chunk: &[usize],
        draws: &Draws,
        device: &Device,
        bar: &dyn Progress,
    ) -> Result<Vec<BoundTerms>, Error> {
        let count = draws.per_sequence;
        let times = Key::new(self.seed, "likelihood times");
        let key = Key::new(self.seed, "likelihood masks").fold(number as u64);
        let strata: Vec<Vec<f64>> =
            chunk.iter().map(|&i| TimeSampling::Stratified.draw(count, &times.fold(i as u64))).collect();
        let u: Vec<Vec<f64>> = (0..count).map(|draw| strata.iter().map(|u| u[draw]).collect()).collect();
        let class = if self.conditional { self.data.labels(chunk) } else { Vec::new() };
        let batch = Batch { class, ..Batch::new(self.data.select(chunk)?, u[0].clone()) };
        let drawn: Box<dyn Iterator<Item = elbow_impls::Result<Vec<BoundTerms>>>> = match draws.by_k_dce {
            Some(denoiser) => Box::new(k_dce_draws(denoiser, &batch, &u, &key, device)),
            None => {
                let nelbo =
                    |(draw, u): (usize, &Vec<f64>)| self.model.nelbo(&batch.at(u), &key.fold(draw as u64), device);
                Box::new(u.iter().enumerate().map(nelbo))
            }
        };
        let mut means = vec![BoundTerms::default(); chunk.len()];
        for draw in drawn {
            for (mean, terms) in means.iter_mut().zip(draw?) {
                mean.reconstruction += terms.reconstruction / count as f64;
                mean.prior += terms.prior / count as f64;
                mean.diffusion += terms.diffusion / count as f64;
            }
            bar.advance(1);
        }
        Ok(means)
    }

    /// The bound in all its units.
    fn summary(&self, terms: &[BoundTerms], draws: &Draws, target: Option<Target>) -> Bound {
        let dims = self.data.length();
        let nats = per_sequence(terms, BoundTerms::sum);
        let bits_per_dim = nats.bits_per(dims);
        let text = self.data.text().map(|text| TextUnits {
            bits_per_character: bits_per_dim.scaled(1.0 / text.characters_per_token()),
            bits_per_byte: bits_per_dim.scaled(1.0 / text.bytes_per_token()),
            characters_per_token: text.characters_per_token(),
            bytes_per_token: text.bytes_per_token(),
        });
        let (estimator, protocol) = match draws.by_k_dce {
            Some(_) => ("k-dce", K_DCE.protocol()),
            None => ("objective", self.model.protocol()),
        };
        Bound {
            dataset: self.data.name(),
            sequences: terms.len() as u64,
            dims,
            draws: draws.per_sequence,
            target,
            estimator: estimator.to_owned(),
            protocol: protocol.into_iter().map(|(name, choice)| (name.to_owned(), choice)).collect(),
            nats,
            bits_per_dim,
            perplexity: perplexity(nats.scaled(1.0 / dims as f64)),
            text,
            reconstruction: per_sequence(terms, |t| t.reconstruction).bits_per(dims).value,
            prior: per_sequence(terms, |t| t.prior).bits_per(dims).value,
            diffusion: per_sequence(terms, |t| t.diffusion).bits_per(dims),
            per_sequence: terms.iter().map(BoundTerms::sum).collect(),
        }
    }
}

/// The mean of a term over sequences.
fn per_sequence(terms: &[BoundTerms], term: impl Fn(&BoundTerms) -> f64) -> Estimate {
    Estimate::of(&terms.iter().map(term).collect::<Vec<_>>())
}

/// exp of a mean of nats per token, with the error of a smooth function of the mean to first order.
pub(super) fn perplexity(nats: Estimate) -> Estimate {
    let value = nats.value.exp();
    Estimate { value, standard_error: value * nats.standard_error, n: nats.n }
}
