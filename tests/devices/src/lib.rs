//! The same computations on a device and on the CPU: losses, bounds, gradients, optimiser, samplers, ODE, resuming, several devices,
//! what a device cannot hold.
//!
//! `just devices` runs it on the adapter of wgpu that the machine has; `ELBOW_DEVICE` names another device. Every test
//! prints what it measures, and has a witness: a computation that is wrong by little, which the same tolerance rejects.

#![cfg(all(test, any(feature = "cuda", feature = "wgpu")))]

mod cases;
mod compare;
mod suite;
