//! The meaning of an array of images, and what was taken.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::{Error, Reading, Result};

/// What the user says of arrays; nothing of it is guessed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArrayOptions {
    /// The array that holds the images.
    pub array: Option<String>,
    /// The numbers that are black and white, for arrays that are not uint8.
    pub range: Option<Range>,
    /// The order of the axes.
    pub layout: Option<Layout>,
}

impl ArrayOptions {
    /// Refuses options that had no effect on any of the sets.
    pub fn check_used(&self, readings: &[Reading]) -> Result<()> {
        let none = |is_used: fn(&Self) -> bool| {
            !readings.iter().filter_map(|reading| reading.array.as_ref()).any(|array| is_used(&array.used))
        };
        let idle = [
            (
                self.array.is_some() && none(|used| used.array.is_some()),
                "--array",
                "no npz file has an array of that name",
            ),
            (self.range.is_some() && none(|used| used.range.is_some()), "--range", "no array holds numbers but uint8"),
            (self.layout.is_some() && none(|used| used.layout.is_some()), "--layout", "no set is an npz or npy file"),
        ];
        match idle.into_iter().find(|(idle, ..)| *idle) {
            Some((_, option, why)) => Err(Error::input(format!("{option} has no effect: {why}"), "leave it out")),
            None => Ok(()),
        }
    }
}

/// How an array of images was read.
#[derive(Clone, Debug, Serialize)]
pub struct ArrayReading {
    /// The array's name; none in an npy file, and where each image is an array.
    pub array: Option<String>,
    /// NumPy's name of its type.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The order of its axes.
    pub layout: Layout,
    /// The numbers that are black and white; none for uint8.
    pub range: Option<Range>,
    /// The array of the classes.
    pub classes: Option<String>,
    /// The arrays that were not read, with type and shape.
    pub other_arrays: Vec<String>,
    /// The options that had an effect.
    #[serde(skip)]
    pub used: ArrayOptions,
}

impl fmt::Display for ArrayReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.array {
            write!(f, "array {name}, ")?;
        }
        write!(f, "{} {:?}, read as {}", self.dtype, self.shape, self.layout.axes())?;
        if let Some(range) = self.range {
            write!(f, ", {} to {} made 0 to 255", range.low, range.high)?;
        }
        if let Some(name) = &self.classes {
            write!(f, ", classes from {name}")?;
        }
        match self.other_arrays.is_empty() {
            true => Ok(()),
            false => write!(f, "; not read: {}", self.other_arrays.join(", ")),
        }
    }
}

/// The numbers that are black and white.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(into = "[f64; 2]")]
pub struct Range {
    /// Black, level 0.
    pub low: f64,
    /// White, level 255.
    pub high: f64,
}

impl From<Range> for [f64; 2] {
    fn from(range: Range) -> Self {
        [range.low, range.high]
    }
}

/// LOW,HIGH.
impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let ends = text.split_once(',').map(|(low, high)| [low.trim(), high.trim()].map(str::parse::<f64>));
        match ends {
            Some([Ok(low), Ok(high)]) if low < high && (high - low).is_finite() => Ok(Self { low, high }),
            _ => Err("a range is LOW,HIGH, as 0,1 or -1,1 or 0,255".to_owned()),
        }
    }
}

impl Range {
    /// The levels 0 to 255 of numbers, rounded. A number outside of the range by half a level or more is refused.
    pub(super) fn levels(&self, numbers: &[f64]) -> Result<Vec<u8>> {
        let level = |&v: &f64| {
            let level = ((v - self.low) / (self.high - self.low) * 255.0).round();
            match (0.0..=255.0).contains(&level) {
                true => Ok(level as u8),
                false => {
                    let what = format!("it holds {v}, outside of the range {},{}", self.low, self.high);
                    Err(Error::input(what, "clip the numbers before they are saved: x.clip(LOW, HIGH)"))
                }
            }
        };
        numbers.iter().map(level).collect()
    }
}

/// The order of the axes of an array of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// \[n, height, width, channels\].
    Nhwc,
    /// \[n, channels, height, width\].
    Nchw,
    /// \[n, height, width\], grey.
    Nhw,
    /// \[n, 3 s s\], a plane per channel of s x s pixels.
    Rows,
}

elbow_base::names!(Layout, "layout": Nhwc = "nhwc", Nchw = "nchw", Nhw = "nhw", Rows = "rows");

impl Serialize for Layout {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What does not fit, and what to do.
type Misfit = (String, String);

impl Layout {
    /// Whether channels come before pixels.
    pub(super) fn is_planar(self) -> bool {
        matches!(self, Self::Nchw | Self::Rows)
    }

    /// The axes in words.
    fn axes(self) -> &'static str {
        match self {
            Self::Nhwc => "[n, height, width, channels]",
            Self::Nchw => "[n, channels, height, width]",
            Self::Nhw => "[n, height, width], grey",
            Self::Rows => "[n, 3 s s], in planes",
        }
    }

    /// Height, width and channels under this layout, if an array of this shape has it.
    fn image(self, shape: &[usize]) -> Option<[usize; 3]> {
        match (self, shape) {
            (Self::Nhwc, &[_, height, width, channels @ (1 | 3)]) => Some([height, width, channels]),
            (Self::Nchw, &[_, channels @ (1 | 3), height, width]) => Some([height, width, channels]),
            (Self::Nhw, &[_, height, width]) => Some([height, width, 1]),
            (Self::Rows, &[_, row]) => {
                let side = (row / 3).isqrt();
                (side * side * 3 == row).then_some([side, side, 3])
            }
            _ => None,
        }
    }

    /// The layout that was asked for, or the only one that fits, with height, width and channels.
    pub(super) fn of(shape: &[usize], wanted: Option<Self>) -> std::result::Result<(Self, [usize; 3]), Misfit> {
        let say = |what: &str, advice: &str| Err((format!("shape {shape:?}: {what}"), advice.to_owned()));
        if shape.contains(&0) {
            return say("no images, or images without pixels", "give at least one image");
        }
        if let Some(layout) = wanted {
            return match layout.image(shape) {
                Some(image) => Ok((layout, image)),
                None => say(&format!("not {}", layout.axes()), "name the layout that it has, with 1 or 3 channels"),
            };
        }
        let fitting: Vec<_> = [Self::Nhwc, Self::Nchw, Self::Nhw]
            .into_iter()
            .filter_map(|layout| Some((layout, layout.image(shape)?)))
            .collect();
        match (&fitting[..], shape) {
            // With one image or one channel in front, both meanings have the same pixels.
            (_, &[n, height, width @ (1 | 3 | 4)]) => {
                let what = format!("one image of {n}x{height}, or {n} grey ones of {height}x{width}?");
                say(&what, "one image: add a dimension, x[None]; grey ones: --layout nhw (of `elbow fid`)")
            }
            (_, &[n @ (3 | 4), height, width]) => {
                let what = format!("one image of {n} channels, or {n} grey ones of {height}x{width}?");
                say(&what, "one image: add a dimension, x[None]; grey ones: --layout nhw (of `elbow fid`)")
            }
            (&[found], _) => Ok(found),
            ([_, _, ..], _) => {
                say("channels last, or before height and width?", "say --layout nhwc or nchw (of `elbow fid`)")
            }
            (_, &[_, 4, ..] | &[.., 4]) if shape.len() == 4 => {
                say("4 channels where 1 or 3 were expected", "leave out transparency: x[..., :3], or x[:, :3]")
            }
            _ => say(
                "[n, height, width, channels], of 1 or 3 channels, or [n, height, width] was expected",
                "save an array of images, uint8",
            ),
        }
    }
}
