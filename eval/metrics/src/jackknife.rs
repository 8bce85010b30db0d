//! Jackknife standard errors of Frechet distances, and their extrapolation to infinitely many images.
//!
//! Both use disjoint blocks of the generated images in a random order. A bootstrap would draw images twice, which
//! shrinks covariances and adds a bias of its own.

use elbow_base::{Estimate, Key, Progress};
use rand_distr::{Distribution, StandardUniform};
use serde::Serialize;

use crate::features::{FeatureProvenance, Features};
use crate::frechet::GaussianFit;
use crate::stats::Statistics;
use crate::{Error, Result};

/// A random order of 0..n. The order of a folder is often by class.
pub fn shuffled(n: usize, key: &Key) -> Vec<usize> {
    let mut rng = key.rng();
    let mut tagged: Vec<(u64, usize)> = (0..n).map(|i| (StandardUniform.sample(&mut rng), i)).collect();
    tagged.sort_unstable();
    tagged.into_iter().map(|(_, i)| i).collect()
}

/// The standard error of the Frechet distance over the choice of the generated images, the reference fixed.
///
/// One of B = `blocks` disjoint blocks is left out at a time: sqrt((B - 1)/B sum_b (d_(-b) - mean)^2).
pub fn standard_error(
    generated: &Features,
    reference: &GaussianFit,
    provenance: &FeatureProvenance,
    blocks: usize,
    key: &Key,
    bar: &dyn Progress,
) -> Result<f64> {
    Ok(spread_of_left_out(&distances_left_out(generated, reference, provenance, blocks, key, bar)?))
}

/// The Frechet distances without one of the disjoint blocks of the generated images each. Sets of one size have the same blocks
/// under the same key.
pub fn distances_left_out(
    generated: &Features,
    reference: &GaussianFit,
    provenance: &FeatureProvenance,
    blocks: usize,
    key: &Key,
    bar: &dyn Progress,
) -> Result<Vec<f64>> {
    check_blocks(blocks)?;
    let order = shuffled(generated.len(), key);
    // Blocks of equal size, or the bias of the distance, which depends on the number of images, would count as noise.
    let size = generated.len() / blocks;
    let rows = |b: usize| &order[size * b..size * (b + 1)];
    let thin = generated.len() <= generated.dimension;
    let parts = match thin {
        true => Vec::new(),
        false => {
            (0..blocks).map(|b| Statistics::of(&generated.select(rows(b)), provenance)).collect::<Result<Vec<_>>>()?
        }
    };
    bar.start(blocks as u64, "standard error");
    let without = |left_out: usize| -> Result<f64> {
        let others = (0..blocks).filter(|&b| b != left_out);
        let side = match thin {
            true => GaussianFit::of_features(
                &generated.select(&others.flat_map(rows).copied().collect::<Vec<_>>()),
                provenance,
            )?,
            false => {
                let mut others = others.map(|b| &parts[b]);
                let first = others.next().cloned().ok_or_else(|| Error::Numerical("one block".to_owned()))?;
                GaussianFit::of_statistics(others.try_fold(first, |all, part| all.merge(part))?)?
            }
        };
        bar.advance(1);
        side.to(reference)
    };
    let values = (0..blocks).map(without).collect::<Result<Vec<f64>>>()?;
    bar.finish();
    Ok(values)
}

fn check_blocks(blocks: usize) -> Result<()> {
    if blocks >= 2 { Ok(()) } else { Err(Error::input(format!("{blocks} blocks"), "make two blocks or more")) }
}

/// The jackknife's standard error sqrt((n - 1)/n sum (v_i - mean)^2) from values that each leave one of n units out.
pub fn spread_of_left_out(values: &[f64]) -> f64 {
    // Estimate's error is sqrt(sum (v - mean)^2 / (n (n - 1))).
    Estimate::of(values).standard_error * (values.len() as f64 - 1.0)
}

/// A Frechet distance extrapolated to infinitely many generated images, in squared feature units.
#[derive(Clone, Debug, Serialize)]
pub struct Extrapolated {
    /// Intercept of the fitted line.
    pub value: f64,
    /// Jackknife standard error over the generated images: the line is fitted again without each block.
    pub standard_error: f64,
    /// Slope of the fitted line in 1/n.
    pub slope: f64,
    /// Block sizes n, with the mean distance of the disjoint blocks of that size.
    pub points: Vec<(usize, f64)>,
}

/// The Frechet distance at infinitely many generated images [FID, infinitely many images] (Chong and Forsyth 2020,
/// arXiv:1911.07023).
///
/// Fits distance = value + slope / n to the mean distances of the generated images in 1, 2, ..., `cuts` disjoint blocks
/// of n images, with weights 1, 1/2, ...: the noise that the points do not share has a variance proportional to the
/// number of blocks, and the terms of higher order in 1/n are largest in the smallest blocks. `left_out`: blocks of the
/// jackknife.
///
/// Only the generated set is extrapolated; the reference keeps its own bias. The smallest block needs more images than
/// dimensions.
pub fn extrapolated(
    generated: &Features,
    reference: &GaussianFit,
    provenance: &FeatureProvenance,
    [cuts, left_out]: [usize; 2],
    key: &Key,
    bar: &dyn Progress,
) -> Result<Extrapolated> {
    let n = generated.len();
    check_extrapolation(n, generated.dimension, [cuts, left_out])?;
    let size = n / left_out;
    let order = shuffled(n, key);
    bar.start(((1 + left_out) * cuts * (cuts + 1) / 2) as u64, "extrapolate");
    let fit = |rows: &[usize]| -> Result<Extrapolated> {
        let mean = |cut: usize| -> Result<(usize, f64)> {
            let size = rows.len() / cut;
            let blocks = (0..cut).map(|b| {
                bar.advance(1);
                GaussianFit::of_features(&generated.select(&rows[b * size..(b + 1) * size]), provenance)?.to(reference)
            });
            Ok((size, blocks.sum::<Result<f64>>()? / cut as f64))
        };
        let points = (1..=cuts).map(mean).collect::<Result<Vec<_>>>()?;
        let weighted: Vec<[f64; 3]> =
            points.iter().zip(1..).map(|(&(n, d), cut)| [1.0 / n as f64, d, 1.0 / f64::from(cut)]).collect();
        let [value, slope] = line(&weighted);
        Ok(Extrapolated { value, standard_error: 0.0, slope, points })
    };
    let whole = fit(&order)?;
    let without = |b: usize| {
        let (from, to) = (size * b, size * (b + 1));
        Ok(fit(&[&order[..from], &order[to..]].concat())?.value)
    };
    let values = (0..left_out).map(without).collect::<Result<Vec<f64>>>()?;
    bar.finish();
    Ok(Extrapolated { standard_error: spread_of_left_out(&values), ..whole })
}

/// Refuses what [`extrapolated`] cannot do with n images of `dimension` features: a smallest block of no more images
/// than dimensions. The jackknife leaves n / `left_out` images out, and `cuts` blocks share the others.
pub fn check_extrapolation(n: usize, dimension: usize, [cuts, left_out]: [usize; 2]) -> Result<()> {
    check_blocks(cuts.min(left_out))?;
    let smallest = |n: usize| (n - n / left_out) / cuts;
    if smallest(n) > dimension {
        return Ok(());
    }
    let what = format!(
        "extrapolation from {n} images: without the {} that its error leaves out, {cuts} blocks have {} images each, no \
         more than the {dimension} dimensions of the features",
        n / left_out,
        smallest(n)
    );
    let enough = (n..).find(|&n| smallest(n) > dimension).unwrap_or(usize::MAX);
    Err(Error::input(what, format!("give {enough} images or more, or extrapolate from fewer blocks")))
}

/// Intercept and slope of the weighted least-squares line through points \[x, y, weight\].
fn line(points: &[[f64; 3]]) -> [f64; 2] {
    let total: f64 = points.iter().map(|p| p[2]).sum();
    let [x, y] = [0, 1].map(|k| points.iter().map(|p| p[2] * p[k]).sum::<f64>() / total);
    let rise: f64 = points.iter().map(|p| p[2] * (p[0] - x) * (p[1] - y)).sum();
    let run: f64 = points.iter().map(|p| p[2] * (p[0] - x).powi(2)).sum();
    let slope = rise / run;
    [y - slope * x, slope]
}
