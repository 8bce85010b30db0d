//! The exact cascade of bounds of a toy of masked diffusion, and how well it satisfies both theorems:
//!
//! ```text
//! cargo run --release -p elbow-theory --example exact_bounds -- fixtures/toys/example-a.json
//! ```

use std::env;
use std::error::Error;
use std::path::PathBuf;

use elbow_process::Weighting;
use elbow_process::schedule::MaskedSchedule;
use elbow_theory::masked::{Enumeration, cascade};
use elbow_theory::{Alphabet, Toy};

/// T of the time grid.
const STEPS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).map(PathBuf::from).ok_or("give the toy's file")?;
    let toy = Toy::load(&path, Alphabet::Masked)?;
    let enumeration = Enumeration::new(&toy)?;
    let weighting = Weighting::Sigmoid(0.0);
    let bounds = cascade(&enumeration, &MaskedSchedule::Linear, STEPS, &weighting)?;

    println!("entropy of the data       {:.10} nats", bounds.entropy);
    println!("negative ELBO, T = {STEPS}      {:.10}", -bounds.elbo[0]);
    println!("negative ELBO, T infinite {:.10}", bounds.neg_elbo_continuous);
    println!("\n i  E L^(i)         gap g_i         of it correlation  KL(q || p~(i))  w_i");
    for i in 0..STEPS {
        println!(
            "{:2}  {:.10}  {:.10}    {:.10}       {:.10}    {:.3}",
            i + 1,
            bounds.elbo[i],
            bounds.gap[i],
            bounds.factorization[i],
            bounds.data_model_kl[i],
            bounds.cascade_weights[i],
        );
    }
    println!("{:2}  {:.10}", STEPS + 1, bounds.elbo[STEPS]);
    println!("\nTheorem 1 holds within {:.1e}", bounds.theorem1_residual);
    println!("Theorem 2 holds within {:.1e} for the weighting {weighting}", bounds.theorem2_residual);
    Ok(())
}
