//! The sums of an enumeration against a walk from their definitions.

use elbow_base::Key;
use elbow_base::key::open_uniform;
use elbow_theory::masked::Enumeration;
use elbow_theory::{DenoiserKind, Toy};

use crate::fixture::run;

/// Sums over sets of up to 2e2 nats against a walk over all of them; measured below 2e-13.
const SUMS: f64 = 1e-12;

/// A toy with a third of the outcomes left out, and random answers to every pattern.
fn random_toy(states: usize, length: usize) -> (Toy, Vec<f64>) {
    let mut rng = Key::new(7, "a random toy").rng();
    let mut normalised = |size: usize, share: f64| -> Vec<f64> {
        let weights: Vec<f64> = (0..size).map(|_| (open_uniform(&mut rng) - share).max(0.0)).collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|w| w / total).collect()
    };
    let word = |number: usize| (0..length).map(|n| (number / states.pow(n as u32) % states) as u8).collect();
    let law = normalised(states.pow(length as u32), if states == 1 { 0.0 } else { 1.0 / 3.0 });
    let outcomes = law.iter().enumerate().filter(|(_, p)| **p > 0.0).map(|(number, p)| (word(number), *p)).collect();
    let rows = (states + 1).pow(length as u32) * length;
    let answers = (0..rows).flat_map(|_| normalised(states, 0.0)).collect();
    (Toy { states, length, outcomes, denoiser: DenoiserKind::Exact }, answers)
}

/// The sums of an [`Enumeration`], each term from its definition.
struct Definition<'a> {
    toy: &'a Toy,
    answers: &'a [f64],
    /// The witness: tokens that are revealed together see each other.
    in_turn: bool,
}

impl Definition<'_> {
    /// Q of a pattern: the probability of its visible values.
    fn marginal(&self, z: &[u8]) -> f64 {
        let fits = |word: &[u8]| word.iter().zip(z).all(|(w, z)| w == z || usize::from(*z) == self.toy.states);
        self.toy.outcomes.iter().filter(|(word, _)| fits(word)).map(|(_, p)| p).sum()
    }

    fn log_answer(&self, z: &[u8], n: usize, value: u8) -> f64 {
        let number = z.iter().fold(0, |number, d| number * (self.toy.states + 1) + usize::from(*d));
        self.answers[(number * self.toy.length + n) * self.toy.states + usize::from(value)].ln()
    }

    /// Every pattern that `digits` allows for the positions of `z` from `n` on.
    fn patterns(&self, z: &mut Vec<u8>, digits: &dyn Fn(usize) -> Vec<u8>, visit: &mut dyn FnMut(&[u8])) {
        if z.len() == self.toy.length {
            return visit(z);
        }
        for digit in digits(z.len()) {
            z.push(digit);
            self.patterns(z, digits, visit);
            z.pop();
        }
    }

    /// visible_log and cross_entropy of the outcome `word`.
    fn visible(&self, word: &[u8]) -> [Vec<f64>; 2] {
        let (mask, length) = (self.toy.states as u8, self.toy.length);
        let mut sums = [vec![0.0; length + 1], vec![0.0; length]];
        self.patterns(&mut Vec::new(), &|n| vec![word[n], mask], &mut |z| {
            let masked: Vec<usize> = (0..length).filter(|&n| z[n] == mask).collect();
            let k = length - masked.len();
            sums[0][k] += self.marginal(z).ln();
            for n in masked {
                sums[1][k] -= self.log_answer(z, n, word[n]);
            }
        });
        sums
    }

    /// reveal_kl and reveal_correlation.
    fn reveals(&self) -> [Vec<Vec<f64>>; 2] {
        let (mask, length) = (self.toy.states as u8, self.toy.length);
        let zero = vec![vec![0.0; length + 1]; length + 1];
        let mut sums = [zero.clone(), zero];
        self.patterns(&mut Vec::new(), &|_| (0..=mask).collect(), &mut |z| {
            let q = self.marginal(z);
            let options = |n: usize| if z[n] == mask { (0..=mask).collect() } else { vec![z[n]] };
            self.patterns(&mut Vec::new(), &options, &mut |reached| {
                let joint = self.marginal(reached);
                let revealed: Vec<usize> = (0..length).filter(|&n| z[n] != reached[n]).collect();
                if joint == 0.0 || revealed.is_empty() {
                    return;
                }
                let (mut learned, mut exact, mut seen) = (0.0, 0.0, z.to_vec());
                for &n in &revealed {
                    learned += self.log_answer(if self.in_turn { &seen } else { z }, n, reached[n]);
                    let mut one = z.to_vec();
                    (one[n], seen[n]) = (reached[n], reached[n]);
                    exact += (self.marginal(&one) / q).ln();
                }
                let masks = z.iter().filter(|d| **d == mask).count();
                sums[0][masks][revealed.len()] += joint * ((joint / q).ln() - learned);
                sums[1][masks][revealed.len()] += joint * ((joint / q).ln() - exact);
            });
        });
        sums
    }
}

#[test]
fn the_sums_over_sets_are_those_of_a_walk_over_all_of_them() {
    let difference = |a: &[f64], b: &[f64]| {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    let mut worst = 0f64;
    for (states, length) in [(3, 5), (2, 7), (7, 3), (4, 1), (1, 3)] {
        let (toy, answers) = random_toy(states, length);
        let enumeration = Enumeration::with_probabilities(&toy, &answers).expect("full support");
        let definition = Definition { toy: &toy, answers: &answers, in_turn: false };
        for (x, (word, _)) in toy.outcomes.iter().enumerate() {
            let [visible_log, cross_entropy] = definition.visible(word);
            worst = worst.max(difference(enumeration.visible_log(x), &visible_log));
            worst = worst.max(difference(enumeration.cross_entropy(x), &cross_entropy));
        }
        let [kl, correlation] = definition.reveals();
        worst = worst.max(difference(&enumeration.reveal_kl().concat(), &kl.concat()));
        worst = worst.max(difference(&enumeration.reveal_correlation().concat(), &correlation.concat()));
        if states > 1 && length > 1 {
            let [in_turn, _] = Definition { in_turn: true, ..definition }.reveals();
            assert!(
                difference(&enumeration.reveal_kl().concat(), &in_turn.concat()) > 0.1,
                "tokens that see each other"
            );
        }
    }
    println!("largest difference: {worst:e}");
    assert!(worst <= SUMS, "off by {worst:e}");
}

#[test]
fn the_number_of_threads_changes_no_digit() {
    let (toy, answers) = random_toy(6, 4);
    let computed = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let enumeration = Enumeration::with_probabilities(&toy, &answers).expect("full support");
            serde_json::to_string(&run(&enumeration, "cosine", 7, "sigmoid:1")).expect("finite")
        })
    };
    assert_eq!(computed(1), computed(4));
}
