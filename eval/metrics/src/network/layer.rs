//! The layer whose numbers are the features of an image: an output of the network, and how a map becomes a vector.

use crate::{Error, Result};

/// The output that holds the features, and its pooling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// Name of the output, or of a tensor inside the network; `None` for the output that is known to hold features.
    pub output: Option<String>,
    /// `None` where the output is a vector.
    pub pool: Option<Pool>,
}

/// The tensor that the FID's TensorFlow graph calls `mixed_6/conv`, in the exported Inception.
const MIXED_6_CONV: &str = "/Mixed_6d/branch1x1/Relu_output_0";

impl Layer {
    /// Short name of [`Layer::sfid`].
    pub const SFID: &'static str = "sfid";

    /// The spatial features of sFID (Nash et al. 2021, arXiv:2103.03841) in the exported Inception: the first 7 channels of
    /// `mixed_6/conv` at every position of 17 x 17, 2023 numbers.
    pub fn sfid() -> Self {
        Self { output: Some(MIXED_6_CONV.to_owned()), pool: Some(Pool::First7) }
    }

    /// Its part of a metric's name: `.OUTPUT.POOLING`, `.sfid`, or nothing.
    pub(super) fn label(&self) -> String {
        if *self == Self::sfid() {
            return format!(".{}", Self::SFID);
        }
        let pool = self.pool.map(|pool| pool.to_string());
        self.output.iter().chain(&pool).map(|part| format!(".{part}")).collect()
    }
}

/// How a map \[C, H, W\] or tokens \[L, C\] become one vector \[C\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The mean over the positions of a map, or over all tokens.
    Mean,
    /// The first token.
    Cls,
    /// The first 7 channels of a map at every position: of 7 H W numbers.
    First7,
}

elbow_base::names!(Pool, "pooling": Mean = "mean", Cls = "cls", First7 = "first7");

/// Channels of [`Pool::First7`].
const FIRST: usize = 7;

/// An output of a network for one image, row-major.
pub(super) struct Output {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Output {
    /// The vector of one image in an output of shape \[1, ...\]. One that is no vector must be pooled, and no other one
    /// can be: \[1, C, 1, 1\] is a vector.
    pub fn pooled(self, pool: Option<Pool>) -> Result<Vec<f32>> {
        let Self { shape, values } = self;
        let rest = match &shape[..] {
            [] | [_] => &shape[..],
            [1, rest @ ..] => rest,
            _ => {
                let what = format!("its output has the shape {shape:?} for one image");
                return Err(Error::input(what, "give a network whose first axis is the batch"));
            }
        };
        let is_vector = rest.iter().filter(|&&n| n != 1).count() <= 1;
        match (pool, rest) {
            (None, _) if is_vector => Ok(values),
            (None, _) => Err(Error::NotPooled(shape)),
            (Some(_), _) if is_vector => {
                Err(Error::input(format!("its output {shape:?} is a vector already"), "leave the pooling out"))
            }
            (Some(Pool::Mean), &[channels, height, width]) => Ok((0..channels)
                .map(|c| mean(values[c * height * width..][..height * width].iter().copied()))
                .collect()),
            (Some(Pool::Mean), &[_, channels]) => {
                Ok((0..channels).map(|c| mean(values.iter().skip(c).step_by(channels).copied())).collect())
            }
            (Some(Pool::Cls), &[_, channels]) => Ok(values[..channels].to_vec()),
            (Some(Pool::First7), &[channels, height, width]) if channels >= FIRST => {
                Ok(values[..FIRST * height * width].to_vec())
            }
            (Some(pool), _) => {
                let what = format!("its output has the shape {shape:?}, which {pool} does not take");
                Err(Error::input(
                    what,
                    "mean takes [N, C, H, W] or [N, L, C], cls takes the tokens [N, L, C], first7 takes [N, C, H, W]",
                ))
            }
        }
    }
}

/// Summed in double precision; 0 of nothing.
fn mean(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let n = values.len().max(1) as f64;
    (values.map(f64::from).sum::<f64>() / n) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(shape: &[usize], pool: Option<Pool>) -> Result<Vec<f32>> {
        let values = (0..shape.iter().product::<usize>()).map(|i| i as f32).collect();
        Output { shape: shape.to_vec(), values }.pooled(pool)
    }

    #[test]
    fn maps_and_tokens_are_pooled_over_their_positions() {
        // Channel 0 is 0, 1, 2, 3 and channel 1 is 4, 5, 6, 7; tokens (0, 1), (2, 3), (4, 5).
        assert_eq!(pooled(&[1, 2, 2, 2], Some(Pool::Mean)).expect("a map"), [1.5, 5.5]);
        assert_eq!(pooled(&[1, 3, 2], Some(Pool::Mean)).expect("tokens"), [2.0, 3.0]);
        assert_eq!(pooled(&[1, 3, 2], Some(Pool::Cls)).expect("tokens"), [0.0, 1.0]);
        let spatial = pooled(&[1, 9, 2, 1], Some(Pool::First7)).expect("a map");
        assert_eq!(spatial, (0..14).map(|i| i as f32).collect::<Vec<_>>());
        assert!(pooled(&[1, 6, 2, 2], Some(Pool::First7)).is_err(), "six channels");
    }

    #[test]
    fn vectors_are_taken_as_they_are_and_nothing_else_is() {
        for shape in [&[4][..], &[1, 4], &[1, 4, 1, 1], &[1, 1, 4]] {
            assert_eq!(pooled(shape, None).expect("a vector"), [0.0, 1.0, 2.0, 3.0]);
            assert!(pooled(shape, Some(Pool::Mean)).is_err(), "a pooling without effect: {shape:?}");
        }
        for shape in [&[1, 2, 2][..], &[1, 1, 2, 2], &[1, 2, 1, 2]] {
            assert!(matches!(pooled(shape, None), Err(Error::NotPooled(_))), "{shape:?}");
        }
        assert!(pooled(&[2, 2], None).is_err(), "two rows for one image");
        assert!(pooled(&[1, 2, 2, 2], Some(Pool::Cls)).is_err(), "a map has no first token");
    }
}
