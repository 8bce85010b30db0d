//! Readers under mutated files: valid files of every format that is read are damaged in many ways, and each must be
//! read or refused within a second and 500 MB, without a panic.
//!
//! `ELBOW_FUZZ` is the number of damaged files per format (`just fuzz` takes 10,000); they are the same in every run.
//! One that fails is kept as `target/fuzz/FORMAT-NUMBER.ENDING`, one that ends the process as
//! `target/fuzz/FORMAT/current.ENDING`.

mod arrays;
mod containers;
mod dice;
mod images;
mod memory;
mod mutations;
mod networks;
mod runner;
mod settings;
mod texts;
mod theory;

#[global_allocator]
static MEMORY: memory::Counted = memory::Counted;
