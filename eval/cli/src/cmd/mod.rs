//! The verbs of the command line, one file each.

pub mod bench;
pub mod claims;
pub mod compare;
pub mod doctor;
pub mod eval;
pub mod fid;
pub mod frontier;
pub mod import;
pub mod judge;
pub mod likelihood;
pub mod merge;
pub mod model;
pub mod noise;
pub mod report;
pub mod sample;
pub mod theory;
pub mod train;
