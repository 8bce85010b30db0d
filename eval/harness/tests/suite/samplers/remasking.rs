//! The remasking sampler's law.

use elbow_impls::md4::Grid;
use elbow_impls::mdlm::{Remask, remasking};
use elbow_impls::sampler_state::Samples;
use elbow_impls::schedule::MaskedSchedule;
use elbow_theory::masked::sampler_law::sampler_law;

use super::{Bench, follows, rejects};

/// With fewer, the laws of the witnesses are too close.
const STEPS: usize = 16;

fn drawn(bench: &Bench, remask: Remask) -> Samples {
    remasking(bench.predictor(), &MaskedSchedule::Linear, Grid::Uniform, remask, STEPS, bench.masks()).expect("samples")
}

/// The law of the chain whose step from t to s masks a visible token with the probability that `sigma` gives of the largest
/// one; `keeps` says whether steps reveal as many more as they mask.
fn law(bench: &Bench, sigma: impl Fn(f64) -> f64, keeps: bool) -> Vec<f64> {
    let mask = bench.toy.states as u32;
    bench.evolve(mask, STEPS, |i, from, n| {
        let (s, t) = ((i - 1) as f64 / STEPS as f64, i as f64 / STEPS as f64);
        // alpha = 1 - t: (1 - alpha_s) / alpha_t = s / (1 - t).
        let sigma = sigma(if i == STEPS { 1.0 } else { (s / (1.0 - t)).min(1.0) });
        let mut row = vec![0.0; bench.toy.states + 1];
        if from[n] != mask {
            row[from[n] as usize] = 1.0 - sigma;
            row[mask as usize] = sigma;
            return row;
        }
        let reveal = (t - s + if keeps { sigma * (1.0 - t) } else { 0.0 }) / t;
        row[..bench.toy.states].iter_mut().zip(bench.mu(from, n)).for_each(|(p, mu)| *p = reveal * mu);
        row[mask as usize] = 1.0 - reveal;
        row
    })
}

#[test]
fn remasking_has_the_law_of_its_chain() {
    for toy in ["example-b", "four-bits"] {
        let bench = Bench::new(toy);
        let [all, half, cap] = [Remask::Rescale(1.0), Remask::Rescale(0.5), Remask::Cap(0.3)].map(|r| drawn(&bench, r));
        follows(&bench, &all, &law(&bench, |largest| largest, true));
        follows(&bench, &half, &law(&bench, |largest| 0.5 * largest, true));
        follows(&bench, &cap, &law(&bench, |largest| largest.min(0.3), true));
        rejects(&bench, &all, &law(&bench, |_| 0.0, true));
        let times: Vec<f64> = (0..=STEPS).map(|i| i as f64 / STEPS as f64).collect();
        let plain = sampler_law(&bench.all, &MaskedSchedule::Linear, &times);
        follows(&bench, &drawn(&bench, Remask::Rescale(0.0)), &plain);
        // Masking again without revealing more is another chain: it has too few visible tokens until the last step.
        rejects(&bench, &all, &law(&bench, |largest| largest, false));
    }
}

#[test]
fn known_tokens_are_never_masked() {
    let bench = Bench::new("example-b");
    let masks = bench.masks().with_known(&[vec![None, Some(1)]]);
    let samples =
        remasking(bench.predictor(), &MaskedSchedule::Linear, Grid::Uniform, Remask::Rescale(1.0), STEPS, masks)
            .expect("samples");
    assert!(samples.tokens.rows().all(|row| row[1] == 1));
    let mut law = vec![0.0; bench.all.patterns()];
    for a in 0..3u32 {
        law[bench.all.number(&[a, 1])] = bench.mu(&[3, 1], 0)[a as usize];
    }
    follows(&bench, &samples, &law);
}
