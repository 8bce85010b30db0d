//! CIFAR-10 (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images"), the binary version: 32x32 pixels,
//! 3 channels of 256 levels, 10 classes, 50,000 images for training and 10,000 for testing.

use std::path::{Path, PathBuf};

use super::images::interleave;
use super::{Images, Split, file};
use crate::error::{Error, Result};

const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;
/// A label, then a plane for each channel.
const RECORD: usize = 1 + PIXELS;
const CLASSES: u8 = 10;
const TRAIN: &[&str] =
    &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
const TEST: &[&str] = &["test_batch.bin"];

/// Reads one split from the folder that holds the batches, or holds them in `cifar-10-batches-bin/` as the archive
/// unpacks. A batch is a whole number of records, the same in each of the five.
pub fn load(folder: &Path, split: Split) -> Result<Images> {
    let files = split.choose(&[(Split::Train, TRAIN), (Split::Test, TEST)])?;
    let unpacked = folder.join("cifar-10-batches-bin");
    let folder = if unpacked.is_dir() { &unpacked } else { folder };
    let missing = files.iter().find(|name| !folder.join(name).is_file());
    if let Some(name) = missing {
        let what = format!("{name} is missing: put the six .bin files of the binary version there");
        return Err(Error::format(folder, what));
    }
    read(&files.iter().map(|name| folder.join(name)).collect::<Vec<_>>(), "cifar10".to_owned(), split)
}

/// Reads one batch alone (split `all`).
pub fn file(path: &Path, split: Split) -> Result<Images> {
    split.choose(&[(Split::All, ())])?;
    read(&[path.to_owned()], file::stem(path), split)
}

fn read(paths: &[PathBuf], set: String, split: Split) -> Result<Images> {
    let (mut pixels, mut labels, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    let mut first = None;
    for path in paths {
        let content = file::read(path)?;
        let size = content.bytes.len();
        if size % RECORD != 0 {
            let what = format!("ends at byte {size}, inside record {}: records have {RECORD} bytes", size / RECORD);
            return Err(Error::format(path, what));
        }
        // A file that was cut between two records shows by its size alone.
        let expected = *first.get_or_insert(size);
        if size != expected {
            let name = paths[0].file_name().unwrap_or_default().to_string_lossy();
            let what = format!("ends at byte {size} where {expected} were expected, as in {name}");
            return Err(Error::format(path, what));
        }
        for (i, record) in content.bytes.chunks(RECORD).enumerate() {
            if record[0] >= CLASSES {
                return Err(Error::format(path, format!("byte {}: label {} is above 9", i * RECORD, record[0])));
            }
            labels.push(record[0]);
            pixels.extend(interleave(&record[1..]));
        }
        hashes.push(content.hash);
    }
    let images = Images::new(set, split, [SIDE, SIDE, 3], 256, pixels, file::combine(hashes));
    Ok(images.with_labels(labels, CLASSES))
}
