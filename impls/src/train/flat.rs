//! The reader of a flat TOML table: each key is taken out of it once, so that the remaining ones are unknown.

use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

const POSITIVE: &str = "a whole number, 1 or more";

/// A type of settings.
pub(super) trait Value: Serialize + DeserializeOwned {
    /// Its values in words.
    const WORDS: &'static str;
}

macro_rules! values {
    ($($words:literal: $($type:ty),+;)+) => { $($(impl Value for $type { const WORDS: &'static str = $words; })+)+ };
}

values! {
    "a whole number, 0 or more": u32, u64, usize;
    "a number": f64;
    "true or false": bool;
    "a text": String;
    "a token or its id": toml::Value;
    "a list of two whole numbers, 0 or more": [u32; 2];
    "a list of three whole numbers, 0 or more": [usize; 3];
}

/// A table that is being read.
pub(super) struct Reader {
    /// The keys that are not read yet.
    pub rest: toml::Table,
    /// The keys that were read, with values of the type that was read.
    pub taken: toml::Table,
    /// The owner of the settings that are being read, for the error of a missing one: `implementation md4`.
    pub of: String,
}

impl Reader {
    /// The value of a key that may be absent.
    pub fn optional<T: Value>(&mut self, key: &str) -> Result<Option<T>> {
        self.optional_as(key, T::WORDS)
    }

    /// The same, of a kind that these words say.
    fn optional_as<T: Value>(&mut self, key: &str, words: &str) -> Result<Option<T>> {
        let Some(value) = self.rest.remove(key) else { return Ok(None) };
        let wrong = Error::Setting(format!("{key} = {value}: expected {words}"));
        let Ok(typed) = value.try_into::<T>() else { return Err(wrong) };
        let Ok(value) = toml::Value::try_from(&typed) else { return Err(wrong) };
        self.taken.insert(key.to_owned(), value);
        Ok(Some(typed))
    }

    /// The value of a key that must be there.
    pub fn needed<T: Value>(&mut self, key: &str) -> Result<T> {
        self.needed_as(key, T::WORDS)
    }

    fn needed_as<T: Value>(&mut self, key: &str, words: &str) -> Result<T> {
        self.optional_as(key, words)?.ok_or_else(|| {
            let needed = if self.of.is_empty() { String::new() } else { format!(": {} needs it", self.of) };
            Error::Setting(format!("{key} is missing{needed}"))
        })
    }

    /// A value that has a name.
    pub fn name<T: FromStr + Display>(&mut self, key: &str) -> Result<T>
    where
        Error: From<T::Err>,
    {
        let name: String = self.needed(key)?;
        self.parsed(key, &name)
    }

    /// A value that has a name, where the key may be absent.
    pub fn optional_name<T: FromStr + Display>(&mut self, key: &str) -> Result<Option<T>>
    where
        Error: From<T::Err>,
    {
        self.optional::<String>(key)?.map(|name| self.parsed(key, &name)).transpose()
    }

    /// The value that `name` says. A table from a file is kept with the hash of its content: a run that goes on finds the table
    /// that it began with, or an error.
    pub fn parsed<T: FromStr + Display>(&mut self, key: &str, name: &str) -> Result<T>
    where
        Error: From<T::Err>,
    {
        let value: T = name.parse()?;
        if name.contains("table:") {
            self.taken.insert(key.to_owned(), value.to_string().into());
        }
        Ok(value)
    }

    /// T of discrete time; none for continuous time, `timesteps` = 0.
    pub fn steps(&mut self) -> Result<Option<u32>> {
        Ok(Some(self.needed("timesteps")?).filter(|&steps| steps > 0))
    }

    /// A number in \[0, 1).
    pub fn fraction(&mut self, key: &str) -> Result<f64> {
        check_fraction(key, self.needed(key)?)
    }

    /// A finite number from 0.
    pub fn not_negative(&mut self, key: &str) -> Result<f64> {
        let value: f64 = self.needed(key)?;
        match value >= 0.0 && value.is_finite() {
            true => Ok(value),
            false => Err(Error::Setting(format!("{key} = {value}: it must be finite and not negative"))),
        }
    }

    /// A number from 1.
    pub fn positive(&mut self, key: &str) -> Result<u64> {
        check_positive(key, self.needed_as(key, POSITIVE)?)
    }

    /// A size from 1 to `most`.
    pub fn size(&mut self, key: &str, most: usize) -> Result<usize> {
        match check_positive(key, self.needed_as(key, POSITIVE)?)? {
            size if size > most => Err(Error::Setting(format!("{key} = {size}: it must be at most {most}"))),
            size => Ok(size),
        }
    }

    /// A size from 1, where the key may be absent.
    pub fn optional_size(&mut self, key: &str) -> Result<Option<usize>> {
        self.optional_as(key, POSITIVE)?.map(|size| check_positive(key, size)).transpose()
    }
}

fn check_positive<T: Default + PartialEq>(key: &str, value: T) -> Result<T> {
    match value == T::default() {
        true => Err(Error::Setting(format!("{key} is 0: it must be at least 1"))),
        false => Ok(value),
    }
}

pub(super) fn check_fraction(key: &str, value: f64) -> Result<f64> {
    match (0.0..1.0).contains(&value) {
        true => Ok(value),
        false => Err(Error::Setting(format!("{key} = {value}: it must lie in [0, 1)"))),
    }
}
