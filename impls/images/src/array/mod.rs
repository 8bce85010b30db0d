//! Images that are arrays of npz and npy files.
//!
//! What an array means is never guessed: where two layouts fit, where several arrays hold images, or where numbers are
//! not bytes, [`ArrayOptions`] must say it.

mod choice;
mod classes;
mod options;

use std::path::{Path, PathBuf};

use elbow_arrays::{NpzReader, Rows};

use self::choice::Choice;
pub use self::options::{ArrayOptions, ArrayReading, Layout, Range};
use crate::{Error, Image, ImageSet, Reading, Result};

/// The images of an npz or npy file, which stay on disk.
pub struct ArrayImages {
    path: PathBuf,
    rows: Rows,
    /// Height, width, channels.
    shape: [usize; 3],
    layout: Layout,
    /// The range of numbers that are no bytes.
    range: Option<Range>,
    classes: Vec<u32>,
    reading: ArrayReading,
}

impl ArrayImages {
    /// Opens an npz or npy file. An npz file may have any one array of images, of any name, or single images of one
    /// size as `numpy.savez(file, *images)` writes them, with classes beside it: integers \[n\] or one-hot \[n, k\], in
    /// `arr_1`, `labels`, or the like. Downsampled ImageNet's archives are known by `data` and `labels`.
    pub fn open(path: &Path, options: &ArrayOptions) -> Result<Self> {
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
            let rows = Rows::open_npy(path).map_err(elbow_base::Error::from)?;
            return Self::of(path, Choice::alone(rows), options);
        }
        let mut npz = NpzReader::open(path).map_err(elbow_base::Error::from)?;
        let choice = Choice::make(path, &mut npz, options)?;
        if choice.imagenet {
            return Self::imagenet(path);
        }
        let classes = choice.classes.clone();
        let mut images = Self::of(path, choice, options)?;
        if let Some(name) = classes {
            images.classes = classes::read(path, &mut npz, &name, images.len(), 0..=i64::from(u32::MAX) - 1)?;
        }
        Ok(images)
    }

    /// Opens an archive of downsampled ImageNet: `data`, uint8 \[n, 3 s s\] with a plane per channel, and `labels`, 1 to
    /// 1000, which become the classes 0 to 999.
    pub fn imagenet(path: &Path) -> Result<Self> {
        let mut npz = NpzReader::open(path).map_err(elbow_base::Error::from)?;
        let rows = npz.rows("data").map_err(elbow_base::Error::from)?;
        let options = ArrayOptions { layout: Some(Layout::Rows), ..ArrayOptions::default() };
        let choice = Choice { classes: Some("labels".to_owned()), ..Choice::alone(rows) };
        let mut images = Self::of(path, choice, &options)?;
        images.classes = classes::read(path, &mut npz, "labels", images.len(), 1..=1000)?;
        Ok(images)
    }

    fn of(path: &Path, choice: Choice, options: &ArrayOptions) -> Result<Self> {
        let Choice { rows, by_name, classes: class_array, others, .. } = choice;
        let name = rows.name().filter(|_| !choice.stacked).map(str::to_owned);
        let place = name.as_ref().map_or_else(String::new, |name| format!("array {name}: "));
        let failed = |what: String, advice: String| Error::input(format!("{}: {place}{what}", path.display()), advice);
        let (layout, shape) =
            Layout::of(rows.shape(), options.layout).map_err(|(what, advice)| failed(what, advice))?;
        let number = rows.number();
        let range = options.range.filter(|_| !number.is_byte());
        if !number.is_byte() && range.is_none() {
            let mut ends = [f64::INFINITY, f64::NEG_INFINITY];
            for index in 0..rows.shape()[0] {
                let numbers = rows.numbers(index).map_err(elbow_base::Error::from)?;
                ends = numbers.iter().fold(ends, |[low, high], &v| [low.min(v), high.max(v)]);
            }
            let what = format!("{number} from {} to {}, where images are uint8, 0 to 255", ends[0], ends[1]);
            let advice = "say which numbers are black and white: --range 0,1 or -1,1 or 0,255 (of `elbow fid`), or save \
                          them as uint8";
            return Err(failed(what, advice.to_owned()));
        }
        let reading = ArrayReading {
            array: name,
            dtype: number.to_string(),
            shape: rows.shape().to_vec(),
            layout,
            range,
            classes: class_array,
            other_arrays: others,
            used: ArrayOptions { array: options.array.clone().filter(|_| by_name), layout: options.layout, range },
        };
        Ok(Self { path: path.to_owned(), rows, shape, layout, range, classes: Vec::new(), reading })
    }

    /// Height, width and channels of every image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The class of each image, 0 and up; empty where the file has none.
    pub fn classes(&self) -> &[u32] {
        &self.classes
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl ImageSet for ArrayImages {
    fn source(&self) -> String {
        self.path.display().to_string()
    }

    fn len(&self) -> usize {
        self.rows.shape()[0]
    }

    fn image(&self, index: usize) -> Result<Image> {
        let levels = match &self.range {
            None => self.rows.bytes(index).map_err(elbow_base::Error::from)?,
            Some(range) => range.levels(&self.rows.numbers(index).map_err(elbow_base::Error::from)?)?,
        };
        let [height, width, channels] = self.shape;
        let pixels = if self.layout.is_planar() { interleave(&levels, channels) } else { levels };
        Ok(Image { height, width, channels, pixels, converted: Vec::new() })
    }

    fn class(&self, index: usize) -> Option<String> {
        self.classes.get(index).map(u32::to_string)
    }

    fn reading(&self) -> Reading {
        Reading { array: Some(self.reading.clone()), ..Reading::default() }
    }
}

/// Planes of channels, one after another, as pixels.
fn interleave(planes: &[u8], channels: usize) -> Vec<u8> {
    let area = planes.len() / channels;
    (0..planes.len()).map(|i| planes[i % channels * area + i / channels]).collect()
}
