//! The tokens of a text, piece by piece. Those of a large text are kept on disk and found again.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use elbow_base::atomic_file;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bytes::{Bytes, Collected, PIECE, Reading};
use super::ids::{self, Ids};
use super::text_loss::Comparison;
use super::text_options::{Documents, Marks};
use super::{Alphabet, TextLoss, TextOptions};
use crate::error::{Error, Result};
use crate::hash::{sha256, sha256_of};

/// The version of the code that makes tokens. Raise it by hand when the same text gives other ones.
const VERSION: u32 = 1;

/// The tokens of a text.
pub(super) struct EncodedText {
    pub ids: Ids,
    pub summary: Summary,
}

/// What is known of a text beside its tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Summary {
    pub bytes: usize,
    pub characters: usize,
    /// What the tokens do not give back.
    pub loss: Option<TextLoss>,
    /// What the rules of text8 changed.
    pub normalised: Option<TextLoss>,
    /// SHA-256 of the tokens on disk.
    pub sha256: String,
}

/// How a text becomes tokens.
pub(super) struct Encoder<'a> {
    /// The file of the text.
    pub path: &'a Path,
    pub alphabet: &'a Alphabet,
    pub options: &'a TextOptions,
    pub marks: Marks,
    pub reading: &'a Reading<'a>,
}

/// The tokens of a piece, and what they do not give back.
type Piece = (Vec<u32>, Comparison);

impl Encoder<'_> {
    /// The files of a text's tokens: the tokens, and what else is known. `text` says which text.
    fn places(&self, text: &[&str]) -> [PathBuf; 2] {
        let TextOptions { mask_id, frame: _, documents, detokenizer } = self.options;
        let options = format!("{mask_id:?} {documents:?} {detokenizer:?} {:?}", self.marks.document_end);
        let (alphabet, hash) = (self.alphabet.to_string(), self.alphabet.hash().unwrap_or_default());
        let version = format!("{VERSION} {}", env!("CARGO_PKG_VERSION"));
        let key = sha256([&[&version, &options, &alphabet, hash], text].concat().join("\n").as_bytes());
        ["ids", "json"].map(|ending| self.reading.folder.join(format!("{}.{ending}", &key[..32])))
    }

    /// The tokens of a text that were made before. Files that are damaged are none.
    pub fn found(&self, text: &[&str]) -> Option<EncodedText> {
        let [tokens, summary] = self.places(text);
        let summary: Summary = serde_json::from_slice(&fs::read(summary).ok()?).ok()?;
        let is_whole = sha256_of(fs::File::open(&tokens).ok()?).is_ok_and(|hash| hash == summary.sha256);
        let bytes = Bytes::of_file(fs::File::open(&tokens).ok()?).ok().filter(|_| is_whole)?;
        Some(EncodedText { ids: Ids::new(self.alphabet.values(), bytes), summary })
    }

    /// The tokens of a part of a text. Those of a text on disk are kept in the folder of [`Reading`].
    pub fn encode(
        &self,
        whole: &Bytes,
        part: Range<usize>,
        normalised: Option<TextLoss>,
        text: &[&str],
    ) -> Result<EncodedText> {
        let mut tokens = Collected::new(self.reading);
        let values = self.alphabet.values();
        let (length, is_large) = (part.len(), whole.is_on_disk());
        if is_large {
            self.reading.bar.start(length as u64, "tokens of a large text");
        }
        let (characters, loss) =
            self.pieces(whole, part, &mut tokens).map_err(|e| Error::format(self.path, e.to_string()))?;
        let writing = |e| Error::writing(self.reading.folder)(e);
        let summary = Summary { bytes: length, characters, loss, normalised, sha256: String::new() };
        if !is_large {
            let bytes = tokens.finish().map_err(writing)?;
            return Ok(EncodedText { ids: Ids::new(values, bytes), summary });
        }
        self.reading.bar.finish();
        let file = tokens.into_file().map_err(writing)?;
        let sha256 = file.reopen().and_then(sha256_of).map_err(writing)?;
        let [ids, beside] = self.places(text);
        let summary = Summary { sha256, ..summary };
        let bytes = Bytes::of_file(file.reopen().map_err(writing)?).map_err(writing)?;
        atomic_file::persist(file, &ids)?;
        let json = serde_json::to_vec(&summary).map_err(|e| writing(e.into()))?;
        atomic_file::write(&beside, &json)?;
        Ok(EncodedText { ids: Ids::new(values, bytes), summary })
    }

    /// Writes the tokens of a part of a text. Returns its characters, and what the tokens do not give back.
    fn pieces(
        &self,
        whole: &Bytes,
        part: Range<usize>,
        tokens: &mut Collected,
    ) -> io::Result<(usize, Option<TextLoss>)> {
        let (mut characters, mut comparison) = (0, Comparison::default());
        let (start, end) = (part.start, part.end);
        // As many bytes as all threads take at a time.
        let most = PIECE * rayon::current_num_threads();
        let (mut batch, mut waiting) = (Vec::<(usize, Vec<u8>)>::new(), 0);
        let ends = |text: &[u8], last: bool| self.ends(text, last);
        whole.pieces(part, ends, |place, piece| {
            characters += piece.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
            batch.push((place, piece.to_vec()));
            waiting += piece.len();
            let is_last = place + piece.len() == end;
            if waiting < most && !is_last {
                return Ok(());
            }
            let work = |(place, piece): &(usize, Vec<u8>)| {
                self.piece(piece, place - start, place + piece.len() == end).map_err(io::Error::other)
            };
            let done: Vec<io::Result<Piece>> = batch.par_iter().map(work).collect();
            for piece in done {
                let (ids, compared) = piece?;
                ids::write(&ids, self.alphabet.values(), tokens)?;
                comparison.join(&compared);
            }
            if whole.is_on_disk() {
                self.reading.bar.advance(waiting as u64);
            }
            batch.clear();
            waiting = 0;
            Ok(())
        })?;
        Ok((characters, comparison.loss()))
    }

    /// The end of the first piece: a document with its separator, a line that is given to a detokenizer, or what the alphabet
    /// encodes by itself.
    fn ends(&self, text: &[u8], last: bool) -> Option<usize> {
        let separator: &[u8] = match (self.options.documents, self.options.detokenizer) {
            (None, None) => return self.alphabet.piece(text, last),
            (None, Some(_)) | (Some(Documents::Lines), _) => b"\n",
            (Some(Documents::Blank), _) => b"\n\n",
        };
        let at = text.windows(separator.len()).position(|window| window == separator);
        at.map(|at| at + separator.len()).or(last.then_some(text.len()))
    }

    /// The tokens of one piece.
    fn piece(&self, piece: &[u8], place: usize, is_last: bool) -> std::result::Result<Piece, String> {
        let mut encoded = (Vec::new(), Comparison::default());
        let TextOptions { documents, detokenizer, .. } = self.options;
        if documents.is_none() && detokenizer.is_none() {
            self.add(piece, place, if is_last { "" } else { self.alphabet.between_pieces() }, &mut encoded)?;
            return Ok(encoded);
        }
        let piece = std::str::from_utf8(piece).map_err(|_| "not UTF-8, which a detokenizer needs".to_owned())?;
        let document = match documents {
            None => piece,
            Some(Documents::Lines) => piece.lines().next().unwrap_or_default(),
            Some(Documents::Blank) => piece.trim_matches('\n'),
        };
        if documents == &Some(Documents::Blank) && document.is_empty() {
            return Ok(encoded);
        }
        let text = detokenizer.map(|detokenizer| detokenizer.apply(document));
        let text = Bytes::Memory(text.as_deref().unwrap_or(document).as_bytes().to_vec());
        text.pieces(
            0..text.len(),
            |text, last| self.alphabet.piece(text, last),
            |at, part| self.add(part, place + at, "", &mut encoded).map_err(io::Error::other),
        )
        .map_err(|e| e.to_string())?;
        encoded.0.extend(self.marks.document_end);
        Ok(encoded)
    }

    /// Adds the tokens of a text that is encoded by itself; `after` is the white space that follows it.
    fn add(
        &self,
        text: &[u8],
        place: usize,
        after: &str,
        (ids, comparison): &mut Piece,
    ) -> std::result::Result<(), String> {
        let tokens = self.alphabet.encode(text, place)?;
        // An exact alphabet has a token for every byte.
        if !self.alphabet.is_exact() {
            let known: Vec<u32> = tokens.iter().copied().filter(|&id| !self.alphabet.is_unknown(id)).collect();
            let again = self.alphabet.decode(&known) + after;
            comparison.add(text, again.as_bytes(), (tokens.len() - known.len()) as u64);
        }
        ids.extend(tokens);
        Ok(())
    }
}
