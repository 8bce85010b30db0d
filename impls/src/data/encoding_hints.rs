//! Files that are no text, and the encoding that a text seems to have.

/// Refuses a file with NUL bytes, which no text in UTF-8 has.
pub(super) fn no_binary(bytes: &[u8]) -> Result<(), String> {
    let Some(at) = bytes.iter().position(|&byte| byte == 0) else { return Ok(()) };
    // Western texts in UTF-16 are NUL in every other byte.
    let head = &bytes[..bytes.len().min(1 << 12)];
    let zeros = head.iter().filter(|byte| **byte == 0).count();
    Err(match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => utf16("it begins with the mark of UTF-16", at),
        _ if 5 * zeros > 2 * head.len() => utf16("about every other byte is 0, as in UTF-16", at),
        _ => format!("byte {at} is 0, so this is no text: name a text file, or set alphabet to bytes"),
    })
}

fn utf16(why: &str, at: usize) -> String {
    format!("byte {at} is 0, and {why}: convert it with iconv -f UTF-16 -t UTF-8")
}

/// Refuses a text that is not in UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Result<(), String> {
    let Err(error) = std::str::from_utf8(bytes) else { return Ok(()) };
    let at = error.valid_up_to();
    let hint = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            "it begins with the mark of UTF-16: convert it with iconv -f UTF-16 -t UTF-8"
        }
        _ if error.error_len().is_none() => "it ends within a character: fetch the file again",
        _ if is_latin(&bytes[at..]) => "it looks like Latin-1: convert it with iconv -f LATIN1 -t UTF-8",
        _ => "convert it to UTF-8, or set alphabet to bytes",
    };
    Err(format!("byte {at} (0x{:02x}) is not UTF-8, which a tokenizer needs: {hint}", bytes[at]))
}

/// Whether a text has few bytes beside ASCII, none of which are control characters of Latin-1.
fn is_latin(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(1 << 12)];
    let high = head.iter().filter(|byte| !byte.is_ascii()).count();
    3 * high < head.len() + 3 && !head.iter().any(|byte| (0x80..0xa0).contains(byte))
}
