//! Schedules by their values at some times.

use std::fmt;

use elbow_base::Error;

use super::{LogSnr, MaskSchedule, NoiseSchedule, sigmoid};
use crate::parameter::MAX_LOG_SNR;
use crate::table::Table;

/// Times at which the simple weighting of a table's schedule is compared, to decide whether it is monotone.
const SCANNED: u32 = 1000;

/// Whether `weight`, a function of time, never decreases.
pub(super) fn never_falls(weight: impl Fn(f64) -> f64) -> bool {
    let weights: Vec<f64> = (1..=SCANNED).map(|k| weight(f64::from(k) / f64::from(SCANNED))).collect();
    weights.windows(2).all(|pair| pair[1] >= pair[0])
}

/// Reads a table over the times 0 to 1 whose values fall strictly.
fn falling(file: &str, name: &'static str) -> Result<Table, Error> {
    let table = Table::read(file, ["t", name])?;
    let wrong =
        |what: String| Error::input(format!("{file}: {what}"), "give rows from t = 0 to t = 1 whose values fall");
    if table.domain() != [0.0, 1.0] {
        return Err(wrong(format!("t goes from {} to {}", table.domain()[0], table.domain()[1])));
    }
    match table.rows().windows(2).position(|pair| pair[1] >= pair[0]) {
        Some(row) => Err(wrong(format!("row {}: {name} does not fall", row + 2))),
        None => Ok(table),
    }
}

/// A masking schedule by alpha at some times, monotone between them: `table:FILE`, header `t,alpha`.
#[derive(Debug)]
pub(super) struct MaskTable {
    alpha: Table,
    /// 1 - alpha, which keeps its digits near t = 0.
    masked: Table,
}

impl MaskTable {
    pub fn read(file: &str) -> Result<Self, Error> {
        let alpha = falling(file, "alpha")?;
        if let Some(row) = alpha.rows().iter().position(|alpha| !(0.0..=1.0).contains(alpha)) {
            let what = format!("{file}: row {}: alpha is no probability", row + 1);
            return Err(Error::input(what, "give values from 0 to 1"));
        }
        Ok(Self { masked: alpha.map(|alpha| 1.0 - alpha), alpha })
    }

    /// (1 - alpha) / (-alpha') at time t.
    fn simple(&self, t: f64) -> f64 {
        self.mask_probability(t) / -self.alpha_prime(t)
    }
}

impl MaskSchedule for MaskTable {
    fn alpha(&self, t: f64) -> f64 {
        self.alpha.value(t)
    }

    fn mask_probability(&self, t: f64) -> f64 {
        self.masked.value(t)
    }

    fn alpha_prime(&self, t: f64) -> f64 {
        self.alpha.derivative(t)
    }
}

impl LogSnr for MaskTable {
    fn log_snr(&self, t: f64) -> f64 {
        self.alpha(t).ln() - self.mask_probability(t).ln()
    }

    fn time_of_log_snr(&self, log_snr: f64) -> f64 {
        // The smaller of the two probabilities has the digits.
        if log_snr > 0.0 { self.masked.inverse(sigmoid(-log_snr)) } else { self.alpha.inverse(sigmoid(log_snr)) }
    }

    fn simple_weight(&self, log_snr: f64) -> f64 {
        self.simple(self.time_of_log_snr(log_snr))
    }

    fn simple_is_monotone(&self) -> bool {
        never_falls(|t| self.simple(t))
    }
}

impl fmt::Display for MaskTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table:{}", self.alpha.name())
    }
}

/// A noise schedule by the log-SNR at some times, monotone between them: `table:FILE`, header `t,log_snr`.
#[derive(Debug)]
pub(super) struct NoiseTable(Table);

impl NoiseTable {
    pub fn read(file: &str) -> Result<Self, Error> {
        let table = falling(file, "log_snr")?;
        if let Some(row) = table.rows().iter().position(|log_snr| log_snr.abs() > MAX_LOG_SNR) {
            let what = format!("{file}: row {}: log_snr is too far out", row + 1);
            return Err(Error::input(what, format!("give log-SNRs within {MAX_LOG_SNR} of 0, in nats")));
        }
        Ok(Self(table))
    }
}

impl NoiseSchedule for NoiseTable {
    fn gamma_prime(&self, t: f64) -> f64 {
        -self.0.derivative(t)
    }
}

impl LogSnr for NoiseTable {
    fn log_snr(&self, t: f64) -> f64 {
        self.0.value(t)
    }

    fn time_of_log_snr(&self, log_snr: f64) -> f64 {
        self.0.inverse(log_snr)
    }

    fn simple_weight(&self, log_snr: f64) -> f64 {
        1.0 / self.gamma_prime(self.time_of_log_snr(log_snr))
    }

    fn simple_is_monotone(&self) -> bool {
        never_falls(|t| 1.0 / self.gamma_prime(t))
    }
}

impl fmt::Display for NoiseTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table:{}", self.0.name())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GaussianSchedule, MaskedSchedule};
    use super::*;
    use crate::Weighting;

    /// Rows `x,f(x)` at `n` + 1 places between two ends, as a named table.
    fn written(folder: &std::path::Path, header: &str, [from, to]: [f64; 2], n: u32, f: impl Fn(f64) -> f64) -> String {
        let place = |i: u32| from + (to - from) * f64::from(i) / f64::from(n);
        let rows: String = (0..=n).map(|i| format!("{},{}\n", place(i), f(place(i)))).collect();
        let path = folder.join(header.replace(',', "-"));
        std::fs::write(&path, format!("{header}\n{rows}")).expect("writable");
        format!("table:{}", path.display())
    }

    #[test]
    fn a_table_of_a_known_masking_schedule_is_that_schedule() {
        let folder = tempfile::tempdir().expect("a folder");
        let cosine = MaskedSchedule::Cosine;
        let name = written(folder.path(), "t,alpha", [0.0, 1.0], 2000, |t| cosine.alpha(t));
        let table: MaskedSchedule = name.parse().expect("valid");
        assert_eq!(table.to_string().parse::<MaskedSchedule>().expect("named with its hash"), table);
        // The cubic's error falls with the square of the distance at least; measured 2e-7, 5e-4 and 6e-7.
        for t in [0.01, 0.3, 0.5, 0.77, 0.99] {
            assert!((table.alpha(t) - cosine.alpha(t)).abs() < 1e-6, "{t}");
            assert!((table.elbo_weight(t) / cosine.elbo_weight(t) - 1.0).abs() < 5e-3, "{t}");
            assert!((table.time_of_log_snr(cosine.log_snr(t)) - t).abs() < 5e-6, "{t}");
            assert!((table.alpha(t) + table.mask_probability(t) - 1.0).abs() < 1e-15);
        }
        let witness: MaskedSchedule =
            written(folder.path(), "t,alpha", [0.0, 1.0], 2, |t| cosine.alpha(t)).parse().expect("valid");
        assert!((witness.alpha(0.3) - cosine.alpha(0.3)).abs() > 1e-3, "witness: three rows are another schedule");
    }

    #[test]
    fn a_table_of_a_known_noise_schedule_is_that_schedule() {
        let folder = tempfile::tempdir().expect("a folder");
        let vdm = GaussianSchedule::VDM;
        let table: GaussianSchedule =
            written(folder.path(), "t,log_snr", [0.0, 1.0], 7, |t| vdm.log_snr(t)).parse().expect("valid");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12 * b.abs().max(1.0);
        assert!(table.ends().into_iter().flatten().zip([-13.3, 5.0]).all(|(found, end)| close(found, end)));
        for t in [0.0, 0.1, 0.5, 0.9, 1.0] {
            assert!(close(table.log_snr(t), vdm.log_snr(t)) && close(table.alpha(t), vdm.alpha(t)));
            assert!(close(table.gamma_prime(t), 18.3) && close(table.time_of_log_snr(vdm.log_snr(t)), t));
        }
        assert!(close(table.simple_weight(0.0), 1.0 / 18.3));
    }

    #[test]
    fn a_table_of_weights_says_whether_it_is_monotone() {
        let folder = tempfile::tempdir().expect("a folder");
        let weighting = |f: fn(f64) -> f64| -> Weighting {
            written(folder.path(), "log_snr,w", [-10.0, 10.0], 400, f).parse().expect("valid")
        };
        let falling = weighting(|lambda| sigmoid(2.0 - lambda));
        let schedule = MaskedSchedule::Linear;
        assert!(falling.is_monotone(&schedule));
        for lambda in [-9.5, -1.03, 2.0, 7.77] {
            let exact = Weighting::Sigmoid(2.0).of_log_snr(&schedule, lambda);
            assert!((falling.of_log_snr(&schedule, lambda) - exact).abs() < 1e-4, "{lambda}");
        }
        assert!(!weighting(|lambda| 1.0 / lambda.cosh()).is_monotone(&schedule));
    }

    #[test]
    fn bad_schedules_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let masked = |ends, f: fn(f64) -> f64| {
            let name = written(folder.path(), "t,alpha", ends, 4, f);
            name.parse::<MaskedSchedule>().expect_err("refused").what
        };
        assert!(masked([0.0, 0.5], |t| 1.0 - t).contains("t goes from 0 to 0.5"));
        assert!(masked([0.0, 1.0], |t| t).contains("row 2: alpha does not fall"));
        assert!(masked([0.0, 1.0], |t| 1.5 - t).contains("row 1: alpha is no probability"));
        let negative = written(folder.path(), "log_snr,w", [-1.0, 1.0], 4, |lambda| lambda);
        assert!(negative.parse::<Weighting>().expect_err("refused").what.contains("row 1: w is negative"));
    }
}
