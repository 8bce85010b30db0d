//! Sequences of token ids in an npy or npz file.

use std::path::Path;

use elbow_arrays::{Array, NpzReader, read_npy_integers};

use super::{InMemory, Tokens, file};
use crate::error::{Error, Result};

/// The prefix of an alphabet that is a number of ids: `ids:V`.
const IDS: &str = "ids:";
/// Names of the labels in an archive.
const LABELS: [&str; 3] = ["labels", "label", "y"];

/// V of the alphabet `ids:V`; none for other alphabets.
pub fn values(alphabet: &str) -> Option<Result<usize>> {
    let count = alphabet.strip_prefix(IDS)?;
    let values = count.parse().ok().filter(|values| (2..=1 << 31).contains(values));
    Some(
        values.ok_or_else(|| Error::Setting(format!("alphabet {alphabet}: ids:V with the number V of ids, 2 or more"))),
    )
}

/// Reads an array \[N, L\] of integers 0 to V - 1. An archive holds one such array, and where it likes the classes of the
/// sequences, \[N\], as `labels`.
pub(super) fn load(path: &Path, values: usize) -> Result<InMemory> {
    let (array, labels) = match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npz")) {
        true => from_archive(path)?,
        false => (read_npy_integers(path).map_err(elbow_base::Error::from)?, None),
    };
    let fail = |what: String| Error::format(path, what);
    let &[rows, length] = &array.shape[..] else {
        return Err(fail(format!("an array of shape {:?}: ids are [sequences, length]", array.shape)));
    };
    if rows == 0 || length == 0 {
        return Err(fail("it has no ids".to_owned()));
    }
    let id = |(place, &id): (usize, &i64)| match u32::try_from(id) {
        Ok(id) if (id as usize) < values => Ok(id),
        _ => Err(fail(format!(
            "id {id} at place {} of sequence {}: ids:{values} has 0 to {}",
            place % length,
            place / length,
            values - 1
        ))),
    };
    let ids = array.data.iter().enumerate().map(id).collect::<Result<Vec<u32>>>()?;
    let data = InMemory::new(&file::stem(path), values, Tokens::new(ids, length));
    let Some(labels) = labels else { return Ok(data) };
    let class = |&label: &i64| u32::try_from(label).map_err(|_| fail(format!("label {label}: classes are 0, 1, ...")));
    let labels = labels.data.iter().map(class).collect::<Result<Vec<u32>>>()?;
    if labels.len() != rows {
        return Err(fail(format!("{} labels for {rows} sequences", labels.len())));
    }
    let classes = labels.iter().max().map_or(0, |&class| class as usize + 1);
    Ok(data.with_labels(labels, classes))
}

fn from_archive(path: &Path) -> Result<(Array<i64>, Option<Array<i64>>)> {
    let mut archive = NpzReader::open(path).map_err(elbow_base::Error::from)?;
    let names = archive.names();
    let (labels, arrays): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| LABELS.contains(&name.as_str()));
    let &[ids] = &arrays[..] else {
        let what = format!("{} arrays beside labels ({})", arrays.len(), names.join(", "));
        return Err(Error::format(path, format!("{what}: ids are one array [sequences, length]")));
    };
    let ids = archive.integers(ids).map_err(elbow_base::Error::from)?;
    let labels = labels.first().map(|name| archive.integers(name)).transpose().map_err(elbow_base::Error::from)?;
    Ok((ids, labels))
}

#[cfg(test)]
mod tests {
    use super::super::Dataset;
    use super::*;

    #[test]
    fn ids_are_rows_with_classes_beside_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes.npy");
        let mut bytes = b"\x93NUMPY\x01\x00v\x00{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }".to_vec();
        bytes.resize(127, b' ');
        bytes.push(b'\n');
        [0_i32, 1, 2, 3, 4, 0].iter().for_each(|id| bytes.extend(id.to_le_bytes()));
        std::fs::write(&path, &bytes).expect("a file");
        let data = load(&path, 5).expect("ids");
        assert_eq!((data.len(), data.length(), data.values()), (2, 3, 5));
        assert_eq!(data.select(&[1]).expect("a row").ids(), [3, 4, 0]);
        let error = load(&path, 4).map(|_| ()).expect_err("4 is no id below 4").to_string();
        assert!(error.contains("id 4 at place 1 of sequence 1"), "{error}");
        assert_eq!(values("ids:5").expect("ids").expect("a number"), 5);
        assert!(values("ids:x").expect("ids").is_err() && values("text8").is_none());
    }
}
