//! Damage inside containers whose checksums and lengths are right afterwards, so that it reaches the inner reader.

use std::io::{Cursor, Read, Write};

use elbow_tests::onnx::varint;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::dice::Dice;
use super::mutations::{Mutation, absurd, bytes, text};

/// PNG: a chunk damaged, repeated, removed or moved, or a number of the header replaced; every checksum is right.
pub fn png(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    let Some((signature, mut rest)) = file.split_at_checked(8) else { return file.to_vec() };
    let mut chunks: Vec<([u8; 4], Vec<u8>)> = Vec::new();
    while let Some(length) = rest.first_chunk().map(|length| u32::from_be_bytes(*length) as usize) {
        let Some(chunk) = rest.get(4..12 + length) else { break };
        chunks.push(([chunk[0], chunk[1], chunk[2], chunk[3]], chunk[4..4 + length].to_vec()));
        rest = &rest[12 + length..];
    }
    let (at, other) = (dice.below(chunks.len()), dice.below(chunks.len()));
    match dice.below(6) {
        0 => chunks.swap(at, other),
        1 => drop(chunks.remove(at)),
        2 => chunks.insert(other, chunks[at].clone()),
        3 => {
            let number = (absurd(dice) as u32).to_be_bytes();
            let place = 4 * dice.below(2);
            chunks[0].1[place..place + 4].copy_from_slice(&number);
        }
        4 => {
            let place = dice.below(chunks[0].1.len());
            chunks[0].1[place] = *dice.choose(&[0, 1, 2, 3, 4, 6, 8, 16, 255]);
        }
        _ => chunks[at].1 = bytes(&chunks[at].1, dice),
    }
    let mut out = signature.to_vec();
    for (kind, data) in chunks {
        let checked = [&kind[..], &data].concat();
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(&checked);
        out.extend(crc32(&checked).to_be_bytes());
    }
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(!0, step)
}

/// npz: an array damaged, its header in half of the cases.
pub fn npz(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    let inner: Mutation = if dice.one_in(2) { npy } else { bytes };
    zip(file, dice, inner)
}

/// Archives of `torch.save`: an entry damaged.
pub fn pth(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    zip(file, dice, bytes)
}

/// A zip archive with one entry damaged or named otherwise, stored or deflated; every checksum is right.
fn zip(file: &[u8], dice: &mut Dice, inner: Mutation) -> Vec<u8> {
    let Ok(mut archive) = ZipArchive::new(Cursor::new(file)) else { return bytes(file, dice) };
    let at = dice.below(archive.len());
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).expect("an entry");
        let mut name = entry.name().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("readable");
        let packed = i == at && dice.one_in(4);
        if i == at && dice.one_in(8) {
            name = String::from_utf8_lossy(&bytes(name.as_bytes(), dice)).into_owned();
        } else if i == at {
            content = inner(&content, dice);
        }
        let method = if packed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let options = SimpleFileOptions::default().compression_method(method);
        // Two entries of one name are refused.
        if out.start_file(name, options).is_ok() {
            out.write_all(&content).expect("memory");
        }
    }
    out.finish().expect("memory").into_inner()
}

/// npy: the header's text damaged, its length right.
pub fn npy(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    let parts = file.get(8..10).map(|length| 10 + usize::from(u16::from_le_bytes([length[0], length[1]])));
    let Some((head, data)) = parts.and_then(|end| file.split_at_checked(end)) else { return bytes(file, dice) };
    let header = text(&head[10..], dice);
    let length = (header.len() as u16).to_le_bytes();
    [&head[..8], &length, &header, data].concat()
}

/// safetensors: the header's JSON damaged, its length right.
pub fn safetensors(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    let parts = file.first_chunk().map(|length| 8 + u64::from_le_bytes(*length) as usize);
    let Some((head, data)) = parts.and_then(|end| file.split_at_checked(end)) else { return bytes(file, dice) };
    let header = text(&head[8..], dice);
    [&(header.len() as u64).to_le_bytes(), &header[..], data].concat()
}

/// Protocol buffers: a field at any depth damaged, repeated, removed or moved; the lengths around it are right.
pub fn protobuf(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    match fields(file) {
        Some(mut fields) if !fields.is_empty() => {
            let (at, other) = (dice.below(fields.len()), dice.below(fields.len()));
            match dice.below(12) {
                0 => fields.swap(at, other),
                1 => drop(fields.remove(at)),
                2 => fields.insert(other, fields[at].clone()),
                3 => fields[at].1 = fields[other].1.clone(),
                _ => {
                    fields[at].1 = match &fields[at].1 {
                        Field::Number(_) => Field::Number(absurd(dice)),
                        Field::Fixed(value) => Field::Fixed(bytes(value, dice)),
                        Field::Bytes(value) => Field::Bytes(protobuf(value, dice)),
                    }
                }
            }
            fields.iter().flat_map(encoded).collect()
        }
        _ => bytes(file, dice),
    }
}

#[derive(Clone)]
enum Field {
    Number(u64),
    /// Of 4 or 8 bytes.
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
}

/// The fields of a message with their tags; `None` where the bytes are none.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Field)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = read_varint(&mut bytes)?;
        let field = match tag & 7 {
            0 => Field::Number(read_varint(&mut bytes)?),
            1 => Field::Fixed(bytes.split_off(..8)?.to_vec()),
            2 => {
                let length = usize::try_from(read_varint(&mut bytes)?).ok()?;
                Field::Bytes(bytes.split_off(..length)?.to_vec())
            }
            5 => Field::Fixed(bytes.split_off(..4)?.to_vec()),
            _ => return None,
        };
        fields.push((tag, field));
    }
    Some(fields)
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

fn encoded((tag, field): &(u64, Field)) -> Vec<u8> {
    match field {
        Field::Number(number) => [varint(*tag), varint(*number)].concat(),
        Field::Fixed(bytes) => [varint(*tag), bytes.clone()].concat(),
        Field::Bytes(bytes) => [varint(*tag), varint(bytes.len() as u64), bytes.clone()].concat(),
    }
}
