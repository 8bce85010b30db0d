//! Quadrature with an error estimate: adaptive Gauss-Legendre panels on an interval or on the whole line, and
//! expectations under a standard normal law in a few dimensions.
//!
//! The error estimate is the change at the last refinement. It bounds the remaining error from above, since both rules
//! converge exponentially on the smooth integrands of this crate.

use std::sync::LazyLock;

/// An integral and the estimate of its absolute error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quadrature {
    /// The integral.
    pub value: f64,
    /// The change at the last refinement.
    pub error: f64,
}

/// The accumulated error of a result that is composed of several integrals.
#[derive(Default)]
pub(crate) struct ErrorSum(pub f64);

impl ErrorSum {
    /// The integral times `factor`; its error is added to the sum. Infinite terms have no error to add.
    pub fn scaled(&mut self, integral: Quadrature, factor: f64) -> f64 {
        if factor.is_finite() && integral.error.is_finite() {
            self.0 += integral.error * factor.abs();
        }
        integral.value * factor
    }
}

const NODES: usize = 16;
/// Width of the panels before any refinement: integrands in log-SNR have their nearest poles at distance pi, which
/// leaves an error of 1e-17.
const PANEL: f64 = 4.0;
/// Largest number of bisections of one panel.
const DEPTH: usize = 8;
/// Relative change at which a panel has converged: reachable by an integrand that is itself a quadrature.
const PANEL_TOLERANCE: f64 = 1e-12;
/// Number of panels in a row, each within a thousandth of the one before, after which the integral is taken to diverge.
const PERSISTENT: usize = 20;

static RULE: LazyLock<Vec<(f64, f64)>> = LazyLock::new(gauss_legendre);

/// The integral of `integrand` from `low` to `high`, both finite; each panel is bisected until its value changes by
/// less than rounding.
pub fn integrate(low: f64, high: f64, integrand: &mut impl FnMut(f64) -> f64) -> Quadrature {
    let panels = ((high - low) / PANEL).ceil().max(1.0) as usize;
    let width = (high - low) / panels as f64;
    let mut total = Quadrature::default();
    for p in 0..panels {
        let from = low + p as f64 * width;
        let one = bisected(from, from + width, integrand);
        total.value += one.value;
        total.error += one.error;
    }
    total
}

/// The integral from `low` to `high`, either possibly infinite, of an integrand that decays; infinite where a tail does
/// not decay.
///
/// Panels are added outwards from `start` until they are negligible beside the sum, or beside 0.01: nats are of order
/// one.
pub fn integrate_line(low: f64, high: f64, start: f64, integrand: &mut impl FnMut(f64) -> f64) -> Quadrature {
    let start = start.clamp(low, high);
    let mut total = Quadrature::default();
    for (end, direction) in [(low, -1.0), (high, 1.0)] {
        let (mut at, mut quiet, mut loud, mut last) = (start, 0, 0, 0.0);
        while (end - at) * direction > 0.0 && quiet < 3 {
            if loud == PERSISTENT || !total.value.is_finite() {
                return Quadrature { value: f64::INFINITY, error: f64::NAN };
            }
            let next = if direction > 0.0 { (at + PANEL).min(end) } else { (at - PANEL).max(end) };
            let one = bisected(at.min(next), at.max(next), integrand);
            total.value += one.value;
            total.error += one.error;
            loud = if one.value.abs() > 0.999 * last { loud + 1 } else { 0 };
            last = one.value.abs();
            quiet = if one.value.abs() <= 1e-18 * total.value.abs().max(0.01) { quiet + 1 } else { 0 };
            at = next;
        }
    }
    total
}

/// One panel, bisected until both halves together agree with the whole.
fn bisected(low: f64, high: f64, integrand: &mut impl FnMut(f64) -> f64) -> Quadrature {
    let whole = panel(low, high, integrand);
    halved(low, high, whole, DEPTH, integrand)
}

fn halved(low: f64, high: f64, whole: f64, depth: usize, integrand: &mut impl FnMut(f64) -> f64) -> Quadrature {
    let middle = 0.5 * (low + high);
    let (left, right) = (panel(low, middle, integrand), panel(middle, high, integrand));
    let value = left + right;
    let error = (value - whole).abs();
    if depth == 0 || error <= PANEL_TOLERANCE * value.abs() || error < 1e-18 || !error.is_finite() {
        return Quadrature { value, error };
    }
    let a = halved(low, middle, left, depth - 1, integrand);
    let b = halved(middle, high, right, depth - 1, integrand);
    Quadrature { value: a.value + b.value, error: a.error + b.error }
}

fn panel(low: f64, high: f64, integrand: &mut impl FnMut(f64) -> f64) -> f64 {
    let (centre, half) = (0.5 * (low + high), 0.5 * (high - low));
    RULE.iter().map(|(x, w)| w * integrand(centre + half * x)).sum::<f64>() * half
}

/// Nodes and weights of the Gauss-Legendre rule on \[-1, 1\], by Newton's method.
fn gauss_legendre() -> Vec<(f64, f64)> {
    let n = NODES as f64;
    (0..NODES)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..20 {
                let (mut before, mut value) = (1.0, x);
                for k in 2..=NODES {
                    let k = k as f64;
                    (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
                }
                slope = n * (x * value - before) / (x * x - 1.0);
                x -= value / slope;
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

/// Radius beyond which the normal density is below 1e-18.
const REACH: f64 = 9.0;

/// E f(u) for u standard normal in `D` dimensions, by the trapezoidal rule on a cubic lattice.
///
/// For smooth functions the rule converges faster than any power of the spacing, which is divided by sqrt 2 until the
/// value changes by less than `tolerance` (relative), or until more than `most` points would be needed.
pub fn normal_expectation<const D: usize>(
    tolerance: f64,
    most: f64,
    f: &mut impl FnMut(&[f64; D]) -> f64,
) -> Quadrature {
    let mut spacing = 1.0;
    let mut last = lattice(spacing, f);
    loop {
        spacing *= std::f64::consts::FRAC_1_SQRT_2;
        let now = lattice(spacing, f);
        let error = (now - last).abs();
        let next_points = (2.0 * REACH / spacing * std::f64::consts::SQRT_2).powi(D as i32);
        if error <= tolerance * now.abs() || error < 1e-17 || next_points > most || !now.is_finite() {
            return Quadrature { value: now, error };
        }
        last = now;
    }
}

/// The trapezoidal sum over the points within radius [`REACH`], normalised by the sum of its weights.
fn lattice<const D: usize>(spacing: f64, f: &mut impl FnMut(&[f64; D]) -> f64) -> f64 {
    let reach = (REACH / spacing) as i64;
    // Compensated sums: millions of points would otherwise cost three digits.
    let (mut sum, mut weight) = (Compensated::default(), Compensated::default());
    let mut index = [-reach; D];
    'points: loop {
        let u = index.map(|i| i as f64 * spacing);
        let square: f64 = u.iter().map(|x| x * x).sum();
        if square <= REACH * REACH {
            let density = (-0.5 * square).exp();
            sum.add(density * f(&u));
            weight.add(density);
        }
        for i in &mut index {
            *i += 1;
            if *i <= reach {
                continue 'points;
            }
            *i = -reach;
        }
        return sum.total / weight.total;
    }
}

/// Kahan summation.
#[derive(Default)]
struct Compensated {
    total: f64,
    lost: f64,
}

impl Compensated {
    fn add(&mut self, value: f64) {
        let value = value - self.lost;
        let next = self.total + value;
        self.lost = (next - self.total) - value;
        self.total = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_integrals() {
        let close = |q: Quadrature, exact: f64, tolerance: f64| {
            assert!((q.value - exact).abs() <= tolerance * exact.abs(), "{q:?} against {exact}");
            assert!(q.error <= 1e-9 * exact.abs(), "{q:?}");
        };
        close(integrate(0.0, 3.0, &mut |x: f64| x.exp()), 3f64.exp_m1(), 1e-14);
        close(integrate(0.0, 1.0, &mut |x: f64| 1.0 / (1e-4 + x * x)), 100.0 * 100f64.atan(), 1e-13);
        let bell = |x: f64| (-x * x / 2.0).exp();
        close(
            integrate_line(f64::NEG_INFINITY, f64::INFINITY, 1.0, &mut { bell }),
            (2.0 * std::f64::consts::PI).sqrt(),
            1e-14,
        );
        assert_eq!(integrate_line(0.0, f64::INFINITY, 0.0, &mut |_| 1.0).value, f64::INFINITY);
    }

    #[test]
    fn normal_moments() {
        let fourth = normal_expectation::<1>(1e-13, 1e6, &mut |u| u[0].powi(4));
        assert!((fourth.value - 3.0).abs() < 1e-13, "{fourth:?}");
        // Given v, E cos(u v / 2) = e^(-v^2 / 8), and the mean of that over v is 1 / sqrt(1 + 1/4).
        let pair = normal_expectation::<2>(1e-13, 1e7, &mut |u| (0.5 * u[0] * u[1]).cos());
        assert!((pair.value - 0.8f64.sqrt()).abs() < 1e-13, "{pair:?}");
        let step = normal_expectation::<1>(1e-13, 1e4, &mut |u| f64::from(u[0] > 0.3));
        assert!(step.error > 1e-5, "a jump must not pass for smooth: {step:?}");
    }
}
