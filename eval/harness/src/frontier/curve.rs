//! A frontier as a function: the cross-entropy at an entropy.

/// Points (entropy, cross-entropy) in rising order of the entropy, joined by lines.
pub(super) struct Polyline(Vec<[f64; 2]>);

impl Polyline {
    /// The line through some points, two or more, in any order.
    pub fn new(mut points: Vec<[f64; 2]>) -> Self {
        points.sort_by(|a, b| a[0].total_cmp(&b[0]));
        Self(points)
    }

    /// The smallest and the largest entropy.
    pub fn range(&self) -> [f64; 2] {
        [self.0[0][0], self.0[self.0.len() - 1][0]]
    }

    /// The cross-entropy at an entropy. Beyond the ends the first or last line goes on: a bootstrap replicate may end a
    /// little before the place where it is asked.
    pub fn at(&self, entropy: f64) -> f64 {
        let last = self.0.len() - 2;
        let segment = self.0.partition_point(|point| point[0] < entropy).saturating_sub(1).min(last);
        let [[h0, c0], [h1, c1]] = [self.0[segment], self.0[segment + 1]];
        if h1 == h0 { 0.5 * (c0 + c1) } else { c0 + (c1 - c0) * (entropy - h0) / (h1 - h0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polyline_passes_through_its_points_in_any_order() {
        let line = Polyline::new(vec![[2.0, 5.0], [0.0, 1.0], [1.0, 2.0]]);
        assert_eq!(line.range(), [0.0, 2.0]);
        let found = [-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0].map(|entropy| line.at(entropy));
        assert_eq!(found, [0.0, 1.0, 1.5, 2.0, 3.5, 5.0, 8.0]);
        assert_eq!(Polyline::new(vec![[1.0, 2.0], [1.0, 4.0]]).at(1.0), 3.0);
    }
}
