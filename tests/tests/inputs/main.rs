//! Inputs that users and attackers give: each is answered by the right number, or by one clear line.

mod claims;
mod data_sets;
mod features;
mod files;
mod images;
mod networks;
mod sampling;
mod texts;
mod theory;
mod training;

/// The binary under test.
#[allow(dead_code)]
const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");
