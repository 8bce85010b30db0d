//! Trains a tiny MD4 on sequences in memory, and estimates its NELBO on fresh ones:
//!
//! ```text
//! cargo run --release -p elbow-impls --example train_tiny_md4
//! ```

use std::error::Error;

use burn::tensor::Device;
use elbow_base::{Estimate, Tokens};
use elbow_impls::Key;
use elbow_impls::data::InMemory;
use elbow_impls::key::open_uniform;
use elbow_impls::objective::{Batch, BoundTerms};
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::train::{Settings, Trainer};

const LENGTH: usize = 8;
const STEPS: u64 = 400;
/// Draws of time and masks that are averaged for each sequence.
const DRAWS: u64 = 32;

/// Random walks on four values: a uniform start, then steps of 0 or 1 modulo 4. The entropy is 2 + 7 bits.
fn walks(count: usize, key: &Key) -> Tokens {
    let mut rng = key.rng();
    let mut ids = Vec::with_capacity(count * LENGTH);
    for place in 0..count * LENGTH {
        let u = open_uniform(&mut rng);
        ids.push(if place % LENGTH == 0 { (4.0 * u) as u32 } else { (ids[place - 1] + u32::from(u < 0.5)) % 4 });
    }
    Tokens::new(ids, LENGTH)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (data, device) = (InMemory::new("walks", 4, walks(4096, &Key::new(0, "train"))), Device::flex());
    // A preset names every setting; here its network reads single tokens and the run is short.
    let changes = ["patch_size=none", "batch_size=64", "warmup_steps=20", "ema_decay=0.95"];
    let changes: Vec<String> = changes.map(String::from).into_iter().chain([format!("steps={STEPS}")]).collect();
    let settings = Settings::resolve("md4-digits", &changes)?;
    let mut trainer = Trainer::new(&settings, &data, std::slice::from_ref(&device))?;
    for step in 1..=STEPS {
        let progress = trainer.advance()?;
        if step % 100 == 0 {
            println!("step {step}: weighted loss {:.3}", progress.weighted_loss);
        }
    }

    let (objective, x) = (settings.objective(), walks(512, &Key::new(0, "test")));
    let model = objective.with(trainer.ema())?;
    let mut nats = vec![0.0; x.len()];
    for key in (0..DRAWS).map(|draw| Key::new(1, "bound").fold(draw)) {
        let batch = Batch::new(x.clone(), TimeSampling::Rotated.draw(x.len(), &key.fold(0)));
        let terms = model.nelbo(&batch, &key.fold(1), &device)?;
        nats.iter_mut().zip(terms.iter().map(BoundTerms::sum)).for_each(|(sum, draw)| *sum += draw / DRAWS as f64);
    }
    let bits = Estimate::of(&nats).bits_per(LENGTH);
    println!("NELBO {:.3} +- {:.3} bits per token, entropy of the data 1.125", bits.value, bits.standard_error);
    Ok(())
}
