//! Tests of the reference implementations, in one program: linking it takes longer than most of them.

mod data;
mod networks;
mod objectives;
mod plan;
mod schedules;
mod training;
mod traps;
mod unet;
mod work;
