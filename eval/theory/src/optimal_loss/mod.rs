//! The optimal loss of a data set: the least that any denoiser can cost on it, by noise level.
//!
//! Under the empirical law of N points the best denoiser is known: a posterior over the N points ("Optimal denoising of
//! data sets", arXiv:2506.13763). Its loss is a floor. A network's loss minus the floor is what it has not learned, and
//! a mean loss on these points below the floor is an error: of a mask, of a weight, of a target that leaks.
//!
//! [`TokenFloor`] is the floor of masked diffusion, [`PointFloor`] that of Gaussian diffusion. Where a data set is too
//! large, a few points drawn beside the noised one stand for all ([`Draws::others`]). Knowing which these are can only
//! help, so such a floor is too low in the mean, never too high.

mod points;
mod tokens;

use elbow_base::key::{open_uniform, permutation};
use elbow_base::{Estimate, Key};
use rayon::prelude::*;

pub use points::PointFloor;
pub use tokens::TokenFloor;

/// How the mean over points and noise is estimated.
#[derive(Clone, Debug)]
pub struct Draws {
    /// Independent draws of a point with its noise, two or more.
    pub count: usize,
    /// Number of other points, drawn for each point, that the posterior is over; all of them where none.
    pub others: Option<usize>,
    /// Fixes the draws.
    pub key: Key,
}

impl Draws {
    /// The mean of `cost` over points 0..`points`, each with the points of its posterior and a key of its noise.
    fn mean(&self, points: usize, cost: impl Fn(usize, &[usize], &Key) -> f64 + Sync) -> Estimate {
        let all: Vec<usize> = (0..points).collect();
        let one = |draw: usize| {
            let key = self.key.fold(draw as u64);
            let mut rng = key.fold(0).rng();
            let x = ((open_uniform(&mut rng) * points as f64) as usize).min(points - 1);
            let noise = key.fold(1);
            match self.others.filter(|others| others + 1 < points) {
                None => cost(x, &all, &noise),
                Some(others) => {
                    let order = permutation(&mut rng, points);
                    let mut some = vec![x];
                    some.extend(order.into_iter().filter(|&other| other != x).take(others));
                    cost(x, &some, &noise)
                }
            }
        };
        Estimate::of(&(0..self.count).into_par_iter().map(one).collect::<Vec<f64>>())
    }
}
