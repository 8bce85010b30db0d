//! Claims: statements with an expectation, checked and judged. One claim is one TOML file under `eval/claims/SUITE/`.

mod catalogue;
mod check;
mod claim;
mod claim_file;
mod context;
mod counts;
mod judge;
mod outcome;
mod recorded;
mod runner;

pub use catalogue::{ALL, Catalogue, ClaimFile, SUITES, bundled};
pub use claim::{Claim, Expect, Place, Relation, Tier};
pub use context::{Check, Context};
pub use counts::Counts;
pub use judge::{confidence, judge};
pub use outcome::Outcome;
pub use recorded::{Recorded, recorded};
pub use runner::{Summary, run};
