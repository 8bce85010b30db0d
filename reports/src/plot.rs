//! A plot panel: axes, data and legend.

use plotters::style::text_anchor::HPos;

use crate::palette::Colour;
use crate::record::{Axis, Series, Style};
use crate::renderer::{Drawing, Point, TextStyle};
use crate::scale::Scale;
use crate::series::{Frame, Look, standard_error};
use crate::text::Face;

/// Width of a panel in page pixels.
pub const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 250.0;
/// Room at the edges of a panel.
pub const MARGIN: f64 = 8.0;
/// Height of a line of text.
const LEADING: f64 = 16.0;
/// Room between a legend's sample and its label.
const GAP: f64 = 6.0;

const TITLE: Face = Face { em: 13.0, bold: true };
const LABEL: Face = Face { em: 12.5, bold: false };
const TICK: Face = Face { em: 11.5, bold: false };

/// A title above a panel, left-aligned and broken into lines.
pub struct Title {
    lines: Vec<String>,
    width: f64,
}

impl Title {
    pub fn new(title: &str, width: f64) -> Title {
        Title { lines: TITLE.wrap(title, width - 2.0 * MARGIN), width }
    }

    fn height(&self) -> f64 {
        match self.lines.len() {
            0 => 0.0,
            lines => MARGIN + lines as f64 * LEADING + 2.0,
        }
    }

    fn draw_on(&self, drawing: &mut Drawing) {
        text(drawing, &self.lines, (MARGIN, MARGIN), style(TITLE, Colour::Text, HPos::Left));
    }

    /// The title alone.
    pub fn draw(&self) -> Drawing {
        let mut drawing = Drawing::new(self.width, self.height());
        self.draw_on(&mut drawing);
        drawing
    }
}

/// A plot, laid out.
pub struct Plot<'a> {
    title: Title,
    x_label: Vec<String>,
    y_label: Vec<String>,
    x_ticks: Vec<(f64, String)>,
    y_ticks: Vec<(f64, String)>,
    frame: Frame,
    series: &'a [Series],
    looks: Vec<Look>,
    legend: Vec<LegendEntry>,
    height: f64,
}

/// The label of one series below the plot.
struct LegendEntry {
    look: Look,
    /// Upper left corner.
    at: Point,
    label: Vec<String>,
}

impl<'a> Plot<'a> {
    pub fn new(title: &str, x: &Axis, y: &Axis, series: &'a [Series]) -> Plot<'a> {
        let title = Title::new(title, WIDTH);
        let bar_gap = bar_gap(series);
        let sideways = !y.names.is_empty();
        let x_scale = match sideways {
            true => Scale::new(x, series.iter().flat_map(|one| with_errors(one.error.as_ref(), &one.x)).flatten()),
            false => Scale::new(x, x_values(series, bar_gap)),
        };
        let y_scale = match sideways {
            true => Scale::rows(y.names.len()),
            false if stands_on_zero(y, series) => Scale::new(y, y_values(series, x_scale)).starting_at(0.0),
            false => Scale::new(y, y_values(series, x_scale)),
        };
        let row = |(index, name): (usize, &String)| Some((y_scale.position(index as f64 + 1.0)?, name.clone()));
        let y_ticks = if sideways { y.names.iter().enumerate().filter_map(row).collect() } else { y_scale.ticks() };
        let y_label = LABEL.wrap(&y.label, HEIGHT);
        let widest = y_ticks.iter().map(|(_, label)| TICK.width(label)).fold(0.0, f64::max);
        let left = MARGIN + y_label.len() as f64 * LEADING + widest + 12.0;
        let frame = Frame {
            left,
            top: title.height() + MARGIN,
            width: WIDTH - left - 2.0 * MARGIN,
            height: HEIGHT,
            x: x_scale,
            y: y_scale,
            bar_gap,
            sideways,
        };
        let x_label = LABEL.wrap(&x.label, frame.width);
        let below = frame.top + HEIGHT + 20.0 + x_label.len() as f64 * LEADING;
        let looks = Look::of(series);
        let (legend, bottom) = legend(series, &looks, below + GAP);
        Plot {
            x_ticks: thin(x_scale.ticks(), frame.width),
            height: bottom + MARGIN,
            title,
            x_label,
            y_label,
            y_ticks,
            frame,
            series,
            looks,
            legend,
        }
    }

    fn axes(&self, drawing: &mut Drawing) {
        let frame = &self.frame;
        for (at, label) in &self.x_ticks {
            let (foot, head) = (frame.place((*at, 0.0)), frame.place((*at, 1.0)));
            drawing.line(&[foot, head], Colour::Grid, 1.0, None);
            drawing.text(label, (foot.0, foot.1 + 12.0), style(TICK, Colour::Muted, HPos::Center));
        }
        for (at, label) in &self.y_ticks {
            let (near, far) = (frame.place((0.0, *at)), frame.place((1.0, *at)));
            drawing.line(&[near, far], Colour::Grid, 1.0, None);
            drawing.text(label, (near.0 - 6.0, near.1), style(TICK, Colour::Muted, HPos::Right));
        }
        let below = (frame.left + frame.width / 2.0, frame.top + HEIGHT + 20.0);
        let label = style(LABEL, Colour::Text, HPos::Center);
        text(drawing, &self.x_label, below, label);
        for (index, line) in self.y_label.iter().enumerate() {
            let x = MARGIN + (index as f64 + 0.5) * LEADING;
            drawing.text(line, (x, frame.top + HEIGHT / 2.0), TextStyle { upwards: true, ..label });
        }
    }

    /// The whole panel.
    pub fn draw(&self) -> Drawing {
        let mut drawing = Drawing::new(WIDTH, self.height);
        let frame = &self.frame;
        self.title.draw_on(&mut drawing);
        self.axes(&mut drawing);
        // Bars first: they would cover everything else.
        for bars in [true, false] {
            let layer = self.looks.iter().zip(self.series).filter(|(_, series)| is_bars(series) == bars);
            layer.for_each(|(look, series)| look.draw(&mut drawing, frame, series));
        }
        if self.series.iter().all(|series| frame.visible(series).is_empty()) {
            drawing.text("no data", frame.place((0.5, 0.5)), style(LABEL, Colour::Muted, HPos::Center));
        }
        // Last, so that lines along an edge do not hide it.
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)];
        drawing.line(&corners.map(|corner| frame.place(corner)), Colour::Frame, 1.0, None);
        for LegendEntry { look, at: (x, y), label } in &self.legend {
            look.sample(&mut drawing, (*x, y + LEADING / 2.0));
            let place = (x + look.sample_width() + GAP, *y);
            text(&mut drawing, label, place, style(LABEL, Colour::Text, HPos::Left));
        }
        drawing
    }
}

fn style(face: Face, colour: Colour, anchor: HPos) -> TextStyle {
    TextStyle { face, colour, anchor, upwards: false }
}

/// Lines of text below one another; `at` is on the upper edge of the first.
fn text(drawing: &mut Drawing, lines: &[String], at: Point, style: TextStyle) {
    for (index, line) in lines.iter().enumerate() {
        drawing.text(line, (at.0, at.1 + (index as f64 + 0.5) * LEADING), style);
    }
}

/// The entries of the legend from `top` down, and where it ends. Series without a label have none.
fn legend(series: &[Series], looks: &[Look], top: f64) -> (Vec<LegendEntry>, f64) {
    let (start, end) = (2.0 * MARGIN, WIDTH - MARGIN);
    let mut entries = Vec::new();
    let (mut x, mut y, mut bottom) = (start, top, top);
    for (one, &look) in series.iter().zip(looks) {
        let indent = look.sample_width() + GAP;
        let label = LABEL.wrap(&one.label, end - start - indent);
        if label.is_empty() {
            continue;
        }
        let widest = label.iter().map(|line| LABEL.width(line)).fold(0.0, f64::max);
        let width = indent + widest;
        if x > start && x + width > end {
            (x, y) = (start, bottom);
        }
        bottom = bottom.max(y + label.len() as f64 * LEADING);
        entries.push(LegendEntry { look, at: (x, y), label });
        x += width + 2.0 * MARGIN;
    }
    (entries, bottom)
}

/// Every tick, or every second, third, ... where labels would touch otherwise.
fn thin(ticks: Vec<(f64, String)>, width: f64) -> Vec<(f64, String)> {
    let apart = |stride: usize| {
        let kept: Vec<_> = ticks.iter().step_by(stride).collect();
        kept.windows(2).all(|pair| {
            let half = (TICK.width(&pair[0].1) + TICK.width(&pair[1].1)) / 2.0;
            (pair[1].0 - pair[0].0) * width >= half + MARGIN
        })
    };
    let stride = (1..ticks.len()).find(|&stride| apart(stride)).unwrap_or(1);
    ticks.into_iter().step_by(stride).collect()
}

fn is_bars(series: &&Series) -> bool {
    series.style == Style::Bars
}

/// The smallest distance of bars; 1 where there are no two.
fn bar_gap(series: &[Series]) -> f64 {
    let mut all: Vec<f64> = series.iter().filter(is_bars).flat_map(|s| s.x.clone()).collect();
    all.sort_by(f64::total_cmp);
    let gaps = all.windows(2).map(|pair| pair[1] - pair[0]);
    let gap = gaps.filter(|gap| *gap > 0.0).fold(f64::INFINITY, f64::min);
    if gap.is_finite() { gap } else { 1.0 }
}

/// What the x axis must show: all points, and bars in their full width.
fn x_values(series: &[Series], bar_gap: f64) -> impl Iterator<Item = f64> {
    series.iter().flat_map(move |one| {
        let half = if is_bars(&one) { bar_gap / 2.0 } else { 0.0 };
        with_errors(one.x_error.as_ref(), &one.x).flat_map(move |[low, high]| [low - half, high + half])
    })
}

/// What the y axis must show: the points in the range of x with their errors, and the foot of bars.
fn y_values(series: &[Series], x: Scale) -> impl Iterator<Item = f64> {
    let visible = move |value: f64| x.position(value).is_some_and(|at| (0.0..=1.0).contains(&at));
    let feet = series.iter().filter(is_bars).map(|_| 0.0);
    let points = series.iter().flat_map(move |one| {
        let shown = one.x.iter().map(move |&x| visible(x));
        with_errors(one.error.as_ref(), &one.y).zip(shown).filter(|(_, shown)| *shown).map(|(ends, _)| ends)
    });
    points.flatten().chain(feet)
}

/// Coordinates, each with one standard error either way.
fn with_errors<'a>(errors: Option<&'a Vec<f64>>, values: &'a [f64]) -> impl Iterator<Item = [f64; 2]> + 'a {
    values.iter().enumerate().map(move |(index, value)| {
        let error = standard_error(errors, index).unwrap_or(0.0);
        [value - error, value + error]
    })
}

/// Whether bars without negative values decide the lower end of the y axis.
fn stands_on_zero(y: &Axis, series: &[Series]) -> bool {
    let negative = series.iter().any(|one| one.y.iter().any(|&value| value < 0.0));
    y.range.is_none() && series.iter().any(|one| is_bars(&one)) && !negative
}
