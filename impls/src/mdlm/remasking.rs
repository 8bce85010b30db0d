//! Remasking: ancestral steps that can mask a token again (ReMDM, Wang et al. 2025).

use std::fmt;
use std::str::FromStr;

use elbow_base::UnknownName;

use crate::error::Result;
use crate::key::open_uniform;
use crate::md4::{Grid, draw_prior};
use crate::sampler_state::{Predictor, Samples, TokenState};
use crate::schedule::MaskedSchedule;

/// How likely a step masks a visible token again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Remask {
    /// This share, in \[0, 1\], of the largest probability that keeps the marginals.
    Rescale(f64),
    /// At most this probability.
    Cap(f64),
}

impl Remask {
    /// sigma of the step from alpha_t to alpha_s [ReMDM, remasking schedules]. The largest is min(1, (1 - alpha_s) / alpha_t):
    /// beyond it a step that reveals every mask would still leave too few tokens visible.
    pub fn probability(self, alpha_s: f64, alpha_t: f64) -> f64 {
        let largest = if alpha_t > 1.0 - alpha_s { (1.0 - alpha_s) / alpha_t } else { 1.0 };
        match self {
            Self::Rescale(share) => share * largest,
            Self::Cap(most) => most.min(largest),
        }
    }
}

/// The probability that a masked token is revealed by a step that masks visible ones with probability `sigma`: then a share
/// alpha_s is visible after it, as without remasking [ReMDM, posterior].
pub fn reveal_probability(sigma: f64, alpha_s: f64, alpha_t: f64) -> f64 {
    if alpha_t >= 1.0 { 1.0 } else { ((alpha_s - (1.0 - sigma) * alpha_t) / (1.0 - alpha_t)).clamp(0.0, 1.0) }
}

impl fmt::Display for Remask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rescale(share) => write!(f, "rescale:{share}"),
            Self::Cap(most) => write!(f, "cap:{most}"),
        }
    }
}

impl FromStr for Remask {
    type Err = UnknownName;

    fn from_str(text: &str) -> std::result::Result<Self, UnknownName> {
        let form = |(kind, number): (&str, &str)| {
            let number = number.parse().ok().filter(|number| (0.0..=1.0).contains(number))?;
            match kind {
                "rescale" => Some(Self::Rescale(number)),
                "cap" => Some(Self::Cap(number)),
                _ => None,
            }
        };
        let known = ["cap:PROBABILITY", "rescale:SHARE"];
        text.split_once(':').and_then(form).ok_or_else(|| UnknownName::new("remasking", text, &known))
    }
}

/// Fills the masks of `state` by `steps` ancestral steps, of which each masks visible tokens again with probability sigma, so
/// that a value can be drawn anew with more of the sequence known. Tokens that were known at the start stay. The share of
/// masked tokens at each time is that of [`crate::md4::ancestral`]; the last step masks nothing.
pub fn remasking(
    mut predictor: Predictor,
    schedule: &MaskedSchedule,
    grid: Grid,
    remask: Remask,
    steps: usize,
    mut state: TokenState,
) -> Result<Samples> {
    let known: Vec<bool> = state.z.iter().map(|&token| token != state.mask).collect();
    draw_prior(&mut state, schedule.alpha(1.0), predictor.values());
    for i in (0..=steps).rev() {
        let t = grid.time(i, steps);
        // The last round (i = 0) is the decoder: it fills what alpha(0) < 1 leaves masked.
        let (alpha_s, alpha_t) =
            (if i == 0 { 1.0 } else { schedule.alpha(grid.time(i - 1, steps)) }, schedule.alpha(t));
        let sigma = remask.probability(alpha_s, alpha_t);
        let reveal = reveal_probability(sigma, alpha_s, alpha_t);
        if reveal >= 1.0 && sigma == 0.0 {
            predictor.begin_last_step();
        }
        let (mut revealed, mut hidden) = (vec![Vec::new(); state.rows()], Vec::new());
        for (row, revealed) in revealed.iter_mut().enumerate() {
            for position in 0..state.length {
                let index = row * state.length + position;
                let masked = state.z[index] == state.mask;
                if known[index] || open_uniform(&mut state.rngs[row]) >= if masked { reveal } else { sigma } {
                    continue;
                }
                if masked { revealed.push(position) } else { hidden.push((row, position)) }
            }
        }
        let time = predictor.time_of_mask_probability(schedule.mask_probability(t));
        predictor.reveal(&mut state, revealed, |_| time)?;
        hidden.into_iter().for_each(|(row, position)| state.set(row, position, state.mask));
    }
    Ok(predictor.finish(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marginals_are_kept_at_every_strength() {
        for (alpha_s, alpha_t) in [(0.3, 0.2), (0.9, 0.8), (0.6, 0.0), (1.0, 0.7), (0.5, 0.499)] {
            for remask in [Remask::Rescale(0.0), Remask::Rescale(0.4), Remask::Rescale(1.0), Remask::Cap(0.05)] {
                let sigma = remask.probability(alpha_s, alpha_t);
                let visible = alpha_t * (1.0 - sigma) + (1.0 - alpha_t) * reveal_probability(sigma, alpha_s, alpha_t);
                assert!((visible - alpha_s).abs() < 1e-15, "{remask}, {alpha_t} to {alpha_s}: {visible}");
                assert!(alpha_s < 1.0 || sigma == 0.0, "the last step masks");
            }
        }
    }

    #[test]
    fn forms_are_read_as_they_are_written() {
        for text in ["cap:0.02", "rescale:0.5"] {
            assert_eq!(text.parse::<Remask>().expect("a form").to_string(), text);
        }
        for wrong in ["cap", "cap:2", "cap:nan", "loop:0.1", "0.1"] {
            assert!(wrong.parse::<Remask>().is_err(), "{wrong}");
        }
    }
}
