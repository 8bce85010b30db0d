//! Best rates of the machine: matrix products and streaming.

use std::time::Instant;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;
use serde::Serialize;

/// Rows and columns of the products.
const SIDE: usize = 1024;
/// Numbers in each of the three streamed arrays.
const STREAMED: usize = 1 << 24;
/// Repeats, of which the best counts.
const REPEATS: usize = 8;

/// The two roofs of Williams, Waterman and Patterson (2009), as measured on all threads: lower limits of the machine's.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Machine {
    /// Number of threads.
    pub threads: usize,
    /// Rate of the best large single-precision matrix product, 10^9 operations per second.
    pub gflops: f64,
    /// Rate of the best a = b + s c over arrays much larger than the caches, 10^9 bytes read and written per second.
    pub gigabytes: f64,
}

/// Measures both roofs.
pub fn measure() -> Machine {
    let threads = rayon::current_num_threads();
    let best = |mut go: Box<dyn FnMut()>| {
        let seconds = |_| {
            let clock = Instant::now();
            go();
            clock.elapsed().as_secs_f64()
        };
        (0..REPEATS).map(seconds).fold(f64::INFINITY, f64::min)
    };
    let factor = Mat::<f32>::from_fn(SIDE, SIDE, |i, j| ((i * 31 + j * 17) % 97) as f32);
    let mut product = Mat::<f32>::zeros(SIDE, SIDE);
    let product_seconds = best(Box::new(move || {
        matmul(product.as_mut(), Accum::Replace, factor.as_ref(), factor.as_ref(), 1.0, Par::rayon(0));
    }));
    let (b, c) = (vec![1.0f32; STREAMED], vec![2.0f32; STREAMED]);
    let mut a = vec![0.0f32; STREAMED];
    let stream_seconds = best(Box::new(move || {
        let rows = a.par_chunks_mut(1 << 16).zip(b.par_chunks(1 << 16).zip(c.par_chunks(1 << 16)));
        rows.for_each(|(a, (b, c))| a.iter_mut().zip(b).zip(c).for_each(|((a, b), c)| *a = b + 0.5 * c));
    }));
    Machine {
        threads,
        gflops: 2.0 * (SIDE as f64).powi(3) / product_seconds / 1e9,
        gigabytes: 3.0 * 4.0 * STREAMED as f64 / stream_seconds / 1e9,
    }
}
