//! The tokens of a `vocab.txt`: one token per line, whose id is the number of the line.
//!
//! Tokens in brackets, `[MASK]` or `<pad>`, are special: no text has them. The others are the data values, 0 to V - 1 in
//! the order of the file, where they must follow each other: the ids of a model are then these plus the first one's.

use std::collections::HashMap;
use std::path::Path;

use super::file;
use crate::error::{Error, Result};

/// What marks a piece of WordPiece that continues a word.
const CONTINUES: &str = "##";

/// A vocabulary, and how a text is cut into its tokens.
pub struct Vocabulary {
    /// The data values.
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
    /// The id in the file of the first data value.
    first: u32,
    /// Special tokens with their ids in the file.
    special: Vec<(String, u32)>,
    cut: Cut,
    hash: String,
}

/// How a text is cut. White space separates tokens, and is none, unless the vocabulary has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Every token is one character, and tokens need no separation.
    Characters,
    /// Tokens are words between white space.
    Words,
    /// Words are cut into the longest pieces from the left; `##` begins the later ones (WordPiece).
    Pieces,
}

impl Vocabulary {
    /// Reads a vocabulary.
    pub fn load(path: &Path) -> Result<Self> {
        let content = file::read(path)?;
        let fail = |what: String| Error::format(path, what);
        let text =
            std::str::from_utf8(&content.bytes).map_err(|_| fail("a vocabulary is a text in UTF-8".to_owned()))?;
        Self::of(text, content.hash).map_err(fail)
    }

    fn of(text: &str, hash: String) -> std::result::Result<Self, String> {
        let (mut tokens, mut special, mut first, mut last) = (Vec::new(), Vec::new(), None, 0);
        let mut ids = HashMap::new();
        for (line, token) in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate() {
            let id = line as u32;
            if token.is_empty() {
                continue;
            }
            if is_special(token) {
                special.push((token.to_owned(), id));
                continue;
            }
            if first.is_some() && id != last + 1 {
                return Err(format!(
                    "the data's tokens must follow each other, and special or empty lines stand before {token:?}, line {}: \
                     make a tokenizer.json of it",
                    id + 1
                ));
            }
            first.get_or_insert(id);
            last = id;
            if ids.insert(token.to_owned(), tokens.len() as u32).is_some() {
                return Err(format!("the token {token:?} stands twice, the second time in line {}", id + 1));
            }
            tokens.push(token.to_owned());
        }
        if tokens.len() < 2 {
            return Err(format!("{} tokens beside special ones: one token per line is expected", tokens.len()));
        }
        let cut = match () {
            () if tokens.iter().any(|token| token.starts_with(CONTINUES) && token.len() > CONTINUES.len()) => {
                Cut::Pieces
            }
            () if tokens.iter().all(|token| token.chars().count() == 1) => Cut::Characters,
            () => Cut::Words,
        };
        Ok(Self { tokens, ids, first: first.unwrap_or_default(), special, cut, hash })
    }

    /// V, the number of data values.
    pub fn values(&self) -> usize {
        self.tokens.len()
    }

    /// SHA-256 of the file.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// First and last line of the data's tokens, counted from 0: the ids of a model that numbers as the file does.
    pub fn value_ids(&self) -> [u32; 2] {
        [self.first, self.first + self.tokens.len() as u32 - 1]
    }

    /// The special tokens with their lines, counted from 0.
    pub fn special(&self) -> &[(String, u32)] {
        &self.special
    }

    /// Whether a text can be cut between any two characters; else only where a word ends.
    pub fn can_be_cut_anywhere(&self) -> bool {
        self.cut == Cut::Characters
    }

    /// The tokens of a text, which stands at byte `place` of the whole. Errors name what the vocabulary does not have.
    pub fn encode(&self, text: &str, place: usize) -> std::result::Result<Vec<u32>, String> {
        match self.cut {
            Cut::Characters => {
                let mut token = [0; 4];
                let ids = text.char_indices().filter_map(|(at, c)| {
                    match (self.ids.get(&*c.encode_utf8(&mut token)), c.is_whitespace()) {
                        (Some(&id), _) => Some(Ok(id)),
                        (None, true) => None,
                        (None, false) => Some(Err(unknown(&c.to_string(), place + at))),
                    }
                });
                ids.collect()
            }
            Cut::Words | Cut::Pieces => {
                let mut ids = Vec::new();
                for word in text.split_whitespace() {
                    let at = place + word.as_ptr() as usize - text.as_ptr() as usize;
                    match self.cut {
                        Cut::Pieces => self.pieces(word, &mut ids).ok_or_else(|| unknown(word, at))?,
                        _ => ids.push(*self.ids.get(word).ok_or_else(|| unknown(word, at))?),
                    }
                }
                Ok(ids)
            }
        }
    }

    /// The longest pieces of a word from the left; none where a rest has no piece.
    fn pieces(&self, word: &str, ids: &mut Vec<u32>) -> Option<()> {
        let mut rest = word;
        while !rest.is_empty() {
            let mark = if rest.len() == word.len() { "" } else { CONTINUES };
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let piece = |end: usize| self.ids.get(&format!("{mark}{}", &rest[..end])).map(|&id| (id, end));
            let (id, end) = ends.into_iter().find_map(piece)?;
            ids.push(id);
            rest = &rest[end..];
        }
        Some(())
    }

    /// The text of values, all below V.
    pub fn decode(&self, ids: &[u32]) -> String {
        let tokens = ids.iter().map(|&id| self.tokens[id as usize].as_str());
        match self.cut {
            Cut::Characters => tokens.collect(),
            Cut::Words => tokens.collect::<Vec<_>>().join(" "),
            Cut::Pieces => tokens.fold(String::new(), |text, token| match token.strip_prefix(CONTINUES) {
                Some(piece) if !text.is_empty() => text + piece,
                _ if text.is_empty() => token.to_owned(),
                _ => text + " " + token,
            }),
        }
    }
}

fn is_special(token: &str) -> bool {
    let within = |open: char, close: char| token.len() > 2 && token.starts_with(open) && token.ends_with(close);
    within('[', ']') || within('<', '>')
}

fn unknown(token: &str, at: usize) -> String {
    format!("{token:?} at byte {at} is not in the vocabulary")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &str) -> std::result::Result<Vocabulary, String> {
        Vocabulary::of(lines, String::new())
    }

    #[test]
    fn characters_need_no_separation_and_specials_are_no_values() {
        let proteins = of("[PAD]\n[UNK]\n[MASK]\nA\nC\nD\n").expect("a vocabulary");
        assert_eq!((proteins.values(), proteins.value_ids()), (3, [3, 5]));
        assert_eq!(proteins.special()[2], ("[MASK]".to_owned(), 2));
        assert_eq!(proteins.encode("CA D\nA", 0), Ok(vec![1, 0, 2, 0]));
        assert_eq!(proteins.decode(&[1, 0, 2]), "CAD");
        let error = proteins.encode("CAB", 0).expect_err("B is no residue here");
        assert!(error.contains("\"B\" at byte 2"), "{error}");
    }

    #[test]
    fn words_stand_between_white_space() {
        let music = of("C4\nD4\nrest\n<pad>").expect("a vocabulary");
        assert_eq!(music.encode("rest C4  D4", 0), Ok(vec![2, 0, 1]));
        assert_eq!(music.decode(&[2, 0]), "rest C4");
        assert!(music.encode("C4D4", 0).expect_err("no such word").contains("\"C4D4\" at byte 0"));
    }

    #[test]
    fn pieces_are_the_longest_from_the_left() {
        let pieces = of("[UNK]\nun\nuna\n##aff\n##able\n##ff\n##a").expect("a vocabulary");
        // "una" is longer than "un": the rest is then "ffable", not "affable".
        assert_eq!(pieces.encode("unaffable", 0), Ok(vec![1, 4, 3]));
        assert_eq!(pieces.decode(&[1, 4, 3, 0]), "unaffable un");
        assert!(pieces.encode("unx", 0).is_err());
    }

    #[test]
    fn values_that_do_not_follow_each_other_are_refused() {
        let error = of("A\n[MASK]\nB\n").map(|_| ()).expect_err("B has the id 2");
        assert!(error.contains("must follow each other"), "{error}");
        assert!(of("A\nB\nA\n").map(|_| ()).expect_err("twice").contains("stands twice"));
    }
}
