//! Claims: statements with an expectation, checked and judged. One claim is one TOML file under `eval/claims/SUITE/`.

mod catalogue;
mod check;
mod claim;
mod claim_file;
mod context;
mod counts;
mod example;
mod judge;
mod ledger;
mod outcome;
mod own_folder;
mod place;
mod recorded;
mod runner;
mod schema;

pub use catalogue::{ALL, Catalogue, ClaimFile, SUITES, bundled};
pub use claim::{Claim, Expect, Relation, Tier};
pub use context::{Check, Context};
pub use counts::Counts;
pub use example::{Example, example, kinds};
pub use judge::{confidence, judge};
pub use outcome::Outcome;
pub use own_folder::{Checked, own_claims, validate};
pub use place::Place;
pub use recorded::{Recorded, recorded};
pub use runner::{Summary, run, run_in};
pub use schema::schema;
