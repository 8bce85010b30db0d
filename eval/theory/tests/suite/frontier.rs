//! Laws of samplers at temperatures, and the halves of their KL divergence, against `fixtures/frontier`.

use elbow_theory::masked::Enumeration;
use elbow_theory::masked::kl_halves::{kl_halves, unigram_entropy};
use elbow_theory::masked::sampler_law::law_of_steps;
use elbow_theory::{Alphabet, DenoiserKind, Toy};
use serde_json::Value;

use crate::fixture::{fixture, golden};

/// Largest error of an entropy, nats. Measured: 1.3e-15.
const ROUNDING: f64 = 1.3e-14;

/// Every case of the file with the toy of its denoiser.
fn cases() -> Vec<(Value, Toy)> {
    let golden = golden("frontier");
    let with_toy = |row: &Value| {
        let file = fixture(&format!("toys/{}.json", row["toy"].as_str().expect("a name")));
        let number = |name: &str| row[name].as_f64().expect("a number");
        let denoiser = DenoiserKind::Tempered { temperature: number("temperature"), floor: number("floor") };
        (row.clone(), Toy { denoiser, ..Toy::load(&file, Alphabet::Masked).expect("a valid toy") })
    };
    golden.as_array().expect("rows").iter().map(with_toy).collect()
}

#[test]
fn the_halves_of_samplers_laws_are_those_of_a_sum_over_paths() {
    let (mut worst, mut witness) = (0f64, 0f64);
    for (row, toy) in cases() {
        let all = Enumeration::new(&toy).expect("full support");
        let law = law_of_steps(&all, row["steps"].as_u64().expect("steps") as usize);
        let data = all.data_law();
        let found = kl_halves(&law, &data);
        let pairs = [
            ("cross_entropy", found.cross_entropy),
            ("entropy", found.entropy),
            ("kl", found.kl),
            ("unigram", unigram_entropy(all.index(), &law)),
        ];
        for (name, value) in pairs {
            let error = (value - row[name].as_f64().expect("a number")).abs();
            worst = worst.max(error);
            assert!(error < ROUNDING, "{row}: {name} is off by {error:e}");
        }
        // Witness: the divergence the other way round.
        witness = witness.max((kl_halves(&data, &law).kl - found.kl).abs());
    }
    println!("{worst:.1e}");
    assert!(witness > 1e-2, "witness: the direction of the divergence makes no difference ({witness:e})");
}
