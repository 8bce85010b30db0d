//! Damage to bytes and to texts.

use super::dice::Dice;

/// A damaged copy of a file.
pub type Mutation = fn(&[u8], &mut Dice) -> Vec<u8>;

/// Numbers that sizes, counts and offsets are replaced by.
const ABSURD: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    1_000_000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// What values of texts are replaced by.
const ABSURD_TEXTS: [&str; 36] = [
    "0",
    "1",
    "-1",
    "2",
    "0.5",
    "-0.0",
    "1e-320",
    "1e308",
    "1e400",
    "-1e308",
    "1e18",
    "999999999",
    "1000000000",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775808",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "null",
    "true",
    "\"\"",
    "\"?\"",
    "[]",
    "{}",
    "[[]]",
    "'",
    "\"",
    "\\u0000",
    "\u{fffd}",
    "🜁",
    "none",
    "#",
];

pub fn absurd(dice: &mut Dice) -> u64 {
    match dice.one_in(8) {
        true => dice.below(1 << 48) as u64,
        false => *dice.choose(&ABSURD),
    }
}

/// One to three of: bits and bytes changed, a cut, blocks inserted, repeated, removed or moved, absurd numbers.
pub fn bytes(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut file = file.to_vec();
    for _ in 0..=dice.below(3) {
        one(&mut file, dice);
    }
    file
}

fn one(file: &mut Vec<u8>, dice: &mut Dice) {
    let place = dice.place(file.len());
    let end = (place + 1 + dice.below(64)).min(file.len());
    match dice.below(10) {
        0 | 1 if !file.is_empty() => file[place] ^= 1 << dice.below(8),
        2 if !file.is_empty() => file[place] = dice.byte(),
        3 => file.truncate(place),
        4 => {
            let block: Vec<u8> = (0..dice.below(64)).map(|_| dice.byte()).collect();
            file.splice(place..place, block);
        }
        5 => {
            let (block, to) = (file[place..end].to_vec(), dice.below(file.len() + 1));
            file.splice(to..to, block.repeat(1 + dice.below(3)));
        }
        6 => drop(file.drain(place..end)),
        7 => {
            let block: Vec<u8> = file.drain(place..end).collect();
            let to = dice.below(file.len() + 1);
            file.splice(to..to, block);
        }
        _ => {
            let (number, width) = (absurd(dice), *dice.choose(&[1, 2, 4, 8]));
            let number = if dice.one_in(2) { number.to_le_bytes() } else { number.swap_bytes().to_le_bytes() };
            let number = if dice.one_in(2) { &number[..width] } else { &number[8 - width..] };
            let end = (place + width).min(file.len());
            file[place..end].copy_from_slice(&number[..end - place]);
        }
    }
}

/// One to three of: values replaced, lines removed, repeated or moved, brackets nested deeply, characters changed.
pub fn text(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(file).into_owned();
    for _ in 0..=dice.below(3) {
        text = match dice.below(8) {
            0..=3 => replaced_value(&text, dice),
            4 => lines(&text, dice),
            5 => nested(&text, dice),
            _ => {
                let mut bytes = text.into_bytes();
                one(&mut bytes, dice);
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
    }
    text.into_bytes()
}

/// Another value in the place of a number or a word.
fn replaced_value(text: &str, dice: &mut Dice) -> String {
    let is_value = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '+' | '_' | '?');
    let mut words = Vec::new();
    let mut rest = 0;
    while let Some(from) = text[rest..].find(is_value).map(|at| rest + at) {
        let to = text[from..].find(|c| !is_value(c)).map_or(text.len(), |at| from + at);
        words.push(from..to);
        rest = to;
    }
    if words.is_empty() {
        return text.to_owned();
    }
    let (word, value) = (dice.choose(&words).clone(), *dice.choose(&ABSURD_TEXTS));
    let other = dice.choose(&words).clone();
    let value = if dice.one_in(4) { &text[other] } else { value };
    [&text[..word.start], value, &text[word.end..]].concat()
}

fn lines(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (from, to) = (dice.below(lines.len()), dice.below(lines.len()));
    match dice.below(3) {
        _ if lines.is_empty() => (),
        0 => drop(lines.remove(from)),
        1 => lines.insert(to, lines[from]),
        _ => lines.swap(from, to),
    }
    lines.concat()
}

/// Brackets that a recursive reader follows.
fn nested(text: &str, dice: &mut Dice) -> String {
    let place = text.floor_char_boundary(dice.below(text.len() + 1));
    let depth = *dice.choose(&[3, 100, 200_000]);
    let (open, close) = *dice.choose(&[("[", "]"), ("(", ")"), ("{\"a\":", "}"), ("{", "}"), ("[(", ")]")]);
    let brackets = if dice.one_in(2) { open.repeat(depth) + &close.repeat(depth) } else { open.repeat(depth) };
    [&text[..place], &brackets, &text[place..]].concat()
}
