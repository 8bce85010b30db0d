//! What checks draw with.

use reports::record::{Axis, Figure, Panel, Series, Style};

use crate::likelihood::Estimate;

/// A curve without error bars, through the points that are finite.
pub(super) fn curve(label: impl Into<String>, style: Style, x: Vec<f64>, y: Vec<f64>) -> Series {
    let (x, y) = x.into_iter().zip(y).filter(|(x, y)| x.is_finite() && y.is_finite()).unzip();
    Series { label: label.into(), style, x, y, error: None }
}

/// A linear axis over the data's own range.
pub(super) fn axis(label: &str) -> Axis {
    Axis { label: label.to_owned(), log: false, range: None, names: Vec::new() }
}

/// A logarithmic axis over the data's own range.
pub(super) fn log_axis(label: &str) -> Axis {
    Axis { log: true, ..axis(label) }
}

/// A panel of numbers with standard errors, one a row, the rows named.
pub(super) fn ranking(title: &str, unit: &str, numbers: &[(String, Estimate)]) -> Panel {
    let series = Series {
        label: String::new(),
        style: Style::Points,
        x: numbers.iter().map(|(_, number)| number.value).collect(),
        y: (1..=numbers.len()).map(|row| row as f64).collect(),
        error: Some(numbers.iter().map(|(_, number)| number.standard_error).collect()),
    };
    let names = numbers.iter().map(|(name, _)| name.clone()).collect();
    plot(title, axis(unit), Axis { names, ..axis("") }, vec![series])
}

/// A plot panel.
pub(super) fn plot(title: &str, x: Axis, y: Axis, series: Vec<Series>) -> Panel {
    Panel::Plot { title: title.to_owned(), x, y, series }
}

/// A figure.
pub(super) fn figure(id: &str, title: &str, caption: &str, panels: Vec<Panel>) -> Figure {
    Figure { id: id.to_owned(), title: title.to_owned(), caption: caption.to_owned(), panels }
}
