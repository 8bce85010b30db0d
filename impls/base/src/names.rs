//! Enums whose values have names in settings and on the command line.

use std::str::FromStr;

use crate::UnknownName;

/// An enum each of whose values has one fixed name.
pub trait Named: FromStr<Err = UnknownName> {
    /// All names, in the order of the values.
    const NAMES: &'static [&'static str];
}

/// `Display`, `FromStr` and [`Named`] of an enum from one list of names; the error for an unknown name lists the known ones.
#[macro_export]
macro_rules! names {
    ($type:ident, $kind:literal: $($variant:ident = $name:literal),+ $(,)?) => {
        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $name,)+
                })
            }
        }

        impl $crate::Named for $type {
            const NAMES: &'static [&'static str] = &[$($name),+];
        }

        impl ::std::str::FromStr for $type {
            type Err = $crate::UnknownName;

            fn from_str(name: &str) -> ::std::result::Result<Self, $crate::UnknownName> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownName::new($kind, name, <Self as $crate::Named>::NAMES)),
                }
            }
        }
    };
}
