//! Whether an image file is whole, and whether it holds more than one image.
//!
//! Decoders give the part of a truncated image that they have, the rest grey, and leave out what follows the pixels. A
//! file that does not end as its format says is unreadable here, as by Pillow (which accepts a PNG file without its
//! last chunk).

use std::io::Cursor;

use image::ImageFormat;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;

/// Whether the file ends as its format says; what follows the end is ignored. TIFF's parts lie in any order: its decoder
/// refuses missing ones.
pub(crate) fn is_whole(format: ImageFormat, bytes: &[u8]) -> bool {
    let length = |place: usize| {
        let field = bytes.get(place..place + 4).and_then(|field| field.try_into().ok());
        field.map(|field| u32::from_le_bytes(field) as usize)
    };
    match format {
        ImageFormat::Jpeg => end_of_jpeg(bytes).is_some(),
        ImageFormat::Png => end_of_png(bytes).is_some(),
        ImageFormat::WebP => length(4).is_some_and(|length| bytes.len() - 8 >= length),
        ImageFormat::Bmp => length(2).is_some_and(|length| bytes.len() >= length),
        // Numbers in digits: the last one is whole where something follows it.
        ImageFormat::Pnm if matches!(bytes.get(1), Some(b'1'..=b'3')) => {
            bytes.last().is_some_and(u8::is_ascii_whitespace)
        }
        _ => true,
    }
}

/// Whether a whole file holds further frames or pages, of which decoders give the first.
pub(crate) fn has_more_frames(format: ImageFormat, bytes: &[u8]) -> bool {
    let file = Cursor::new(bytes);
    match format {
        ImageFormat::Png => PngDecoder::new(file).is_ok_and(|decoder| decoder.is_apng().unwrap_or(false)),
        ImageFormat::WebP => WebPDecoder::new(file).is_ok_and(|decoder| decoder.has_animation()),
        ImageFormat::Tiff => tiff::decoder::Decoder::new(file).is_ok_and(|decoder| decoder.more_images()),
        _ => false,
    }
}

/// Goes through the markers of a JPEG file up to the end of the image.
fn end_of_jpeg(bytes: &[u8]) -> Option<()> {
    let mut place = 2;
    loop {
        place += bytes.get(place..)?.iter().position(|&byte| byte == 0xff)?;
        place += bytes.get(place..)?.iter().position(|&byte| byte != 0xff)?;
        place += match bytes[place] {
            0xd9 => return Some(()),
            // Within compressed data: a byte of 255, or a restart.
            0x00 | 0x01 | 0xd0..=0xd8 => 1,
            _ => 1 + usize::from(u16::from_be_bytes([*bytes.get(place + 1)?, *bytes.get(place + 2)?])),
        };
    }
}

/// Goes through the chunks of a PNG file up to the last one.
fn end_of_png(bytes: &[u8]) -> Option<()> {
    let mut place = 8;
    loop {
        let [a, b, c, d] = *bytes.get(place..)?.first_chunk()?;
        let kind = bytes.get(place + 4..place + 8)?;
        // Length, kind, content, checksum.
        place = place.checked_add(12 + u32::from_be_bytes([a, b, c, d]) as usize)?;
        if place > bytes.len() {
            return None;
        }
        if kind == b"IEND" {
            return Some(());
        }
    }
}
