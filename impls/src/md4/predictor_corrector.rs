//! Predictor-corrector sampling of masked diffusion: ancestral steps, each followed by steps that leave the law of its time as
//! it is (Campbell et al. 2022, section 4.4).

use std::fmt;
use std::str::FromStr;

use elbow_base::UnknownName;

use super::sampler::{Grid, ancestral_then, choose_masked, reverse_step};
use crate::any_order::reveal_in_random_order;
use crate::error::Result;
use crate::key::open_uniform;
use crate::sampler_state::{Predictor, Samples, TokenState};
use crate::schedule::MaskedSchedule;

/// A corrector step at a time with the share alpha of visible tokens: the forward process masks each of them again with this
/// probability, and the reverse process comes back to alpha.
///
/// With the exact denoiser the forward process and the exact reverse process carry q(z_s) to q(z_t) and back, so that q(z_s) is
/// stationary: errors of earlier steps are forgotten, and none are added. As the probability goes to 0 this is the process
/// with the forward and the reverse rates together, which is the corrector of Campbell et al.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Corrector {
    /// All tokens are revealed by one call of the network. They are drawn independently of each other, so that q(z_s) is
    /// stationary up to their total correlation, which falls as the square of the probability.
    Parallel(f64),
    /// One token is revealed per call, in a random order: q(z_s) is stationary at any probability.
    OneByOne(f64),
}

impl Corrector {
    /// The probability that a visible token is masked.
    fn share(self) -> f64 {
        match self {
            Self::Parallel(share) | Self::OneByOne(share) => share,
        }
    }

    /// alpha_t of the time to which a share of masked tokens leads, and the probability (alpha_s - alpha_t) / (1 - alpha_t) with
    /// which the step back reveals a mask.
    fn step_back(self, alpha_s: f64) -> (f64, f64) {
        let alpha_t = (1.0 - self.share()) * alpha_s;
        // alpha_t = 1: nothing was masked, and nothing is to be revealed.
        let reveal = if alpha_t < 1.0 { (alpha_s - alpha_t) / (1.0 - alpha_t) } else { 0.0 };
        (alpha_t, reveal)
    }

    /// One step at a time with a share `alpha_s` of visible tokens [Campbell, corrector]. Tokens that `known` names, one entry per token of all
    /// sequences, stay.
    pub fn step(self, predictor: &mut Predictor, state: &mut TokenState, known: &[bool], alpha_s: f64) -> Result<()> {
        for (index, (token, known)) in state.z.iter_mut().zip(known).enumerate() {
            let is_drawn = *token != state.mask && !known;
            if is_drawn && open_uniform(&mut state.rngs[index / state.length]) < self.share() {
                *token = state.mask;
            }
        }
        let (alpha_t, reveal) = self.step_back(alpha_s);
        match self {
            Self::Parallel(_) => reverse_step(predictor, state, reveal, 1.0 - alpha_t),
            Self::OneByOne(_) => {
                let chosen = choose_masked(state, reveal);
                reveal_in_random_order(predictor, state, chosen, |_, masks, length| masks as f64 / length as f64)
            }
        }
    }
}

impl fmt::Display for Corrector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parallel(share) => write!(f, "parallel:{share}"),
            Self::OneByOne(share) => write!(f, "one-by-one:{share}"),
        }
    }
}

impl FromStr for Corrector {
    type Err = UnknownName;

    fn from_str(text: &str) -> std::result::Result<Self, UnknownName> {
        let form = |(kind, share): (&str, &str)| {
            let share = share.parse().ok().filter(|share| (0.0..=1.0).contains(share))?;
            match kind {
                "parallel" => Some(Self::Parallel(share)),
                "one-by-one" => Some(Self::OneByOne(share)),
                _ => None,
            }
        };
        let known = ["one-by-one:SHARE", "parallel:SHARE"];
        text.split_once(':').and_then(form).ok_or_else(|| UnknownName::new("corrector", text, &known))
    }
}

/// Fills the masks of `state` by `steps` ancestral steps, each followed by `corrections` steps of the corrector at the time that it
/// led to, t = 0 too. Tokens that were known at the start stay.
pub fn predictor_corrector(
    predictor: Predictor,
    schedule: &MaskedSchedule,
    grid: Grid,
    steps: usize,
    (corrector, corrections): (Corrector, usize),
    state: TokenState,
) -> Result<Samples> {
    let known: Vec<bool> = state.z.iter().map(|&token| token != state.mask).collect();
    ancestral_then(predictor, schedule, grid, steps, state, |predictor, state, alpha_s| {
        (0..corrections).try_for_each(|_| corrector.step(predictor, state, &known, alpha_s))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error of a share of visible tokens.
    const ROUNDING: f64 = 1e-15;

    #[test]
    fn a_step_keeps_the_share_of_masks() {
        for alpha in [0.0, 0.3, 0.999, 1.0] {
            for share in [0.0, 0.05, 0.5, 1.0] {
                let (alpha_t, reveal) = Corrector::Parallel(share).step_back(alpha);
                let visible = alpha_t + (1.0 - alpha_t) * reveal;
                assert!((visible - alpha).abs() < ROUNDING, "{alpha}, {share}: {visible}");
            }
        }
    }

    #[test]
    fn forms_are_read_as_they_are_written() {
        for text in ["parallel:0.05", "one-by-one:0.5"] {
            assert_eq!(text.parse::<Corrector>().expect("a form").to_string(), text);
        }
        for wrong in ["parallel", "parallel:2", "one-by-one:nan", "gibbs:0.1", "0.1"] {
            assert!(wrong.parse::<Corrector>().is_err(), "{wrong}");
        }
    }
}
