//! The claims of a folder: one sub-folder per suite, one file per claim.

use elbow_base::{Error, nearest};
use elbow_reports::record::About;
use include_dir::{Dir, include_dir};

use super::check;
use super::claim::Claim;
use super::claim_file::{self, Heading};
use super::judge::confidence;

/// The bundled suites, in the order of the report. Suites of other names come after them.
pub const SUITES: [&str; 7] = ["theory", "weighting", "likelihood", "sampling", "fid", "text", "speed"];

/// The name that selects every claim.
pub const ALL: &str = "all";

/// The folders of the bundled suites by what their claims are about. A suite may lie in both.
const FOLDERS: [(&str, About); 2] = [("papers", About::Paper), ("elbow", About::Elbow)];

static BUNDLED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../claims");

/// A claim file: its path, `FOLDER/SUITE/ID.toml`, and its bytes.
#[derive(Clone, Copy)]
pub struct ClaimFile<'a> {
    /// What the claims of the folder are about.
    pub about: About,
    /// The name of the suite's folder.
    pub suite: &'a str,
    /// The file's name without `.toml`.
    pub id: &'a str,
    /// The file's bytes.
    pub contents: &'a [u8],
}

/// Claims by suite, and by id within a suite.
pub struct Catalogue(Vec<Claim>);

/// The claims that are part of this program.
pub fn bundled() -> Result<Catalogue, Error> {
    Catalogue::load(bundled_files())
}

fn bundled_files<'a>() -> impl Iterator<Item = ClaimFile<'a>> {
    FOLDERS.into_iter().flat_map(|(folder, about)| {
        let suites = BUNDLED.get_dir(folder).into_iter().flat_map(|folder| folder.dirs());
        suites.flat_map(|suite| suite.files()).filter_map(move |file| {
            let path = file.path();
            let is_claim = path.extension().is_some_and(|extension| extension == "toml");
            let (suite, id) = (path.parent()?.file_name()?.to_str()?, path.file_stem()?.to_str()?);
            is_claim.then_some(ClaimFile { about, suite, id, contents: file.contents() })
        })
    })
}

impl Catalogue {
    /// Parses claim files; a claim whose file lies elsewhere than its suite and id say is an error.
    pub fn load<'a>(files: impl IntoIterator<Item = ClaimFile<'a>>) -> Result<Self, Error> {
        Ok(Self::new(files.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?))
    }

    /// A catalogue of claims that are read already, or made in Rust.
    pub fn new(mut claims: Vec<Claim>) -> Self {
        claims.sort_by_cached_key(|claim| (place(&claim.suite), claim.suite.clone(), claim.id.clone()));
        Self(claims)
    }

    /// Every claim.
    pub fn iter(&self) -> impl Iterator<Item = &Claim> {
        self.0.iter()
    }

    /// The names of the suites, in the order of the claims.
    pub fn suites(&self) -> Vec<&str> {
        let mut suites: Vec<&str> = self.iter().map(|claim| claim.suite.as_str()).collect();
        suites.dedup();
        suites
    }

    /// Number of claims that share the error probability of this one: the statistical claims of its suite, run or not.
    /// A claim that is not statistical shares with no other.
    pub fn family(&self, claim: &Claim) -> usize {
        let shares = |other: &&Claim| other.suite == claim.suite && other.check.is_statistical();
        if claim.check.is_statistical() { self.iter().filter(shares).count() } else { 1 }
    }

    /// The coverage of the interval that judges a claim.
    pub fn confidence(&self, claim: &Claim) -> f64 {
        confidence(self.family(claim))
    }

    /// The claims with these names: `all`, suites or ids. Each claim occurs once.
    pub fn select(&self, names: &[String]) -> Result<Vec<&Claim>, Error> {
        let is_named = |claim: &Claim, name: &str| name == ALL || name == claim.suite || name == claim.id;
        for name in names.iter().filter(|name| *name != ALL) {
            if !self.iter().any(|claim| is_named(claim, name)) {
                let ids = self.iter().map(|claim| claim.id.as_str());
                let known: Vec<String> = [ALL].into_iter().chain(self.suites()).chain(ids).map(str::to_owned).collect();
                if name.ends_with(".toml") || name.contains(['/', '\\']) {
                    let what = format!("{name}: eval takes names of claims and suites, not files");
                    let fix = "name a folder of claims of your own with --claims DIR";
                    return Err(Error::input(what, fix));
                }
                let fix = nearest(name, &known)
                    .map_or("see `elbow eval --help`".into(), |near| format!("did you mean {near}?"));
                return Err(Error::input(format!("no suite and no claim is called {name:?}"), fix));
            }
        }
        Ok(self.iter().filter(|claim| names.iter().any(|name| is_named(claim, name))).collect())
    }
}

/// Position of a suite in the report.
fn place(suite: &str) -> usize {
    SUITES.iter().position(|known| *known == suite).unwrap_or(SUITES.len())
}

fn parse(file: ClaimFile) -> Result<Claim, Error> {
    let ClaimFile { about, suite, id, contents } = file;
    let name = format!("claim {suite}/{id}.toml");
    let bad = |what: String| Error::input(format!("{name}: {what}"), "correct the claim file");
    let text = std::str::from_utf8(contents).map_err(|e| bad(e.to_string()))?;
    let read = claim_file::parse(&name, text, &check::BUNDLED);
    let read = read.map_err(|mistakes| mistakes.into_iter().next().unwrap_or_else(|| bad("unreadable".into())))?;
    let Heading { id: written_id, suite: written_suite, .. } = &read.heading;
    if (Some(suite), Some(id)) != (written_suite.as_deref(), written_id.as_deref()) {
        let written = |name: &Option<String>| name.clone().unwrap_or_default();
        let (written_suite, written_id) = (written(written_suite), written(written_id));
        return Err(bad(format!("its place says otherwise than suite {written_suite:?}, id {written_id:?}")));
    }
    Ok(read.into_claim(suite, id, contents, about, None))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn bundle() -> Catalogue {
        bundled().expect("the bundled claims")
    }

    /// A bundled claim's file, changed.
    fn edited(id: &str, from: &str, to: &str) -> String {
        let file = bundled_files().find(|file| file.id == id).expect("a bundled claim");
        let text = std::str::from_utf8(file.contents).expect("UTF-8");
        assert!(text.contains(from), "{id} has no {from}");
        text.replacen(from, to, 1)
    }

    /// The error message for the claim `sampling/more-steps`, changed.
    fn refusal(from: &str, to: &str) -> String {
        let text = edited("more-steps", from, to);
        let file = ClaimFile { about: About::Paper, suite: "sampling", id: "more-steps", contents: text.as_bytes() };
        let failure = Catalogue::load([file]).err().expect("a refused claim");
        format!("{}; {}", failure.what, failure.advice)
    }

    #[test]
    fn each_registered_check_is_used_and_each_suite_has_a_place() {
        let claims = bundle();
        assert!(claims.iter().count() >= 135);
        assert_eq!(claims.suites(), SUITES);
        let used: BTreeSet<String> = bundled_files()
            .map(|file| {
                let table: toml::Table = toml::from_slice(file.contents).expect("TOML");
                table["protocol"]["check"].as_str().expect("a name").to_owned()
            })
            .collect();
        assert_eq!(used, check::BUNDLED.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn claims_whose_source_is_no_paper_are_about_elbow_itself() {
        for claim in bundle().iter() {
            let is_ours = ["Ours", "measured here"].iter().any(|start| claim.source.starts_with(start));
            assert!(!is_ours || claim.about == About::Elbow, "{}", claim.id);
        }
        let about = |about| bundle().iter().filter(|claim| claim.about == about).count();
        assert_eq!((about(About::Paper), about(About::Elbow), about(About::Own)), (108, 51, 0));
    }

    #[test]
    fn another_statistical_claim_leaves_other_suites_as_they_were() {
        let before = bundle();
        let text = edited("more-steps", "id = \"more-steps\"", "id = \"one-more\"");
        let more = ClaimFile { about: About::Paper, suite: "sampling", id: "one-more", contents: text.as_bytes() };
        let after = Catalogue::load(bundled_files().chain([more])).expect("one claim more");
        let mut wider = 0;
        for claim in before.iter() {
            let (old, new) = (before.confidence(claim), after.confidence(claim));
            if claim.suite == "sampling" && claim.check.is_statistical() {
                assert!(new > old, "{}", claim.id);
                wider += 1;
            } else {
                assert_eq!(new, old, "{}", claim.id);
            }
        }
        assert!(wider >= 2, "witness: the family of the suite itself grows");
    }

    #[test]
    fn unknown_names_and_places_are_refused() {
        let unknown = refusal("check = \"samplers\"", "check = \"sampler\"");
        assert!(unknown.contains("unknown check \"sampler\"; did you mean \"samplers\"?"), "{unknown}");
        let parameter = refusal("check = \"samplers\"", "check = \"samplers\"\nstepz = 3");
        assert!(parameter.contains("stepz"), "{parameter}");
        let nameless = refusal("check = \"samplers\"", "");
        assert!(nameless.contains("check = \"NAME\""), "{nameless}");
        let place = refusal("suite = \"sampling\"", "suite = \"fid\"");
        assert!(place.contains("its place says otherwise"), "{place}");
    }

    #[test]
    fn names_select_suites_and_claims() {
        let claims = bundle();
        let ids = |names: &[&str]| -> Result<Vec<String>, Error> {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            Ok(claims.select(&names)?.iter().map(|claim| claim.id.clone()).collect())
        };
        assert_eq!(ids(&["all"]).expect("all").len(), claims.iter().count());
        let text = ids(&["text", "text", "zero-shot"]).expect("a suite");
        assert_eq!(
            text,
            ["block-sizes", "frontiers", "frontiers-long", "nucleus-entropy", "text-learns", "time-law", "zero-shot"]
        );
        let failure = ids(&["zero-shott"]).expect_err("no such claim");
        assert_eq!(failure.advice, "did you mean zero-shot?");
    }
}
