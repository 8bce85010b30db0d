//! The draws of a bound's estimate: which sequences are corrupted together, how, and what each draw costs.

use burn::tensor::Device;
use elbow_base::{Error, Progress, Remedy};
use elbow_impls::objective::{Batch, BoundTerms};
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::{BoundCorruption, Key};

use super::bound::{BoundEstimation, Estimator};
use super::draw::{Chunk, Draw, Draws, TermsOf};
use super::finite;

/// Tokens times values of one network call, about, so that it fits into memory.
const CALL_SIZE: usize = 1 << 23;

impl<'a> BoundEstimation<'a> {
    /// The sequences in chunks, which depend on the data alone: two models are given the same noise.
    pub(crate) fn chunks<'o>(&self, order: &'o [usize]) -> Vec<Chunk<'o>> {
        let size = (CALL_SIZE / (self.data.length() * self.data.values())).clamp(1, 32);
        order.chunks(size).enumerate().collect()
    }

    /// The draws of the estimator. k-DCE is refused where it would estimate another model's number.
    pub(crate) fn draws(&self) -> Result<Draws<'a>, Error> {
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

    /// Time and noise of a chunk, draw after draw. They depend on the seed, the data and the objective, on no network.
    pub(crate) fn corruptions(
        &self,
        &(number, sequences): &Chunk,
        draws: &Draws,
        device: &Device,
    ) -> Result<Box<dyn Iterator<Item = elbow_impls::Result<BoundCorruption>> + '_>, Error> {
        let count = draws.per_sequence;
        let times = Key::new(self.seed, "likelihood times");
        let key = Key::new(self.seed, "likelihood masks").fold(number as u64);
        let strata: Vec<Vec<f64>> =
            sequences.iter().map(|&i| TimeSampling::Stratified.draw(count, &times.fold(i as u64))).collect();
        let u: Vec<Vec<f64>> = (0..count).map(|draw| strata.iter().map(|u| u[draw]).collect()).collect();
        let class = if self.conditional { self.data.labels(sequences) } else { Vec::new() };
        let batch = Batch { class, ..Batch::new(self.data.select(sequences)?, u[0].clone()) };
        Ok(match draws.by_k_dce {
            Some(bound) => {
                let drawn = bound.draws(batch, u, &key, device)?;
                Box::new(drawn.map(|z| Ok(BoundCorruption::Tokens(Box::new(z?)))))
            }
            None => {
                let (model, device) = (self.model, device.clone());
                let corrupt = move |(draw, u): (usize, Vec<f64>)| {
                    model.corrupt_for_bound(&batch.at(&u), &key.fold(draw as u64), &device)
                };
                Box::new(u.into_iter().enumerate().map(corrupt))
            }
        })
    }

    /// The terms of one draw by the model's denoiser.
    pub(crate) fn terms_of(&self, draws: &Draws, draw: &Draw) -> Result<Vec<BoundTerms>, Error> {
        Ok(match (draws.by_k_dce, draw.corruption) {
            (Some(bound), BoundCorruption::Tokens(z)) => bound.nelbo_of(z)?,
            (_, corruption) => self.model.nelbo_of(corruption)?,
        })
    }

    /// The terms of one chunk of sequences, means over the draws.
    pub(crate) fn chunk_terms(
        &self,
        chunk: &Chunk,
        draws: &Draws,
        terms_of: &TermsOf,
        device: &Device,
        bar: &dyn Progress,
    ) -> Result<Vec<BoundTerms>, Error> {
        let count = draws.per_sequence as f64;
        let sequences = chunk.1;
        let mut means = vec![BoundTerms::default(); sequences.len()];
        for (number, corruption) in self.corruptions(chunk, draws, device)?.enumerate() {
            let terms = terms_of(&Draw { sequences, number, corruption: &corruption? })?;
            for (mean, terms) in means.iter_mut().zip(terms) {
                mean.reconstruction += terms.reconstruction / count;
                mean.prior += terms.prior / count;
                mean.diffusion += terms.diffusion / count;
            }
            bar.advance(1);
        }
        let name = self.data.name();
        for (&sequence, mean) in sequences.iter().zip(&means) {
            for (term, nats) in mean.by_name(self.model.is_exact()) {
                finite::code_length(&name, sequence, term, nats)?;
            }
        }
        Ok(means)
    }
}
