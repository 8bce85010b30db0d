//! FID and KID of two arrays of features, with standard errors.
//!
//! ```text
//! cargo run --release -p elbow-metrics --no-default-features --example fid_of_arrays -- generated.npy reference.npy
//! ```
//!
//! The files hold matrices \[n, d\] of single or double precision. Without files, both arrays are drawn from normal
//! distributions whose means differ by 0.3 in each of 6 dimensions: the exact squared distance is 0.54.

use std::path::Path;

use elbow_base::{Key, Silent};
use elbow_metrics::{Error, FeatureProvenance, Features, GaussianFit, kid, standard_error};
use rand_distr::{Distribution, StandardNormal};

/// Number of disjoint blocks of the jackknife.
const BLOCKS: usize = 10;

/// n = 2000 draws of a normal distribution in 6 dimensions with this mean in each, and unit covariance.
fn normal(mean: f32, key: &Key) -> Features {
    let mut rng = key.rng();
    let mut draw = || mean + Distribution::<f32>::sample(&StandardNormal, &mut rng);
    Features { dimension: 6, values: (0..2000 * 6).map(|_| draw()).collect() }
}

fn main() -> Result<(), Error> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let key = Key::new(0, "fid of arrays");
    let (generated, reference) = match &paths[..] {
        [generated, reference] => (Features::load(Path::new(generated))?, Features::load(Path::new(reference))?),
        _ => (normal(0.3, &key.fold(0)), normal(0.0, &key.fold(1))),
    };
    let provenance = FeatureProvenance::named("features");

    // The reference is fitted once, for the distance and for its standard error.
    let fit = GaussianFit::of_features(&reference, &provenance)?;
    let distance = GaussianFit::of_features(&generated, &provenance)?.distance(&fit)?;
    let error = standard_error(&generated, &fit, &provenance, BLOCKS, &key.fold(2), &Silent)?;
    println!("FID {:.4} +- {error:.4}, of which the means {:.4}", distance.value, distance.mean_part);
    if distance.rank_deficient {
        println!("  no more images than dimensions: biased upwards");
    }

    let kid = kid(&generated, &reference, &Silent)?;
    println!("KID {:.6} +- {:.6}", kid.value, kid.standard_error);
    Ok(())
}
