//! Exact laws of samplers on toys, by steps of the chain over patterns.

use elbow_impls::d3pm::ReverseKernel;

use super::Bench;

/// The law of two tokens in two rounds of confidence decoding: values by the denoiser of `drawn`, confidence by that of
/// `bench`.
pub fn confident_law(bench: &Bench, drawn: &Bench, temperature: f64) -> Vec<f64> {
    let mask = bench.toy.states as u32;
    let mut law = vec![0.0; bench.all.patterns()];
    let [first, second] = [0, 1].map(|n| drawn.mu(&[mask, mask], n));
    let [sure, other_sure] = [0, 1].map(|n| bench.mu(&[mask, mask], n));
    for a in 0..mask {
        for b in 0..mask {
            let both = first[a as usize] * second[b as usize];
            let margin = (sure[a as usize].ln() - other_sure[b as usize].ln()) / (temperature * 0.5);
            let keep_first = 1.0 / (1.0 + (-margin).exp());
            for other in 0..mask {
                law[bench.all.number(&[a, other])] += both * keep_first * drawn.mu(&[a, mask], 1)[other as usize];
                law[bench.all.number(&[other, b])] +=
                    both * (1.0 - keep_first) * drawn.mu(&[mask, b], 0)[other as usize];
            }
        }
    }
    law
}

/// The law of two tokens from left to right.
pub fn left_to_right_law(bench: &Bench) -> Vec<f64> {
    let mask = bench.toy.states as u32;
    let mut law = vec![0.0; bench.all.patterns()];
    for a in 0..mask {
        for b in 0..mask {
            let [first, second] = [bench.mu(&[mask, mask], 0)[a as usize], bench.mu(&[a, mask], 1)[b as usize]];
            law[bench.all.number(&[a, b])] = first * second;
        }
    }
    law
}

/// The law of absorbing D3PM with the mass `mass` on the mask.
pub fn absorbing_law(bench: &Bench, steps: usize, mass: f64) -> Vec<f64> {
    let mask = bench.toy.states as u32;
    bench.evolve(mask, steps, |i, from, n| {
        let (s, t) = ((i - 1) as f64 / steps as f64, i as f64 / steps as f64);
        if from[n] != mask {
            return (0..=mask).map(|d| f64::from(u8::from(d == from[n]))).collect();
        }
        let mut row: Vec<f64> = bench.mu(from, n).iter().map(|mu| (1.0 - mass) * mu * (t - s)).collect();
        row.push(if i == 1 { 0.0 } else { s * (1.0 - mass) + mass });
        let total: f64 = row.iter().sum();
        row.iter().map(|p| p / total).collect()
    })
}

/// The law of GenMD4's steps with the powers w of the values.
pub fn vector_law(bench: &Bench, steps: usize, w: &[f64]) -> Vec<f64> {
    let mask = bench.toy.states as u32;
    bench.evolve(mask, steps, |i, from, n| {
        let (s, t) = ((i - 1) as f64 / steps as f64, i as f64 / steps as f64);
        if from[n] != mask {
            return (0..=mask).map(|d| f64::from(u8::from(d == from[n]))).collect();
        }
        let reveal = |w: &f64| if i == 1 { 1.0 } else { 1.0 - (s / t).powf(*w) };
        let mut row: Vec<f64> = bench.mu(from, n).iter().zip(w).map(|(mu, w)| mu * reveal(w)).collect();
        row.push(1.0 - row.iter().sum::<f64>());
        row
    })
}

/// A denoiser of two tokens that depends on every pair of values, 0 for the first more likely after 0: nothing is masked
/// in the uniform process.
pub fn pair_rows() -> Vec<Vec<f64>> {
    let row = |pattern| {
        let (a, b) = (0.8 - 0.25 * f64::from(pattern % 3), 0.3 + 0.2 * f64::from(pattern / 3));
        vec![a, 1.0 - a, b, 1.0 - b]
    };
    (0..9).map(row).collect()
}

/// The law of the uniform process of two values under the linear schedule; `mu` gives the denoiser's row of a step, a
/// pattern and a position.
pub fn uniform_law(
    bench: &Bench,
    steps: usize,
    kernel: ReverseKernel,
    mu: impl Fn(usize, usize, usize) -> Vec<f64>,
) -> Vec<f64> {
    bench.evolve(0, steps, |i, from, n| {
        let (alpha_s, alpha_t) = (1.0 - (i - 1) as f64 / steps as f64, 1.0 - i as f64 / steps as f64);
        let mu = mu(i, bench.all.number(from), n);
        let stay = alpha_t / alpha_s;
        let like = |j: usize| stay * f64::from(u8::from(j == from[n] as usize)) + (1.0 - stay) / 2.0;
        let given = |j: usize, x: usize| alpha_s * f64::from(u8::from(j == x)) + (1.0 - alpha_s) / 2.0;
        let posterior = |weights: Vec<f64>| {
            let total: f64 = weights.iter().sum();
            weights.into_iter().map(|w| w / total).collect::<Vec<f64>>()
        };
        let mut row = match kernel {
            ReverseKernel::D3pm => {
                posterior((0..2).map(|j| like(j) * (0..2).map(|x| mu[x] * given(j, x)).sum::<f64>()).collect())
            }
            ReverseKernel::Mixture => {
                let of = |x: usize| posterior((0..2).map(|j| like(j) * given(j, x)).collect());
                (0..2).map(|j| (0..2).map(|x| mu[x] * of(x)[j]).sum()).collect()
            }
        };
        row.push(0.0);
        row
    })
}
