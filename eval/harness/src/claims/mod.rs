//! Claims: statements with an expectation, checked and judged. One claim is one TOML file under `eval/claims/`.

mod check;
mod definition;
mod judge;
mod runner;
mod select;

pub use check::Outcome;
pub use definition::{Claim, Expect, Relation, SUITES, Tier, all, family};
pub use judge::{confidence, judge};
pub use runner::{Summary, run};
pub use select::{ALL, select};
