//! A masking schedule on the time grid t(i) = i/T.

use elbow_process::schedule::MaskedSchedule;

/// Probabilities of masked diffusion at the grid points t(0), ..., t(T).
pub(super) struct TimeGrid {
    /// alpha^k (1 - alpha)^(L - k) at t(i), index \[i\]\[k\]: the probability that k given positions are visible and
    /// the L - k others are not.
    visible: Vec<Vec<f64>>,
    /// xi(i), the probability that step i reveals a masked token; entry 0 is unused.
    pub xi: Vec<f64>,
}

impl TimeGrid {
    pub fn new(schedule: &MaskedSchedule, steps: usize, length: usize) -> Self {
        let time = |i: usize| i as f64 / steps as f64;
        let xi = |i: usize| if i == 0 { 0.0 } else { schedule.reveal_probability(time(i - 1), time(i)) };
        let visible = |i: usize| -> Vec<f64> {
            let (alpha, masked) = (schedule.alpha(time(i)), schedule.mask_probability(time(i)));
            (0..=length).map(|k| alpha.powi(k as i32) * masked.powi((length - k) as i32)).collect()
        };
        Self { visible: (0..=steps).map(visible).collect(), xi: (0..=steps).map(xi).collect() }
    }

    /// T.
    pub fn steps(&self) -> usize {
        self.xi.len() - 1
    }

    /// The expectation over z_t(i) given x of a function whose sums over the visible sets of size k are
    /// `set_sums`\[k\].
    pub fn over_visible_sets(&self, i: usize, set_sums: &[f64]) -> f64 {
        self.visible[i].iter().zip(set_sums).map(|(p, sum)| p * sum).sum()
    }

    /// The expectation over z_t(i) and over the positions that step i reveals of a function whose sums over the
    /// sequences with n masks, and over the sets of r of them, are `path_sums`\[n\]\[r\].
    pub fn over_reverse_paths(&self, i: usize, path_sums: &[Vec<f64>]) -> f64 {
        let (length, xi) = (path_sums.len() - 1, self.xi[i]);
        let mut total = 0.0;
        for (n, row) in path_sums.iter().enumerate() {
            let state = self.visible[i][length - n];
            for (r, sum) in row.iter().enumerate().take(n + 1) {
                total += state * xi.powi(r as i32) * (1.0 - xi).powi((n - r) as i32) * sum;
            }
        }
        total
    }
}
