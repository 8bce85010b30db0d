//! Standard errors of Frechet distances, and the distance at infinitely many images.
//!
//! Both work on disjoint blocks of the generated images in a random order. Bootstrap would draw images twice, which
//! shrinks covariances and adds a bias of its own.

use elbow_base::Key;
use rand_distr::{Distribution, StandardUniform};
use serde::Serialize;

use super::features::Features;
use super::frechet::Side;
use super::stats::{Origin, Statistics};
use elbow_base::Error;
use elbow_base::Estimate;
use elbow_base::Progress;

/// 0..n in a random order: a folder's order is often by class.
pub fn shuffled(n: usize, key: &Key) -> Vec<usize> {
    let mut rng = key.rng();
    let mut tagged: Vec<(u64, usize)> = (0..n).map(|i| (StandardUniform.sample(&mut rng), i)).collect();
    tagged.sort_unstable();
    tagged.into_iter().map(|(_, i)| i).collect()
}

/// The standard error of the distance of `generated` to `reference` over the choice of the generated images, by leaving
/// out one of `blocks` disjoint blocks at a time: sqrt((B - 1)/B sum (d_(-b) - mean)^2). The reference stays as it is.
pub fn standard_error(
    generated: &Features,
    reference: &Side,
    origin: &Origin,
    blocks: usize,
    key: &Key,
    bar: &dyn Progress,
) -> Result<f64, Error> {
    let order = shuffled(generated.len(), key);
    // Blocks of equal size, or the distance's own dependence on the number of images would be taken for noise.
    let size = generated.len() / blocks;
    let rows = |b: usize| &order[size * b..size * (b + 1)];
    let thin = generated.len() <= generated.dimension;
    let parts = match thin {
        true => Vec::new(),
        false => (0..blocks)
            .map(|b| Statistics::of(&generated.select(rows(b)), origin))
            .collect::<Result<Vec<_>, Error>>()?,
    };
    bar.start(blocks as u64, "standard error");
    let without = |left_out: usize| -> Result<f64, Error> {
        let others = (0..blocks).filter(|&b| b != left_out);
        let side = match thin {
            true => Side::of_features(&generated.select(&others.flat_map(rows).copied().collect::<Vec<_>>()), origin)?,
            false => {
                let mut others = others.map(|b| &parts[b]);
                let first = others.next().cloned().ok_or_else(|| Error::internal("one block"))?;
                Side::of_statistics(others.try_fold(first, |all, part| all.merge(part))?)?
            }
        };
        bar.advance(1);
        side.to(reference)
    };
    let values = (0..blocks).map(without).collect::<Result<Vec<f64>, Error>>()?;
    bar.finish();
    Ok(spread_of_left_out(&values))
}

/// sqrt((n - 1)/n sum (v_i - mean)^2): the standard error from values that each leave one unit out.
pub fn spread_of_left_out(values: &[f64]) -> f64 {
    // Estimate's error is sqrt(sum (v - mean)^2 / (n (n - 1))).
    Estimate::of(values).standard_error * (values.len() as f64 - 1.0)
}

/// A distance extrapolated to infinitely many generated images.
#[derive(Clone, Debug, Serialize)]
pub struct Extrapolated {
    /// The intercept.
    pub value: f64,
    /// By leaving out one block of images at a time and fitting again.
    pub standard_error: f64,
    /// The line's rise with 1/n.
    pub slope: f64,
    /// Block sizes n, and the mean distance of the disjoint blocks of that size.
    pub points: Vec<(usize, f64)>,
}

/// Fits distance = value + slope / n (Chong and Forsyth, arXiv:1911.07023) to the mean distances of the generated images
/// in 1, 2, ... `cuts` disjoint blocks, with weights 1, 1/2, ...: what the points do not share of their noise has a
/// variance in proportion to the cuts, and the terms of higher order are in the smallest blocks. Only the generated side
/// is extrapolated: the reference keeps its own bias. Needs more images in the smallest block than dimensions.
pub fn extrapolated(
    generated: &Features,
    reference: &Side,
    origin: &Origin,
    [cuts, left_out]: [usize; 2],
    key: &Key,
    bar: &dyn Progress,
) -> Result<Extrapolated, Error> {
    let n = generated.len();
    // Leaving out a block leaves less for the smallest one.
    let size = n / left_out;
    let smallest = (n - size) / cuts;
    if smallest <= generated.dimension {
        let what =
            format!("{n} images in {cuts} blocks: {smallest} in the smallest, of {} dimensions", generated.dimension);
        return Err(Error::input(what, "give more images, or a network of fewer features"));
    }
    let order = shuffled(n, key);
    bar.start(((1 + left_out) * cuts * (cuts + 1) / 2) as u64, "extrapolate");
    let fit = |rows: &[usize]| -> Result<Extrapolated, Error> {
        let mean = |cut: usize| -> Result<(usize, f64), Error> {
            let size = rows.len() / cut;
            let blocks = (0..cut).map(|b| {
                bar.advance(1);
                Side::of_features(&generated.select(&rows[b * size..(b + 1) * size]), origin)?.to(reference)
            });
            Ok((size, blocks.sum::<Result<f64, Error>>()? / cut as f64))
        };
        let points = (1..=cuts).map(mean).collect::<Result<Vec<_>, Error>>()?;
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
    let values = (0..left_out).map(without).collect::<Result<Vec<f64>, Error>>()?;
    bar.finish();
    Ok(Extrapolated { standard_error: spread_of_left_out(&values), ..whole })
}

/// Intercept and slope of the weighted least-squares line through points [x, y, weight].
fn line(points: &[[f64; 3]]) -> [f64; 2] {
    let total: f64 = points.iter().map(|p| p[2]).sum();
    let [x, y] = [0, 1].map(|k| points.iter().map(|p| p[2] * p[k]).sum::<f64>() / total);
    let rise: f64 = points.iter().map(|p| p[2] * (p[0] - x) * (p[1] - y)).sum();
    let run: f64 = points.iter().map(|p| p[2] * (p[0] - x).powi(2)).sum();
    let slope = rise / run;
    [y - slope * x, slope]
}
