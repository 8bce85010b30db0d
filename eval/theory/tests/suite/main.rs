//! Tests of the exact theory, in one program: linking it takes longer than most of them.

mod discrete;
mod enumeration;
mod fixture;
mod gaussian;
mod properties;
mod theory;
