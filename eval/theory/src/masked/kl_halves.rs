//! The two halves of the KL divergence of a sampler's law from a reference.

use crate::pattern_index::PatternIndex;

/// KL(p || q) = CE(p, q) - H(p), nats, for the law p of a model's samples and a reference q. exp CE is the generative
/// perplexity of the samples under q, of a whole sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlHalves {
    /// CE(p, q), the sum of -p log q.
    pub cross_entropy: f64,
    /// H(p), the joint entropy.
    pub entropy: f64,
    /// KL(p || q), the sum of p log(p / q): not the difference of the others, which tests compare with it.
    pub kl: f64,
}

/// The halves of two laws with one probability per pattern; infinite where the reference rules out what the model draws
/// [Generative Frontiers, decomposition].
pub fn kl_halves(model: &[f64], reference: &[f64]) -> KlHalves {
    let sum = |term: &dyn Fn(f64, f64) -> f64| {
        model.iter().zip(reference).filter(|(p, _)| **p > 0.0).map(|(&p, &q)| term(p, q)).sum::<f64>()
    };
    KlHalves {
        cross_entropy: sum(&|p, q| -p * q.ln()),
        entropy: sum(&|p, _| -p * p.ln()),
        kl: sum(&|p, q| p * (p / q).ln()),
    }
}

/// The expected unigram entropy of a sequence, nats: that of the distribution of tokens within it, the stand-in for the
/// joint entropy per token [Generative Frontiers, unigram entropy]. `law` has one probability per pattern.
pub fn unigram_entropy(index: &PatternIndex, law: &[f64]) -> f64 {
    let entropy = |pattern: usize| {
        let mut counts = vec![0usize; index.symbols];
        index.digits(pattern).for_each(|digit| counts[digit] += 1);
        let share = |&count: &usize| count as f64 / index.length as f64;
        counts.iter().map(share).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum::<f64>()
    };
    law.iter().enumerate().filter(|(_, p)| **p > 0.0).map(|(pattern, p)| p * entropy(pattern)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_known_laws() {
        // p = (1/2, 1/2, 0), q = (1/4, 1/2, 1/4).
        let halves = kl_halves(&[0.5, 0.5, 0.0], &[0.25, 0.5, 0.25]);
        let ln_2 = 2f64.ln();
        assert!((halves.cross_entropy - 1.5 * ln_2).abs() < 1e-15 && (halves.entropy - ln_2).abs() < 1e-15);
        assert!((halves.kl - 0.5 * ln_2).abs() < 1e-15);
        assert_eq!(kl_halves(&[0.5, 0.5], &[1.0, 0.0]).kl, f64::INFINITY);
        assert_eq!(kl_halves(&[1.0, 0.0], &[1.0, 0.0]), KlHalves { cross_entropy: 0.0, entropy: 0.0, kl: 0.0 });
    }

    #[test]
    fn unigram_entropy_is_blind_to_the_law_of_sequences() {
        // One sequence 01 alone has no joint entropy, and a unigram entropy of ln 2.
        let index = PatternIndex::with_mask(2, 2);
        let mut law = vec![0.0; index.count()];
        law[index.number([0, 1])] = 1.0;
        assert!((unigram_entropy(&index, &law) - 2f64.ln()).abs() < 1e-15);
        assert_eq!(kl_halves(&law, &law).entropy, 0.0);
        law = vec![0.0; index.count()];
        law[index.number([0, 0])] = 0.5;
        law[index.number([1, 1])] = 0.5;
        assert_eq!(unigram_entropy(&index, &law), 0.0);
    }
}
