use super::render;
use crate::record::{About, Panel, Row, Verdict};
use crate::report::Report;
use crate::{changes, example_rows};

fn page(rows: &[Row]) -> String {
    render(&Report::new(rows).expect("valid rows"), None).expect("a valid template")
}

#[test]
fn text_of_rows_never_becomes_markup() {
    let evil = "<script>alert(1)</script>\"'&";
    let mut row = example_rows::row("a", Verdict::Error);
    let (claim, figure) = (&mut row.claim, &mut row.figures[0]);
    for field in [
        &mut claim.id,
        &mut claim.title,
        &mut claim.suite,
        &mut claim.source,
        &mut claim.statement,
        &mut claim.expected,
        &mut claim.why,
        &mut claim.analysis,
        &mut claim.command,
        &mut row.key,
        &mut row.provenance.device,
        &mut figure.title,
        &mut figure.caption,
    ] {
        *field = evil.into();
    }
    row.reason = Some(evil.into());
    row.provenance.machine = Some(evil.into());
    row.measured.as_mut().expect("a number").quantity = evil.into();
    for panel in &mut row.figures[0].panels {
        match panel {
            Panel::Plot { title, x, series, .. } => {
                *title = evil.into();
                x.label = evil.into();
                series[0].label = evil.into();
            }
            Panel::Images { title, row_labels, .. } => {
                *title = evil.into();
                *row_labels = vec![evil.into(); 2];
            }
            Panel::Table { title, header, rows } => {
                *title = evil.into();
                header[0] = evil.into();
                rows[0][0] = evil.into();
            }
        }
    }
    let rows = [row];
    let report = Report::new(&rows).expect("a valid row");
    let changes = changes::between(&[], &rows);
    let page = render(&report, Some(&changes)).expect("a valid template");
    assert_eq!(page.matches("<script").count(), 1, "markup came through: the page has one script, its own");
    assert!(page.contains(&format!("<script>\n{}\n</script>", include_str!("page.js"))));
    assert!(!page.contains("\"'&\""), "an attribute was left");
    assert!(page.matches("&lt;script&gt;").count() >= 20);
}

#[test]
fn a_page_needs_nothing_else_and_every_link_has_its_target() {
    let mut theorem = example_rows::row("theorem-1", Verdict::Verified);
    theorem.figures[0].id = "cascade".into();
    let rows = [theorem, example_rows::row("b", Verdict::NotRun)];
    let page = page(&rows);
    for outside in ["http-equiv", "<link", "<script src", "src=\"http", "url(http", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let targets: Vec<&str> = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(targets.len() >= 8, "{targets:?}");
    for target in targets {
        assert_eq!(page.matches(&format!("id=\"{target}\"")).count(), 1, "{target}");
    }
}

#[test]
fn each_figure_is_drawn_once_with_its_numbers() {
    let mut theorem = example_rows::row("theorem-1", Verdict::Verified);
    theorem.figures[0].id = "cascade".into();
    let page = page(&[theorem, example_rows::row("b", Verdict::Verified)]);
    for id in ["figure-cascade", "figure-figure-b"] {
        assert_eq!(page.matches(&format!("<figure id=\"{id}\">")).count(), 1, "{id}");
    }
    // The first stands with its statement, and its claim leads there.
    assert!(page.contains("<a href=\"#figure-cascade\">A figure</a>"));
    for name in ["cascade-1.csv", "cascade-3.csv", "figure-b-1.csv"] {
        assert_eq!(page.matches(&format!("download=\"{name}\"")).count(), 1, "{name}");
    }
}

#[test]
fn claims_of_one_id_in_two_suites_have_places_of_their_own() {
    let mut other = example_rows::row("a", Verdict::Refuted);
    (other.claim.suite, other.figures[0].id) = ("mine".into(), "other".into());
    let page = page(&[example_rows::row("a", Verdict::Verified), other]);
    for id in ["theory.a", "mine.a"] {
        assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
    }
}

#[test]
fn a_claim_that_was_not_run_has_its_reason_and_command_beside_it() {
    let mut row = example_rows::row("a", Verdict::NotRun);
    (row.measured, row.reason) = (None, Some("needs a GPU".into()));
    let page = page(&[row]);
    let cell = page.split("data-label=\"Verdict\"").nth(1).and_then(|rest| rest.split("</td>").next()).expect("a cell");
    assert!(cell.contains("<small>needs a GPU</small><code>elbow run a</code>"), "{cell}");
}

#[test]
fn claims_of_papers_and_of_elbow_itself_are_counted_apart() {
    let about = |id: &str, verdict, about| {
        let mut row = example_rows::row(id, verdict);
        row.claim.about = about;
        row
    };
    let rows = [
        about("a", Verdict::Verified, Some(About::Paper)),
        about("b", Verdict::Refuted, Some(About::Paper)),
        about("c", Verdict::Verified, Some(About::Elbow)),
    ];
    let page = page(&rows);
    let counts = |title: &str| {
        let part =
            page.split(&format!(">{title}</p>")).nth(1).and_then(|rest| rest.split("</ul>").next()).expect(title);
        part.matches("<b>1</b>").count()
    };
    assert_eq!((counts("Claims of papers"), counts("Claims of elbow itself")), (2, 1));
    assert!(page.contains("<option value=\"paper\">claims of papers</option>"));
    let old = [about("a", Verdict::Verified, None)];
    let old = render(&Report::new(&old).expect("a valid row"), None).expect("a valid template");
    assert!(old.contains(">Claims</p>") && !old.contains("name=\"about\""));
}

#[test]
fn claims_of_the_users_own_are_listed_with_their_numbers() {
    let mut row = example_rows::row("a", Verdict::Refuted);
    (row.claim.suite, row.claim.about) = ("my-model".into(), Some(About::Own));
    let page = page(&[row]);
    let found =
        page.split("What was found</h2>").nth(1).and_then(|rest| rest.split("</section>").next()).expect("a part");
    assert!(found.contains("<b>my-model</b>: 1 claim: 1 refuted."), "{found}");
    assert!(found.contains("<a href=\"#a\">Title of a</a>: 1.3052 ± 0.0012 nats"), "{found}");
    assert!(!found.contains("Theorem 1"), "no statement of a paper");
}

#[test]
fn an_empty_report_says_so() {
    assert!(page(&[]).contains("no claims"));
}
