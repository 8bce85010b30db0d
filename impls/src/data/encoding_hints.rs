//! Files that are no text, and the encoding that a text seems to have.

use std::io;

use super::bytes::{Bytes, PIECE, anywhere};

/// Bytes that show what an encoding looks like.
const HEAD: usize = 1 << 12;

/// Refuses a file with NUL bytes, which no text in UTF-8 has.
pub(super) fn no_binary(text: &Bytes) -> io::Result<()> {
    text.pieces(0..text.len(), anywhere, |at, piece| {
        let Some(place) = piece.iter().position(|&byte| byte == 0) else { return Ok(()) };
        let at = at + place;
        let head = text.read(0..text.len().min(HEAD))?;
        // Western texts in UTF-16 are NUL in every other byte.
        let zeros = head.iter().filter(|byte| **byte == 0).count();
        Err(io::Error::other(match *head {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => utf16("it begins with the mark of UTF-16", at),
            _ if 5 * zeros > 2 * head.len() => utf16("about every other byte is 0, as in UTF-16", at),
            _ => format!("byte {at} is 0, so this is no text: name a text file, or set alphabet to bytes"),
        }))
    })
}

fn utf16(why: &str, at: usize) -> String {
    format!("byte {at} is 0, and {why}: convert it with iconv -f UTF-16 -t UTF-8")
}

/// Refuses a text that is not in UTF-8.
pub(super) fn utf8(text: &Bytes) -> io::Result<()> {
    text.pieces(0..text.len(), characters, |at, piece| {
        let Err(error) = std::str::from_utf8(piece) else { return Ok(()) };
        let at = at + error.valid_up_to();
        let head = text.read(0..text.len().min(2))?;
        let rest = text.read(at..text.len().min(at + HEAD))?;
        let hint = match *head {
            [0xff, 0xfe] | [0xfe, 0xff] => {
                "it begins with the mark of UTF-16: convert it with iconv -f UTF-16 -t UTF-8"
            }
            _ if error.error_len().is_none() => "it ends within a character: fetch the file again",
            _ if is_latin(&rest) => "it looks like Latin-1: convert it with iconv -f LATIN1 -t UTF-8",
            _ => "convert it to UTF-8, or set alphabet to bytes",
        };
        let what = format!("byte {at} (0x{:02x}) is not UTF-8, which a tokenizer needs: {hint}", rest[0]);
        Err(io::Error::other(what))
    })
}

/// The end of pieces of whole characters.
pub(super) fn characters(bytes: &[u8], last: bool) -> Option<usize> {
    let begins = |&at: &usize| bytes[at] & 0xc0 != 0x80;
    match bytes.len() {
        // A character has at most four bytes.
        length if length > PIECE + 3 => Some((PIECE..PIECE + 4).find(begins).unwrap_or(PIECE)),
        length if last => Some(if length <= PIECE { length } else { (PIECE..length).find(begins).unwrap_or(length) }),
        _ => None,
    }
}

/// Whether a text has few bytes beside ASCII, none of which are control characters of Latin-1.
fn is_latin(head: &[u8]) -> bool {
    let high = head.iter().filter(|byte| !byte.is_ascii()).count();
    3 * high < head.len() + 3 && !head.iter().any(|byte| (0x80..0xa0).contains(byte))
}
