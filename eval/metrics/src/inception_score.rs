//! The Inception Score (Salimans et al., arXiv:1606.03498): exp of the mean KL(p(y|x) || p(y)) over images, with
//! p(y) the mean of p(y|x).

use super::features::Features;
use elbow_base::Error;
use elbow_base::Estimate;

/// The score of each of `splits` equal parts of the images in this order (logits \[images, classes\]), and their mean with
/// the standard error over splits. The field reports the splits' own standard deviation (with n): sqrt(splits - 1) times as
/// much.
pub fn inception_score(logits: &Features, order: &[usize], splits: usize) -> Result<Estimate, Error> {
    let n = order.len();
    if splits == 0 || n < splits {
        let what = format!("{n} images in {splits} splits: no score");
        return Err(Error::input(what, "give at least as many images as splits"));
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

/// Probabilities from logits, in f64.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raised: Vec<f64> = logits.iter().map(|&l| (f64::from(l) - f64::from(top)).exp()).collect();
    let total: f64 = raised.iter().sum();
    raised.into_iter().map(|r| r / total).collect()
}
