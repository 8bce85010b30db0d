//! The difference of two models' bounds on the same sequences under the same noise.

use burn::tensor::Device;
use elbow_base::{Error, Estimate, Progress};
use elbow_impls::DiffusionModel;
use elbow_impls::objective::BoundTerms;
use serde::Serialize;

use super::bound::{BoundEstimation, Estimator};
use super::draw::{Chunk, Draws};
use super::inputs::Inputs;
use super::result::{Bound, Target};
use super::rounds::Rounds;
use crate::shards::Shards;

/// The estimation of a difference A - B. Each sequence gives one difference: what two sequences differ in, and the noise that
/// both models are given alike, drop out of its error.
pub struct PairedEstimation<'a> {
    /// The estimations of A and B: on the same data, with the same draws, sequences and seed. Their targets are not read.
    pub models: [BoundEstimation<'a>; 2],
    /// A standard error of the difference in bits per token: sequences in random order until it is reached.
    pub target: Option<f64>,
}

/// A difference of two bounds, A - B, over sequences.
#[derive(Clone, Debug, Serialize)]
pub struct PairedBound {
    /// The difference, nats per sequence.
    pub nats: Estimate,
    /// The difference, bits per token.
    pub bits_per_dim: Estimate,
    /// The standard error of the same difference had both bounds been measured on sequences and draws of their own, bits per
    /// token: that of A and that of B, added in squares.
    pub independent_standard_error: f64,
    /// The variance of independent draws over that of the paired ones; none where the difference has no variance.
    pub variance_ratio: Option<f64>,
    /// Share of the corrupted inputs of the first sequences that are the same for both models.
    pub shared_inputs: f64,
    /// The standard error that was to be reached.
    pub target: Option<Target>,
    /// The bound of A.
    pub a: Bound,
    /// The bound of B.
    pub b: Bound,
}

impl PairedEstimation<'_> {
    /// Estimates the difference and both bounds.
    pub fn run(self, device: &Device, bar: &dyn Progress) -> Result<PairedBound, Error> {
        let found = self.run_in(&Shards::whole(), device, bar)?;
        found.ok_or_else(|| Error::internal("the whole work gives a difference"))
    }

    /// Estimates the difference and both bounds, or a part of them: then there are none yet.
    pub fn run_in(self, shards: &Shards, device: &Device, bar: &dyn Progress) -> Result<Option<PairedBound>, Error> {
        let Self { models: [a, b], target } = self;
        let common = common_estimator(&a, &b);
        let [a, b] =
            [a, b].map(|model| BoundEstimation { target, estimator: common.unwrap_or(model.estimator), ..model });
        let name = |which: &'static str| move |e: Error| e.of(which);
        let draws = [a.draws().map_err(name("A"))?, b.draws().map_err(name("B"))?];
        let order = a.order()?;
        let (dims, chunks) = (a.data.length(), a.chunks(&order));
        let rounds = Rounds { shards, stream: "pairs", chunks: &chunks, target };
        let calls = draws.iter().map(|draws| draws.per_sequence).sum::<usize>() * rounds.count();
        bar.start(calls as u64, &format!("comparison on {}", a.data.name()));
        let terms = |model: &BoundEstimation, draws: &Draws, chunk: &Chunk| {
            model.chunk_terms(chunk, draws, &|draw| model.terms_of(draws, draw), device, bar)
        };
        let work = |chunk: &Chunk| -> Result<Vec<[BoundTerms; 2]>, Error> {
            let of_a = terms(&a, &draws[0], chunk).map_err(name("A"))?;
            let of_b = terms(&b, &draws[1], chunk).map_err(name("B"))?;
            Ok(of_a.into_iter().zip(of_b).map(|(a, b)| [a, b]).collect())
        };
        let error = |pairs: &[[BoundTerms; 2]]| difference(pairs).bits_per(dims).standard_error;
        let found = rounds.run(work, error)?;
        bar.finish();
        let shared_inputs = shards.unit("shared inputs", 0, || shared([&a, &b], &draws, &chunks[0], device))?;
        let (Some((pairs, reached)), Some(shared_inputs)) = (found, shared_inputs) else { return Ok(None) };
        let of = |which: usize| pairs.iter().map(|pair| pair[which]).collect::<Vec<_>>();
        let summary = [a.summary(&of(0), &draws[0], None, None)?, b.summary(&of(1), &draws[1], None, None)?];
        let nats = difference(&pairs);
        let bits_per_dim = nats.bits_per(dims);
        let [a, b] = summary;
        let independent = a.bits_per_dim.standard_error.hypot(b.bits_per_dim.standard_error);
        let ratio = (independent / bits_per_dim.standard_error).powi(2);
        let available = order.len() as u64;
        Ok(Some(PairedBound {
            nats,
            bits_per_dim,
            independent_standard_error: independent,
            variance_ratio: ratio.is_finite().then_some(ratio),
            shared_inputs,
            target: target.map(|standard_error| Target { standard_error, reached, available }),
            a,
            b,
        }))
    }
}

/// The mean of A - B over sequences, nats.
fn difference(pairs: &[[BoundTerms; 2]]) -> Estimate {
    Estimate::of(&pairs.iter().map(|[a, b]| a.sum() - b.sum()).collect::<Vec<_>>())
}

/// The objective's own estimator where both models are noised token by token and only one of them could be judged by k-DCE: two
/// estimators would share no noise.
fn common_estimator(a: &BoundEstimation, b: &BoundEstimation) -> Option<Estimator> {
    let noised = |model: &BoundEstimation| matches!(model.model, DiffusionModel::Tokens(..)) && !model.model.is_exact();
    let auto = a.estimator == Estimator::Auto && b.estimator == Estimator::Auto;
    let both = a.model.any_order().is_some() && b.model.any_order().is_some();
    (auto && noised(a) && noised(b) && !both).then_some(Estimator::Objective)
}

/// Share of a chunk's corrupted inputs that are the same for both models.
fn shared(models: [&BoundEstimation; 2], draws: &[Draws; 2], chunk: &Chunk, device: &Device) -> Result<f64, Error> {
    if models.iter().any(|model| model.model.is_exact()) {
        return Ok(0.0);
    }
    let [of_a, of_b] = [0, 1].map(|i| models[i].corruptions(chunk, &draws[i], device));
    let (rows, mut same, mut all) = (chunk.1.len(), 0, 0);
    for (a, b) in of_a?.zip(of_b?) {
        same += Inputs::of(&models[0].model, &a?)?.same(&Inputs::of(&models[1].model, &b?)?, rows);
        all += rows;
    }
    Ok(same as f64 / all as f64)
}
