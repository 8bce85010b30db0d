//! The report as one HTML file that needs no other file and no network.
//!
//! Everything can be read without a script; `page.js` adds the filter, the order of tables, and links that open what they lead to.

mod claim;
mod run;
#[cfg(test)]
mod tests;

use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;

use self::claim::{ClaimView, Heading, heading, view_claim};
use crate::changes::{Change, Changes};
use crate::documents;
use crate::figure::DrawnFigure;
use crate::format;
use crate::models::{self, Column, Model, Study};
use crate::palette;
use crate::record::{About, Row, Verdict};
use crate::report::{self, Counts, Report, Suite};
use crate::statements::{self, Finding};
use crate::undecided;

/// The templates: the page, and the parts that it includes.
const TEMPLATES: [(&str, &str); 4] = [
    ("page.html", include_str!("page.html")),
    ("found.html", include_str!("found.html")),
    ("verdicts.html", include_str!("verdicts.html")),
    ("parts.html", include_str!("parts.html")),
];

/// The values that the template is filled with.
#[derive(Serialize)]
struct Page<'a> {
    style: &'static str,
    script: &'static str,
    /// Colours of figures, as CSS declarations.
    light: String,
    dark: String,
    summary: String,
    /// Programs, machines, times: a name and what is said of it.
    run: Vec<(&'static str, String)>,
    /// The verdicts that occur.
    chips: Vec<Chip>,
    /// The verdicts apart by what claims are about.
    subjects: Vec<SubjectView>,
    findings: Vec<FindingView<'a>>,
    /// Suites that no statement speaks of.
    others: Vec<OtherView<'a>>,
    changes: Option<ChangesView<'a>>,
    columns: Vec<&'static str>,
    studies: Vec<StudyView<'a>>,
    undecided: Vec<OpenView<'a>>,
    suites: Vec<SuiteView<'a>>,
    documents: Vec<String>,
}

/// Claims that are about one thing.
#[derive(Serialize)]
struct SubjectView {
    /// The name of the choice in the filter.
    name: &'static str,
    title: String,
    chips: Vec<Chip>,
}

#[derive(Serialize)]
struct FindingView<'a> {
    title: &'a str,
    source: &'a str,
    verdict: Chip,
    sentence: String,
    claims: Vec<Heading<'a>>,
    /// The command that runs what has no row.
    command: Option<String>,
    figures: Vec<&'a DrawnFigure>,
}

/// A suite that no statement speaks of: its verdicts in a sentence, and the user's own claims with their numbers.
#[derive(Serialize)]
struct OtherView<'a> {
    title: &'a str,
    sentence: String,
    claims: Vec<(Heading<'a>, String)>,
}

#[derive(Serialize)]
struct ChangesView<'a> {
    summary: String,
    /// Claim, earlier, now, distance.
    lines: Vec<ChangeView<'a>>,
}

#[derive(Serialize)]
struct ChangeView<'a> {
    title: &'a str,
    /// The place of the claim; none for a claim of the earlier run alone.
    anchor: Option<&'a str>,
    what: &'static str,
    earlier: String,
    now: String,
    distance: &'a str,
}

#[derive(Serialize)]
struct StudyView<'a> {
    title: &'a str,
    anchor: &'a str,
    models: Vec<(&'a str, Vec<String>)>,
}

#[derive(Serialize)]
struct OpenView<'a> {
    verdict: Chip,
    why: String,
    claims: Vec<Heading<'a>>,
    /// What runs them again.
    commands: Vec<&'a str>,
}

#[derive(Serialize)]
struct SuiteView<'a> {
    name: &'a str,
    title: &'a str,
    chips: Vec<Chip>,
    claims: Vec<ClaimView<'a>>,
}

/// A verdict as it is shown: a colour, a sign and a word.
#[derive(Serialize)]
struct Chip {
    class: &'static str,
    sign: &'static str,
    word: String,
    count: usize,
}

/// The whole page.
pub fn render(report: &Report, changes: Option<&Changes>) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    for (name, text) in TEMPLATES {
        // The name decides that values are escaped.
        environment.add_template(name, text)?;
    }
    let findings = statements::findings(report);
    let shown: Vec<&str> = findings.iter().flat_map(|found| &found.figures).map(|figure| figure.id.as_str()).collect();
    let studies = models::studies(report);
    let columns = models::columns(&studies);
    let page = Page {
        style: include_str!("style.css"),
        script: include_str!("page.js"),
        light: palette::declarations(false),
        dark: palette::declarations(true),
        summary: report.summary(),
        run: run::facts(report),
        chips: chips(report.counts()),
        subjects: view_subjects(report),
        others: others(report, &findings),
        findings: findings.iter().map(view_finding).collect(),
        changes: changes.map(|changes| view_changes(changes, report)),
        columns: columns.iter().map(|column| column.title()).collect(),
        studies: view_studies(studies, &columns),
        undecided: undecided::open(report).into_iter().map(view_open).collect(),
        suites: report.suites.iter().map(|suite| view_suite(suite, &shown)).collect(),
        documents: documents::shared(report.rows().map(|row| row.claim.source.as_str())),
    };
    environment.get_template("page.html")?.render(Serde(&page))
}

/// The suites without a claim in any statement.
fn others<'a>(report: &'a Report, findings: &[Finding]) -> Vec<OtherView<'a>> {
    let found = || findings.iter().flat_map(|found| &found.claims).map(|entry| entry.row.claim.suite.as_str());
    let silent = report.suites.iter().filter(|suite| !found().any(|spoken| spoken == suite.name));
    let view = |suite: &'a Suite| {
        let total = suite.entries.len();
        let claims = format::counted(total as u64, "claims");
        let counts: Vec<String> = suite.counts().iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        let own = suite.entries.iter().filter(|entry| entry.row.claim.about == Some(About::Own));
        let number = |row: &Row| row.measured.as_ref().map_or_else(|| report::reason(row), format::measured);
        OtherView {
            title: &suite.title,
            sentence: format!("{total} {claims}: {}.", counts.join(", ")),
            claims: own.map(|entry| (heading(entry), number(entry.row))).collect(),
        }
    };
    silent.map(view).collect()
}

fn view_finding<'a>(found: &Finding<'a>) -> FindingView<'a> {
    FindingView {
        title: found.title,
        source: found.source,
        verdict: chip(found.verdict, 1),
        sentence: found.sentence.clone(),
        claims: found.claims.iter().map(|entry| heading(entry)).collect(),
        command: (!found.absent.is_empty()).then(|| format!("elbow eval {}", found.absent.join(" "))),
        figures: found.figures.clone(),
    }
}

fn view_changes<'a>(changes: &'a Changes, report: &'a Report) -> ChangesView<'a> {
    let anchor = |row: &Row| report.entries().find(|entry| entry.row == row).map(|entry| entry.anchor.as_str());
    let number = |row: &Row| row.measured.as_ref().map_or_else(|| "–".to_owned(), format::measured);
    let view = |what, change: &'a Change, text: &dyn Fn(&Row) -> String| ChangeView {
        title: &change.now.claim.title,
        anchor: anchor(change.now),
        what,
        earlier: text(change.earlier),
        now: text(change.now),
        distance: &change.distance,
    };
    let verdict = |row: &Row| row.verdict.to_string();
    let alone = |what, row: &'a Row, now: bool| {
        let (earlier, now) = if now { (String::new(), verdict(row)) } else { (verdict(row), String::new()) };
        ChangeView { title: &row.claim.title, anchor: anchor(row), what, earlier, now, distance: "" }
    };
    let lines = changes.verdicts.iter().map(|change| view("verdict", change, &verdict));
    let lines = lines.chain(changes.numbers.iter().map(|change| view("number", change, &number)));
    let lines = lines.chain(changes.new.iter().map(|row| alone("new", row, true)));
    let lines = lines.chain(changes.gone.iter().map(|row| alone("gone", row, false))).collect();
    ChangesView { summary: changes.summary(), lines }
}

fn view_studies<'a>(studies: Vec<Study<'a>>, columns: &[Column]) -> Vec<StudyView<'a>> {
    let view = |study: Study<'a>| {
        let cells = |model: Model<'a>| {
            let cell = |column: &Column| model.cells[*column as usize].clone().unwrap_or_else(|| "–".to_owned());
            (model.name, columns.iter().map(cell).collect())
        };
        StudyView { title: study.title, anchor: study.anchor, models: study.models.into_iter().map(cells).collect() }
    };
    studies.into_iter().map(view).collect()
}

fn view_open(open: undecided::Open<'_>) -> OpenView<'_> {
    let mut commands: Vec<&str> = open.claims.iter().map(|entry| entry.row.claim.command.as_str()).collect();
    commands.dedup();
    OpenView {
        verdict: chip(open.verdict, 1),
        why: open.why,
        claims: open.claims.into_iter().map(heading).collect(),
        commands,
    }
}

fn view_suite<'a>(suite: &'a Suite, shown: &[&str]) -> SuiteView<'a> {
    SuiteView {
        name: suite.name,
        title: &suite.title,
        chips: chips(suite.counts()),
        claims: suite.entries.iter().map(|entry| view_claim(entry, shown)).collect(),
    }
}

fn view_subjects(report: &Report) -> Vec<SubjectView> {
    let all = report.counts_apart();
    let title = |about: Option<About>| match about {
        Some(about) => format!("Claims {about}"),
        None if all.len() == 1 => "Claims".to_owned(),
        None => "Claims of older rows".to_owned(),
    };
    let view = |(about, counts): &(Option<About>, Counts)| SubjectView {
        name: subject(*about),
        title: title(*about),
        chips: chips(counts.clone()),
    };
    all.iter().map(view).collect()
}

/// What a claim is about, as the filter names it.
fn subject(about: Option<About>) -> &'static str {
    match about {
        Some(About::Paper) => "paper",
        Some(About::Elbow) => "elbow",
        Some(About::Own) => "own",
        None => "older",
    }
}

fn chips(counts: Counts) -> Vec<Chip> {
    counts.into_iter().map(|(verdict, count)| chip(verdict, count)).collect()
}

fn chip(verdict: Verdict, count: usize) -> Chip {
    let (class, sign) = match verdict {
        Verdict::Verified => ("verified", "✓"),
        Verdict::Consistent => ("consistent", "≈"),
        Verdict::Refuted => ("refuted", "✗"),
        Verdict::NotRun => ("not-run", "–"),
        Verdict::Blocked => ("blocked", "◇"),
        Verdict::Error => ("error", "!"),
    };
    Chip { class, sign, word: verdict.to_string(), count }
}
