//! Closed forms for any number of steps: 1, 2, 3 and 53, a prime that divides no grid.

use std::f64::consts::{LN_2, PI};

use elbow_base::Silent;
use elbow_process::Weighting;
use elbow_process::gaussian::{Kernel, Level};
use elbow_process::schedule::{GaussianSchedule, LogSnr, MaskedSchedule};
use elbow_theory::discrete::{self, DiscreteModel, Forward, ReverseParameterization};
use elbow_theory::gaussian::{self, GaussianToy};
use elbow_theory::masked::{self, Enumeration};
use elbow_theory::{Alphabet, Toy};

const STEPS: [usize; 4] = [1, 2, 3, 53];

/// Rounding in sums of up to 53 terms.
const ROUNDING: f64 = 1e-14;

fn close(found: f64, exact: f64, tolerance: f64) {
    assert!((found - exact).abs() <= tolerance * exact.abs().max(1.0), "{found} against {exact}");
}

/// Two equal tokens: a step reveals both together with probability 1/T^2 and then loses ln 2; the sampler draws
/// different tokens only if it reveals both in one step, of T, and then half of the time.
#[test]
fn two_equal_tokens_under_masking() {
    let text = r#"{"states": 2, "length": 2, "data": {"00": 0.5, "11": 0.5}, "denoiser": {"kind": "exact"}}"#;
    let all = Enumeration::new(&Toy::parse(text, Alphabet::Masked).expect("valid")).expect("support");
    for steps in STEPS {
        let t = steps as f64;
        let c = masked::cascade(&all, &MaskedSchedule::Linear, steps, &Weighting::Elbo).expect("small");
        c.gap.iter().for_each(|gap| close(*gap, LN_2 / (t * t), ROUNDING));
        close(c.elbo[0], -LN_2 * (1.0 + 1.0 / t), ROUNDING);
        close(c.elbo[steps], -LN_2, ROUNDING);
        close(c.data_model_kl[0], -(-0.5 / t).ln_1p(), ROUNDING);
        close(c.theorem1_residual, 0.0, ROUNDING);
        let more = LN_2 / ((t + 1.0) * (t + 1.0));
        assert!((c.gap[0] - more).abs() > 0.01 * more, "witness: one step more");
    }
}

/// One token: the exact posterior of the token is the exact reverse kernel, so nothing is lost in any step.
#[test]
fn one_token_under_uniform_diffusion() {
    let text = r#"{"states": 3, "length": 1, "data": {"0": 0.5, "1": 0.3, "2": 0.2}, "denoiser": {"kind": "exact"}}"#;
    let toy = Toy::parse(text, Alphabet::Values).expect("valid");
    let forward = Forward::uniform(3, MaskedSchedule::Linear);
    let run = |parameterization, steps| {
        let model = DiscreteModel::new(&toy, &forward, parameterization).expect("small");
        discrete::cascade(&model, steps, &Weighting::Elbo, &Silent).expect("finite")
    };
    for steps in STEPS {
        let c = run(ReverseParameterization::Mixture, steps);
        c.elbo.iter().for_each(|elbo| close(*elbo, -c.entropy, ROUNDING));
        c.gap.iter().chain(&c.data_model_kl).for_each(|lost| close(*lost, 0.0, ROUNDING));
        let witness = run(ReverseParameterization::D3pm, steps).gap.iter().sum::<f64>();
        assert!(steps == 1 || witness > 1e-4, "witness: another kernel loses something, {witness}");
    }
}

/// A normal law N(m, s^2): its reverse kernels are normal, wider than the learned ones by the variance of x given z_t.
#[test]
fn a_normal_law_under_gaussian_diffusion() {
    let (m, s) = (0.7f64, 0.5f64);
    let text = format!(r#"{{"mixture": [{{"mean": {m}, "std": {s}, "weight": 1}}], "denoiser": {{"kind": "exact"}}}}"#);
    let toy = GaussianToy::parse(&text).expect("valid");
    let schedule = GaussianSchedule::FixedLinear { gamma_min: -6.0, gamma_max: 5.0 };
    for steps in STEPS {
        let c = gaussian::cascade(&toy, &schedule, steps, &Weighting::Elbo, &Silent).expect("small");
        let levels: Vec<Level> = (0..=steps).map(|i| Level::at(&schedule, i as f64 / steps as f64)).collect();
        let left = |l: &Level| (s * l.sigma).powi(2) / ((l.alpha * s).powi(2) + l.sigma.powi(2));
        let gap = |i: usize| {
            let kernel = Kernel::new(levels[i - 1], levels[i]);
            let ratio = 1.0 + kernel.gain.powi(2) * left(&levels[i]) / kernel.variance;
            0.5 * (ratio - 1.0 - ratio.ln())
        };
        let noise = &levels[steps];
        let variance = noise.sigma.powi(2);
        let prior = 0.5 * (noise.alpha.powi(2) * (m * m + s * s) + variance - 1.0 - variance.ln());
        let last = -0.5 * (2.0 * PI * std::f64::consts::E * left(noise)).ln() - prior;
        close(c.elbo[steps], last, 1e-12);
        (1..=steps).for_each(|i| close(c.gap[i - 1], gap(i), 1e-12));
        close(c.elbo[0], last - (1..=steps).map(gap).sum::<f64>(), 1e-11);
        assert!((c.elbo[0] - last).abs() > 1e-3, "witness: without the gaps");
        assert_eq!(levels[0].log_snr, schedule.log_snr(0.0));
    }
}
