//! The bound on sequences of different lengths, which are evaluated length by length.

use std::collections::BTreeMap;

use burn::tensor::Device;
use elbow_base::{Error, Estimate, Progress, bits_per_dim};
use elbow_impls::DiffusionModel;
use elbow_impls::data::{Dataset, Lines};
use serde::Serialize;

use super::bound::{BoundEstimation, Estimator, at_least_two};
use super::draw::{Chunk, Draw};
use super::finite;
use super::result::{perplexity, ratio};
use super::rounds::Rounds;
use crate::shards::Shards;

/// The bound of a model on sequences of different lengths, with the settings of its estimate.
pub struct LinesEstimation<'a> {
    /// The objective with its denoiser.
    pub model: DiffusionModel<'a>,
    /// The data.
    pub lines: &'a Lines,
    /// The estimator.
    pub estimator: Estimator,
    /// Stratified draws of the noise per sequence.
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
}

/// An upper bound on the negative log-likelihood per token: all nats of all sequences by all their tokens. Every number in
/// it is finite.
#[derive(Clone, Debug, Serialize)]
pub struct LinesBound {
    /// Name of the data.
    pub dataset: String,
    /// Number of sequences.
    pub sequences: u64,
    /// Shortest and longest length.
    pub lengths: [usize; 2],
    /// Tokens that the number is over.
    pub tokens_scored: u64,
    /// Draws per sequence.
    pub draws: usize,
    /// Name of the estimator.
    pub estimator: String,
    /// The choices that define the number.
    pub protocol: BTreeMap<String, String>,
    /// Bits per token, with the error of a ratio over sequences.
    pub bits_per_token: Estimate,
    /// exp of the nats per token.
    pub perplexity: Estimate,
    /// Nats and tokens of each sequence, those of one length together, the shortest first.
    #[serde(skip)]
    pub per_sequence: Vec<(f64, usize)>,
}

impl LinesEstimation<'_> {
    /// Estimates the bound.
    pub fn run(&self, device: &Device, bar: &dyn Progress) -> Result<LinesBound, Error> {
        self.run_in(&Shards::whole(), device, bar)?.ok_or_else(|| Error::internal("the whole work gives a bound"))
    }

    /// Estimates the bound, or a part of it: then there is none yet.
    pub fn run_in(&self, shards: &Shards, device: &Device, bar: &dyn Progress) -> Result<Option<LinesBound>, Error> {
        let sets = self.lines.by_length();
        let name = self.lines.name();
        let count = sets.iter().map(Dataset::len).sum();
        at_least_two(name, count, count)?;
        let estimations: Vec<BoundEstimation> = sets.iter().map(|set| self.of(set)).collect();
        let orders: Vec<Vec<usize>> = sets.iter().map(|set| (0..set.len()).collect()).collect();
        let chunks: Vec<_> = estimations.iter().zip(&orders).map(|(set, order)| set.chunks(order)).collect();
        let first = estimations.first().ok_or_else(|| Error::internal("checked: two sequences or more"))?;
        let draws = first.draws()?;
        let streams: Vec<String> = sets.iter().map(|set| format!("bound of {} tokens", set.length())).collect();
        let rounds = chunks.iter().zip(&streams);
        let rounds: Vec<Rounds> =
            rounds.map(|(chunks, stream)| Rounds { shards, stream, chunks, target: None }).collect();
        let calls = rounds.iter().map(Rounds::count).sum::<usize>() * draws.per_sequence;
        bar.start(calls as u64, &format!("likelihood of {name}"));
        let mut per_sequence: Vec<(f64, usize)> = Vec::with_capacity(count);
        for ((estimation, rounds), set) in estimations.iter().zip(&rounds).zip(sets) {
            let terms_of = |draw: &Draw| estimation.terms_of(&draws, draw);
            let work = |chunk: &Chunk| estimation.chunk_terms(chunk, &draws, &terms_of, device, bar);
            let Some((terms, _)) = rounds.run(work, |_| 0.0)? else { continue };
            per_sequence.extend(terms.iter().map(|terms| (terms.sum(), set.length())));
        }
        bar.finish();
        if shards.is_part() {
            return Ok(None);
        }
        let (nats, tokens): (Vec<f64>, Vec<f64>) = per_sequence.iter().map(|&(nats, n)| (nats, n as f64)).unzip();
        let per_token = ratio(&nats, &tokens);
        let perplexity = perplexity(per_token);
        for (what, mean) in [("mean", &per_token), ("perplexity", &perplexity)] {
            finite::mean(name, what, mean)?;
        }
        let (estimator, protocol) = first.convention(&draws);
        let unit = "all bits by all tokens; the standard error is that of a ratio over sequences";
        let batches = "sequences of one length together, without padding between them";
        let own = [("unit", unit), ("batches", batches)].map(|(name, choice)| (name, choice.to_owned()));
        Ok(Some(LinesBound {
            dataset: name.to_owned(),
            sequences: count as u64,
            lengths: self.lines.lengths(),
            tokens_scored: per_sequence.iter().map(|&(_, n)| n as u64).sum(),
            draws: draws.per_sequence,
            estimator: estimator.to_owned(),
            protocol: protocol.into_iter().chain(own).map(|(name, choice)| (name.to_owned(), choice)).collect(),
            bits_per_token: per_token.scaled(bits_per_dim(1.0, 1)),
            perplexity,
            per_sequence,
        }))
    }

    /// The estimation on the sequences of one length.
    fn of<'b>(&'b self, set: &'b dyn Dataset) -> BoundEstimation<'b> {
        // Draws are keyed by the number of a sequence in its set: each set has a seed of its own.
        let seed = self.seed.wrapping_add((set.length() as u64) << 32);
        BoundEstimation { estimator: self.estimator, ..BoundEstimation::new(self.model, set, self.draws, seed) }
    }
}
