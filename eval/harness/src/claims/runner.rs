//! Runs claims: reuses what is unchanged, records each row as soon as it is finished.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use elbow_base::{Error, FolderLock, Kind, Remedy};
use elbow_reports::record::{self, Detail, Input, Interval, Measured, Row, SCHEMA, Verdict};

use super::catalogue::Catalogue;
use super::claim::{Claim, Tier};
use super::context::Context;
use super::judge::judge;
use super::ledger::Ledger;
use super::outcome::Outcome;
use super::recorded::{Recorded, recorded};
use crate::likelihood::student_interval;
use crate::provenance;
use crate::workspace::Workspace;

/// Result of a run of claims.
pub struct Summary {
    /// The newest row of each selected claim, in the order of the claims.
    pub rows: Vec<Row>,
    /// Number of them that were found in the file of an earlier run.
    pub reused: usize,
    /// Every row of the file that counts, those of this run included.
    pub recorded: Vec<Row>,
    /// Rows of earlier runs that do not count, and why; one line each.
    pub dropped: Vec<String>,
}

/// Runs the `selected` claims of a catalogue, appending to OUT/results.jsonl. Verdicts do not depend on what is
/// selected: the error probability is shared among the statistical claims of a suite, run or not.
pub fn run(
    workspace: &Workspace,
    catalogue: &Catalogue,
    selected: &[&Claim],
    tiers: &[Tier],
    fresh: bool,
) -> Result<Summary, Error> {
    let summary = run_in(workspace, catalogue, selected, tiers, fresh)?;
    summary.ok_or_else(|| Error::internal("the whole work gives a summary"))
}

/// The same, or a shard of the claims: then there is no summary yet.
pub fn run_in(
    workspace: &Workspace,
    catalogue: &Catalogue,
    selected: &[&Claim],
    tiers: &[Tier],
    fresh: bool,
) -> Result<Option<Summary>, Error> {
    workspace.make_folder(&workspace.out)?;
    let _lock = FolderLock::take(&workspace.out)?;
    let shards = &workspace.shards;
    let hashes: Vec<&str> = selected.iter().map(|claim| claim.hash.as_str()).collect();
    let claims = Input { name: "claims".to_owned(), sha256: elbow_impls::hash::sha256(hashes.join("\n").as_bytes()) };
    shards.of(&[claims], workspace.bar.as_ref())?;
    let path = workspace.out.join("results.jsonl");
    // Opened first: a row that lost its line's end is made again, not reused and lost.
    let mut ledger = Ledger::open(&path)?;
    let Recorded { rows: mut recorded, dropped } = recorded(&path, catalogue).map_err(|e| {
        Error::input(format!("{e:#}"), "move this file away, or choose another folder").mended_by(Remedy::Output)
    })?;
    let (mut rows, mut reused) = (Vec::new(), 0);
    // Other verdicts may change although nothing of the claim does.
    let is_final = |verdict| matches!(verdict, Verdict::Verified | Verdict::Consistent | Verdict::Refuted);
    let say = |index: usize, row: &Row| {
        let line = format!("{:>3}/{} {:<10} {}", index + 1, selected.len(), row.verdict, row.claim.title);
        workspace.bar.say(&line);
    };
    for (index, claim) in selected.iter().enumerate() {
        let context = claim.context(workspace, catalogue.confidence(claim));
        let content = content(&context, claim, catalogue.family(claim));
        let known = recorded.iter().rev().find(|row| row.claim.id == claim.id);
        // A row without a checksum may have been edited.
        let is_known = |row: &&Row| row.checksum.is_some() && is_final(row.verdict);
        let known = known.filter(|row| is_known(row) && content.as_ref().is_ok_and(|(key, _)| row.key == *key));
        let row = match known {
            Some(row) if !fresh && shards.is_whole() => {
                reused += 1;
                row.clone()
            }
            _ => {
                let key = content.as_ref().map_or(String::new(), |(key, _)| key.clone());
                let made = shards.unit("claims", index, || {
                    let row = examine(&context, claim, content, tiers).sealed();
                    if shards.is_part() {
                        ledger.append(&row)?;
                        say(index, &row);
                    }
                    Ok(row)
                })?;
                let Some(row) = made else { continue };
                check_inputs(&row, &key)?;
                ledger.append(&row)?;
                recorded.push(row.clone());
                row
            }
        };
        say(index, &row);
        rows.push(row);
    }
    Ok((!shards.is_part()).then_some(Summary { rows, reused, recorded, dropped }))
}

/// Refuses a row that a shard has made of other inputs than those that are here.
fn check_inputs(row: &Row, key: &str) -> Result<(), Error> {
    match row.key.is_empty() || row.key == key {
        true => Ok(()),
        false => {
            let what = format!("the row of {} was made of other inputs than those that are here", row.claim.id);
            Err(Error::input(what, "merge where the data are those of the shards"))
        }
    }
}

/// A content key with the inputs that are in it.
type Content = (String, Vec<Input>);

/// Hash of everything that shapes the row: versions of the subsystems, claim, inputs, seed, device, size of the family.
/// A claim with a missing input has none. The program is recorded but not in the key: a changed help text must not make
/// rows and trainings again.
fn content(context: &Context, claim: &Claim, family: usize) -> Result<Content, Error> {
    if let Some(fault) = claim.check.faults(context).into_iter().next() {
        return Err(fault);
    }
    let inputs = claim.check.inputs(context)?;
    let mut parts = vec![provenance::subsystems(), claim.hash.clone()];
    parts.push(format!("{} {} {family}", context.seed, context.device_name));
    parts.extend(inputs.iter().map(|input| format!("{} {}", input.name, input.sha256)));
    Ok((elbow_impls::hash::sha256(parts.join("\n").as_bytes()), inputs))
}

/// Checks one claim. Errors and panics become rows too.
fn examine(context: &Context, claim: &Claim, content: Result<Content, Error>, tiers: &[Tier]) -> Row {
    let clock = Instant::now();
    let mut row = unchecked(context, claim);
    if !tiers.contains(&claim.tier) {
        row.reason = Some(match claim.tier {
            Tier::Gpu => "needs a GPU: --device wgpu or cuda:0".to_owned(),
            Tier::Peers => "needs the programs to be compared with: just bench compare".to_owned(),
            tier => format!("tier {tier} was not asked for"),
        });
        return row;
    }
    let mut inputs = Vec::new();
    let outcome = content.and_then(|(key, known)| {
        (row.key, inputs) = (key, known);
        guarded(context, claim)
    });
    match outcome {
        Ok(outcome) => {
            inputs.extend(outcome.made.iter().cloned());
            fill_in(&mut row, outcome, claim, context.confidence);
        }
        Err(failure) => {
            row.key = String::new();
            row.verdict = if failure.kind == Kind::Internal { Verdict::Error } else { Verdict::Blocked };
            // One line, with what to do: a blocked claim waits for the user.
            let parts = [failure.what, failure.advice].into_iter().filter(|part| !part.is_empty());
            row.reason = Some(parts.map(|part| part.replace('\n', " ")).collect::<Vec<_>>().join("; "));
        }
    }
    row.provenance = provenance::block(context.seed, &context.device_name, claim.hash.clone(), inputs);
    row.seconds = clock.elapsed().as_secs_f64();
    readable(row)
}

/// The row of a claim before its check has run.
fn unchecked(context: &Context, claim: &Claim) -> Row {
    Row {
        schema: SCHEMA,
        claim: record::Claim {
            id: claim.id.clone(),
            title: claim.title.clone(),
            suite: claim.suite.clone(),
            tier: claim.tier.to_string(),
            source: claim.source.clone(),
            statement: claim.statement.clone(),
            expected: claim.expect.in_words(),
            why: claim.expect.why.clone(),
            analysis: claim.analysis.clone(),
            command: command(context, claim),
            about: Some(claim.about),
        },
        verdict: Verdict::NotRun,
        reason: None,
        measured: None,
        details: Vec::new(),
        figures: Vec::new(),
        seconds: 0.0,
        key: String::new(),
        provenance: provenance::block(context.seed, &context.device_name, claim.hash.clone(), Vec::new()),
        checksum: None,
    }
}

/// The command that makes the row again.
fn command(context: &Context, claim: &Claim) -> String {
    match (&claim.place, claim.tier) {
        (Some(place), _) => {
            let folder = place.given.display().to_string();
            let folder = if folder.contains(char::is_whitespace) { format!("'{folder}'") } else { folder };
            format!("elbow eval --claims {folder} {} --seed {}", claim.id, context.seed)
        }
        (None, Tier::Peers) => format!("cargo elbow eval {} --peers target/peers/bin/python", claim.id),
        (None, Tier::Slow) => format!("elbow eval {} --slow --seed {}", claim.id, context.seed),
        (None, Tier::Gpu) => format!("elbow eval {} --device cuda:0 --seed {}", claim.id, context.seed),
        (None, _) => format!("elbow eval {} --seed {}", claim.id, context.seed),
    }
}

/// Judges an outcome and writes it into its row. A number that is not finite decides nothing: the check broke.
fn fill_in(row: &mut Row, outcome: Outcome, claim: &Claim, confidence: f64) {
    let found = &outcome.measured;
    let numbers = [Some(found.value), found.standard_error];
    if let Some(bad) = numbers.into_iter().flatten().find(|number| !number.is_finite()) {
        let of = if found.value.is_finite() { "the standard error of " } else { "" };
        row.verdict = Verdict::Error;
        row.reason = Some(format!("{of}{} is {bad}: no number to judge", found.quantity));
        return;
    }
    let (verdict, interval) = judge(&outcome, &claim.expect, confidence);
    row.verdict = verdict;
    row.details = outcome.details;
    row.details.extend(interval.as_ref().and_then(|interval| power(&outcome.measured, interval)));
    row.figures = outcome.figures;
    row.measured = Some(Measured { interval, rivals: Some(outcome.rivals as u64), ..outcome.measured });
}

/// The row, or an error row in place of one that could not be read again: JSON has no NaN.
fn readable(row: Row) -> Row {
    let again = serde_json::to_string(&row).and_then(|line| serde_json::from_str::<Row>(&line));
    let Err(error) = again else { return row };
    let reason = Some(format!("a number of this row is no number: {error}"));
    Row { verdict: Verdict::Error, reason, measured: None, details: Vec::new(), figures: Vec::new(), ..row }
}

/// Probability with which a difference of [`power`]'s size is decided.
const POWER: f64 = 0.8;

/// The distance of the true number from the expectation's limit at which this check verifies it with probability
/// [`POWER`]: half of the interval and the 80 % quantile of the error beyond it.
fn power(found: &Measured, interval: &Interval) -> Option<Detail> {
    let beyond = student_interval(0.0, found.standard_error?, found.n, 2.0 * POWER - 1.0).1;
    let value = (interval.high - interval.low) / 2.0 + beyond;
    let name = format!("distance from the limit that verifies this number with probability {POWER}");
    value.is_finite().then(|| Detail { name, value, standard_error: None, unit: found.unit.clone() })
}

/// Runs the check; a panic in it is an error of this one claim.
fn guarded(context: &Context, claim: &Claim) -> Result<Outcome, Error> {
    let run = AssertUnwindSafe(|| claim.check.run(context));
    catch_unwind(run).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(Error::internal(format!("the check panicked: {}", text.unwrap_or_default())))
    })
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::bundled;
    use super::*;

    #[test]
    fn a_number_that_is_not_finite_is_an_error_row() {
        let workspace = Workspace::new("out".into(), Vec::new(), 0, "cpu", true, false).expect("a processor");
        let catalogue = bundled().expect("the bundled claims");
        let judged = |id: &str, value: f64, error: Option<f64>| {
            let claim = catalogue.iter().find(|claim| claim.id == id).expect("a bundled claim");
            let context = claim.context(&workspace, 0.95);
            let mut row = unchecked(&context, claim);
            let mut outcome = Outcome::exact("x", value, "1").over(100, "units");
            outcome.measured.standard_error = error;
            fill_in(&mut row, outcome, claim, 0.95);
            row
        };
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let row = judged("theorem-1", value, None);
            assert_eq!((row.verdict, row.measured), (Verdict::Error, None), "{value}");
        }
        for error in [f64::NAN, f64::INFINITY] {
            let row = judged("theorem-1", 0.0, Some(error));
            assert_eq!(row.verdict, Verdict::Error, "{error}");
            assert!(row.reason.expect("a reason").starts_with("the standard error of x is "));
        }
        assert_eq!(judged("theorem-1", 0.0, None).verdict, Verdict::Verified, "witness: a number is judged");
    }
}
