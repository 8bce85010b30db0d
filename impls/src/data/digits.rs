//! Handwritten digits, 8x8 pixels, 17 grey levels (UCI "Optical Recognition of Handwritten Digits", CC BY 4.0).

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use flate2::read::GzDecoder;

use super::{Dataset, Tokens};
use crate::error::{Error, Result, UnknownName};
use crate::hash::sha256;

const PIXELS: usize = 64;
const LEVELS: u16 = 17;

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    Train,
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
        })
    }
}

impl FromStr for Split {
    type Err = UnknownName;

    fn from_str(name: &str) -> std::result::Result<Self, UnknownName> {
        match name {
            "train" => Ok(Self::Train),
            "test" => Ok(Self::Test),
            _ => Err(UnknownName::new("split", name, &["train", "test"])),
        }
    }
}

/// One split of the digits. Every sixth image (index mod 6 = 5 in file order) is a test image: 1498 and 299.
pub struct Digits {
    split: Split,
    tokens: Tokens,
    labels: Vec<u8>,
    hash: String,
}

impl Digits {
    /// Reads `digits.csv.gz`: a row an image, 64 levels 0..=16 and the label 0..=9.
    pub fn load(path: &Path, split: Split) -> Result<Self> {
        let bytes = fs::read(path).map_err(Error::io(path))?;
        let hash = sha256(&bytes);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(GzDecoder::new(&bytes[..]));
        let (mut ids, mut labels) = (Vec::new(), Vec::new());
        for (index, record) in reader.records().enumerate() {
            let record = record.map_err(|e| Error::format(path, format!("row {}: {e}", index + 1)))?;
            let row = parse_row(&record).map_err(|what| Error::format(path, format!("row {}: {what}", index + 1)))?;
            let is_test = index % 6 == 5;
            if is_test == (split == Split::Test) {
                ids.extend_from_slice(&row[..PIXELS]);
                labels.push(row[PIXELS] as u8);
            }
        }
        if labels.is_empty() {
            return Err(Error::format(path, "no images: is this digits.csv.gz?"));
        }
        Ok(Self { split, tokens: Tokens::new(ids, PIXELS), labels, hash })
    }

    /// The class of each image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}

fn parse_row(record: &csv::StringRecord) -> std::result::Result<Vec<u16>, String> {
    if record.len() != PIXELS + 1 {
        return Err(format!("{} fields where 64 levels and a label were expected", record.len()));
    }
    let number = |text: &str| text.trim().parse::<u16>().map_err(|_| format!("{text:?} is not a level"));
    let row = record.iter().map(number).collect::<std::result::Result<Vec<u16>, String>>()?;
    match row[..PIXELS].iter().find(|&&level| level >= LEVELS) {
        Some(level) => Err(format!("level {level} is above 16")),
        None => Ok(row),
    }
}

impl Dataset for Digits {
    fn name(&self) -> String {
        format!("digits:{}", self.split)
    }

    fn values(&self) -> usize {
        LEVELS as usize
    }

    fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    fn image(&self) -> Option<[usize; 3]> {
        Some([8, 8, 1])
    }

    fn hash(&self) -> &str {
        &self.hash
    }
}
