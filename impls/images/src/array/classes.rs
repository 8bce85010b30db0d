//! Classes of images from arrays of labels.

use std::ops::RangeInclusive;
use std::path::Path;

use elbow_arrays::{Array, NpzReader};

use crate::{Error, Result};

/// The classes 0 and up of `count` images: labels of this range \[n\] or \[n, 1\] counted from its start, or one-hot rows
/// \[n, k\].
pub(super) fn read(
    path: &Path,
    npz: &mut NpzReader,
    name: &str,
    count: usize,
    range: RangeInclusive<i64>,
) -> Result<Vec<u32>> {
    let labels = npz.floats(name).map_err(elbow_base::Error::from)?;
    classes(&labels, count, range).map_err(|what| {
        let advice = "classes are whole numbers, one per image, or one-hot rows";
        Error::input(format!("{}: array {name}: {what}", path.display()), advice)
    })
}

fn classes(labels: &Array<f64>, count: usize, range: RangeInclusive<i64>) -> std::result::Result<Vec<u32>, String> {
    match labels.shape[..] {
        [n] | [n, 1] if n == count => {
            let class = |(i, &label): (usize, &f64)| {
                let whole = label.fract() == 0.0 && (*range.start() as f64..=*range.end() as f64).contains(&label);
                match whole {
                    true => Ok((label - *range.start() as f64) as u32),
                    false => Err(format!("label {label} of image {i} is not in {range:?}")),
                }
            };
            labels.data.iter().enumerate().map(class).collect()
        }
        [n, k] if n == count && k > 1 => {
            let class = |(i, row): (usize, &[f64])| {
                let ones: Vec<usize> = (0..k).filter(|&j| row[j] == 1.0).collect();
                let zeros = row.iter().filter(|&&v| v == 0.0).count();
                match ones[..] {
                    [one] if zeros == k - 1 => Ok(one as u32),
                    _ => Err(format!("row {i} is not one 1 among zeros")),
                }
            };
            labels.data.chunks_exact(k).enumerate().map(class).collect()
        }
        _ => Err(format!("shape {:?} where [{count}] was expected: a label for each image", labels.shape)),
    }
}
