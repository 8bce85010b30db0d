//! Entropy of a set of samples: a low one beside a good distance tells of samples that are all alike.

use serde::Serialize;

use super::features::Features;
use super::images::Survey;
use super::inception_score::softmax;
use elbow_base::Estimate;

/// Entropies of a set.
#[derive(Clone, Debug, Serialize)]
pub struct Entropy {
    /// Of the levels of all pixels and channels together, bits a value: at most 8.
    pub pooled_bits: f64,
    /// Of the levels of one image, bits a value, with the standard error over images.
    pub image_bits: Estimate,
    /// Of the mean of the network's class probabilities, bits: the samples' spread over classes.
    pub class_bits: Option<f64>,
    /// Different images, as a share of all.
    pub distinct: f64,
}

/// The entropies of a set of images; `logits` \[images, classes\] where the network has them.
pub fn entropy(survey: &Survey, logits: Option<&Features>) -> Entropy {
    let n = survey.kept.len() as f64;
    Entropy {
        pooled_bits: bits(survey.levels.as_slice()),
        image_bits: Estimate::of(&survey.entropies),
        class_bits: logits.map(|logits| {
            let mut mean = vec![0.0; logits.dimension];
            for row in logits.rows() {
                mean.iter_mut().zip(softmax(row)).for_each(|(sum, p)| *sum += p / n);
            }
            of_probabilities(mean.into_iter())
        }),
        distinct: (survey.summary.n - survey.summary.duplicates) as f64 / n,
    }
}

/// The entropy of relative frequencies, bits.
pub fn bits(counts: &[u64]) -> f64 {
    let total: u64 = counts.iter().sum();
    of_probabilities(counts.iter().map(|&count| count as f64 / total as f64))
}

fn of_probabilities(probabilities: impl Iterator<Item = f64>) -> f64 {
    -probabilities.filter(|p| *p > 0.0).map(|p| p * p.log2()).sum::<f64>() + 0.0
}
