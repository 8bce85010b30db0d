//! Weightings w(lambda) of diffusion losses, shared by the Gaussian and the masked family.
//!
//! A reweighted loss multiplies the NELBO's integrand by w~(t) = w(lambda_t). Where w~ is non-decreasing in
//! `t` (w non-increasing in lambda), the loss is a sum with non-negative weights of variational bounds, the
//! ELBOs of models with optimal decoders (Shi and Titsias 2025, Theorem 2). Its value is still no likelihood bound.
//!
//! Formulas: Kingma and Gao 2023, Table 1; Shi and Titsias 2025, "matched in log-SNR" for masked diffusion.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use elbow_base::{Error, UnknownName};

use crate::parameter::{Range, parameter};
use crate::schedule::{LogSnr, MaskedSchedule, sigmoid};
use crate::table::Table;

/// A weighting from outside: w(lambda), finite and not negative.
///
/// Implement it, and every bound and loss takes it as [`Weighting::custom`].
pub trait Weight: fmt::Display + fmt::Debug + Send + Sync {
    /// w(lambda).
    fn of_log_snr(&self, lambda: f64) -> f64;

    /// Whether w is non-increasing in lambda (Theorem 2).
    fn is_monotone(&self) -> bool;

    /// The log-SNR at which the slope of w jumps, if any: quadrature splits there.
    fn kink(&self) -> Option<f64> {
        None
    }
}

/// Weightings are equal if their names are.
impl PartialEq for dyn Weight {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

/// A weighting of the diffusion loss.
#[derive(Clone, Debug, PartialEq)]
pub enum Weighting {
    /// 1: the (negative) evidence lower bound itself.
    Elbo,
    /// sigmoid(B - lambda): Kingma and Gao 2023.
    Sigmoid(f64),
    /// e^(-lambda/2): flow matching, and v-prediction under the cosine schedule.
    FlowMatching,
    /// The unweighted loss under the schedule in use: constant cross-entropy, or eps-MSE.
    Simple,
    /// sech(lambda/2): iDDPM, eps-MSE under the cosine schedule.
    Iddpm,
    /// N(lambda; 2.4, 2.4^2) (e^-lambda + S^2), S the standard deviation of the data: EDM, 0.5 in the paper.
    Edm(f64),
    /// sech(lambda/2) / (1 + e^lambda)^G: P2 under the cosine schedule.
    P2(f64),
    /// sech(lambda/2) min(1, G e^-lambda): min-SNR under the cosine schedule.
    MinSnr(f64),
    /// e^-lambda sech(lambda/2): x-MSE under the cosine schedule.
    Snr,
    /// e^-lambda sech(lambda/4)^2: InDI.
    Indi,
    /// A weighting from outside, such as `table:FILE`.
    Custom(Arc<dyn Weight>),
}

impl Weighting {
    /// A weighting from outside.
    pub fn custom(weight: impl Weight + 'static) -> Self {
        Self::Custom(Arc::new(weight))
    }

    /// Every weighting, with the parameters that the papers use.
    pub const ALL: [Self; 10] = [
        Self::Elbo,
        Self::Sigmoid(2.0),
        Self::FlowMatching,
        Self::Simple,
        Self::Iddpm,
        Self::Edm(0.5),
        Self::P2(1.0),
        Self::MinSnr(5.0),
        Self::Snr,
        Self::Indi,
    ];

    /// w~(t) = w(lambda_t) under `schedule` [Demystifying, matched in log-SNR]; it may be infinite where lambda is (`t
    /// = 1` for `fm`, `snr`, `indi`).
    pub fn at(&self, schedule: &(impl LogSnr + ?Sized), t: f64) -> f64 {
        self.of_log_snr(schedule, schedule.log_snr(t))
    }

    /// The total weight w~(t) r(t) of the masked cross-entropy at time `t` in (0, 1), with r = -alpha'/(1 - alpha)
    /// [Demystifying, masked L_w~].
    pub fn ce_weight(&self, schedule: &MaskedSchedule, t: f64) -> f64 {
        match self {
            // Exactly 1 by definition, not by rounding.
            Self::Simple => 1.0,
            _ => self.at(schedule, t) * schedule.elbo_weight(t),
        }
    }

    /// Whether w~(t) is non-decreasing in `t`: only then is the reweighted loss a sum of bounds with non-negative
    /// weights [Demystifying, Theorem 2].
    ///
    /// Decided over all log-SNRs, also where the schedule has only a part of them; for `simple`, which belongs to the
    /// schedule, over those of the schedule.
    pub fn is_monotone(&self, schedule: &(impl LogSnr + ?Sized)) -> bool {
        match self {
            Self::Elbo | Self::Sigmoid(_) | Self::FlowMatching | Self::Snr | Self::Indi => true,
            Self::Iddpm | Self::Edm(_) | Self::P2(_) | Self::MinSnr(_) => false,
            Self::Simple => schedule.simple_is_monotone(),
            Self::Custom(weight) => weight.is_monotone(),
        }
    }

    /// The weights w_i of the bounds L^(i), i = 1..=T, on the grid t(i) = i/T, T = `steps`: w_1 = w~(t(1)) and
    /// w_i = w~(t(i)) - w~(t(i-1)) [Demystifying, Theorem 2].
    ///
    /// A negative entry means that the loss is not a sum of bounds with non-negative weights.
    ///
    /// ```
    /// use elbow_process::{Weighting, schedule::MaskedSchedule};
    ///
    /// // sigmoid(-lambda) = 1 - alpha = t under the linear schedule: all bounds count the same.
    /// let even = Weighting::Sigmoid(0.0).cascade_weights(&MaskedSchedule::Linear, 4);
    /// assert!(even.iter().all(|w| (w - 0.25).abs() < 1e-15));
    /// // EDM's w~ falls towards t = 1: some bounds have negative weight.
    /// assert!(Weighting::Edm(0.5).cascade_weights(&MaskedSchedule::Linear, 100).iter().any(|w| *w < 0.0));
    /// ```
    pub fn cascade_weights(&self, schedule: &(impl LogSnr + ?Sized), steps: usize) -> Vec<f64> {
        let mut before = 0.0;
        (1..=steps)
            .map(|i| {
                let now = self.at(schedule, i as f64 / steps as f64);
                now - std::mem::replace(&mut before, now)
            })
            .collect()
    }

    /// The log-SNR at which the slope of w(lambda) jumps, if any: quadrature splits there.
    pub fn kink(&self) -> Option<f64> {
        match self {
            Self::MinSnr(g) => Some(g.ln()),
            Self::Custom(weight) => weight.kink(),
            _ => None,
        }
    }

    /// w(lambda), the weighting as a function of the log-SNR [Kingma and Gao, Table 1]. Only `Simple` depends on the
    /// schedule.
    pub fn of_log_snr(&self, schedule: &(impl LogSnr + ?Sized), lambda: f64) -> f64 {
        match self {
            Self::Elbo => 1.0,
            Self::Simple => schedule.simple_weight(lambda),
            Self::Sigmoid(b) => sigmoid(b - lambda),
            Self::FlowMatching => (-lambda / 2.0).exp(),
            Self::Iddpm => sech(lambda / 2.0),
            // The density times e^-lambda + S^2, each with its own exponent: no 0 * inf far out.
            Self::Edm(sigma_data) => {
                let normal =
                    |x: f64| (x - (lambda - 2.4).powi(2) / (2.0 * 2.4 * 2.4)).exp() / (2.4 * (2.0 * PI).sqrt());
                if lambda.is_infinite() { 0.0 } else { normal(-lambda) + sigma_data * sigma_data * normal(0.0) }
            }
            Self::P2(g) => sech(lambda / 2.0) * sigmoid(-lambda).powf(*g),
            Self::MinSnr(g) => {
                if lambda <= g.ln() {
                    sech(lambda / 2.0)
                } else {
                    g * sech_times_exp(lambda, 2.0)
                }
            }
            Self::Snr => sech_times_exp(lambda, 2.0),
            Self::Custom(weight) => weight.of_log_snr(lambda),
            Self::Indi => {
                // e^-lambda sech^2(lambda/4) = (e^(-lambda/2) sech(lambda/4))^2
                let e = sech_times_exp(lambda / 2.0, 2.0);
                e * e
            }
        }
    }
}

/// 1 / cosh(x) without overflow.
fn sech(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    2.0 * e / (1.0 + e * e)
}

/// e^-x sech(x / d) as one expression, so that neither factor overflows alone.
fn sech_times_exp(x: f64, d: f64) -> f64 {
    let e = (-(x / d).abs()).exp();
    let exponent = if x < 0.0 { -x * (1.0 - 1.0 / d) } else { -x * (1.0 + 1.0 / d) };
    2.0 * exponent.exp() / (1.0 + e * e)
}

impl fmt::Display for Weighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elbo => f.write_str("elbo"),
            Self::Sigmoid(b) => write!(f, "sigmoid:{b}"),
            Self::FlowMatching => f.write_str("fm"),
            Self::Simple => f.write_str("simple"),
            Self::Iddpm => f.write_str("iddpm"),
            Self::Edm(0.5) => f.write_str("edm"),
            Self::Edm(sigma_data) => write!(f, "edm:{sigma_data}"),
            Self::P2(g) => write!(f, "p2:{g}"),
            Self::MinSnr(g) => write!(f, "min-snr:{g}"),
            Self::Snr => f.write_str("snr"),
            Self::Indi => f.write_str("indi"),
            Self::Custom(weight) => weight.fmt(f),
        }
    }
}

impl FromStr for Weighting {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        const KNOWN: &str = "elbo, sigmoid:B, fm, simple, iddpm, edm, edm:SIGMA_DATA (SIGMA_DATA > 0), p2:G (G >= 0), \
            min-snr:G (G > 0), snr, indi, table:FILE (a CSV file: log_snr,w)";
        let number = |letter, text, range| parameter(name, letter, text, range);
        match (name, name.split_once(':')) {
            ("elbo", _) => Ok(Self::Elbo),
            ("fm", _) => Ok(Self::FlowMatching),
            ("simple", _) => Ok(Self::Simple),
            ("iddpm", _) => Ok(Self::Iddpm),
            ("edm", _) => Ok(Self::Edm(0.5)),
            ("snr", _) => Ok(Self::Snr),
            ("indi", _) => Ok(Self::Indi),
            (_, Some(("sigmoid", b))) => Ok(Self::Sigmoid(number("B", b, Range::Finite)?)),
            (_, Some(("edm", sigma))) => Ok(Self::Edm(number("SIGMA_DATA", sigma, Range::Positive)?)),
            (_, Some(("p2", g))) => Ok(Self::P2(number("G", g, Range::NotNegative)?)),
            (_, Some(("min-snr", g))) => Ok(Self::MinSnr(number("G", g, Range::Positive)?)),
            (_, Some(("table", file))) => Ok(Self::custom(TableWeight::read(file)?)),
            _ => Err(UnknownName::listed("weighting", name, KNOWN).into()),
        }
    }
}

/// A weighting by its values at some log-SNRs, monotone between them and constant beyond them.
#[derive(Debug)]
struct TableWeight(Table);

impl TableWeight {
    /// Reads a CSV file with the header `log_snr,w`.
    fn read(file: &str) -> Result<Self, Error> {
        let table = Table::read(file, ["log_snr", "w"])?;
        if let Some(row) = table.rows().iter().position(|w| *w < 0.0) {
            let what = format!("{file}: row {}: w is negative", row + 1);
            return Err(Error::input(what, "a weighting is not negative"));
        }
        Ok(Self(table))
    }
}

impl Weight for TableWeight {
    fn of_log_snr(&self, lambda: f64) -> f64 {
        self.0.value(lambda)
    }

    fn is_monotone(&self) -> bool {
        self.0.rows().windows(2).all(|pair| pair[1] <= pair[0])
    }
}

impl fmt::Display for TableWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table:{}", self.0.name())
    }
}
