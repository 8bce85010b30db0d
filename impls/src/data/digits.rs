//! Handwritten digits, 8x8 pixels, 17 grey levels (UCI "Optical Recognition of Handwritten Digits", CC BY 4.0).

use std::path::Path;

use super::{Images, Split, file};
use crate::error::{Error, Result};

const PIXELS: usize = 64;
const LEVELS: u8 = 17;
const CLASSES: u8 = 10;

/// Reads one split of `digits.csv.gz`: one row per image, 64 levels 0..=16 and the label 0..=9. Every sixth image
/// (index mod 6 = 5 in file order) is a test image: 1498 and 299.
pub fn load(path: &Path, split: Split) -> Result<Images> {
    let wants_test = split.choose(&[(Split::Train, false), (Split::Test, true)])?;
    let content = file::read(path)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&content.bytes[..]);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|e| Error::format(path, format!("row {}: {e}", index + 1)))?;
        let row = parse_row(&record).map_err(|what| Error::format(path, format!("row {}: {what}", index + 1)))?;
        let is_test = index % 6 == 5;
        if is_test == wants_test {
            pixels.extend_from_slice(&row[..PIXELS]);
            labels.push(row[PIXELS]);
        }
    }
    if labels.is_empty() {
        return Err(Error::format(path, format!("no {split} images: is this digits.csv.gz?")));
    }
    let images = Images::new("digits".to_owned(), split, [8, 8, 1], LEVELS.into(), pixels, content.hash);
    Ok(images.with_labels(labels, CLASSES))
}

fn parse_row(record: &csv::StringRecord) -> std::result::Result<Vec<u8>, String> {
    if record.len() != PIXELS + 1 {
        return Err(format!("{} fields where 64 levels and a label were expected", record.len()));
    }
    let number = |text: &str| text.trim().parse::<u8>().map_err(|_| format!("{text:?} is not a level"));
    let row = record.iter().map(number).collect::<std::result::Result<Vec<u8>, String>>()?;
    match row[..PIXELS].iter().find(|&&level| level >= LEVELS) {
        Some(level) => Err(format!("level {level} is above 16")),
        None if row[PIXELS] >= CLASSES => Err(format!("label {} is above 9", row[PIXELS])),
        None => Ok(row),
    }
}
