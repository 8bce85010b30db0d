//! Corrector steps: their stationary law, and the law of the sampler that takes them.

use elbow_harness::denoisers::table_denoiser;
use elbow_impls::Key;
use elbow_impls::key::open_uniform;
use elbow_impls::md4::{Corrector, Grid, predictor_corrector};
use elbow_impls::sampler_state::{Predictor, Samples, TokenState};
use elbow_impls::schedule::MaskedSchedule;
use elbow_theory::DenoiserKind;
use elbow_theory::masked::Enumeration;
use elbow_theory::masked::sampler_law::sampler_law;

use super::{Bench, DRAWS, follows, rejects};

/// Steps of the sampler whose law is computed.
const STEPS: usize = 3;
/// Largest change of a stationary law by its kernel, in total variation. Measured: 7.6e-16.
const ROUNDING: f64 = 5e-15;

/// A toy with its exact denoiser.
fn exact(name: &str) -> Bench {
    let mut bench = Bench::new(name);
    bench.toy.denoiser = DenoiserKind::Exact;
    bench.all = Enumeration::new(&bench.toy).expect("full support");
    bench.table = table_denoiser(&bench.all, &bench.device);
    bench
}

/// q(z_s) with a share `alpha` of visible tokens, by a sum over the data.
fn marginal(bench: &Bench, alpha: f64) -> Vec<f64> {
    let mask = bench.toy.states as u8;
    let probability = |z: Vec<u8>| {
        let masked = z.iter().filter(|&&d| d == mask).count() as i32;
        let agrees = |word: &[u8]| word.iter().zip(&z).all(|(x, d)| *d == mask || x == d);
        let mass: f64 = bench.toy.outcomes.iter().filter(|(word, _)| agrees(word)).map(|(_, q)| q).sum();
        mass * (1.0 - alpha).powi(masked) * alpha.powi(z.len() as i32 - masked)
    };
    (0..bench.all.patterns()).map(|z| probability(bench.all.pattern(z))).collect()
}

/// A law after a step that changes each position by itself.
fn independent(bench: &Bench, law: &[f64], row: impl Fn(&[u32], usize) -> Vec<f64>) -> Vec<f64> {
    let mut next = vec![0.0; law.len()];
    for (z, p) in law.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        let from: Vec<u32> = bench.all.pattern(z).into_iter().map(u32::from).collect();
        let rows: Vec<Vec<f64>> = (0..from.len()).map(|n| row(&from, n)).collect();
        for (to, mass) in next.iter_mut().enumerate() {
            let digits = bench.all.pattern(to);
            *mass += p * digits.iter().zip(&rows).map(|(&d, row)| row[usize::from(d)]).product::<f64>();
        }
    }
    next
}

/// The row of a position that stays as it is.
fn stays(bench: &Bench, token: u32) -> Vec<f64> {
    (0..=bench.toy.states as u32).map(|d| f64::from(u8::from(d == token))).collect()
}

/// The law after each visible token was masked with probability `share`.
fn hidden(bench: &Bench, law: &[f64], share: f64) -> Vec<f64> {
    let mask = bench.toy.states as u32;
    independent(bench, law, |from, n| {
        let mut row = stays(bench, from[n]);
        if from[n] != mask {
            row[from[n] as usize] = 1.0 - share;
            row[mask as usize] = share;
        }
        row
    })
}

/// The law after each mask was revealed with probability `reveal`, independently of the others.
fn revealed(bench: &Bench, law: &[f64], reveal: f64) -> Vec<f64> {
    let mask = bench.toy.states as u32;
    independent(bench, law, |from, n| {
        if from[n] != mask {
            return stays(bench, from[n]);
        }
        [bench.mu(from, n).iter().map(|mu| reveal * mu).collect(), vec![1.0 - reveal]].concat()
    })
}

/// The law after each mask was chosen with probability `reveal` and the chosen ones were revealed in a random order.
fn revealed_in_order(bench: &Bench, law: &[f64], reveal: f64) -> Vec<f64> {
    let mut next = vec![0.0; law.len()];
    for (z, p) in law.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        let from: Vec<u32> = bench.all.pattern(z).into_iter().map(u32::from).collect();
        let masked: Vec<usize> = (0..from.len()).filter(|&n| from[n] == bench.toy.states as u32).collect();
        for set in 0..1usize << masked.len() {
            let chosen: Vec<usize> = (0..masked.len()).filter(|i| set >> i & 1 == 1).map(|i| masked[i]).collect();
            let chance = reveal.powi(chosen.len() as i32) * (1.0 - reveal).powi((masked.len() - chosen.len()) as i32);
            in_every_order(bench, &from, &chosen, p * chance, &mut next);
        }
    }
    next
}

fn in_every_order(bench: &Bench, from: &[u32], chosen: &[usize], mass: f64, next: &mut [f64]) {
    if chosen.is_empty() {
        next[bench.all.number(from)] += mass;
    }
    for &n in chosen {
        let rest: Vec<usize> = chosen.iter().copied().filter(|&other| other != n).collect();
        for (value, mu) in bench.mu(from, n).into_iter().enumerate() {
            let mut to = from.to_vec();
            to[n] = value as u32;
            in_every_order(bench, &to, &rest, mass * mu / chosen.len() as f64, next);
        }
    }
}

/// The law after one corrector step; the probability of revealing solves for an unchanged share of masks.
fn corrected(bench: &Bench, law: &[f64], corrector: Corrector, alpha: f64) -> Vec<f64> {
    match corrector {
        Corrector::Parallel(share) => revealed(bench, &hidden(bench, law, share), back(share, alpha)),
        Corrector::OneByOne(share) => revealed_in_order(bench, &hidden(bench, law, share), back(share, alpha)),
    }
}

fn back(share: f64, alpha: f64) -> f64 {
    share * alpha / (1.0 - alpha + share * alpha)
}

/// Total variation of two laws.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}

#[test]
fn one_by_one_leaves_the_law_of_every_time_as_it_is() {
    let mut worst = 0f64;
    for toy in ["example-b", "four-bits", "three-tokens"] {
        let bench = exact(toy);
        for alpha in [0.2, 0.7, 1.0] {
            let pi = marginal(&bench, alpha);
            assert!((pi.iter().sum::<f64>() - 1.0).abs() < ROUNDING);
            for share in [0.1, 0.5, 1.0] {
                worst = worst.max(distance(&corrected(&bench, &pi, Corrector::OneByOne(share), alpha), &pi));
                // Witnesses: all masks are revealed, or a share of them that is not the forward step's, or at once.
                let masked = hidden(&bench, &pi, share);
                let wrong = if alpha < 1.0 { share } else { 0.9 * back(share, alpha) };
                if wrong < 1.0 {
                    assert!(
                        distance(&revealed_in_order(&bench, &masked, wrong), &pi) > 1e-3,
                        "{toy}, {alpha}, {share}"
                    );
                }
                let at_once = distance(&corrected(&bench, &pi, Corrector::Parallel(share), alpha), &pi);
                assert!(at_once > 1e-5, "{toy}, {alpha}, {share}: {at_once:e}");
            }
        }
    }
    println!("{worst:.1e}");
    assert!(worst < ROUNDING, "{worst:e}");
}

#[test]
fn the_change_by_a_parallel_step_falls_as_the_square_of_its_share() {
    let bench = exact("four-bits");
    for alpha in [0.3, 0.8] {
        let pi = marginal(&bench, alpha);
        let change = |share, kernel: &dyn Fn(f64) -> Vec<f64>| distance(&kernel(share), &pi);
        let right = |share: f64| corrected(&bench, &pi, Corrector::Parallel(share), alpha);
        // Witness: what was masked is revealed with the probability of masking.
        let wrong = |share: f64| revealed(&bench, &hidden(&bench, &pi, share), share);
        let ratio = |kernel: &dyn Fn(f64) -> Vec<f64>| change(0.02, kernel) / change(0.01, kernel);
        println!("{} {}", ratio(&right), ratio(&wrong));
        assert!((ratio(&right) - 4.0).abs() < 0.1, "{}", ratio(&right));
        assert!((ratio(&wrong) - 2.0).abs() < 0.1, "witness: {}", ratio(&wrong));
    }
}

/// Draws from q(z_s), after so many steps of the corrector.
fn after_steps(bench: &Bench, corrector: Corrector, alpha: f64, count: usize) -> Samples {
    let data = bench.toy.draw(DRAWS, &Key::new(3, "data"));
    let mut state = TokenState::all_masks(DRAWS, bench.toy.length, bench.toy.states, &Key::new(4, "corrector"));
    for (index, &token) in data.ids().iter().enumerate() {
        if open_uniform(&mut state.rngs[index / state.length]) < alpha {
            state.z[index] = token;
        }
    }
    let mut predictor = Predictor::new(&bench.table, &bench.device);
    let known = vec![false; state.z.len()];
    for _ in 0..count {
        corrector.step(&mut predictor, &mut state, &known, alpha).expect("a step");
    }
    predictor.finish(state)
}

#[test]
fn steps_of_the_corrector_stay_at_its_stationary_law() {
    let bench = exact("four-bits");
    for alpha in [0.6, 1.0] {
        let pi = marginal(&bench, alpha);
        follows(&bench, &after_steps(&bench, Corrector::OneByOne(0.5), alpha, 10), &pi);
        // Witness: half of the tokens drawn at once, ten times.
        rejects(&bench, &after_steps(&bench, Corrector::Parallel(0.5), alpha, 10), &pi);
        for corrector in [Corrector::OneByOne(0.4), Corrector::Parallel(0.4)] {
            let law = corrected(&bench, &corrected(&bench, &pi, corrector, alpha), corrector, alpha);
            follows(&bench, &after_steps(&bench, corrector, alpha, 2), &law);
        }
    }
}

fn drawn(bench: &Bench, corrector: Corrector, count: usize) -> Samples {
    let linear = MaskedSchedule::Linear;
    predictor_corrector(bench.predictor(), &linear, Grid::Uniform, STEPS, (corrector, count), bench.masks())
        .expect("samples")
}

/// The law of the sampler: steps of 1/STEPS of the linear schedule, each followed by `count` corrector steps.
fn law(bench: &Bench, corrector: Corrector, count: usize) -> Vec<f64> {
    let mut law = vec![0.0; bench.all.patterns()];
    *law.last_mut().expect("the pattern of masks") = 1.0;
    for i in (1..=STEPS).rev() {
        let alpha = 1.0 - (i - 1) as f64 / STEPS as f64;
        law = revealed(bench, &law, 1.0 / i as f64);
        for _ in 0..count {
            law = corrected(bench, &law, corrector, alpha);
        }
    }
    law
}

#[test]
fn the_sampler_has_the_law_of_its_chain() {
    // Denoisers that are not exact, too.
    for toy in ["example-b", "four-bits"] {
        let bench = Bench::new(toy);
        for (corrector, count) in
            [(Corrector::Parallel(0.5), 1), (Corrector::Parallel(0.3), 3), (Corrector::OneByOne(0.5), 2)]
        {
            let samples = drawn(&bench, corrector, count);
            follows(&bench, &samples, &law(&bench, corrector, count));
            // Witness: one by one in place of all at once, and the other way round.
            let other = match corrector {
                Corrector::Parallel(share) => Corrector::OneByOne(share),
                Corrector::OneByOne(share) => Corrector::Parallel(share),
            };
            rejects(&bench, &samples, &law(&bench, other, count));
        }
        let times: Vec<f64> = (0..=STEPS).map(|i| i as f64 / STEPS as f64).collect();
        let plain = sampler_law(&bench.all, &MaskedSchedule::Linear, &times);
        follows(&bench, &drawn(&bench, Corrector::Parallel(0.0), 5), &plain);
    }
}

#[test]
fn corrector_steps_bring_the_samples_of_few_steps_nearer_to_the_data() {
    let bench = exact("four-bits");
    let data = marginal(&bench, 1.0);
    let distances: Vec<f64> =
        [0, 1, 5, 25].map(|count| distance(&law(&bench, Corrector::OneByOne(0.5), count), &data)).to_vec();
    println!("{distances:?}");
    assert!(distances.windows(2).all(|pair| pair[1] < pair[0]) && distances[3] < 1e-2 * distances[0], "{distances:?}");
}

#[test]
fn known_tokens_are_never_masked() {
    let bench = Bench::new("example-b");
    let masks = bench.masks().with_known(&[vec![None, Some(1)]]);
    let corrector = (Corrector::Parallel(0.5), 2);
    let linear = MaskedSchedule::Linear;
    let samples = predictor_corrector(bench.predictor(), &linear, Grid::Uniform, STEPS, corrector, masks);
    let samples = samples.expect("samples");
    assert!(samples.tokens.rows().all(|row| row[1] == 1));
    let mut law = vec![0.0; bench.all.patterns()];
    for a in 0..3u32 {
        law[bench.all.number(&[a, 1])] = bench.mu(&[3, 1], 0)[a as usize];
    }
    follows(&bench, &samples, &law);
}
