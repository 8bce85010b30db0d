//! The law of the mask rates that a block model is trained on.

use std::fmt;
use std::str::FromStr;

use elbow_base::Error;
use statrs::function::beta::beta_reg;

/// The law of a block's mask rate in training. All have the same optimum for a network that can be any function of what it
/// sees; they differ in the variance of the gradient, and the second in the weights of the patterns too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaskRates {
    /// `schedule`: times uniform on (0, 1), rates as the schedule has them.
    Schedule,
    /// `clipped:B:W`: rates uniform on \[B, W\] with the weight 1/rate that they would have on (0, 1) (BD3-LM, section 5.2,
    /// "clipped schedules"). The loss is no bound.
    Clipped([f64; 2]),
    /// `clipped-weighted:B:W`: the same rates, with a weight of the number of masked tokens under which the loss has the
    /// bound as its mean, for a network that sees no time.
    ClippedWeighted([f64; 2]),
}

impl MaskRates {
    /// The range of the rates, where they are not the schedule's.
    pub fn range(&self) -> Option<[f64; 2]> {
        match self {
            Self::Schedule => None,
            Self::Clipped(range) | Self::ClippedWeighted(range) => Some(*range),
        }
    }

    /// P(k) for k = 0..=size: the law of the number of masked tokens of a block whose mask rate is uniform on `range`
    /// [BD3LM, clipped schedules].
    pub fn count_law([low, high]: [f64; 2], size: usize) -> Vec<f64> {
        let of_count = |k: usize| {
            let (a, b) = ((k + 1) as f64, (size - k + 1) as f64);
            // P(low < Beta(a, b) < high), from the end where both numbers are small.
            let mass = match beta_reg(a, b, low) < 0.5 {
                true => beta_reg(a, b, high) - beta_reg(a, b, low),
                false => beta_reg(b, a, 1.0 - low) - beta_reg(b, a, 1.0 - high),
            };
            mass / ((size + 1) as f64 * (high - low))
        };
        (0..=size).map(of_count).collect()
    }

    /// The weight of a block's cross-entropy by its number of masked tokens k = 0..=size: 1/(k P(k)). Under the any-order
    /// bound a number k has probability 1/size and weight size/k.
    pub fn count_weights(range: [f64; 2], size: usize) -> Vec<f64> {
        let law = Self::count_law(range, size);
        law.iter().enumerate().map(|(k, p)| if k == 0 { 0.0 } else { 1.0 / (k as f64 * p) }).collect()
    }
}

impl fmt::Display for MaskRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schedule => f.write_str("schedule"),
            Self::Clipped([low, high]) => write!(f, "clipped:{low}:{high}"),
            Self::ClippedWeighted([low, high]) => write!(f, "clipped-weighted:{low}:{high}"),
        }
    }
}

impl FromStr for MaskRates {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let range = |text: &str| {
            let ends = text.split_once(':').and_then(|(low, high)| Some([low.parse().ok()?, high.parse().ok()?]));
            match ends {
                Some([low, high]) if 0.0 <= low && low < high && high <= 1.0 => Ok([low, high]),
                _ => {
                    let what = format!("mask rates {name}: no range of mask rates");
                    Err(Error::input(what, "write two numbers from 0 to 1 in rising order, as in clipped:0.3:0.8"))
                }
            }
        };
        match name.split_once(':') {
            None if name == "schedule" => Ok(Self::Schedule),
            Some(("clipped", ends)) => Ok(Self::Clipped(range(ends)?)),
            Some(("clipped-weighted", ends)) => Ok(Self::ClippedWeighted(range(ends)?)),
            _ => {
                let known = ["schedule", "clipped:B:W", "clipped-weighted:B:W"];
                Err(crate::error::UnknownName::new("mask rates", name, &known).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measured: 3e-16.
    const TOLERANCE: f64 = 3e-15;

    #[test]
    fn numbers_of_masked_tokens_have_their_law() {
        // Rates on [0.5, 1], two tokens: P(0) = int (1-r)^2 = 1/24 over 1/2, P(2) = int r^2 = 7/24 over 1/2.
        let expected = [1.0 / 12.0, 1.0 / 3.0, 7.0 / 12.0];
        let error = |range| {
            let law = MaskRates::count_law(range, 2);
            law.iter().zip(expected).map(|(p, e): (&f64, f64)| (p - e).abs()).fold(0.0, f64::max)
        };
        assert!(error([0.5, 1.0]) < TOLERANCE, "{:e}", error([0.5, 1.0]));
        assert!(error([0.0, 0.5]) > 0.1, "witness: the other half of the rates");
        // The whole interval: k uniform on 0..=size.
        for p in MaskRates::count_law([0.0, 1.0], 7) {
            assert!((p - 0.125).abs() < TOLERANCE, "{p}");
        }
        // Counts that the rates hardly ever give keep their digits: 1 - 0.5^n near 1.
        let rare = MaskRates::count_law([0.5, 1.0], 64)[0];
        let exact = 0.5f64.powi(65) / 65.0 / 0.5;
        assert!((rare / exact - 1.0).abs() < 1e-10, "{rare:e}, not {exact:e}");
    }

    #[test]
    fn names_are_read_and_written() {
        for name in ["schedule", "clipped:0.3:0.8", "clipped-weighted:0:1"] {
            assert_eq!(name.parse::<MaskRates>().expect("a name").to_string(), name);
        }
        for name in ["clipped", "clipped:0.8:0.3", "clipped:0.5", "clipped:0:1.5", "clipped:a:b", "uniform"] {
            assert!(name.parse::<MaskRates>().is_err(), "{name}");
        }
    }
}
