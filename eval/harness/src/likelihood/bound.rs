//! The bound of a trained model on a data set, or its likelihood where that is exact.

use burn::tensor::Device;
use elbow_base::{Error, Estimate, Progress};
use elbow_impls::data::{Dataset, Text};
use elbow_impls::key::permutation;
use elbow_impls::objective::{Batch, BoundTerms};
use elbow_impls::{DiffusionModel, Key};

use super::draw::{Chunk, Draws, TermsOf};
use super::finite;
use super::result::{Bound, Target, TextRates, TextUnits, per_window, perplexity};
use super::rounds::Rounds;
use crate::shards::Shards;

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

impl<'a> BoundEstimation<'a> {
    /// The bound on all of `data`, by the estimator of least variance with `draws` per sequence, without classes.
    pub fn new(model: DiffusionModel<'a>, data: &'a dyn Dataset, draws: usize, seed: u64) -> Self {
        let (conditional, estimator) = (false, Estimator::Auto);
        Self { model, data, conditional, estimator, draws, sequences: None, target: None, seed }
    }

    /// Estimates the bound.
    pub fn run(&self, device: &Device, bar: &dyn Progress) -> Result<Bound, Error> {
        self.run_in(&Shards::whole(), device, bar)?.ok_or_else(|| Error::internal("the whole work gives a bound"))
    }

    /// Estimates the bound, or a part of it: then there is none yet.
    pub fn run_in(&self, shards: &Shards, device: &Device, bar: &dyn Progress) -> Result<Option<Bound>, Error> {
        let draws = self.draws()?;
        self.run_with(&draws, &|draw| self.terms_of(&draws, draw), shards, device, bar)
    }

    /// Estimates the bound from terms that are found in another way than by calling the denoiser.
    pub(crate) fn run_with(
        &self,
        draws: &Draws,
        terms_of: &TermsOf,
        shards: &Shards,
        device: &Device,
        bar: &dyn Progress,
    ) -> Result<Option<Bound>, Error> {
        let order = self.order()?;
        let dims = self.data.length();
        let chunks = self.chunks(&order);
        let rounds = Rounds { shards, stream: "bound", chunks: &chunks, target: self.target };
        bar.start((rounds.count() * draws.per_sequence) as u64, &format!("likelihood of {}", self.data.name()));
        let work = |chunk: &Chunk| self.chunk_terms(chunk, draws, terms_of, device, bar);
        let error = |terms: &[BoundTerms]| per_sequence(terms, BoundTerms::sum).bits_per(dims).standard_error;
        let found = rounds.run(work, error)?;
        bar.finish();
        let rest = shards.unit("end of the text", 0, || self.rest(device))?;
        let (Some((terms, reached)), Some(rest)) = (found, rest) else { return Ok(None) };
        let count = order.len() as u64;
        let target = self.target.map(|standard_error| Target { standard_error, reached, available: count });
        self.summary(&terms, draws, target, rest).map(Some)
    }

    /// The sequences in the order of work.
    pub(crate) fn order(&self) -> Result<Vec<usize>, Error> {
        let count = self.sequences.unwrap_or(usize::MAX).min(self.data.len());
        at_least_two(&self.data.name(), count, self.data.len())?;
        // The first of a random order are like the rest; the first of a file need not be.
        Ok(match self.target {
            None => (0..count).collect(),
            Some(_) => permutation(&mut Key::new(self.seed, "likelihood order").rng(), count),
        })
    }

    /// Nats of the tokens of a text that fill no window, and their number: given the tokens before them in the last
    /// window, which is exact for a model from left to right. The bound of another model, given what it sees, would be one
    /// of another process: there the tokens are left out. A choice of sequences leaves them out too.
    fn rest(&self, device: &Device) -> Result<Option<(f64, usize)>, Error> {
        let DiffusionModel::Tokens(objective, denoiser) = self.model else { return Ok(None) };
        let Some(text) = self.data.text() else { return Ok(None) };
        let Some(window) = text.last_window().filter(|_| self.is_exact_over_all()) else { return Ok(None) };
        let batch = Batch::new(window.clone(), vec![0.5]);
        let mut corruption = objective.corrupt(denoiser, &batch, &Key::new(self.seed, "rest"), device)?;
        corruption.z.targets.masked[..window.length() - text.rest()].fill(false);
        let nats = objective.nelbo_of(denoiser, &corruption)?[0].sum();
        finite::code_length(&self.data.name(), self.data.len(), "code length", nats)?;
        Ok(Some((nats, text.rest())))
    }

    fn is_exact_over_all(&self) -> bool {
        self.model.is_exact() && self.sequences.is_none() && self.target.is_none()
    }

    /// The bound in all its units.
    pub(crate) fn summary(
        &self,
        terms: &[BoundTerms],
        draws: &Draws,
        target: Option<Target>,
        rest: Option<(f64, usize)>,
    ) -> Result<Bound, Error> {
        let (data, dims) = (self.data.name(), self.data.length());
        let total: Vec<f64> = terms.iter().map(BoundTerms::sum).collect();
        let nats = per_window(&total, dims, rest);
        let bits_per_dim = nats.bits_per(dims);
        let perplexity = perplexity(nats.scaled(1.0 / dims as f64));
        let diffusion: Vec<f64> = terms.iter().map(|t| t.diffusion).collect();
        for (what, mean_of) in [("mean", &bits_per_dim), ("perplexity", &perplexity)] {
            finite::mean(&data, what, mean_of)?;
        }
        let scored = terms.len() * dims + rest.map_or(0, |(_, tokens)| tokens);
        let whole = self.data.len() * dims + self.data.text().map_or(0, Text::rest);
        let (estimator, protocol) = self.convention(draws);
        let protocol = protocol.into_iter().chain(self.data_protocol(rest.is_some()));
        Ok(Bound {
            dataset: data,
            sequences: terms.len() as u64,
            available: self.data.len() as u64,
            dims,
            tokens_scored: scored as u64,
            tokens_dropped: (whole - scored) as u64,
            draws: draws.per_sequence,
            target,
            estimator: estimator.to_owned(),
            protocol: protocol.map(|(name, choice)| (name.to_owned(), choice)).collect(),
            nats,
            bits_per_dim,
            perplexity,
            text: self.data.text().map(|text| TextUnits::of(&bits_per_dim, &TextRates::of(text))),
            reconstruction: per_sequence(terms, |t| t.reconstruction).bits_per(dims).value,
            prior: per_sequence(terms, |t| t.prior).bits_per(dims).value,
            diffusion: per_window(&diffusion, dims, rest).bits_per(dims),
            per_sequence: total,
        })
    }

    /// The name of the estimator, and the choices that define its number.
    pub(super) fn convention(&self, draws: &Draws) -> (&'static str, Vec<(&'static str, String)>) {
        match draws.by_k_dce {
            Some(bound) => ("k-dce", bound.protocol()),
            None => ("objective", self.model.protocol()),
        }
    }

    /// The conventions of the data: how a text is read, and what becomes of its end.
    pub(crate) fn data_protocol(&self, rest_is_scored: bool) -> Vec<(&'static str, String)> {
        let Some(text) = self.data.text() else { return Vec::new() };
        let end = match (text.rest(), rest_is_scored) {
            (0, _) => None,
            (rest, true) => {
                Some(format!("the last {rest} tokens are scored given those before them in the last window"))
            }
            (rest, false) => Some(format!("the last {rest} tokens fill no window and are not scored")),
        };
        text.protocol().into_iter().chain(end.map(|end| ("end of the text", end))).collect()
    }
}

/// Refuses a number of sequences that has no standard error.
pub(super) fn at_least_two(data: &str, count: usize, available: usize) -> Result<(), Error> {
    match count {
        0 | 1 => {
            let what = format!("{data}: {count} of {available} sequences");
            Err(Error::input(what, "a standard error needs two or more"))
        }
        _ => Ok(()),
    }
}

/// The mean of a term over sequences.
fn per_sequence(terms: &[BoundTerms], term: impl Fn(&BoundTerms) -> f64) -> Estimate {
    Estimate::of(&terms.iter().map(term).collect::<Vec<_>>())
}
