//! JUnit XML, which every CI system shows: a suite of claims is a test suite, a claim a test case.

use std::time::Duration;

use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::format;
use crate::record::{Row, Verdict};
use crate::report::{self, Report, Suite};

/// The whole document. Characters that XML forbids are left out.
pub fn render(report: &Report) -> Result<String, SerializeError> {
    let mut document = quick_junit::Report::new("elbow");
    document.set_time(duration(report.rows()));
    document.add_test_suites(report.suites.iter().map(test_suite));
    document.to_string()
}

fn test_suite(suite: &Suite) -> TestSuite {
    let rows = || suite.entries.iter().map(|entry| entry.row);
    let mut tests = TestSuite::new(suite.name);
    tests.set_time(duration(rows()));
    tests.add_test_cases(rows().map(test_case));
    tests
}

fn test_case(row: &Row) -> TestCase {
    let mut test = TestCase::new(&row.claim.id, status(row));
    test.set_classname(format!("elbow.{}", row.claim.suite));
    test.set_time(duration([row]));
    test.set_system_out(account(row));
    test
}

/// Claims that stand succeed; an open claim is skipped.
fn status(row: &Row) -> TestCaseStatus {
    let (verdict, reason) = (row.verdict.to_string(), report::reason(row));
    let broken = |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(&verdict).set_message(&reason);
        status
    };
    match row.verdict {
        Verdict::Verified | Verdict::Consistent => TestCaseStatus::success(),
        Verdict::Refuted => broken(NonSuccessKind::Failure),
        Verdict::Error => broken(NonSuccessKind::Error),
        Verdict::NotRun | Verdict::Blocked => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{verdict}: {reason}"));
            status
        }
    }
}

fn duration<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Duration {
    let seconds = rows.into_iter().map(|row| row.seconds).sum();
    // A recorded time that is no time counts as none.
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Title, verdict, expectation and measurement, one line each.
fn account(row: &Row) -> String {
    let mut lines =
        vec![row.claim.title.clone(), format!("verdict: {}", row.verdict), format!("expected: {}", row.claim.expected)];
    if let Some(measured) = &row.measured {
        lines.push(format!(
            "measured: {} = {} (n = {} {})",
            measured.quantity,
            format::measured(measured),
            measured.n,
            format::counted(measured.n, &measured.n_unit)
        ));
        lines.extend(measured.interval.iter().map(|one| format!("interval: {}", format::interval(one))));
    }
    lines.push(format!("reproduce: {}", row.claim.command));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_rows;

    fn document(rows: &[Row]) -> String {
        render(&Report::new(rows).expect("valid rows")).expect("a document")
    }

    /// Renders rows of one suite and reads the document back.
    fn suite(rows: &[Row]) -> TestSuite {
        let mut document = quick_junit::Report::deserialize_from_str(&document(rows)).expect("JUnit XML");
        assert_eq!((document.name.as_deref(), document.test_suites.len()), (Some("elbow"), 1));
        document.test_suites.remove(0)
    }

    #[test]
    fn verdicts_become_statuses() {
        let rows = Verdict::ALL.map(|verdict| example_rows::row(&format!("{verdict:?}"), verdict));
        let suite = suite(&rows);
        assert_eq!((suite.name.as_str(), suite.time), ("theory", Some(Duration::from_millis(6 * 1250))));
        assert_eq!((suite.tests, suite.failures, suite.errors, suite.skipped), (6, 1, 1, 2));
        let document = document(&rows);
        let marks = |line: &&str| ["<failure", "<error", "<skipped"].iter().any(|start| line.starts_with(start));
        let reason = "measured 1.3052 ± 0.0012 nats, expected = 1.305 within 3 standard errors";
        assert_eq!(
            document.lines().map(str::trim).filter(marks).collect::<Vec<_>>(),
            [
                format!("<skipped message=\"blocked: {reason}\"/>"),
                format!("<error message=\"{reason}\" type=\"error\"/>"),
                format!("<skipped message=\"not run: {reason}\"/>"),
                format!("<failure message=\"{reason}\" type=\"refuted\"/>"),
            ]
        );
    }

    #[test]
    fn the_output_says_what_was_found() {
        let suite = suite(&[example_rows::row("a", Verdict::Verified)]);
        let test = &suite.test_cases[0];
        assert_eq!(test.classname.as_deref(), Some("elbow.theory"));
        assert_eq!(test.time, Some(Duration::from_millis(1250)));
        assert_eq!(
            test.system_out.as_deref(),
            Some(
                "Title of a\nverdict: verified\nexpected: = 1.305 within 3 standard errors\n\
                 measured: mean loss = 1.3052 ± 0.0012 nats (n = 1000 test images)\n\
                 interval: [1.30200, 1.30800], confidence 99\u{a0}%\nreproduce: elbow run a"
            )
        );
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut row = example_rows::row("a", Verdict::Refuted);
        row.claim.id = "a\"/><x y='<&\u{1}".into();
        row.claim.title = "]]> <script>&nbsp;\u{0}\u{b}".into();
        row.reason = Some("\" injected=\"1\"".into());
        row.seconds = f64::NAN;
        let suite = suite(&[row]);
        assert_eq!(suite.tests, 1);
        let test = &suite.test_cases[0];
        assert_eq!(test.name.as_str(), "a\"/><x y='<&");
        assert!(test.system_out.as_deref().is_some_and(|text| text.starts_with("]]> <script>&nbsp;\n")));
        let TestCaseStatus::NonSuccess { message, .. } = &test.status else { panic!("{:?}", test.status) };
        assert_eq!(message.as_deref(), Some("\" injected=\"1\""));
    }
}
