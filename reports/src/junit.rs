//! JUnit XML, which every CI system shows: a suite of claims is a test suite, a claim a test case.

use std::fmt::{self, Write};

use crate::format;
use crate::record::{Row, Verdict};
use crate::report::{self, Report, Suite};

/// The whole document.
pub fn render(report: &Report) -> Result<String, fmt::Error> {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let rows: Vec<&Row> = report.rows().collect();
    writeln!(xml, "<testsuites name=\"elbow\" {}>", totals(&rows))?;
    for suite in &report.suites {
        write_suite(&mut xml, suite)?;
    }
    xml.push_str("</testsuites>\n");
    Ok(xml)
}

fn write_suite(xml: &mut String, suite: &Suite) -> fmt::Result {
    let rows: Vec<&Row> = suite.entries.iter().map(|entry| entry.row).collect();
    writeln!(xml, "  <testsuite name=\"{}\" {}>", escape(suite.name), totals(&rows))?;
    for row in rows {
        writeln!(
            xml,
            "    <testcase classname=\"elbow.{}\" name=\"{}\" time=\"{:.3}\">",
            escape(suite.name),
            escape(&row.claim.id),
            row.seconds
        )?;
        if let Some(element) = element(row.verdict) {
            let reason = escape(&report::reason(row));
            let kind = row.verdict;
            match element {
                "skipped" => writeln!(xml, "      <skipped message=\"{kind}: {reason}\"/>")?,
                _ => writeln!(xml, "      <{element} type=\"{kind}\" message=\"{reason}\"/>")?,
            }
        }
        writeln!(xml, "      <system-out>{}</system-out>", escape(&account(row)))?;
        xml.push_str("    </testcase>\n");
    }
    xml.push_str("  </testsuite>\n");
    Ok(())
}

/// The element that marks a verdict; claims that stand have none.
fn element(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Verified | Verdict::Consistent => None,
        Verdict::Refuted => Some("failure"),
        Verdict::Error => Some("error"),
        Verdict::NotRun | Verdict::Blocked => Some("skipped"),
    }
}

fn totals(rows: &[&Row]) -> String {
    let count = |name| rows.iter().filter(|row| element(row.verdict) == Some(name)).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
        rows.len(),
        count("failure"),
        count("error"),
        count("skipped"),
        rows.iter().map(|row| row.seconds).sum::<f64>()
    )
}

/// Title, verdict, expectation and measurement, a line each.
fn account(row: &Row) -> String {
    let mut lines =
        vec![row.claim.title.clone(), format!("verdict: {}", row.verdict), format!("expected: {}", row.claim.expected)];
    if let Some(measured) = &row.measured {
        lines.push(format!(
            "measured: {} = {} (n = {} {})",
            measured.quantity,
            format::measured(measured),
            measured.n,
            measured.n_unit
        ));
        lines.extend(measured.interval.iter().map(|one| format!("interval: {}", format::interval(one))));
    }
    lines.push(format!("reproduce: {}", row.claim.command));
    lines.join("\n")
}

/// Escapes text for content and for attributes. Characters that XML forbids become `�`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' => escaped.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// Panics unless tags nest, attributes are quoted, and references are known. Returns the elements.
    fn check(xml: &str) -> Vec<String> {
        let mut rest = xml.split_once("?>").expect("a declaration").1;
        let (mut open, mut seen) = (Vec::new(), Vec::new());
        while let Some((text, after)) = rest.split_once('<') {
            check_text(text);
            let (tag, after) = after.split_once('>').expect("a closed tag");
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name));
                continue;
            }
            let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let name = tag.split(' ').next().expect("a name").to_string();
            let parts: Vec<&str> = tag.split('"').collect();
            assert_eq!(parts.len() % 2, 1, "unbalanced quotation marks: {tag}");
            parts.iter().for_each(|part| check_text(part));
            seen.push(name.clone());
            if !empty {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "left open: {open:?}");
        assert_eq!(rest.trim(), "");
        seen
    }

    fn check_text(text: &str) {
        for after in text.split('&').skip(1) {
            let known = ["lt;", "gt;", "amp;", "quot;"];
            assert!(known.iter().any(|name| after.starts_with(name)), "{text}");
        }
        assert!(text.chars().all(|c| c >= ' ' || c == '\n' || c == '\t'), "{text:?}");
    }

    #[test]
    fn verdicts_become_junit_elements() {
        let verdicts = [
            Verdict::Verified,
            Verdict::Consistent,
            Verdict::Refuted,
            Verdict::NotRun,
            Verdict::Blocked,
            Verdict::Error,
        ];
        let rows: Vec<Row> = verdicts
            .into_iter()
            .enumerate()
            .map(|(index, verdict)| sample::row(&format!("claim-{index}"), verdict))
            .collect();
        let xml = render(&Report::new(&rows).expect("valid rows")).expect("a string takes all");
        let seen = check(&xml);
        let count = |name: &str| seen.iter().filter(|element| *element == name).count();
        assert_eq!(count("testcase"), 6);
        assert_eq!((count("failure"), count("error"), count("skipped")), (1, 1, 2));
        assert!(xml.contains("tests=\"6\" failures=\"1\" errors=\"1\" skipped=\"2\""));
        assert!(xml.contains("<skipped message=\"blocked: "));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut row = sample::row("a", Verdict::Refuted);
        row.claim.id = "a\"/><x y='<&\u{1}".into();
        row.claim.title = "]]> <script>&nbsp;\u{0}\u{b}".into();
        row.reason = Some("\" injected=\"1\n\"".into());
        let rows = [row];
        let xml = render(&Report::new(&rows).expect("a valid row")).expect("a string takes all");
        let seen = check(&xml);
        assert_eq!(seen, ["testsuites", "testsuite", "testcase", "failure", "system-out"]);
        assert!(xml.contains("&lt;script&gt;&amp;nbsp;"));
    }
}
