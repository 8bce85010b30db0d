//! The bound and the reweighted losses of each sequence of a toy, whose means over the data are those of the cascade.

use elbow_process::Weighting;
use elbow_process::schedule::MaskedSchedule;

use super::continuous_limit::{loss_integral, powers};
use super::elbo::{elbo_terms, prior_kl};
use super::enumeration::Enumeration;
use super::time_grid::TimeGrid;

/// -L^(1)(x) of each outcome, nats, in the order of the toy's data: of the model with `steps` steps, or in continuous
/// time, where the mean over the data is [`super::neg_elbo`].
pub fn neg_elbo_of_each(enumeration: &Enumeration, schedule: &MaskedSchedule, steps: Option<usize>) -> Vec<f64> {
    let prior = prior_kl(enumeration, schedule.alpha(1.0));
    let outcomes = 0..enumeration.outcomes.len();
    let Some(steps) = steps else {
        let (alpha, masked) = (schedule.alpha(0.0), schedule.mask_probability(0.0));
        let reconstruction =
            |x: usize| powers(alpha, masked, enumeration.visible_log(x)) - enumeration.outcomes[x].1.ln();
        let diffusion = weighted_loss_of_each(enumeration, schedule, &Weighting::Elbo);
        return outcomes.zip(diffusion).map(|(x, diffusion)| reconstruction(x) + prior + diffusion).collect();
    };
    let grid = TimeGrid::new(schedule, steps, enumeration.length());
    outcomes.map(|x| -elbo_terms(enumeration, &grid, x, prior).elbos()[0]).collect()
}

/// The reweighted loss of each outcome in continuous time, nats, in the order of the toy's data; the mean over the data is
/// [`super::weighted_loss`]. It is a bound on the likelihood for the weighting `elbo` only.
pub fn weighted_loss_of_each(enumeration: &Enumeration, schedule: &MaskedSchedule, weighting: &Weighting) -> Vec<f64> {
    // With every token visible nothing is left to predict.
    let sums = |x: usize| [enumeration.cross_entropy(x), &[0.0]].concat();
    let loss = |x: usize| loss_integral(schedule, weighting, &sums(x));
    (0..enumeration.outcomes.len()).map(loss).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{cascade, neg_elbo, weighted_loss};
    use super::*;
    use crate::{Alphabet, Toy};

    const DATA: &str = r#""states": 3, "length": 2, "data": {"00": 0.35, "01": 0.05, "12": 0.6}"#;

    fn enumeration(denoiser: &str) -> (Toy, Enumeration) {
        let text = format!(r#"{{{DATA}, "denoiser": {denoiser}}}"#);
        let toy = Toy::parse(&text, Alphabet::Masked).expect("a toy");
        let all = Enumeration::new(&toy).expect("small");
        (toy, all)
    }

    fn mean(toy: &Toy, values: &[f64]) -> f64 {
        toy.outcomes.iter().zip(values).map(|((_, q), value)| q * value).sum()
    }

    /// Measured: 9e-16.
    const ROUNDING: f64 = 5e-15;

    #[test]
    fn the_exact_denoiser_codes_each_sequence_in_its_log_probability() {
        let (toy, all) = enumeration(r#"{"kind": "exact"}"#);
        for name in ["linear", "cosine", "poly:2"] {
            let schedule: MaskedSchedule = name.parse().expect("a schedule");
            for ((_, q), found) in toy.outcomes.iter().zip(neg_elbo_of_each(&all, &schedule, None)) {
                assert!((found + q.ln()).abs() < ROUNDING, "{name}: {found} for {q}");
            }
        }
        // Witness: few steps reveal both tokens together, which costs their correlation.
        let few = neg_elbo_of_each(&all, &MaskedSchedule::Linear, Some(2));
        assert!(toy.outcomes.iter().zip(few).any(|((_, q), found)| found + q.ln() > 0.01));
    }

    #[test]
    fn the_means_are_those_of_the_cascade() {
        let (toy, all) = enumeration(r#"{"kind": "tempered", "temperature": 1.3, "floor": 0.05}"#);
        let schedule: MaskedSchedule = "cosine".parse().expect("a schedule");
        let fm: Weighting = "fm".parse().expect("a weighting");
        let steps = cascade(&all, &schedule, 5, &fm).expect("small");
        let pairs = [
            (mean(&toy, &neg_elbo_of_each(&all, &schedule, None)), neg_elbo(&all, &schedule)),
            (mean(&toy, &neg_elbo_of_each(&all, &schedule, Some(5))), -steps.elbo[0]),
            (mean(&toy, &weighted_loss_of_each(&all, &schedule, &fm)), weighted_loss(&all, &schedule, &fm)),
        ];
        for (found, expected) in pairs {
            assert!((found - expected).abs() < ROUNDING, "{found} against {expected}");
        }
        assert!((pairs[0].0 - pairs[2].0).abs() > 0.01, "witness: another weighting is another number");
    }
}
