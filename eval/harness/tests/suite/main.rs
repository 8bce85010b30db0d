//! Tests of the engine, in one program: linking it takes longer than most of them.

mod any_model;
mod block;
mod estimator;
mod fixture;
mod gaussian_losses;
mod losses;
mod objectives;
mod outside;
mod paired;
mod recomputed;
mod samplers;
mod text_likelihood;
