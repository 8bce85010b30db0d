//! A claim that is defined, checked and judged in Rust.
//!
//! ```text
//! cargo run --release -p elbow-harness --example claim
//! ```
//!
//! Run it in the root of the repository. A second run finds the row in `target/claim/results.jsonl`.

use std::path::PathBuf;

use elbow_base::{Error, Estimate};
use elbow_harness::claims::{self, Catalogue, Check, Claim, Context, Expect, Outcome, Relation, Tier};
use elbow_harness::provenance;
use elbow_harness::workspace::Workspace;
use elbow_reports::record::{About, Input};

/// Mean grey level of the images of a data set, with its standard error over images.
#[derive(Debug)]
struct Brightness(&'static str);

impl Check for Brightness {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        Ok(vec![provenance::data_input(context.dataset(self.0)?.as_ref())])
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let data = context.dataset(self.0)?;
        let mean = |image: &[u32]| image.iter().sum::<u32>() as f64 / image.len() as f64;
        let means: Vec<f64> = data.all()?.rows().map(mean).collect();
        Ok(Outcome::estimated("mean grey level", Estimate::of(&means), "levels", "images"))
    }

    fn is_statistical(&self) -> bool {
        true
    }
}

fn main() -> Result<(), Error> {
    let why = "half a level of 16 does not matter".to_owned();
    let claim = Claim {
        id: "brightness".into(),
        title: "Brightness of the digits".into(),
        source: "this example".into(),
        statement: "The mean grey level of a test digit is 5 of 16.".into(),
        suite: "examples".into(),
        tier: Tier::Exact,
        analysis: String::new(),
        check: Box::new(Brightness("digits:test")),
        expect: Expect { relation: Relation::Equals, value: 5.0, tolerance: 0.5, why },
        hash: String::new(),
        about: About::Own,
        place: None,
    };
    let catalogue = Catalogue::new(vec![claim]);
    let workspace = Workspace::new(PathBuf::from("target/claim"), Vec::new(), 0, "cpu", true, false)?;
    let all = catalogue.select(&[claims::ALL.to_owned()])?;
    for row in claims::run(&workspace, &catalogue, &all, &[Tier::Exact], false)?.rows {
        println!("{}: {} ({})", row.claim.title, row.verdict, row.reason.unwrap_or(row.claim.expected));
    }
    Ok(())
}
