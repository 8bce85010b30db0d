//! The inputs and outputs of a network that is called by their names.

/// The type of a port's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberType {
    /// 64-bit integers.
    Int64,
    /// 32-bit integers.
    Int32,
    /// Single precision.
    Float32,
}

/// A named input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name in the file.
    pub name: String,
    /// The type of its numbers; none where this program cannot give or take it.
    pub number: Option<NumberType>,
    /// Its extents; none where one is free.
    pub shape: Vec<Option<usize>>,
}

/// One input of a call: \[shape\] in row-major order.
#[derive(Clone, Debug)]
pub enum InputArray {
    /// Ids, given as the integers that the input takes.
    Ids(Vec<i64>, Vec<usize>),
    /// Numbers.
    Numbers(Vec<f32>, Vec<usize>),
}

impl InputArray {
    /// The extents.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Ids(_, shape) | Self::Numbers(_, shape) => shape,
        }
    }
}
