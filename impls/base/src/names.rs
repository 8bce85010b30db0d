//! Enums whose values have names in settings and on the command line.

/// `Display` and `FromStr` of an enum from one list of names; an unknown name is answered with the known ones.
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

        impl ::std::str::FromStr for $type {
            type Err = $crate::UnknownName;

            fn from_str(name: &str) -> ::std::result::Result<Self, $crate::UnknownName> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownName::new($kind, name, &[$($name),+])),
                }
            }
        }
    };
}
