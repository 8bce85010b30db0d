//! Entropies of a set of images. A low entropy beside a good distance shows samples that are too much alike.

use elbow_base::Estimate;
use serde::Serialize;

use crate::features::Features;
use crate::images::ImageScan;
use crate::inception_score::softmax;

/// Entropies of a set of images.
#[derive(Clone, Debug, Serialize)]
pub struct Entropy {
    /// Entropy of the levels of all pixels and channels together, in bits per value: at most 8.
    pub pooled_bits: f64,
    /// Mean entropy of the levels within one image, in bits per value, with the standard error over images.
    pub image_bits: Estimate,
    /// Entropy of the mean class probabilities of the network, in bits: how evenly the samples cover the classes.
    pub class_bits: Option<f64>,
    /// Number of different images divided by the number of images.
    pub distinct: f64,
}

/// The entropies of a scanned set of n images; `logits` \[n, classes\] where the network has them.
pub fn entropy(scan: &ImageScan, logits: Option<&Features>) -> Entropy {
    let n = scan.kept.len() as f64;
    Entropy {
        pooled_bits: bits(scan.levels.as_slice()),
        image_bits: Estimate::of(&scan.entropies),
        class_bits: logits.map(|logits| {
            let mut mean = vec![0.0; logits.dimension];
            for row in logits.rows() {
                mean.iter_mut().zip(softmax(row)).for_each(|(sum, p)| *sum += p / n);
            }
            of_probabilities(mean.into_iter())
        }),
        distinct: (scan.summary.n - scan.summary.duplicates) as f64 / n,
    }
}

/// Entropy of the relative frequencies, in bits.
pub fn bits(counts: &[u64]) -> f64 {
    let total: u64 = counts.iter().sum();
    of_probabilities(counts.iter().map(|&count| count as f64 / total as f64))
}

fn of_probabilities(probabilities: impl Iterator<Item = f64>) -> f64 {
    -probabilities.filter(|p| *p > 0.0).map(|p| p * p.log2()).sum::<f64>() + 0.0
}
