//! Tests of the exact theory, in one program: linking it takes longer than most of them.

mod block;
mod discrete;
mod enumeration;
mod fixture;
mod frontier;
mod gaussian;
mod masked;
mod odd_steps;
mod open_schedules;
mod pattern_index;
mod properties;
mod theorems;
mod toys;
