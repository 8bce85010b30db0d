//! Sequences of different lengths: one per line of a text, or one per record of a FASTA file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::bytes::{Bytes, Reading};
use super::{Alphabet, DataShape, Dataset, InMemory, Split, Tokens, file};
use crate::error::{Error, Result};

/// The sequences of a split by their length.
pub struct Lines {
    name: String,
    hash: String,
    values: usize,
    /// One set per length, the shortest first.
    by_length: Vec<InMemory>,
}

impl Lines {
    /// Reads one split of a text file, plain or `.gz`. `train` has the first 90 % of the sequences, `valid` the next 5 %,
    /// `test` the last 5 %, `all` the whole. Empty lines are none; where the first line begins with `>`, the lines between
    /// two such headers are one sequence (FASTA).
    pub fn load(path: &Path, alphabet: &Alphabet, split: Split) -> Result<Self> {
        let (from, to) = split.choose(&[
            (Split::Train, (0, 18)),
            (Split::Valid, (18, 19)),
            (Split::Test, (19, 20)),
            (Split::All, (0, 20)),
        ])?;
        let content = file::read(path)?;
        let fail = |what: String| Error::format(path, what);
        let text =
            std::str::from_utf8(&content.bytes).map_err(|_| fail("not UTF-8: sequences are lines of text".into()))?;
        let sequences = sequences(text);
        let cut = |twentieths: usize| sequences.len() * twentieths / 20;
        let part = &sequences[cut(from)..cut(to)];
        if part.is_empty() {
            let what = format!("its {split} split has none of {} sequences; take --split all", sequences.len());
            return Err(fail(what));
        }
        let name = format!("{}:{split}", file::stem(path));
        let mut by_length: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (line, sequence) in part {
            let failed = |what: String| fail(format!("the sequence of line {line}: {what}"));
            let ids = encode(sequence, alphabet).map_err(|e| failed(e.to_string()))?;
            if ids.is_empty() {
                return Err(failed("it has no tokens".to_owned()));
            }
            by_length.entry(ids.len()).or_default().extend(ids);
        }
        let values = alphabet.values();
        let set = |(length, ids)| InMemory::new(&name, values, Tokens::new(ids, length));
        let by_length = by_length.into_iter().map(set).collect();
        let hash = match alphabet.hash() {
            Some(defined) => file::combine([&content.hash, defined]),
            None => content.hash.clone(),
        };
        Ok(Self { name, hash, values, by_length })
    }

    /// Name with split.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the file, and of what defines its tokens.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Number of data values V.
    pub fn values(&self) -> usize {
        self.values
    }

    /// One set per length, the shortest first.
    pub fn by_length(&self) -> &[InMemory] {
        &self.by_length
    }

    /// Shortest and longest length.
    pub fn lengths(&self) -> [usize; 2] {
        let length = |set: Option<&InMemory>| set.map_or(0, Dataset::length);
        [length(self.by_length.first()), length(self.by_length.last())]
    }

    /// Sequences of one length, for probes: the beginnings of those that are long enough, at the length that keeps most
    /// tokens.
    pub fn cut(&self) -> Result<InMemory> {
        let longer = |length: usize| self.by_length.iter().filter(move |set| set.length() >= length);
        let kept = |length: usize| length * longer(length).map(|set| set.len()).sum::<usize>();
        let length = self.by_length.iter().map(Dataset::length).max_by_key(|&length| kept(length)).unwrap_or(1);
        let mut ids = Vec::with_capacity(kept(length));
        for set in longer(length) {
            set.all()?.rows().for_each(|row| ids.extend_from_slice(&row[..length]));
        }
        Ok(InMemory::new(&self.name, self.values, Tokens::new(ids, length)))
    }

    /// The shape at the longest length.
    pub fn shape(&self) -> DataShape {
        DataShape { values: self.values, length: self.lengths()[1], classes: 0, image: None }
    }
}

/// The tokens of a sequence.
fn encode(sequence: &str, alphabet: &Alphabet) -> io::Result<Vec<u32>> {
    let (text, _) = alphabet.prepare(Bytes::Memory(sequence.as_bytes().to_vec()), &Reading::in_memory())?;
    let mut ids = Vec::new();
    let add = |place: usize, piece: &[u8]| {
        ids.extend(alphabet.encode(piece, place).map_err(io::Error::other)?);
        Ok(())
    };
    text.pieces(0..text.len(), |text, last| alphabet.piece(text, last), add)?;
    Ok(ids)
}

/// The sequences of a text with the numbers of their first lines, from 1.
fn sequences(text: &str) -> Vec<(usize, Cow<'_, str>)> {
    let mut lines = (1..).zip(text.lines().map(str::trim_end)).filter(|(_, line)| !line.is_empty()).peekable();
    if lines.peek().is_none_or(|(_, line)| !line.starts_with('>')) {
        return lines.map(|(number, line)| (number, line.into())).collect();
    }
    let mut records: Vec<(usize, String)> = Vec::new();
    for (number, line) in lines {
        match (line.starts_with('>'), records.last_mut()) {
            (false, Some((_, record))) => record.push_str(line),
            _ => records.push((number + 1, String::new())),
        }
    }
    records.into_iter().map(|(number, record)| (number, record.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, split: Split) -> Result<Lines> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines.txt");
        std::fs::write(&path, text).expect("a file");
        Lines::load(&path, &Alphabet::Bytes, split)
    }

    #[test]
    fn lines_are_sequences_by_their_length() {
        let lines = load("abc\n\nde\nfgh\r\nijklm\n", Split::All).expect("lines");
        let shapes: Vec<_> = lines.by_length().iter().map(|set| (set.length(), set.len())).collect();
        assert_eq!((shapes, lines.lengths()), (vec![(2, 1), (3, 2), (5, 1)], [2, 5]));
        assert_eq!(lines.by_length()[1].all().expect("ids").ids(), b"abcfgh".map(u32::from));
        // 3 tokens of three lines are more than 2 of four, and than 5 of one.
        let cut = lines.cut().expect("cut");
        assert_eq!((cut.length(), cut.len()), (3, 3));
        assert_eq!(cut.all().expect("ids").ids(), b"abcfghijk".map(u32::from));
    }

    #[test]
    fn records_of_fasta_are_joined() {
        let lines = load(">one\nAC\nGT\n>two\nA\n", Split::All).expect("records");
        let ids: Vec<_> = lines.by_length().iter().map(|set| set.all().expect("ids").ids().to_vec()).collect();
        assert_eq!(ids, [b"A".map(u32::from).to_vec(), b"ACGT".map(u32::from).to_vec()]);
        let empty = load(">one\n>two\nA\n", Split::All).map(|_| ()).expect_err("no residues").to_string();
        assert!(empty.contains("line 2: it has no tokens"), "{empty}");
    }

    #[test]
    fn splits_are_parts_of_the_lines() {
        let text: String = (0..40).map(|i| format!("{i:02}\n")).collect();
        let count = |split| load(&text, split).expect("lines").by_length()[0].len();
        assert_eq!([Split::Train, Split::Valid, Split::Test].map(count), [36, 2, 2]);
        assert!(load("one line\n", Split::Test).is_ok() && load("one line\n", Split::Train).is_err());
    }
}
