//! One file for each kind of computation.

mod gradients;
mod losses;
mod memory;
mod ode;
mod resuming;
mod samplers;
mod several;
