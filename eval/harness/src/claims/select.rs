//! Selection of claims by name.

use super::definition::{Claim, SUITES};
use crate::failure::{Failure, nearest};

/// The name that selects every claim.
pub const ALL: &str = "all";

/// The claims that the names select, each once and in their order. A name is a suite, the id of a claim, or `all`.
pub fn select(claims: Vec<Claim>, names: &[String]) -> Result<Vec<Claim>, Failure> {
    let selects = |name: &String, claim: &Claim| name == ALL || *name == claim.suite || *name == claim.id;
    if let Some(name) = names.iter().find(|name| !claims.iter().any(|claim| selects(name, claim))) {
        let ids = claims.iter().map(|claim| claim.id.as_str());
        let known: Vec<String> = [ALL].into_iter().chain(SUITES).chain(ids).map(str::to_owned).collect();
        let fix = match nearest(name, &known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("the suites are {ALL}, {}", SUITES.join(", ")),
        };
        return Err(Failure::input(format!("no suite and no claim is called {name:?}"), fix));
    }
    Ok(claims.into_iter().filter(|claim| names.iter().any(|name| selects(name, claim))).collect())
}
