//! Types of the entries of NumPy arrays.

use std::fmt;

use half::f16;

/// The type of an array's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// Numbers of one type.
    Number(Number),
    /// Pickled Python objects, which are never loaded.
    Objects,
    /// Another type, in NumPy's notation: texts, records, complex numbers.
    Other(String),
}

/// A type of numbers of up to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    kind: Kind,
    /// Bytes per number.
    pub(crate) width: usize,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Unsigned,
    Integer,
    Float,
}

impl Dtype {
    /// From NumPy's notation, as `<f4`.
    pub(crate) fn parse(text: &str) -> Self {
        let number = |kind, widths: &[usize], digits: &str| {
            let width = digits.parse().ok().filter(|width| widths.contains(width))?;
            Some(Self::Number(Number { kind, width, big_endian: text.starts_with('>') }))
        };
        let known = match text.trim_start_matches(['<', '>', '|', '=']) {
            "O" | "O8" => Some(Self::Objects),
            "b1" | "?" => number(Kind::Bool, &[1], "1"),
            plain => match plain.split_at_checked(1) {
                Some(("u", digits)) => number(Kind::Unsigned, &[1, 2, 4, 8], digits),
                Some(("i", digits)) => number(Kind::Integer, &[1, 2, 4, 8], digits),
                Some(("f", digits)) => number(Kind::Float, &[2, 4, 8], digits),
                _ => None,
            },
        };
        known.unwrap_or_else(|| Self::Other(text.to_owned()))
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Objects => f.write_str("Python objects"),
            Self::Other(text) => write!(f, "{:?}", text.chars().take(40).collect::<String>()),
        }
    }
}

/// NumPy's name, as float32.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = 8 * self.width;
        match self.kind {
            Kind::Bool => f.write_str("bool"),
            Kind::Unsigned => write!(f, "uint{bits}"),
            Kind::Integer => write!(f, "int{bits}"),
            Kind::Float => write!(f, "float{bits}"),
        }
    }
}

impl Number {
    /// Whether entries are bytes, 0 to 255.
    pub fn is_byte(&self) -> bool {
        self.kind == Kind::Unsigned && self.width == 1
    }

    /// Whether entries are floating-point numbers.
    pub fn is_float(&self) -> bool {
        self.kind == Kind::Float
    }

    /// Whether entries are integers, of which booleans are none.
    pub fn is_integer(&self) -> bool {
        matches!(self.kind, Kind::Unsigned | Kind::Integer)
    }

    /// The bits of an entry of `width` bytes.
    fn bits(&self, entry: &[u8]) -> u64 {
        let push = |bits: u64, &byte: &u8| bits << 8 | u64::from(byte);
        if self.big_endian { entry.iter().fold(0, push) } else { entry.iter().rev().fold(0, push) }
    }

    /// An entry of `width` bytes; 64-bit integers are rounded to double precision.
    pub(crate) fn float(&self, entry: &[u8]) -> f64 {
        let bits = self.bits(entry);
        match (self.kind, self.width) {
            (Kind::Float, 2) => f16::from_bits(bits as u16).to_f64(),
            (Kind::Float, 4) => f32::from_bits(bits as u32).into(),
            (Kind::Float, _) => f64::from_bits(bits),
            (Kind::Integer, _) => signed(bits, self.width) as f64,
            (Kind::Bool | Kind::Unsigned, _) => bits as f64,
        }
    }

    /// An integer entry of `width` bytes; none where it is above 2^63 - 1.
    pub(crate) fn integer(&self, entry: &[u8]) -> Option<i64> {
        let bits = self.bits(entry);
        match self.kind {
            Kind::Integer => Some(signed(bits, self.width)),
            _ => i64::try_from(bits).ok(),
        }
    }
}

/// A two's complement number of this many bytes.
fn signed(bits: u64, width: usize) -> i64 {
    let unused = 64 - 8 * width;
    (bits << unused) as i64 >> unused
}
