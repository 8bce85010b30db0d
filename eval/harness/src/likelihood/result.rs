//! A bound with its terms, in all its units.

use std::collections::BTreeMap;

use elbow_base::Estimate;
use elbow_impls::data::{Text, TextLoss};
use serde::{Deserialize, Serialize};

/// An upper bound on the negative log-likelihood with its terms: a mean over sequences, whose standard error holds the
/// spread of the data and the noise of the draws. Every number in it is finite.
#[derive(Clone, Debug, Serialize)]
pub struct Bound {
    /// Name of the data.
    pub dataset: String,
    /// Number of whole sequences that are scored.
    pub sequences: u64,
    /// Number of whole sequences of the data.
    pub available: u64,
    /// Tokens per sequence, all of which are scored (the D of bits/dim).
    pub dims: usize,
    /// Tokens that the number is over.
    pub tokens_scored: u64,
    /// Tokens of the data in no scored sequence: those that are left out on request, and the end of a text that fills no
    /// window.
    pub tokens_dropped: u64,
    /// Draws per sequence.
    pub draws: usize,
    /// The standard error that was to be reached.
    pub target: Option<Target>,
    /// Name of the estimator.
    pub estimator: String,
    /// The choices that define the number.
    pub protocol: BTreeMap<String, String>,
    /// All terms, nats per sequence; where the end of a text is scored too, nats per `dims` tokens.
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
    /// All terms of each whole sequence, nats.
    #[serde(skip)]
    pub per_sequence: Vec<f64>,
}

/// A bound of text in units that do not depend on the tokens.
#[derive(Clone, Debug, Serialize)]
pub struct TextUnits {
    /// Bits per character. None where the tokens do not give the text back: their code length is none of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_character: Option<Estimate>,
    /// Bits per byte of UTF-8, under the same condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_byte: Option<Estimate>,
    /// Characters per token of the split.
    pub characters_per_token: f64,
    /// Bytes per token of the split.
    pub bytes_per_token: f64,
    /// What the tokens do not give back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<TextLoss>,
}

/// How much text a token stands for, over the whole split.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRates {
    /// Characters per token.
    pub characters_per_token: f64,
    /// Bytes per token.
    pub bytes_per_token: f64,
    /// What the tokens do not give back.
    pub lost: Option<TextLoss>,
}

impl TextRates {
    /// Those of a text.
    pub fn of(text: &Text) -> Self {
        Self {
            characters_per_token: text.characters_per_token(),
            bytes_per_token: text.bytes_per_token(),
            lost: text.loss().copied(),
        }
    }
}

impl TextUnits {
    /// A number of bits per token in the units of its text.
    pub(crate) fn of(bits_per_token: &Estimate, text: &TextRates) -> Self {
        let per = |amount: f64| text.lost.is_none().then(|| bits_per_token.scaled(1.0 / amount));
        Self {
            bits_per_character: per(text.characters_per_token),
            bits_per_byte: per(text.bytes_per_token),
            characters_per_token: text.characters_per_token,
            bytes_per_token: text.bytes_per_token,
            lost: text.lost,
        }
    }
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

/// Nats per `dims` tokens over whole sequences of as many, and over the last tokens where these are scored too: the total
/// by the number of tokens.
pub(super) fn per_window(nats: &[f64], dims: usize, rest: Option<(f64, usize)>) -> Estimate {
    let Some((last, tokens)) = rest else { return Estimate::of(nats) };
    let mut windows = vec![1.0; nats.len()];
    windows.push(tokens as f64 / dims as f64);
    ratio(&[nats, &[last]].concat(), &windows)
}

/// The total of some amounts by the total of their sizes, with the error of a ratio to first order (Cochran, Sampling
/// Techniques, 2.11), over the units.
pub(crate) fn ratio(amounts: &[f64], sizes: &[f64]) -> Estimate {
    let total: f64 = sizes.iter().sum();
    let value = amounts.iter().sum::<f64>() / total;
    let n = amounts.len() as f64;
    let square: f64 = amounts.iter().zip(sizes).map(|(amount, size)| (amount - value * size).powi(2)).sum();
    Estimate { value, standard_error: (square * n / (n - 1.0)).sqrt() / total, n: amounts.len() as u64 }
}

/// exp of a mean of nats per token, with the error of a smooth function of the mean to first order.
pub(super) fn perplexity(nats: Estimate) -> Estimate {
    let value = nats.value.exp();
    Estimate { value, standard_error: value * nats.standard_error, n: nats.n }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_over_tokens_and_its_error_over_sequences() {
        // 12 nats of 8 tokens; residuals 2 - 1.5 * 2, 4 - 1.5 * 2, 6 - 1.5 * 4: -1, 1, 0.
        let e = ratio(&[2.0, 4.0, 6.0], &[2.0, 2.0, 4.0]);
        assert_eq!((e.value, e.n), (1.5, 3));
        assert!((e.standard_error - (2.0_f64 * 1.5).sqrt() / 8.0).abs() < 1e-15, "{e:?}");
        // A mean of the sequences' own rates, 1, 2 and 1.5, has the same value here and another error.
        let rates = Estimate::of(&[1.0, 2.0, 1.5]);
        assert!((rates.standard_error - e.standard_error).abs() > 0.05);
    }

    #[test]
    fn sequences_of_one_length_have_the_error_of_a_mean() {
        let (e, mean) = (ratio(&[1.0, 2.0, 4.0], &[2.0; 3]), Estimate::of(&[0.5, 1.0, 2.0]));
        assert!((e.value - mean.value).abs() < 1e-15 && (e.standard_error - mean.standard_error).abs() < 1e-15);
    }
}
