//! The verdict table in Markdown, for code forges and terminals.

use crate::changes::Changes;
use crate::format;
use crate::record::{Row, Verdict};
use crate::report::{self, Report};

/// The whole document.
pub fn render(report: &Report, changes: Option<&Changes>) -> String {
    let mut text = format!("# elbow report\n\n{}.\n", report.summary());
    let apart = report.counts_apart();
    for (about, counts) in apart.iter().filter(|_| apart.len() > 1) {
        let counts: Vec<String> = counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        let subject = about.map_or_else(|| "without a subject".to_owned(), |about| about.to_string());
        text.push_str(&format!("\nClaims {subject}: {}.\n", counts.join(", ")));
    }
    for program in report.programs() {
        text.push_str(&format!("\nMade by elbow {}.\n", cell(&program)));
    }
    if let Some(changes) = changes {
        text.push_str(&since(changes));
    }
    if report.suites.is_empty() {
        return text;
    }
    text.push_str("\n| Claim | Suite | Source | Expected | Measured | Verdict |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for row in report.rows() {
        let claim = &row.claim;
        let cells =
            [&claim.title, &claim.suite, &claim.source, &claim.expected, &measured(row), &row.verdict.to_string()];
        text.push_str(&format!("| {} |\n", cells.map(|text| cell(text)).join(" | ")));
    }
    for (verdict, heading) in [(Verdict::Refuted, "Refuted"), (Verdict::Error, "Errors"), (Verdict::Blocked, "Blocked")]
    {
        let rows: Vec<&Row> = report.rows().filter(|row| row.verdict == verdict).collect();
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!("\n## {heading}\n\n"));
        for row in rows {
            let (title, id) = (cell(&row.claim.title), cell(&row.claim.id));
            let reason = cell(&report::reason(row));
            text.push_str(&format!("- **{title}** ({id}): {reason}\n"));
        }
    }
    text
}

/// What has changed since an earlier run.
fn since(changes: &Changes) -> String {
    let mut text = format!("\n## Since the earlier run\n\n{}.\n", changes.summary());
    let mut lines: Vec<String> = Vec::new();
    for change in &changes.verdicts {
        lines.push(format!("{}: {}, was {}", change.now.claim.id, change.now.verdict, change.earlier.verdict));
    }
    for change in &changes.numbers {
        let [earlier, now] = [change.earlier, change.now].map(measured);
        lines.push(format!("{}: {now}, was {earlier}: {}", change.now.claim.id, change.distance));
    }
    lines.extend(changes.new.iter().map(|row| format!("{}: new, {}", row.claim.id, row.verdict)));
    lines.extend(changes.gone.iter().map(|row| format!("{}: gone, was {}", row.claim.id, row.verdict)));
    if !lines.is_empty() {
        text.push('\n');
    }
    for line in lines {
        text.push_str(&format!("- {}\n", cell(&line)));
    }
    text
}

fn measured(row: &Row) -> String {
    match &row.measured {
        Some(measured) => {
            let unit = format::counted(measured.n, &measured.n_unit);
            format!("{} (n = {} {unit})", format::measured(measured), measured.n)
        }
        None => "–".into(),
    }
}

/// Text that stays in its table cell and means nothing to Markdown.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !cell.is_empty() {
            cell.push(' ');
        }
        for character in word.chars() {
            if "\\|`*_~[]<>&$#".contains(character) {
                cell.push('\\');
            }
            cell.push(character);
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_rows;

    #[test]
    fn cells_cannot_break_the_table() {
        assert_eq!(cell("|E L^(i)| <b>\n\n*x*  `y`"), r"\|E L^(i)\| \<b\> \*x\* \`y\`");
        let mut row = example_rows::row("a", Verdict::Verified);
        row.claim.title = "one | two\nthree".into();
        row.claim.expected = "| |\r\n| |".into();
        let rows = [row];
        let text = render(&Report::new(&rows).expect("a valid row"), None);
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 3, "{text}");
        for line in table {
            let bars = line.replace("\\|", "").matches('|').count();
            assert_eq!(bars, 7, "{line}");
        }
    }

    #[test]
    fn open_claims_are_listed_with_their_reasons() {
        let mut blocked = example_rows::row("b", Verdict::Blocked);
        blocked.reason = Some("the data set is absent".into());
        blocked.measured = None;
        let rows = [example_rows::row("a", Verdict::Verified), blocked, example_rows::row("c", Verdict::Refuted)];
        let text = render(&Report::new(&rows).expect("valid rows"), None);
        assert!(text.contains("\n3 claims: 1 verified, 1 refuted, 1 blocked.\n"), "{text}");
        assert!(text.contains("## Blocked\n\n- **Title of b** (b): the data set is absent\n"));
        assert!(text.contains("- **Title of c** (c): measured 1.3052 ± 0.0012 nats, expected"));
        assert!(!text.contains("**Title of a**"));
    }

    #[test]
    fn changes_are_listed() {
        let rows = [example_rows::row("a", Verdict::Refuted), example_rows::row("b", Verdict::Verified)];
        let earlier = [example_rows::row("a", Verdict::Verified)];
        let changes = crate::changes::between(&earlier, &rows);
        let text = render(&Report::new(&rows).expect("valid rows"), Some(&changes));
        let summary = "1 verdict and 0 numbers changed, 1 claim new, 0 claims gone; 1 claim in both runs.";
        let lists = "- a: refuted, was verified\n- b: new, verified\n";
        assert!(text.contains(&format!("## Since the earlier run\n\n{summary}\n\n{lists}")), "{text}");
    }
}
