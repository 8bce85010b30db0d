//! Precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991), density and coverage (Naeem et al. 2020,
//! arXiv:2002.09797).
//!
//! All four count how often images of one set lie in balls around the images of the other. A ball's radius is the
//! distance of its centre to the k-th nearest other image of the centre's own set.
//!
//! Squared distances come from inner products; where such a distance is within rounding of a radius, it is computed
//! again from differences. So the result is that of brute force in f64, duplicates included.

use serde::Serialize;

use elbow_base::{Estimate, Progress};

use crate::features::Features;
use crate::pairwise_distances::{inner_products, squared_distance, squared_lengths};
use crate::{Error, Result};

/// Whether a ball includes its boundary. It matters for duplicates: an open ball of radius 0 is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Boundary {
    /// `<=`: the papers, torch-fidelity, ADM.
    Closed,
    /// `<`: the package prdc, dgm-eval.
    Open,
}

elbow_base::names!(Boundary, "boundary of balls": Closed = "closed", Open = "open");

/// Balls around images: number of neighbours and boundary.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Balls {
    /// The radius reaches the k-th nearest neighbour, the centre not counted.
    pub k: usize,
    /// Whether the boundary is included.
    pub boundary: Boundary,
}

impl Balls {
    /// Precision and recall as in their paper and in torch-fidelity.
    pub const PRECISION_RECALL: Self = Self { k: 3, boundary: Boundary::Closed };
    /// Density and coverage as in their authors' package.
    pub const DENSITY_COVERAGE: Self = Self { k: 5, boundary: Boundary::Open };

    fn holds(self, squared_distance: f64, squared_radius: f64) -> bool {
        match self.boundary {
            Boundary::Closed => squared_distance <= squared_radius,
            Boundary::Open => squared_distance < squared_radius,
        }
    }
}

/// Precision, recall, density and coverage. Their standard errors are over the images that are counted, with the balls
/// fixed: the variation of the balls is not included.
#[derive(Clone, Debug, Serialize)]
pub struct Prdc {
    /// Share of generated images in at least one ball around a reference image.
    pub precision: Estimate,
    /// Share of reference images in at least one ball around a generated image.
    pub recall: Estimate,
    /// Mean number of reference balls around a generated image, divided by k.
    pub density: Estimate,
    /// Share of reference balls with at least one generated image.
    pub coverage: Estimate,
}

/// Precision and recall [Precision and recall, balls], density and coverage [Density and coverage, balls], of features \[n, d\]
/// and \[m, d\].
pub fn prdc(
    generated: &Features,
    reference: &Features,
    precision_recall: Balls,
    density_coverage: Balls,
    bar: &dyn Progress,
) -> Result<Prdc> {
    generated.check_same_dimension(reference)?;
    let most = precision_recall.k.max(density_coverage.k);
    let least = generated.len().min(reference.len());
    if precision_recall.k.min(density_coverage.k) == 0 || least <= most {
        let [least, ours, theirs] = [most + 1, generated.len(), reference.len()];
        let what =
            format!("it needs {least} images or more on each side for {most} neighbours, not {ours} and {theirs}");
        return Err(Error::input(what, "give more images, or fewer neighbours"));
    }
    bar.start((2 * generated.len() + reference.len()) as u64, "nearest neighbours");
    let [reference_pr, reference_dc] = squared_radii(reference, [precision_recall.k, density_coverage.k], bar);
    let [generated_pr, _] = squared_radii(generated, [precision_recall.k; 2], bar);
    let (lengths, theirs) = (squared_lengths(generated), squared_lengths(reference));
    let (mut precise, mut within) = (vec![0.0; generated.len()], vec![0.0; generated.len()]);
    let (mut recalled, mut covered) = (vec![0.0; reference.len()], vec![0.0; reference.len()]);
    inner_products(generated, reference, |first, products| {
        for j in 0..reference.len() {
            for i in 0..products.nrows() {
                let g = first + i;
                let slack = rounding(lengths[g], theirs[j], generated.dimension);
                let mut distance = lengths[g] + theirs[j] - 2.0 * products[(i, j)];
                let radii = [reference_pr[j], reference_dc[j], generated_pr[g]];
                if radii.iter().any(|radius| (distance - radius).abs() <= slack) {
                    distance = squared_distance(generated.row(g), reference.row(j));
                }
                if precision_recall.holds(distance, reference_pr[j]) {
                    precise[g] = 1.0;
                }
                if precision_recall.holds(distance, generated_pr[g]) {
                    recalled[j] = 1.0;
                }
                if density_coverage.holds(distance, reference_dc[j]) {
                    within[g] += 1.0 / density_coverage.k as f64;
                    covered[j] = 1.0;
                }
            }
        }
        bar.advance(products.nrows() as u64);
    });
    bar.finish();
    Ok(Prdc {
        precision: Estimate::of(&precise),
        recall: Estimate::of(&recalled),
        density: Estimate::of(&within),
        coverage: Estimate::of(&covered),
    })
}

/// Squared distance of each image to its k-th nearest neighbour in its own set, for two values of k.
fn squared_radii(x: &Features, ks: [usize; 2], bar: &dyn Progress) -> [Vec<f64>; 2] {
    let lengths = squared_lengths(x);
    let longest = lengths.iter().copied().fold(0.0, f64::max);
    let most = ks[0].max(ks[1]);
    let mut radii = [Vec::with_capacity(x.len()), Vec::with_capacity(x.len())];
    inner_products(x, x, |first, products| {
        for i in 0..products.nrows() {
            let own = first + i;
            let others = (0..x.len()).filter(|&j| j != own);
            let about: Vec<(f64, usize)> =
                others.map(|j| (lengths[own] + lengths[j] - 2.0 * products[(i, j)], j)).collect();
            let mut sorted: Vec<f64> = about.iter().map(|(distance, _)| *distance).collect();
            let (_, &mut kth, _) = sorted.select_nth_unstable_by(most - 1, f64::total_cmp);
            let limit = kth + 2.0 * rounding(lengths[own], longest, x.dimension);
            let near = about.iter().filter(|(distance, _)| *distance <= limit);
            let mut exact: Vec<f64> = near.map(|&(_, j)| squared_distance(x.row(own), x.row(j))).collect();
            exact.sort_unstable_by(f64::total_cmp);
            radii.iter_mut().zip(ks).for_each(|(radii, k)| radii.push(exact[k - 1]));
        }
        bar.advance(products.nrows() as u64);
    });
    radii
}

/// Bound on the rounding error of a squared distance computed from inner products of squared lengths a and b.
fn rounding(a: f64, b: f64, dimension: usize) -> f64 {
    (dimension as f64 + 8.0) * f64::EPSILON * (a + b)
}
