//! The Inception Score (Salimans et al. 2016, arXiv:1606.03498).

use elbow_base::Estimate;

use crate::features::Features;
use crate::{Error, Result};

/// The Inception Score [Inception Score, mean KL]: the mean over equal parts of the images, with the standard error over parts.
///
/// A part's score is exp(mean_x KL(p(y|x) || p(y))), where p(y|x) is the softmax of `logits` \[n, classes\] and p(y)
/// its mean over the part. `order` lists the images, which are cut into `splits` parts in this order. Other tools
/// report the standard deviation (with n) over the parts, which is sqrt(splits - 1) times this standard error.
pub fn inception_score(logits: &Features, order: &[usize], splits: usize) -> Result<Estimate> {
    let n = order.len();
    if splits == 0 || n < splits {
        let what = format!("it needs {splits} images or more, one for each split; there are {n}");
        return Err(Error::input(what, "give more images, or fewer splits"));
    }
    let score = |split: usize| {
        let rows: Vec<Vec<f64>> =
            order[n * split / splits..n * (split + 1) / splits].iter().map(|&i| softmax(logits.row(i))).collect();
        let mean: Vec<f64> =
            (0..logits.dimension).map(|c| rows.iter().map(|row| row[c]).sum::<f64>() / rows.len() as f64).collect();
        let kl = |row: &Vec<f64>| -> f64 {
            row.iter().zip(&mean).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
        };
        (rows.iter().map(kl).sum::<f64>() / rows.len() as f64).exp()
    };
    Ok(Estimate::of(&(0..splits).map(score).collect::<Vec<f64>>()))
}

/// Class probabilities from logits, in f64.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raised: Vec<f64> = logits.iter().map(|&l| (f64::from(l) - f64::from(top)).exp()).collect();
    let total: f64 = raised.iter().sum();
    raised.into_iter().map(|r| r / total).collect()
}
