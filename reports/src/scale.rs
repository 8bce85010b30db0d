//! The scale of an axis: a map from data to positions between 0 and 1, and ticks with short labels.

use crate::record::Axis;

/// Beyond this even the width of a range overflows; below its inverse, steps underflow.
const HUGE: f64 = 1e300;
/// About how many ticks an axis has.
const TICKS: i32 = 5;
/// Free room between data and frame, as a part of the data's range.
const PADDING: f64 = 0.05;

/// A linear or logarithmic map of an axis to 0..1, of positive width.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    log: bool,
    /// Bounds, as decimal logarithms where `log`.
    low: f64,
    high: f64,
}

impl Scale {
    /// The axis' own range where it is usable, the padded range of `values` otherwise.
    pub fn new(axis: &Axis, values: impl Iterator<Item = f64>) -> Scale {
        let log = axis.log;
        if let Some((low, high)) = axis.range
            && let Some(low) = transform(low, log)
            && let Some(high) = transform(high, log)
            && low < high
        {
            return Scale { log, low, high };
        }
        let bounds = values.filter_map(|value| transform(value, log)).fold(None, |bounds, value| match bounds {
            None => Some((value, value)),
            Some((low, high)) => Some((value.min(low), value.max(high))),
        });
        let (low, high) = bounds.unwrap_or((0.0, 1.0));
        let size = low.abs().max(high.abs());
        let pad = if high - low > size * 1e-12 {
            (high - low) * PADDING
        } else if log || size < 1.0 / HUGE {
            0.5
        } else {
            size * 0.1
        };
        Scale { log, low: low - pad, high: high + pad }
    }

    /// `count` rows, the first at the top.
    pub fn rows(count: usize) -> Scale {
        Scale { log: false, low: count as f64 + 0.5, high: 0.5 }
    }

    /// Moves the lower bound so that `value` lies on the frame. For bars, which stand on zero.
    pub fn starting_at(self, value: f64) -> Scale {
        match transform(value, self.log) {
            Some(low) if low < self.high => Scale { low, ..self },
            _ => self,
        }
    }

    /// 0 at the lower end and 1 at the upper end; nothing where a value cannot be shown at all.
    pub fn position(&self, value: f64) -> Option<f64> {
        transform(value, self.log).map(|value| (value - self.low) / (self.high - self.low))
    }

    /// Position and label of each tick.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        if !self.log {
            return self.place(linear_ticks(self.low, self.high));
        }
        let decades = self.place(decade_ticks(self.low, self.high));
        if decades.len() >= 3 {
            return decades;
        }
        let fine = self.place(fine_ticks(self.low, self.high));
        if fine.len() >= 2 {
            return fine;
        }
        self.place(linear_ticks(10f64.powf(self.low), 10f64.powf(self.high)))
    }

    fn place(&self, ticks: Vec<(f64, String)>) -> Vec<(f64, String)> {
        let inside = -1e-9..=1.0 + 1e-9;
        ticks
            .into_iter()
            .filter_map(|(value, label)| Some((self.position(value)?, label)))
            .filter(|(position, _)| inside.contains(position))
            .collect()
    }
}

fn transform(value: f64, log: bool) -> Option<f64> {
    if !value.is_finite() || value.abs() > HUGE || (log && value < 1.0 / HUGE) {
        None
    } else if log {
        Some(value.log10())
    } else {
        Some(value)
    }
}

fn linear_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let raw = (high - low) / f64::from(TICKS);
    let size = raw.log10().floor();
    let unit = 10f64.powf(size);
    let (factor, carry) = match raw / unit {
        part if part <= 1.0 => (1.0, 0),
        part if part <= 2.0 => (2.0, 0),
        part if part <= 5.0 => (5.0, 0),
        _ => (10.0, 1),
    };
    let step = factor * unit;
    let last = size as i32 + carry;
    let (first, count) = ((low / step).ceil(), ((high - low) / step) as i32 + 1);
    let largest = low.abs().max(high.abs());
    let top = largest.log10().floor() as i32;
    // A common exponent for numbers that would be all zeros otherwise.
    let plain = last >= -4 && top < 5;
    (0..=count)
        .map(|index| (first + f64::from(index)) * step)
        .map(|value| {
            let label = if value.abs() < step / 2.0 {
                "0".into()
            } else if plain {
                minus(format!("{value:.*}", (-last).max(0) as usize))
            } else {
                let mantissa = value / 10f64.powi(top);
                let digits = (top - last).clamp(0, 6) as usize;
                power(&minus(format!("{mantissa:.digits$}")), top)
            };
            (value, label)
        })
        .collect()
}

fn decade_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let (first, last) = (low.ceil() as i32, high.floor() as i32);
    let stride = ((last - first) / (TICKS + 1) + 1).max(1);
    let plain = first >= -3 && last <= 4;
    (first..=last)
        .filter(|exponent| exponent.rem_euclid(stride) == 0)
        .map(|exponent| (10f64.powi(exponent), log_label(1, exponent, plain)))
        .collect()
}

/// 1, 2 and 5 of each decade, for axes of few decades.
fn fine_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let plain = low >= -3.0 && high <= 4.0;
    (low.floor() as i32..=high.floor() as i32)
        .flat_map(|exponent| [1, 2, 5].map(|mantissa| (mantissa, exponent)))
        .map(|(mantissa, exponent)| {
            let value = f64::from(mantissa) * 10f64.powi(exponent);
            (value, log_label(mantissa, exponent, plain))
        })
        .collect()
}

fn log_label(mantissa: i32, exponent: i32, plain: bool) -> String {
    match (plain, mantissa) {
        (true, _) => {
            let value = f64::from(mantissa) * 10f64.powi(exponent);
            format!("{value:.*}", (-exponent).max(0) as usize)
        }
        (false, 1) => format!("10{}", superscript(exponent)),
        (false, _) => power(&mantissa.to_string(), exponent),
    }
}

fn power(mantissa: &str, exponent: i32) -> String {
    format!("{mantissa}·10{}", superscript(exponent))
}

fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    exponent.to_string().chars().map(|c| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize])).collect()
}

fn minus(number: String) -> String {
    number.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(log: bool, range: Option<(f64, f64)>, values: &[f64]) -> Scale {
        let axis = Axis { label: String::new(), log, range, names: Vec::new() };
        Scale::new(&axis, values.iter().copied())
    }

    fn labels(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn linear_labels_are_short() {
        let unit = scale(false, Some((0.0, 1.0)), &[]);
        assert_eq!(labels(unit), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let signed = scale(false, Some((-10.0, 10.0)), &[]);
        assert_eq!(labels(signed), ["−10", "−5", "0", "5", "10"]);
        let tiny = scale(false, Some((0.0, 4e-7)), &[]);
        assert_eq!(labels(tiny), ["0", "1·10⁻⁷", "2·10⁻⁷", "3·10⁻⁷", "4·10⁻⁷"]);
        let large = scale(false, Some((0.0, 60_000_000.0)), &[]);
        assert_eq!(labels(large), ["0", "2·10⁷", "4·10⁷", "6·10⁷"]);
    }

    #[test]
    fn log_labels_are_decades_or_their_parts() {
        let wide = scale(true, Some((1e-8, 1.0)), &[]);
        assert_eq!(labels(wide), ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]);
        let middle = scale(true, Some((0.01, 100.0)), &[]);
        assert_eq!(labels(middle), ["0.01", "0.1", "1", "10", "100"]);
        let narrow = scale(true, Some((1.0, 10.0)), &[]);
        assert_eq!(labels(narrow), ["1", "2", "5", "10"]);
        assert!(labels(scale(true, Some((1.1, 1.9)), &[])).len() >= 2);
    }

    #[test]
    fn positions_follow_the_scale() {
        let log = scale(true, Some((1.0, 100.0)), &[]);
        assert_eq!(log.position(10.0), Some(0.5));
        assert_eq!(log.position(0.0), None);
        assert_eq!(log.position(-1.0), None);
        assert_eq!(log.position(f64::NAN), None);
        let linear = scale(false, None, &[0.0, 10.0]);
        assert_eq!(linear.position(5.0), Some(0.5));
        assert!(linear.position(0.0) > Some(0.0));
    }

    #[test]
    fn degenerate_ranges_still_have_a_width_and_ticks() {
        for (log, range, values) in [
            (false, None, vec![]),
            (true, None, vec![]),
            (false, None, vec![0.0]),
            (false, None, vec![1e-310]),
            (false, None, vec![5.0, 5.0]),
            (false, None, vec![1.0, 1.0 + 1e-15]),
            (false, None, vec![-1e300, 1e300]),
            (true, None, vec![-3.0, 0.0]),
            (true, None, vec![2.0]),
            (true, None, vec![1e-299, 1e299]),
            (false, Some((1.0, 1.0)), vec![3.0]),
            (true, Some((0.0, 1.0)), vec![0.5]),
            (false, Some((f64::NAN, 1.0)), vec![f64::NAN, f64::INFINITY]),
        ] {
            let scale = scale(log, range, &values);
            assert!(scale.low < scale.high, "{range:?} {values:?}");
            let count = scale.ticks().len();
            assert!((2..=12).contains(&count), "{count}: {range:?} {values:?}");
        }
    }
}
