//! Panels and series of the figures that checks draw.

use elbow_metrics::Images;
use elbow_reports::record::{Axis, Figure, Panel, Series, Style};

use crate::likelihood::Estimate;

/// A curve without error bars, through the points that are finite.
pub(super) fn curve(label: impl Into<String>, style: Style, x: Vec<f64>, y: Vec<f64>) -> Series {
    let (x, y) = x.into_iter().zip(y).filter(|(x, y)| x.is_finite() && y.is_finite()).unzip();
    Series { label: label.into(), style, x, y, error: None, x_error: None }
}

/// Means with error bars of one standard error, joined by a line.
pub(super) fn means(label: &str, points: impl IntoIterator<Item = (f64, Estimate)>) -> Series {
    let (x, means): (Vec<f64>, Vec<Estimate>) = points.into_iter().unzip();
    let (y, error) = means.into_iter().map(|mean| (mean.value, mean.standard_error)).unzip();
    Series { label: label.to_owned(), style: Style::LinePoints, x, y, error: Some(error), x_error: None }
}

/// A linear axis over the data's own range.
pub(super) fn axis(label: &str) -> Axis {
    Axis { label: label.to_owned(), log: false, range: None, names: Vec::new() }
}

/// A logarithmic axis over the data's own range.
pub(super) fn log_axis(label: &str) -> Axis {
    Axis { log: true, ..axis(label) }
}

/// A panel of named numbers with standard errors, one per row.
pub(super) fn ranking(title: &str, unit: &str, numbers: &[(String, Estimate)]) -> Panel {
    let series = Series {
        label: String::new(),
        style: Style::Points,
        x: numbers.iter().map(|(_, number)| number.value).collect(),
        y: (1..=numbers.len()).map(|row| row as f64).collect(),
        error: Some(numbers.iter().map(|(_, number)| number.standard_error).collect()),
        x_error: None,
    };
    let names = numbers.iter().map(|(name, _)| name.clone()).collect();
    plot(title, axis(unit), Axis { names, ..axis("") }, vec![series])
}

/// A plot panel.
pub(super) fn plot(title: &str, x: Axis, y: Axis, series: Vec<Series>) -> Panel {
    Panel::Plot { title: title.to_owned(), x, y, series }
}

/// A table panel.
pub(super) fn table(title: &str, header: &[&str], rows: Vec<Vec<String>>) -> Panel {
    let header = header.iter().map(|&cell| cell.to_owned()).collect();
    Panel::Table { title: title.to_owned(), header, rows }
}

/// A panel of the first `count` images, eight per row.
pub(super) fn first_images(title: &str, images: &Images, count: usize) -> Panel {
    Panel::Images {
        title: title.to_owned(),
        width: images.width,
        height: images.height,
        channels: images.channels,
        columns: 8,
        images: (0..count.min(images.len())).map(|i| images.pixels(i).to_vec()).collect(),
        row_labels: Vec::new(),
    }
}

/// A figure.
pub(super) fn figure(id: &str, title: &str, caption: &str, panels: Vec<Panel>) -> Figure {
    Figure { id: id.to_owned(), title: title.to_owned(), caption: caption.to_owned(), panels }
}
