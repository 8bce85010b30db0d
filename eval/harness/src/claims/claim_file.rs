//! Reads the text of a claim file: what it says, or every mistake in it with its line.

use std::ops::Range;

use elbow_base::{Error, nearest};
use elbow_reports::record::About;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::claim::{Claim, Expect, Tier};
use super::context::Check;
use super::place::Place;

/// Parses the parameters of a check, the `[protocol]` table without `check`.
pub(super) type Parse = fn(ValueDeserializer<'_>) -> Result<Box<dyn Check>, toml::de::Error>;

/// A kind of check by its name in claim files.
pub(super) type NamedParse = (&'static str, Parse);

/// The keys of a claim file outside of its tables.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Heading {
    /// The file's name without .toml, where it is written at all.
    pub id: Option<String>,
    /// The folder's name, where it is written at all.
    pub suite: Option<String>,
    /// One line for tables.
    pub title: String,
    /// Where the claim is from: a document, section or slide.
    #[serde(default)]
    pub source: String,
    /// The claim in words.
    pub statement: String,
    /// Cost of the check: slow ones are run with --slow, gpu ones with --device wgpu or cuda:N.
    #[serde(default)]
    pub tier: Tier,
    /// Prose for the report.
    #[serde(default)]
    pub analysis: String,
}

/// What a claim file says.
pub(super) struct ClaimText {
    pub heading: Heading,
    /// The name of the kind of check.
    pub kind: &'static str,
    pub check: Box<dyn Check>,
    pub expect: Expect,
}

impl ClaimText {
    /// The claim, of which its place says suite and id.
    pub fn into_claim(self, suite: &str, id: &str, contents: &[u8], about: About, place: Option<Place>) -> Claim {
        let Heading { title, source, statement, tier, analysis, .. } = self.heading;
        Claim {
            id: id.to_owned(),
            title,
            source,
            statement,
            suite: suite.to_owned(),
            tier,
            analysis,
            check: self.check,
            expect: self.expect,
            hash: elbow_base::hash::sha256(contents),
            about,
            place,
        }
    }
}

/// Parses the text of a claim file. `name` says in errors which file it is. Every mistake is one error, but for those
/// that hide behind a wrong value in the same table.
pub(super) fn parse(name: &str, text: &str, kinds: &[NamedParse]) -> Result<ClaimText, Vec<Error>> {
    let mut reader = Reader { name, text, mistakes: Vec::new() };
    let document = DeTable::parse(text).map_err(|error| vec![reader.mistake(&error)])?;
    let whole = document.span();
    let mut document = document.into_inner();
    let protocol = document.remove("protocol").map(|table| reader.check(table, kinds));
    let expect = document.remove("expect").map(|table| reader.read(table, Expect::deserialize));
    for (table, is_there) in [("protocol", protocol.is_some()), ("expect", expect.is_some())] {
        if !is_there {
            let fix = "write a claim that runs, and change it: elbow claims new KIND -o FILE";
            reader.mistakes.push(Error::input(format!("{name}: no table [{table}]"), fix));
        }
    }
    let heading = reader.read(Spanned::new(whole, DeValue::Table(document)), Heading::deserialize);
    match (heading, protocol.flatten(), expect.flatten()) {
        (Some(heading), Some((kind, check)), Some(expect)) if reader.mistakes.is_empty() => {
            Ok(ClaimText { heading, kind, check, expect })
        }
        _ => Err(reader.mistakes),
    }
}

/// Reads tables, and keeps what is wrong with them.
struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    mistakes: Vec<Error>,
}

impl Reader<'_> {
    /// The check that a `[protocol]` table describes.
    fn check(
        &mut self,
        mut protocol: Spanned<DeValue>,
        kinds: &[NamedParse],
    ) -> Option<(&'static str, Box<dyn Check>)> {
        let span = protocol.span();
        let kind = match protocol.get_mut() {
            DeValue::Table(table) => table.remove("check"),
            _ => None,
        };
        let named = kind.as_ref().and_then(|kind| Some((kind.span(), kind.get_ref().as_str()?)));
        let Some((place, name)) = named else {
            self.mistakes.push(self.at(span, "no kind of check", "write check = \"NAME\" under [protocol]"));
            return None;
        };
        let Some(&(kind, parse)) = kinds.iter().find(|(known, _)| *known == name) else {
            let known: Vec<String> = kinds.iter().map(|(known, _)| (*known).to_owned()).collect();
            let hint = nearest(name, &known).map_or_else(
                || format!("choose one of {}", known.join(", ")),
                |near| format!("did you mean {near:?}?"),
            );
            self.mistakes.push(self.at(place, &format!("unknown check {name:?}"), hint));
            return None;
        };
        Some((kind, self.read(protocol, parse)?))
    }

    /// Reads a table. An unknown key is left out and the rest read again, so that one mistake hides no other.
    fn read<'t, T>(
        &mut self,
        mut table: Spanned<DeValue<'t>>,
        parse: impl Fn(ValueDeserializer<'t>) -> Result<T, toml::de::Error>,
    ) -> Option<T> {
        let before = self.mistakes.len();
        let mut meant = Vec::new();
        loop {
            let error = match parse(table.clone().into()) {
                Ok(read) => return (self.mistakes.len() == before).then_some(read),
                Err(error) => error,
            };
            let missing = error.message().strip_prefix("missing field ").map(|name| name.trim_matches('`'));
            // What a misspelled key was meant to be is not missing.
            if missing.is_some_and(|name| meant.iter().any(|key| key == name)) {
                return None;
            }
            let mistake = self.mistake(&error);
            let near = mistake.advice.strip_prefix("did you mean ").and_then(|near| near.strip_suffix('?'));
            meant.extend(near.map(str::to_owned));
            self.mistakes.push(mistake);
            let unknown = error.message().strip_prefix("unknown field ").and_then(|rest| rest.split('`').nth(1));
            let is_left_out = match (table.get_mut(), unknown) {
                (DeValue::Table(keys), Some(key)) => keys.remove(key).is_some(),
                _ => false,
            };
            if !is_left_out {
                return None;
            }
        }
    }

    /// An error of the parser in words: which key or value is meant, and which are known.
    fn mistake(&self, error: &toml::de::Error) -> Error {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        // serde's words: unknown field `stepz`, expected one of `steps`, `toy`.
        let mut quoted = message.split('`').skip(1).step_by(2).map(str::to_owned);
        let kind = ["unknown field", "unknown variant"].into_iter().find(|start| message.starts_with(start));
        let (what, fix) = match (kind, quoted.next()) {
            (Some(kind), Some(name)) => {
                let known: Vec<String> = quoted.collect();
                let what = if kind == "unknown field" { "unknown key" } else { "unknown value" };
                let near = nearest(&name, &known).map(|near| format!("did you mean {near}?"));
                (format!("{what} {name}"), near.unwrap_or_else(|| format!("choose one of {}", known.join(", "))))
            }
            _ => {
                (message.replace("missing field", "missing key").replace('`', ""), "correct the claim file".to_owned())
            }
        };
        match error.span() {
            Some(span) => self.at(span, &what, fix),
            None => Error::input(format!("{}: {what}", self.name), fix),
        }
    }

    /// An error with the line at which a part of the text begins.
    fn at(&self, part: Range<usize>, what: &str, fix: impl Into<String>) -> Error {
        let before = self.text.get(..part.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Error::input(format!("{}, line {line}: {what}", self.name), fix)
    }
}
