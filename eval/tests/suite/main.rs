//! Tests of the evaluation suite, in one program: linking it takes longer than most of them.

mod bench;
mod discrete;
mod enumeration;
mod estimator;
mod fid;
mod gaussian;
mod gaussian_losses;
mod objectives;
mod properties;
mod samplers;
mod theory;
