//! Which places along the noise training draws more often than others.
//!
//! Places are uniform on (0, 1) under the bound. Another law with its importance weight has the same mean loss and another
//! variance; without the weight it is another training loss, whose optimum is the same for a network that can be any function
//! of what it sees.

use std::fmt;
use std::str::FromStr;

use elbow_base::{Error, UnknownName};

/// The law of the places of a training batch, as a map from uniform ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TimeLaw {
    /// `uniform`.
    Uniform,
    /// `middle-heavy`: density 1/2 + 3 u (1 - u), 5/4 in the middle and 1/2 at the ends; not weighted.
    MiddleHeavy,
    /// `middle-heavy-weighted`: the same with the weight 1/density, which is at most 2.
    MiddleHeavyWeighted,
    /// `clipped:B:W`: uniform on \[B, W\]; not weighted, since no weight brings back what is never drawn.
    Clipped([f64; 2]),
}

impl TimeLaw {
    /// The place that a uniform number stands for: the quantile function of the law.
    pub fn place(&self, u: f64) -> f64 {
        match self {
            Self::Uniform => u,
            Self::MiddleHeavy | Self::MiddleHeavyWeighted => middle_heavy(u),
            Self::Clipped([low, high]) => low + (high - low) * u,
        }
    }

    /// The factor of the loss at a place; none where it is 1 everywhere.
    pub fn weight(&self, place: f64) -> Option<f64> {
        matches!(self, Self::MiddleHeavyWeighted).then(|| 1.0 / (0.5 + 3.0 * place * (1.0 - place)))
    }
}

/// The place with u/2 + 3 u^2/2 - u^3 equal to `share`, by bisection to the last digit.
fn middle_heavy(share: f64) -> f64 {
    let below = |u: f64| u * (0.5 + u * (1.5 - u)) < share;
    let (mut low, mut high) = (0.0, 1.0);
    // An interval of length 1 has none of double precision left after as many halvings.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if below(middle) { low = middle } else { high = middle }
    }
    high
}

impl fmt::Display for TimeLaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::MiddleHeavy => f.write_str("middle-heavy"),
            Self::MiddleHeavyWeighted => f.write_str("middle-heavy-weighted"),
            Self::Clipped([low, high]) => write!(f, "clipped:{low}:{high}"),
        }
    }
}

impl FromStr for TimeLaw {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let ends =
            |text: &str| text.split_once(':').and_then(|(low, high)| Some([low.parse().ok()?, high.parse().ok()?]));
        match (name, name.strip_prefix("clipped:").map(ends)) {
            ("uniform", _) => Ok(Self::Uniform),
            ("middle-heavy", _) => Ok(Self::MiddleHeavy),
            ("middle-heavy-weighted", _) => Ok(Self::MiddleHeavyWeighted),
            (_, Some(Some([low, high]))) if 0.0 <= low && low < high && high <= 1.0 => Ok(Self::Clipped([low, high])),
            (_, Some(_)) => {
                let fix = "write two numbers from 0 to 1 in rising order, as in clipped:0.3:0.8";
                Err(Error::input(format!("time law {name}: no interval of times"), fix))
            }
            _ => {
                let known = ["uniform", "middle-heavy", "middle-heavy-weighted", "clipped:B:W"];
                Err(UnknownName::new("time law", name, &known).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of a function of the place times the weight, by the midpoint rule.
    fn mean(law: TimeLaw, of: fn(f64) -> f64) -> f64 {
        const POINTS: u32 = 20_000;
        let at = |i: u32| {
            let place = law.place((f64::from(i) + 0.5) / f64::from(POINTS));
            of(place) * law.weight(place).unwrap_or(1.0) / f64::from(POINTS)
        };
        (0..POINTS).map(at).sum()
    }

    /// Of the midpoint rule. Measured: 5e-9.
    const TOLERANCE: f64 = 3e-8;

    #[test]
    fn a_weighted_law_has_the_uniform_mean() {
        let found = |of| mean(TimeLaw::MiddleHeavyWeighted, of);
        for (found, exact) in
            [(found(|_| 1.0), 1.0), (found(|u| u * u), 1.0 / 3.0), (found(|u| (1.0 - u).powi(5)), 1.0 / 6.0)]
        {
            assert!((found - exact).abs() < TOLERANCE, "{found} for {exact}");
        }
        // Without the weight E u^2 = 1/6 + 3 (1/4 - 1/5) is another number.
        let unweighted = mean(TimeLaw::MiddleHeavy, |u| u * u);
        assert!((unweighted - (1.0 / 6.0 + 3.0 / 20.0)).abs() < TOLERANCE, "{unweighted}");
        assert!((unweighted - 1.0 / 3.0).abs() > 0.01, "witness: it is not the uniform mean");
        let clipped = mean(TimeLaw::Clipped([0.2, 0.6]), |u| u);
        assert!((clipped - 0.4).abs() < TOLERANCE, "{clipped}");
    }

    #[test]
    fn places_keep_their_order_inside_the_interval() {
        let law = TimeLaw::MiddleHeavy;
        assert!(law.place(1e-12) > 0.0 && law.place(1.0 - 1e-12) < 1.0);
        assert!((law.place(0.5) - 0.5).abs() < 1e-15);
        assert!((1..100).all(|i| law.place(f64::from(i) / 100.0) > law.place(f64::from(i - 1) / 100.0)));
    }

    #[test]
    fn names_are_read_and_written() {
        for name in ["uniform", "middle-heavy", "middle-heavy-weighted", "clipped:0.3:0.8"] {
            assert_eq!(name.parse::<TimeLaw>().expect("a name").to_string(), name);
        }
        for name in ["clipped", "clipped:0.8:0.3", "clipped:0:2", "middle", ""] {
            assert!(name.parse::<TimeLaw>().is_err(), "{name}");
        }
    }
}
