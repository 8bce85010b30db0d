//! Tests of the reference implementations, in one program: linking it takes longer than most of them.

mod data;
mod networks;
mod objectives;
mod schedules;
mod training;
mod traps;
mod unet;
