//! Headers of npy arrays.
//!
//! The header is a Python dictionary of three entries. It is read in one pass: parsers of Python expressions can take
//! exponential time on brackets within brackets.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::{Dtype, Error, Origin};

/// NumPy itself refuses headers above 10,000 bytes.
const LONGEST: usize = 1 << 16;

/// Type, shape and order of an array's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The type of the entries.
    pub dtype: Dtype,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Whether the first axis is innermost (Fortran's order).
    pub fortran: bool,
    /// Bytes before the first entry.
    pub(crate) size: u64,
}

impl Header {
    /// Reads the beginning of an npy file.
    pub fn of_npy(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let origin = Origin { path: path.to_owned(), name: None };
        Self::read(&mut BufReader::new(file)).map_err(|what| origin.failed(what))
    }

    /// Whether the entries are floating-point numbers.
    pub fn is_float(&self) -> bool {
        matches!(&self.dtype, Dtype::Number(number) if number.is_float())
    }

    /// Reads a header up to the first entry; the error says what is wrong with it.
    pub(crate) fn read(reader: &mut impl Read) -> Result<Self, String> {
        let mut bytes = |count: usize| -> Result<Vec<u8>, String> {
            let mut bytes = Vec::new();
            let read = reader.take(count as u64).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
            if read == count { Ok(bytes) } else { Err("it ends within its header".to_owned()) }
        };
        let start = bytes(8)?;
        if !start.starts_with(b"\x93NUMPY") {
            return Err("it does not begin as an npy array does".to_owned());
        }
        let field = match start[6] {
            1 => 2,
            2 | 3 => 4,
            version => return Err(format!("version {version} of the npy format is not known")),
        };
        let length = bytes(field)?.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
        if length > LONGEST {
            return Err(format!("a header of {length} bytes, of which {LONGEST} are read"));
        }
        let text = String::from_utf8(bytes(length)?).map_err(|_| "its header is no text".to_owned())?;
        let (dtype, shape, fortran) = Text { whole: &text, rest: &text }.dictionary()?;
        let header = Self { dtype, shape, fortran, size: (8 + field + length) as u64 };
        match header.checked_bytes() {
            Some(_) => Ok(header),
            None => Err(format!("the shape {:?}, which no memory holds", header.shape)),
        }
    }

    /// Number of entries.
    pub fn entries(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of all entries; 0 where they are no numbers.
    pub(crate) fn bytes(&self) -> u64 {
        self.checked_bytes().unwrap_or(u64::MAX)
    }

    fn checked_bytes(&self) -> Option<u64> {
        let width = if let Dtype::Number(number) = self.dtype { number.width as u64 } else { 0 };
        // An extent of zero must not hide an overflow of the others.
        self.shape.iter().try_fold(1_u64, |entries, &n| entries.checked_mul((n as u64).max(1)))?.checked_mul(8)?;
        Some(self.entries() as u64 * width)
    }
}

/// The part of a header that is still to be read.
struct Text<'a> {
    whole: &'a str,
    rest: &'a str,
}

impl<'a> Text<'a> {
    fn dictionary(mut self) -> Result<(Dtype, Vec<usize>, bool), String> {
        let (mut dtype, mut shape, mut fortran) = (None, None, None);
        self.expect('{')?;
        while !self.eat('}') {
            let key = self.quoted()?;
            self.expect(':')?;
            match key {
                "descr" => dtype = Some(self.dtype()?),
                "shape" => shape = Some(self.shape()?),
                "fortran_order" => fortran = Some(self.truth()?),
                _ => return Err(self.unexpected("descr, fortran_order or shape")),
            }
            if !self.eat(',') {
                self.expect('}')?;
                break;
            }
        }
        match (dtype, shape, fortran, self.rest.trim()) {
            (Some(dtype), Some(shape), Some(fortran), "") => Ok((dtype, shape, fortran)),
            _ => Err("its header is not descr, fortran_order and shape".to_owned()),
        }
    }

    fn dtype(&mut self) -> Result<Dtype, String> {
        self.rest = self.rest.trim_start();
        if !self.rest.starts_with('[') {
            return self.quoted().map(Dtype::parse);
        }
        // A record; its names may hold brackets.
        let (mut depth, mut quote) = (0, None);
        for (i, c) in self.rest.char_indices() {
            match (quote, c) {
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                (None, '[' | '(') => depth += 1,
                (None, ']' | ')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let (record, rest) = self.rest.split_at(i + 1);
                self.rest = rest;
                return Ok(Dtype::Other(record.to_owned()));
            }
        }
        Err(self.unexpected("a type"))
    }

    fn shape(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut shape = Vec::new();
        while !self.eat(')') {
            self.rest = self.rest.trim_start();
            let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
            let extent = self.rest[..digits].parse().map_err(|_| self.unexpected("an extent of the shape"))?;
            shape.push(extent);
            // Python 2 wrote long integers with an L.
            self.rest = self.rest[digits..].trim_start_matches('L');
            if !self.eat(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(shape)
    }

    fn truth(&mut self) -> Result<bool, String> {
        self.rest = self.rest.trim_start();
        for (word, truth) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(truth);
            }
        }
        Err(self.unexpected("True or False"))
    }

    fn quoted(&mut self) -> Result<&'a str, String> {
        self.rest = self.rest.trim_start();
        let text = self.rest.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        let text = text.or_else(|| self.rest.strip_prefix('"').and_then(|rest| rest.split_once('"')));
        let (text, rest) = text.ok_or_else(|| self.unexpected("a name in quotes"))?;
        self.rest = rest;
        Ok(text)
    }

    fn eat(&mut self, sign: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        if self.eat(sign) { Ok(()) } else { Err(self.unexpected(&format!("{sign:?}"))) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        let rest = self.rest.trim_start();
        let found: String = rest.chars().take(20).collect();
        format!("its header has {found:?} where {wanted} was expected (byte {})", self.whole.len() - rest.len())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Dtype, Header};

    fn header(text: &str) -> Result<Header, String> {
        let bytes = [&b"\x93NUMPY\x02\0"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
        Header::read(&mut &bytes[..])
    }

    #[test]
    fn headers_as_numpy_writes_them() {
        let read = |text| header(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let plain = read("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }          \n");
        assert_eq!((&plain.dtype.to_string()[..], &plain.shape[..], plain.fortran), ("float32", &[3, 4][..], false));
        let old = read("{'descr': '|u1', 'shape': (70000L, 1L), 'fortran_order': True}");
        assert_eq!((&old.dtype.to_string()[..], &old.shape[..], old.fortran), ("uint8", &[70000, 1][..], true));
        assert_eq!(read("{'descr':'|O','fortran_order':False,'shape':()}").dtype, Dtype::Objects);
        let record = read("{'descr': [('a]', '<f4', (2, 3)), ('b', '|S3')], 'fortran_order': False, 'shape': (5,), }");
        assert_eq!((record.dtype.to_string().len() > 10, &record.shape[..]), (true, &[5][..]));
    }

    /// A parser of Python's expressions takes three times as long per bracket.
    #[test]
    fn headers_of_brackets_are_refused_at_once() {
        for bracket in ["{", "[", "(", "{'descr':[", "{'shape':("] {
            let begin = Instant::now();
            assert!(header(&bracket.repeat(24)).is_err() && header(&bracket.repeat(6000)).is_err(), "{bracket}");
            assert!(begin.elapsed() < Duration::from_millis(100), "{bracket}: {:?}", begin.elapsed());
        }
    }

    #[test]
    fn absurd_headers_are_refused() {
        let of_shape = |shape: &str| header(&format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"));
        for (shape, word) in [
            ("(-1, 3)", "\"-1, 3)"),
            ("(1e3,)", "e3"),
            ("(99999999999999999999999,)", "999"),
            ("(4294967296, 4294967296)", "no memory holds"),
            ("(0, 4294967296, 4294967296, 3)", "no memory holds"),
            ("(2305843009213693952,)", "no memory holds"),
            ("3", "'('"),
        ] {
            let failure = of_shape(shape).expect_err(shape);
            assert!(failure.contains(word), "{shape}: {failure}");
        }
        let long = [&b"\x93NUMPY\x02\0"[..], &u32::MAX.to_le_bytes(), b"{"].concat();
        assert!(Header::read(&mut &long[..]).is_err_and(|e| e.contains("4294967295 bytes")));
        for text in ["", "{}", "{'descr': '<f8'}", "{'descr': '<f8', 'fortran_order': No, 'shape': ()}", "\0\0"] {
            assert!(header(text).is_err(), "{text}");
        }
        assert!(Header::read(&mut &b"\x80\x04pickle..."[..]).is_err_and(|e| e.contains("does not begin")));
    }

    /// Every byte of a header exchanged for every other: 20,000 files, none of which may stop the program.
    #[test]
    fn damaged_headers_never_panic() {
        let text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }\n";
        let whole = [&b"\x93NUMPY\x01\0"[..], &[text.len() as u8, 0], text, &[0; 48]].concat();
        for place in 0..10 + text.len() {
            for byte in 0..=u8::MAX {
                let mut damaged = whole.clone();
                damaged[place] = byte;
                if let Ok(header) = Header::read(&mut &damaged[..]) {
                    assert!(header.bytes() < u64::MAX && header.size < whole.len() as u64);
                }
            }
        }
    }
}
