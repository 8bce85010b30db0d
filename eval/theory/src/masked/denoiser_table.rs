//! A denoiser tabulated over every partially masked sequence of a toy.
//!
//! For a sequence z with position n masked, the table holds mu_theta(z)\[n, v\], the predicted probability of the value
//! v at n (MD4, section 3). Visible positions are not stored: the reverse process never changes them.

use rayon::prelude::*;

use crate::pattern_index::PatternIndex;
use crate::toy::{DenoiserKind, Toy, temper};

/// mu_theta and its logarithm for all (z, n, v) with z_n masked.
///
/// Layout: one array per position n, laid out like the marginal probabilities Q(z) in [`PatternIndex`], but without the
/// mask on axis n. So the entry of (z, n, v) lines up with Q(z with z_n = v), and sums over reverse steps run through
/// both arrays together.
pub(super) struct DenoiserTable {
    /// mu_theta(z)\[n, v\], probabilities.
    mu: Vec<Vec<f64>>,
    /// Its natural logarithm; 0 where Q(z with z_n = v) = 0, so that 0 * log 0 adds nothing to an expectation.
    log_mu: Vec<Vec<f64>>,
}

impl PatternIndex {
    /// Length of the table of one position, V (V + 1)^(L - 1).
    fn table_len(&self) -> usize {
        self.mask() * self.symbols.pow(self.length as u32 - 1)
    }

    /// Index of (z, n, v) in the table of position n.
    pub(super) fn table_entry(&self, pattern: usize, position: usize, value: usize) -> usize {
        let place = self.places[position];
        self.reveal(pattern, position, value) - pattern / (place * self.symbols) * place
    }
}

impl DenoiserTable {
    /// The toy's own denoiser. `exact` and `tempered` are uniform at sequences that have probability 0.
    pub fn of_toy(toy: &Toy, index: &PatternIndex, marginal: &[f64]) -> Self {
        let uniform = 1.0 / index.mask() as f64;
        let posterior = |row: &mut [f64], total: f64| {
            row.iter_mut().for_each(|p| *p = if total > 0.0 { *p / total } else { uniform });
        };
        let mu = match &toy.denoiser {
            DenoiserKind::Exact => from_joint(index, marginal, posterior),
            DenoiserKind::Uniform => vec![vec![uniform; index.table_len()]; index.length],
            DenoiserKind::Tempered { temperature, floor } => from_joint(index, marginal, |row, total| {
                posterior(row, total);
                if total > 0.0 {
                    temper(row, *temperature, *floor);
                }
            }),
            DenoiserKind::Table(entries) => {
                let number = |word: &[u8]| index.number(word.iter().map(|&d| usize::from(d)));
                let rows = entries.iter().map(|(word, rows)| (number(word), rows));
                let rows =
                    rows.flat_map(|(z, rows)| rows.iter().enumerate().map(move |(n, row)| (z, n, row.as_slice())));
                return Self::from_rows(rows, index, marginal);
            }
        };
        Self::new(mu, index, marginal)
    }

    /// The table of the rows (z, n, mu_theta(z)\[n, ..\]); rows of visible positions are ignored.
    pub fn from_rows<'a>(
        rows: impl Iterator<Item = (usize, usize, &'a [f64])>,
        index: &PatternIndex,
        marginal: &[f64],
    ) -> Self {
        let mut mu = vec![vec![0.0; index.table_len()]; index.length];
        for (z, n, row) in rows.filter(|(z, n, _)| index.is_masked(*z, *n)) {
            for (v, p) in row.iter().enumerate() {
                mu[n][index.table_entry(z, n, v)] = *p;
            }
        }
        Self::new(mu, index, marginal)
    }

    fn new(mu: Vec<Vec<f64>>, index: &PatternIndex, marginal: &[f64]) -> Self {
        let log = |(mu, place): (&Vec<f64>, &usize)| {
            let mut logs = vec![0.0; mu.len()];
            let block = index.mask() * place;
            let blocks = logs.par_chunks_mut(block).zip(mu.par_chunks(block)).zip(marginal.par_chunks(block + place));
            blocks.for_each(|((logs, mu), joint)| {
                for ((log, p), _) in logs.iter_mut().zip(mu).zip(joint).filter(|(_, joint)| **joint > 0.0) {
                    *log = p.ln();
                }
            });
            logs
        };
        let log_mu = mu.par_iter().zip(&index.places).map(log).collect();
        Self { mu, log_mu }
    }

    /// mu_theta(z)\[n, v\] of position n, indexed by [`PatternIndex::table_entry`].
    pub fn mu(&self, position: usize) -> &[f64] {
        &self.mu[position]
    }

    /// log mu_theta(z)\[n, v\] of position n, likewise; 0 for values that the data do not have there.
    pub fn log_mu(&self, position: usize) -> &[f64] {
        &self.log_mu[position]
    }
}

/// Tables whose row (z, n) is made by `make` from Q(z with z_n = v) for all v, and from their sum Q(z).
fn from_joint(index: &PatternIndex, marginal: &[f64], make: impl Fn(&mut [f64], f64) + Sync) -> Vec<Vec<f64>> {
    let values = index.mask();
    let table = |&place: &usize| {
        let mut table = vec![0.0; index.table_len()];
        let blocks = table.par_chunks_mut(values * place).zip(marginal.par_chunks(index.symbols * place));
        let fill = |row: &mut Vec<f64>, (table, joint): (&mut [f64], &[f64])| {
            for at in 0..place {
                row.iter_mut().enumerate().for_each(|(v, p)| *p = joint[v * place + at]);
                make(row, joint[values * place + at]);
                row.iter().enumerate().for_each(|(v, p)| table[v * place + at] = *p);
            }
        };
        blocks.for_each_init(|| vec![0.0; values], fill);
        table
    };
    index.places.par_iter().map(table).collect()
}
