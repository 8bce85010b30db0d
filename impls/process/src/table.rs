//! A function of one variable from a CSV file: monotone between its rows, with a derivative.
//!
//! The interpolant is the monotone piecewise cubic of Fritsch and Carlson (1980), with the slopes of Fritsch and
//! Butland (1984): it has a continuous derivative, and rises or falls between two rows only if the rows do.

use std::path::{Path, PathBuf};

use elbow_base::Error;
use elbow_base::hash::sha256;

/// The first hexadecimal digits of a file's SHA-256 that a table's name carries.
const DIGITS: usize = 12;

/// The rows of a table and the cubic between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    path: PathBuf,
    hash: String,
    x: Vec<f64>,
    y: Vec<f64>,
    slope: Vec<f64>,
}

impl Table {
    /// Reads `FILE` or `FILE#HASH`: a CSV file with the header `names` (two columns, the first strictly increasing) and
    /// at least two rows. With a hash, a file with other content is an error: a run keeps the table that it began with.
    pub fn read(name: &str, names: [&str; 2]) -> Result<Self, Error> {
        let (file, expected) = match name.rsplit_once('#') {
            Some((file, hash)) if hash.len() == DIGITS && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                (file, Some(hash))
            }
            _ => (name, None),
        };
        let path = Path::new(file);
        let bytes = std::fs::read(path).map_err(Error::reading(path))?;
        let hash = sha256(&bytes)[..DIGITS].to_owned();
        if expected.is_some_and(|expected| expected != hash) {
            let what = format!("{file}: the table has changed since it was named as {name}");
            return Err(Error::input(what, format!("restore the file, or name it as {file}#{hash}")));
        }
        Self::parse(&bytes, names, path, hash).map_err(|what| {
            let advice = format!("give a CSV file with the header {},{} and two or more rows", names[0], names[1]);
            Error::input(what, advice).in_file(path)
        })
    }

    fn parse(bytes: &[u8], names: [&str; 2], path: &Path, hash: String) -> Result<Self, String> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(|e| e.to_string())?;
        if header.iter().ne(names) {
            return Err(format!("the header is {}", header.iter().collect::<Vec<_>>().join(",")));
        }
        let rows: Vec<[f64; 2]> = reader.deserialize().collect::<Result<_, _>>().map_err(|e| e.to_string())?;
        if let Some(row) = rows.iter().position(|row| row.iter().any(|number| !number.is_finite())) {
            return Err(format!("row {}: a number is not finite", row + 1));
        }
        if let Some(row) = rows.windows(2).position(|pair| pair[1][0] <= pair[0][0]) {
            return Err(format!("row {}: {} does not increase", row + 2, names[0]));
        }
        if rows.len() < 2 {
            return Err(format!("{} rows", rows.len()));
        }
        let (x, y): (Vec<f64>, Vec<f64>) = rows.into_iter().map(|[x, y]| (x, y)).unzip();
        let slope = slopes(&x, &y);
        if let Some(row) = slope.iter().position(|slope| !slope.is_finite()) {
            return Err(format!("row {}: {} changes too fast for double precision", row + 1, names[1]));
        }
        Ok(Self { path: path.to_owned(), hash, x, y, slope })
    }

    /// The table's name, by which [`Table::read`] finds the same content again: `FILE#HASH`.
    pub fn name(&self) -> String {
        format!("{}#{}", self.path.display(), self.hash)
    }

    /// The first and the last x.
    pub fn domain(&self) -> [f64; 2] {
        [self.x[0], self.x[self.x.len() - 1]]
    }

    /// The value of each row.
    pub fn rows(&self) -> &[f64] {
        &self.y
    }

    /// The same table with another value in each row.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        let y: Vec<f64> = self.y.iter().map(|y| f(*y)).collect();
        let slope = slopes(&self.x, &y);
        Self { y, slope, ..self.clone() }
    }

    /// y(x); beyond the ends, the end's value.
    pub fn value(&self, x: f64) -> f64 {
        let [first, last] = self.domain();
        let (i, h, s) = self.place(x.clamp(first, last));
        let (r, rising) = (1.0 - s, s * s * (3.0 - 2.0 * s));
        self.y[i] + (self.y[i + 1] - self.y[i]) * rising + h * s * r * (r * self.slope[i] - s * self.slope[i + 1])
    }

    /// dy/dx; one-sided at the ends.
    pub fn derivative(&self, x: f64) -> f64 {
        let [first, last] = self.domain();
        let (i, h, s) = self.place(x.clamp(first, last));
        let r = 1.0 - s;
        let secant = (self.y[i + 1] - self.y[i]) / h;
        6.0 * s * r * secant + r * (1.0 - 3.0 * s) * self.slope[i] + s * (3.0 * s - 2.0) * self.slope[i + 1]
    }

    /// The x at which a monotone table has this value, by bisection; an end where no x has it.
    pub fn inverse(&self, y: f64) -> f64 {
        let [mut low, mut high] = self.domain();
        let rises = self.y[self.y.len() - 1] > self.y[0];
        // 200 halvings end at neighbouring numbers, whatever the domain.
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if (self.value(middle) < y) == rises { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }

    /// The interval of x: its number, its width, and the place of x in it, in \[0, 1\].
    fn place(&self, x: f64) -> (usize, f64, f64) {
        let i = self.x.partition_point(|known| *known <= x).clamp(1, self.x.len() - 1) - 1;
        let h = self.x[i + 1] - self.x[i];
        (i, h, (x - self.x[i]) / h)
    }
}

/// dy/dx at each row: the weighted harmonic mean of the secants on both sides where they agree in sign, else 0.
fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let h: Vec<f64> = x.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let secant: Vec<f64> = y.windows(2).zip(&h).map(|(pair, h)| (pair[1] - pair[0]) / h).collect();
    let inner = (1..secant.len()).map(|i| {
        let (before, after) = (secant[i - 1], secant[i]);
        let (one, other) = (2.0 * h[i] + h[i - 1], h[i] + 2.0 * h[i - 1]);
        if before * after > 0.0 { (one + other) / (one / before + other / after) } else { 0.0 }
    });
    let ends = [secant[0], secant[secant.len() - 1]];
    std::iter::once(ends[0]).chain(inner).chain([ends[1]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &str) -> Result<Table, Error> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("table.csv");
        std::fs::write(&path, rows).expect("writable");
        Table::read(&path.display().to_string(), ["t", "alpha"])
    }

    #[test]
    fn a_line_is_itself_with_its_slope() {
        let line = table("t,alpha\n0,1\n0.25,0.75\n1,0\n").expect("valid");
        for t in [0.0, 0.1, 0.25, 0.3, 0.999, 1.0] {
            assert!((line.value(t) - (1.0 - t)).abs() < 1e-15);
            assert!((line.derivative(t) + 1.0).abs() < 1e-14);
            assert!((line.inverse(1.0 - t) - t).abs() < 1e-15);
        }
    }

    #[test]
    fn the_interpolant_is_monotone_where_the_rows_are() {
        let steep = table("t,alpha\n0,1\n0.1,0.99\n0.2,0.02\n0.9,0.01\n1,0\n").expect("valid");
        let values: Vec<f64> = (0..=1000).map(|i| steep.value(f64::from(i) / 1000.0)).collect();
        assert!(values.windows(2).all(|pair| pair[1] <= pair[0]));
        // The derivative is that of the value: central differences, within their own error.
        for i in 1..1000 {
            let (t, h) = (f64::from(i) / 1000.0 + 3e-4, 1e-6);
            let difference = (steep.value(t + h) - steep.value(t - h)) / (2.0 * h);
            assert!((steep.derivative(t) - difference).abs() < 1e-4 * (1.0 + difference.abs()), "{t}");
        }
    }

    #[test]
    fn bad_tables_are_refused_by_row() {
        for (rows, expected) in [
            ("t,beta\n0,1\n1,0\n", "the header is t,beta"),
            ("t,alpha\n0,1\n", "1 rows"),
            ("t,alpha\n0,1\n0,0.5\n1,0\n", "row 2: t does not increase"),
            ("t,alpha\n0,1\n0.5,nan\n1,0\n", "row 2: a number is not finite"),
            ("t,alpha\n0,1\n0.5,x\n1,0\n", "invalid float"),
            ("t,alpha\n0,1\n0.5\n1,0\n", "found record with 1 fields"),
        ] {
            let error = table(rows).expect_err(rows);
            assert!(error.what.contains(expected), "{expected:?} is not in {error}");
        }
    }

    #[test]
    fn a_changed_file_is_not_taken_for_the_one_that_was_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("table.csv");
        std::fs::write(&path, "t,alpha\n0,1\n1,0\n").expect("writable");
        let named = Table::read(&path.display().to_string(), ["t", "alpha"]).expect("valid").name();
        assert!(Table::read(&named, ["t", "alpha"]).is_ok());
        std::fs::write(&path, "t,alpha\n0,1\n0.5,0.4\n1,0\n").expect("writable");
        assert!(Table::read(&named, ["t", "alpha"]).expect_err("changed").what.contains("has changed"));
    }
}
