//! The figure of all speedups of a suite: what other programs take, over what ours takes.

use crate::record::{Axis, Figure, Panel, Row, Series, Style};

/// The unit of a ratio to ours.
const UNIT: &str = "times";

/// The figure of the rows that measured a ratio; none where there are fewer than two.
pub fn figure<'a>(suite: &str, rows: impl Iterator<Item = &'a Row>) -> Option<Figure> {
    let ratio = |row: &'a Row| {
        let found = row.measured.as_ref().filter(|found| found.unit == UNIT && found.value > 0.0)?;
        Some((row.claim.id.clone(), found.value, found.standard_error.unwrap_or(0.0)))
    };
    let ratios: Vec<(String, f64, f64)> = rows.filter_map(ratio).collect();
    if ratios.len() < 2 {
        return None;
    }
    let (last, axis) = (ratios.len() as f64, |label: &str| Axis {
        label: label.to_owned(),
        log: false,
        range: None,
        names: Vec::new(),
    });
    let even = Series {
        label: "as much as ours".to_owned(),
        style: Style::Dashed,
        x: vec![1.0, 1.0],
        y: vec![1.0, last],
        error: None,
        x_error: None,
    };
    let found = Series {
        label: "the other program".to_owned(),
        style: Style::Points,
        x: ratios.iter().map(|(_, value, _)| *value).collect(),
        y: (1..=ratios.len()).map(|row| row as f64).collect(),
        error: Some(ratios.iter().map(|(_, _, error)| *error).collect()),
        x_error: None,
    };
    let names = ratios.into_iter().map(|(id, _, _)| id).collect();
    Some(Figure {
        id: format!("ratios-{suite}"),
        title: "Other programs beside ours".to_owned(),
        caption: "How many times as long, or as much memory, the other program takes; mean and standard error over rounds, in turns \
                  on the same machine."
            .to_owned(),
        panels: vec![Panel::Plot {
            title: String::new(),
            x: Axis { log: true, ..axis("times as much as ours") },
            y: Axis { names, ..axis("") },
            series: vec![found, even],
        }],
    })
}
