//! `elbow eval`: run suites of claims and write the report.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::{Arg, Args, Command};
use elbow_base::{Error, Named};
use elbow_harness::claims::{self, Claim, Counts, SUITES, Tier};
use elbow_harness::report::render;
use elbow_harness::workspace::Workspace;
use elbow_reports::format::measured;
use elbow_reports::record::{About, Row};
use serde_json::json;

use crate::flags::{ShardFlags, shard};

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow eval all
  elbow eval theory weighting
  elbow eval theorem-1
  elbow eval all --tier quick                # under five minutes on two cores, for every push
  elbow eval all --slow --device cuda:0      # or wgpu: the slow tier and, on a GPU, the gpu tier
  elbow eval speed --peers target/peers/bin/python    # beside other programs
  elbow eval --claims claims                 # claims of your own, each folder a suite (docs/claims.md)
  elbow eval weighting --shard 1/4           # a quarter of the claims; then elbow merge
  elbow eval --list --json

Exit code 1 if a claim is refuted, 4 if a check broke, 3 if an input is missing. Three claims of
speed need the files of Fashion-MNIST. A second run reuses every row whose claim, inputs, seed and
device are unchanged, and the version of the code behind them. A row that was edited since it was
written, or whose verdict is not that of its number, is dropped with a message, and the claim is run again.")]
pub struct Arguments {
    /// Suites, or ids of claims; with --claims those of your own [default: all of them]
    #[arg(required_unless_present_any = ["claims", "list"], value_name = "SUITE", value_parser = ClaimNames)]
    names: Vec<String>,
    /// Claims of your own in place of the bundled ones: the TOML files of this folder and of the folders in it
    #[arg(long, value_name = "DIR", conflicts_with = "peers")]
    claims: Option<PathBuf>,
    /// Print the claims in place of running them
    #[arg(long, conflicts_with_all = ["tier", "slow", "peers", "fresh", "shard"])]
    list: bool,
    /// Run claims of this tier and of those before it: exact (no randomness), quick (for every push), fast, slow
    #[arg(long, value_name = "TIER", default_value = "fast", hide_possible_values = true, value_parser = tier())]
    tier: Tier,
    /// Also run claims that take long, as --tier slow
    #[arg(long, conflicts_with = "tier")]
    slow: bool,
    /// Also time other programs beside ours, run by this Python (`just bench compare` sets one up)
    #[arg(long, value_name = "PYTHON")]
    peers: Option<PathBuf>,
    /// Run everything again, whatever is recorded
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    pub shard: ShardFlags,
}

/// The exit code.
pub fn run(workspace: &mut Workspace, arguments: &Arguments) -> Result<u8, Error> {
    if workspace.devices.len() > 1 {
        let what = format!("--device {}: claims are checked on one device", workspace.device_name);
        return Err(Error::input(what, "name one; `elbow train` shares its steps among several"));
    }
    workspace.peers.clone_from(&arguments.peers);
    if let Some(missing) = arguments.peers.as_ref().filter(|python| !python.is_file()) {
        let what = format!("--peers {}: no Python there", missing.display());
        return Err(Error::environment(what, "run `just bench compare`, which makes one in target/peers"));
    }
    let catalogue = match &arguments.claims {
        Some(folder) => claims::own_claims(folder)?,
        None => claims::bundled()?,
    };
    let names = if arguments.names.is_empty() { &[claims::ALL.to_owned()] } else { arguments.names.as_slice() };
    let selected = catalogue.select(names)?;
    if arguments.list {
        return list(workspace, &selected);
    }
    let mut tiers = if arguments.slow { Tier::Slow } else { arguments.tier }.and_cheaper();
    if workspace.device_name != "cpu" {
        tiers.push(Tier::Gpu);
    }
    if workspace.peers.is_some() {
        tiers.push(Tier::Peers);
    }
    if let Some(folder) = workspace.shards.folder() {
        // A process writes a folder alone: what a shard trains is in its own.
        workspace.out = folder;
    }
    let summary = claims::run_in(workspace, &catalogue, &selected, &tiers, arguments.fresh)?;
    let Some(summary) = summary else { return shard::finish(workspace) };
    // The report shows every recorded claim, not only those of this call; that of a folder, all claims of the folder.
    let path = workspace.out.join("results.jsonl");
    let is_shown = |row: &&Row| arguments.claims.is_none() || catalogue.iter().any(|claim| claim.id == row.claim.id);
    let shown: Vec<Row> = summary.recorded.iter().filter(is_shown).cloned().collect();
    let rendered = render(workspace, &shown)?;

    let counts = Counts::of(&summary.rows);
    let Counts { verified, consistent, refuted, not_run, blocked, error } = counts;
    let by_subject = Counts::by_subject(&summary.rows);
    let result = json!({
        "claims": summary.rows.iter().map(|row| json!({
            "id": row.claim.id, "suite": row.claim.suite, "title": row.claim.title, "verdict": row.verdict,
            "expected": row.claim.expected, "measured": row.measured, "reason": row.reason, "seconds": row.seconds,
            "about": row.claim.about,
        })).collect::<Vec<_>>(),
        "verified": verified, "consistent": consistent, "refuted": refuted, "not_run": not_run,
        "blocked": blocked, "error": error, "about": by_subject, "reused": summary.reused,
        "dropped": summary.dropped,
        "results": path, "report": rendered.html,
    });
    workspace.print(&result, || {
        let reused = if summary.reused > 0 { format!("; {} reused, unchanged", summary.reused) } else { String::new() };
        let dropped: String =
            summary.dropped.iter().map(|row| format!("left out of {}: {row}\n", path.display())).collect();
        let total = summary.rows.len();
        let claims = if total == 1 { "claim" } else { "claims" };
        // Claims of papers and of elbow itself are counted apart.
        let apart = by_subject.iter().filter(|_| by_subject.len() > 1);
        let apart: String = apart.map(|(about, counts)| format!("  {about}: {counts}\n")).collect();
        format!(
            "{dropped}{}\n{total} {claims}: {counts}{reused}\n{apart}report: {}",
            table(&summary.rows),
            rendered.html.display()
        )
    })?;
    let code = match [refuted, error, blocked].map(|count| count > 0) {
        [true, _, _] => 1,
        [_, true, _] => 4,
        [_, _, true] => 3,
        _ => 0,
    };
    Ok(code)
}

/// The tiers that differ in time alone.
fn tier() -> impl TypedValueParser<Value = Tier> {
    let is_of_time = |name: &&str| name.parse::<Tier>().is_ok_and(|tier| Tier::BY_TIME.contains(&tier));
    PossibleValuesParser::new(Tier::NAMES.iter().copied().filter(is_of_time)).try_map(|name| name.parse())
}

/// Prints claims without running them.
fn list(workspace: &Workspace, claims: &[&Claim]) -> Result<u8, Error> {
    let rows = claims.iter().map(|claim| {
        json!({
            "id": claim.id, "suite": claim.suite, "tier": claim.tier.to_string(), "about": claim.about,
            "title": claim.title, "source": claim.source,
        })
    });
    let mut counts: BTreeMap<About, usize> = BTreeMap::new();
    claims.iter().for_each(|claim| *counts.entry(claim.about).or_default() += 1);
    workspace.print(&json!({ "claims": rows.collect::<Vec<_>>(), "about": counts }), || {
        let width = |name: fn(&Claim) -> &str| claims.iter().map(|claim| name(claim).len()).max().unwrap_or(0);
        let (suites, ids) = (width(|claim| &claim.suite), width(|claim| &claim.id));
        let line = |claim: &&Claim| {
            let Claim { suite, id, about, title, .. } = claim;
            let tier = claim.tier.to_string();
            format!("{suite:suites$}  {tier:5}  {about:15}  {id:ids$}  {title}\n")
        };
        let lines: String = claims.iter().map(line).collect();
        let counts: Vec<String> = counts.iter().map(|(about, count)| format!("{count} {about}")).collect();
        let word = if claims.len() == 1 { "claim" } else { "claims" };
        format!("{lines}{} {word}: {}", claims.len(), counts.join(", "))
    })?;
    Ok(0)
}

/// Names of suites and claims: the help lists the suites, and [`claims::Catalogue::select`] knows the claims.
#[derive(Clone)]
struct ClaimNames;

impl TypedValueParser for ClaimNames {
    type Value = String;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(cmd, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new([claims::ALL].into_iter().chain(SUITES).map(PossibleValue::new)))
    }
}

/// The verdicts for a terminal.
fn table(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let found = match (&row.measured, &row.reason) {
            (Some(m), _) => measured(m),
            (None, Some(reason)) => reason.clone(),
            (None, None) => String::new(),
        };
        format!(
            "{:<11} {:<10} {}\n{:22} expected {}; found {found}",
            row.claim.suite, row.verdict, row.claim.title, "", row.claim.expected
        )
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
