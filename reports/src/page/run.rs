//! The run as a whole: programs, machines, times.

use crate::format;
use crate::record::Row;
use crate::report::Report;

/// What the rows say of the run as a whole.
pub fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let all = |of: &dyn Fn(&Row) -> Option<String>| -> Option<String> {
        let mut texts: Vec<String> = report.rows().filter_map(of).collect();
        texts.sort();
        texts.dedup();
        (!texts.is_empty()).then(|| texts.join("; "))
    };
    let programs = report.programs();
    if !programs.is_empty() {
        facts.push(("Program", format!("elbow {}", programs.join("; elbow "))));
    }
    let machine = |row: &Row| {
        let from = &row.provenance;
        let threads = format!("{} {}", from.threads, format::counted(from.threads, "threads"));
        let parts = [from.machine.as_deref(), Some(from.device.as_str()), Some(threads.as_str())];
        Some(parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    };
    facts.extend(all(&machine).map(|machines| ("Machine", machines)));
    let seconds: f64 = report.rows().map(|row| row.seconds).filter(|seconds| seconds.is_finite()).sum();
    let finished = || report.rows().map(|row| row.provenance.finished.as_str());
    if let Some((first, last)) = finished().min().zip(finished().max()) {
        facts.push((
            "Checks took",
            format!("{}, trainings that were kept from earlier not counted", format::duration(seconds)),
        ));
        let day = |time: &str| time.replace('T', " ").trim_end_matches('Z').to_owned();
        let span = if first == last { day(last) } else { format!("{} to {}", day(first), day(last)) };
        facts.push(("Rows from", format!("{span} UTC")));
    }
    facts
}
