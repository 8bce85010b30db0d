//! Tests of the reference implementations, in one program: linking it takes longer than most of them.

mod data;
mod flops;
mod known_mistakes;
mod networks;
mod objectives;
mod plan;
mod schedules;
mod settings;
mod training;
mod unet;
