//! The NELBO of MD4 by Monte Carlo for a denoiser given as a table, against the any-order bound by enumeration:
//!
//! ```text
//! cargo run --release -p elbow-impls --example nelbo_of_table_denoiser
//! ```

use burn::tensor::Device;
use elbow_base::{Estimate, Tokens};
use elbow_impls::md4::Md4;
use elbow_impls::network::TableDenoiser;
use elbow_impls::objective::{Batch, BoundTerms, TokenObjective};
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::{Key, Result, Weighting};

/// The mask's id: V.
const MASK: usize = 2;
const DRAWS: usize = 20_000;

/// mu(z_n = 0 | the other token) of both positions n, where the other token is 0, 1 or the mask.
const ZERO: [[f64; 3]; 2] = [[0.7, 0.3, 0.6], [0.75, 0.35, 0.5]];

fn mu(position: usize, value: usize, other: usize) -> f64 {
    if value == 0 { ZERO[position][other] } else { 1.0 - ZERO[position][other] }
}

fn main() -> Result<()> {
    // One row per sequence z in base 3: mu of both positions over both values.
    let row = |z: [usize; 2]| vec![mu(0, 0, z[1]), mu(0, 1, z[1]), mu(1, 0, z[0]), mu(1, 1, z[0])];
    let rows: Vec<Vec<f64>> = (0..9).map(|number| row([number / 3, number % 3])).collect();
    let device = Device::flex();
    let table = TableDenoiser::new(2, 2, &rows, &device);
    let objective = Md4::new(MaskedSchedule::Cosine, Weighting::Elbo);

    println!(" x      Monte Carlo            any order, nats");
    for x in [[0, 0], [0, 1], [1, 0], [1, 1]] {
        // Independent times and masks: every draw is one unit of the estimate.
        let copies = Tokens::new([x[0] as u32, x[1] as u32].repeat(DRAWS), 2);
        let batch = Batch::new(copies, TimeSampling::Independent.draw(DRAWS, &Key::new(0, "times")));
        let terms = objective.nelbo(&table, &batch, &Key::new(0, "masks"), &device)?;
        let nelbo = Estimate::of(&terms.iter().map(BoundTerms::sum).collect::<Vec<_>>());
        // The mean over both orders of revealing the tokens; it does not depend on the schedule.
        let order = |first: usize| {
            let second = 1 - first;
            mu(first, x[first], MASK).ln() + mu(second, x[second], x[first]).ln()
        };
        let exact = -0.5 * (order(0) + order(1));
        println!("{}{}      {:.4} +- {:.4}      {exact:.4}", x[0], x[1], nelbo.value, nelbo.standard_error);
    }
    Ok(())
}
