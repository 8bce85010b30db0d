//! Typed settings read from a flat TOML table, and written back to one.
//!
//! Every key is taken out of the table once, so that what is left has no meaning for the settings that were read.

use std::fmt::{self, Display};
use std::ops::Deref;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A table that is being read.
pub(super) struct Reader {
    /// The keys that nothing has taken yet.
    pub table: toml::Table,
    /// The tag and the name of the variant whose settings are being read: `implementation` and `md4`.
    pub variant: Option<[&'static str; 2]>,
}

impl Reader {
    /// The settings of a type: under this key, or under keys of its own.
    pub fn read<T: Setting>(&mut self, key: &'static str) -> Result<T> {
        T::read(key, self)
    }
}

/// Settings with their keys, in no order.
pub(super) type Entries = Vec<(&'static str, toml::Value)>;

/// A field of a settings struct: one value, or a struct or an enum, which have keys of their own and ignore `key`.
pub(super) trait Setting: Sized {
    fn read(key: &'static str, from: &mut Reader) -> Result<Self>;
    fn write(&self, key: &'static str, to: &mut Entries);
}

/// A setting that is one value.
pub(super) trait Leaf: Sized {
    fn parse(key: &str, value: toml::Value) -> Result<Self>;
    fn entry(&self) -> toml::Value;
}

impl<T: Leaf> Setting for T {
    fn read(key: &'static str, from: &mut Reader) -> Result<Self> {
        <Option<T> as Setting>::read(key, from)?.ok_or_else(|| {
            let by = from.variant.map(|[tag, name]| format!(": {tag} {name} needs it")).unwrap_or_default();
            Error::Setting(format!("{key} is missing{by}"))
        })
    }

    fn write(&self, key: &'static str, to: &mut Entries) {
        to.push((key, self.entry()));
    }
}

impl<T: Leaf> Setting for Option<T> {
    fn read(key: &'static str, from: &mut Reader) -> Result<Self> {
        from.table.remove(key).map(|value| T::parse(key, value)).transpose()
    }

    fn write(&self, key: &'static str, to: &mut Entries) {
        to.extend(self.iter().map(|value| (key, value.entry())));
    }
}

macro_rules! leaves {
    ($($type:ty),+) => {$(
        impl Leaf for $type {
            fn parse(key: &str, value: toml::Value) -> Result<Self> {
                value.try_into().map_err(|e: toml::de::Error| Error::Setting(format!("{key}: {}", e.message())))
            }

            fn entry(&self) -> toml::Value {
                toml::Value::try_from(self).expect("a number, a text or a list of them is a TOML value")
            }
        }
    )+};
}

leaves!(bool, u32, u64, usize, f64, String, [u32; 2], [usize; 3]);

/// A value with the name that settings give it.
///
/// The name is kept as it was written. `vdm` means `fixed-linear:-13.3:5`, but a run's settings keep saying `vdm`, to
/// the byte, because runs are found again by the hash of their settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T> {
    value: T,
    name: String,
}

impl<T> Deref for Named<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Display for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl<T: FromStr> FromStr for Named<T> {
    type Err = T::Err;

    fn from_str(name: &str) -> std::result::Result<Self, T::Err> {
        Ok(Self { value: name.parse()?, name: name.to_owned() })
    }
}

impl<T: FromStr> Leaf for Named<T>
where
    Error: From<T::Err>,
{
    fn parse(key: &str, value: toml::Value) -> Result<Self> {
        Ok(String::parse(key, value)?.parse()?)
    }

    fn entry(&self) -> toml::Value {
        self.name.as_str().into()
    }
}

/// Defines a struct whose fields are settings.
macro_rules! settings_struct {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $field:ident: $type:ty,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)+
        }

        impl $crate::train::flat::Setting for $name {
            fn read(_: &'static str, from: &mut $crate::train::flat::Reader) -> $crate::error::Result<Self> {
                Ok(Self { $($field: from.read(stringify!($field))?,)+ })
            }

            fn write(&self, _: &'static str, to: &mut $crate::train::flat::Entries) {
                $($crate::train::flat::Setting::write(&self.$field, stringify!($field), to);)+
            }
        }
    };
}

/// Defines an enum whose variant is named by the setting `$tag`, and whose fields are settings of that variant alone.
macro_rules! settings_enum {
    (
        $(#[$about:meta])* $tag:ident: pub enum $enum:ident {
            $($(#[$doc:meta])* $name:literal = $variant:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $enum {
            $($(#[$doc])* $variant { $($(#[$field_doc])* $field: $type,)* },)+
        }

        impl $enum {
            /// The settings of all variants.
            pub(super) const KEYS: &[&str] = &[$($(stringify!($field),)*)+];

            /// The name of the variant in settings.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)+
                }
            }
        }

        impl $crate::train::flat::Setting for $enum {
            fn read(_: &'static str, from: &mut $crate::train::flat::Reader) -> $crate::error::Result<Self> {
                let name: String = from.read(stringify!($tag))?;
                let read = match name.as_str() {
                    $($name => {
                        from.variant = Some([stringify!($tag), $name]);
                        Self::$variant { $($field: from.read(stringify!($field))?,)* }
                    })+
                    _ => return Err($crate::error::UnknownName::new(stringify!($tag), &name, &[$($name),+]).into()),
                };
                from.variant = None;
                Ok(read)
            }

            fn write(&self, _: &'static str, to: &mut $crate::train::flat::Entries) {
                to.push((stringify!($tag), self.name().into()));
                match self {
                    $(Self::$variant { $($field,)* } => {
                        $($crate::train::flat::Setting::write($field, stringify!($field), to);)*
                    })+
                }
            }
        }
    };
}

pub(super) use {settings_enum, settings_struct};
