//! Generative perplexity: the probability of samples under a judge, always beside their entropy.

use burn::tensor::Device;
use elbow_base::{Error, Estimate, Progress};
use elbow_impls::DiffusionModel;
use elbow_impls::data::{Dataset, InMemory, Tokens};
use serde::Serialize;

use super::bound::BoundEstimation;
use super::finite;
use super::result::perplexity;

/// Draws per sequence of the bound of a judge whose likelihood is not exact.
const DRAWS: usize = 16;

/// Samples under a judge. A low perplexity alone rewards dull samples: read it with the entropy.
#[derive(Clone, Debug, Serialize)]
pub struct Generative {
    /// exp(nats per token) under the judge, mean over samples. Longer samples are judged in whole windows, each after a
    /// begin mark; the rest of the last one is not scored.
    pub perplexity: Estimate,
    /// Whether the judge has a bound alone, and no exact likelihood: the perplexity is at most the number.
    pub at_most: bool,
    /// Draws of the bound per window; 1 for an exact likelihood.
    pub draws: usize,
    /// Entropy of the tokens within a sample, nats, mean over samples.
    pub entropy: Estimate,
    /// Number of samples.
    pub samples: u64,
    /// Tokens per sample.
    pub length: usize,
    /// Tokens per window of the judge.
    pub window: usize,
    /// Entropy of each sample, nats.
    #[serde(skip)]
    pub entropies: Vec<f64>,
    /// Nats per token of each sample under the judge.
    #[serde(skip)]
    pub nats: Vec<f64>,
}

impl Generative {
    /// The numbers of samples that a judge gives these nats per token.
    ///
    /// `window`: tokens of its window; `draws`: those of its bound per window; `at_most`: whether it has a bound alone.
    pub fn new(samples: &Tokens, nats: Vec<f64>, [window, draws]: [usize; 2], at_most: bool) -> Result<Self, Error> {
        let perplexity = perplexity(Estimate::of(&nats));
        finite::mean("the samples", "perplexity under the judge", &perplexity)?;
        let entropies: Vec<f64> = samples.rows().map(token_entropy).collect();
        Ok(Self {
            perplexity,
            at_most,
            draws,
            entropy: Estimate::of(&entropies),
            samples: samples.len() as u64,
            length: samples.length(),
            window,
            entropies,
            nats,
        })
    }
}

/// Judges samples of a model of `data`, whose window is the judge's. At least two samples of at least a window.
///
/// An autoregressive judge has an exact likelihood. Any other has an upper bound of the code length alone, and so an upper
/// bound of the perplexity.
pub fn generative(
    judge: DiffusionModel,
    data: &dyn Dataset,
    samples: &Tokens,
    device: &Device,
    bar: &dyn Progress,
) -> Result<Generative, Error> {
    let window = data.length();
    let windows = samples.length() / window;
    let ids: Vec<u32> = samples.rows().flat_map(|row| &row[..windows * window]).copied().collect();
    let cut = InMemory::new("samples", data.values(), Tokens::new(ids, window));
    let bound = BoundEstimation::new(judge, &cut, DRAWS, 0).run(device, bar)?;
    let scored = (windows * window) as f64;
    let nats = bound.per_sequence.chunks(windows).map(|parts| parts.iter().sum::<f64>() / scored).collect();
    Generative::new(samples, nats, [window, bound.draws], !judge.is_exact())
}

/// Entropy of the distribution of tokens within a sequence, nats.
fn token_entropy(tokens: &[u32]) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for token in tokens {
        *counts.entry(token).or_insert(0usize) += 1;
    }
    let share = |&count: &usize| count as f64 / tokens.len() as f64;
    counts.values().map(share).map(|p| -p * p.ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_of_known_sequences() {
        assert_eq!(token_entropy(&[3, 3, 3]), 0.0);
        assert!((token_entropy(&[0, 1, 2, 3]) - 4f64.ln()).abs() < 1e-15);
        assert!((token_entropy(&[0, 0, 1, 1]) - 2f64.ln()).abs() < 1e-15);
    }
}
