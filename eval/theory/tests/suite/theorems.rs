//! Both theorems as tests that can fail: the exact gaps and weights pass, known-wrong ones are rejected.

use elbow_base::Silent;
use elbow_process::Weighting;
use elbow_process::schedule::MaskedSchedule;
use elbow_theory::gap::theorem1_residual;
use elbow_theory::masked::{gaps, total_correlations};
use elbow_theory::reweighting::{Theorem2, TheoremWeights};
use elbow_theory::{ElboTerms, gaussian};

use crate::fixture::{fixture, run, toy};

const STEPS: usize = 4;

#[test]
fn theorem_1_of_masked_diffusion_rejects_wrong_gaps() {
    let (enumeration, schedule) = (toy("example-a"), MaskedSchedule::Linear);
    let elbo = run(&enumeration, "linear", STEPS, "elbo").elbo;
    let exact = gaps(&enumeration, &schedule, STEPS);
    assert!(theorem1_residual(&elbo, &exact) < 1e-14);
    let correlation = total_correlations(&enumeration, &schedule, STEPS);
    // The KLs of the tokens one by one, without their total correlation.
    let per_token: Vec<f64> = exact.iter().zip(&correlation).map(|(g, tc)| g - tc).collect();
    let other_schedule = gaps(&enumeration, &MaskedSchedule::Cosine, STEPS);
    let reversed: Vec<f64> = exact.iter().rev().copied().collect();
    for wrong in [&per_token, &correlation, &other_schedule, &reversed] {
        assert!(theorem1_residual(&elbo, wrong) > 1e-3, "{wrong:?}");
    }
}

#[test]
fn theorem_1_of_gaussian_diffusion_rejects_a_gap_of_means_alone() {
    let toy = gaussian::GaussianToy::load(&fixture("gaussian/atoms.json")).expect("a toy");
    let schedule = "fixed-linear:-6:5".parse().expect("known");
    let ours = gaussian::cascade(&toy, &schedule, STEPS, &Weighting::Elbo, &Silent).expect("computed");
    let exact = gaussian::gaps(&toy, &schedule, STEPS);
    assert_eq!(exact, ours.gap);
    assert!(theorem1_residual(&ours.elbo, &exact) < 1e-12);
    // The exact reverse kernel is not Gaussian: without its shape, the KL of the means is another number.
    let means_only: Vec<f64> = exact.iter().zip(&ours.kernel_mismatch).map(|(g, m)| g - m).collect();
    assert!(theorem1_residual(&ours.elbo, &means_only) > 0.25);
}

#[test]
fn theorem_2_rejects_wrong_weights() {
    let terms = ElboTerms {
        probability: 1.0,
        decoder: vec![-0.1, -0.3, -0.5, -0.8, -1.1],
        step_kl: vec![0.4, 0.3, 0.2, 0.15],
        prior: 0.02,
    };
    let elbos = terms.elbos();
    let residual = |weights: &TheoremWeights| Theorem2::sides(weights, &terms, &elbos).residual();
    let exact = || TheoremWeights::new(&Weighting::Sigmoid(1.0), &MaskedSchedule::Cosine, STEPS);
    assert!(residual(&exact()) < 1e-15);
    // w_1 is w~(t(1)) and not 0; the weights are differences of w~ and not w~ itself; they start at i = 1 and not at 2.
    let without_first = TheoremWeights { cascade: [&[0.0], &exact().cascade[1..]].concat(), ..exact() };
    let not_differences = TheoremWeights { cascade: exact().w_tilde, ..exact() };
    let shifted = TheoremWeights { cascade: [&[0.0], &exact().cascade[..STEPS - 1]].concat(), ..exact() };
    for wrong in [without_first, not_differences, shifted] {
        assert!(residual(&wrong) > 1e-3, "{:?}", wrong.cascade);
    }
}

/// A step KL with the sign of the slides, or a prior that is left out, lifts a bound above what it bounds.
#[test]
fn wrong_signs_and_a_missing_prior_break_the_bounds() {
    let toy = gaussian::GaussianToy::load(&fixture("gaussian/atoms.json")).expect("a toy");
    let schedule = "fixed-linear:-6:5".parse().expect("known");
    let ours = gaussian::cascade(&toy, &schedule, STEPS, &Weighting::Elbo, &Silent).expect("computed");
    let terms = |sign: f64, prior: f64| ElboTerms {
        probability: 1.0,
        decoder: ours.decoder.clone(),
        step_kl: ours.kl_step.iter().map(|kl| sign * kl).collect(),
        prior,
    };
    let below_entropy = |terms: ElboTerms| terms.elbos().iter().all(|elbo| *elbo <= 1e-12 - ours.entropy);
    assert!(below_entropy(terms(1.0, ours.prior)));
    assert!(!below_entropy(terms(-1.0, ours.prior)), "the slides' sign");
    assert!(!below_entropy(terms(1.0, 0.0)), "no prior");
}
