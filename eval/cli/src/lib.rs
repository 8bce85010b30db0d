//! The command line of elbow.

pub mod cli;
mod cmd;
