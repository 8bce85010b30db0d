//! Data series inside the frame of a plot: lines, markers, bars and error bars.

use crate::markers;
use crate::palette::{Colour, SERIES};
use crate::record::{Series, Style};
use crate::renderer::{Drawing, Point};
use crate::scale::Scale;

const LINE: f64 = 1.5;
const HAIRLINE: f64 = 1.0;
/// Radius of a marker.
const MARKER: f64 = 3.0;
/// Width of the rim of a hollow marker.
const HOLLOW: f64 = 1.2;
/// Half the length of the line across the end of an error bar.
const CAP: f64 = 3.0;
/// Width of a legend's sample of a line, and of a marker or bar.
const LONG: f64 = 26.0;
const SHORT: f64 = 10.0;
/// Markers on a line that has them only to be told from other lines.
const SPARSE: usize = 4;

/// The rectangle that data is drawn in, with its scales. In page pixels.
pub struct Frame {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    pub x: Scale,
    pub y: Scale,
    /// Distance of neighbouring bars in units of x.
    pub bar_gap: f64,
    /// Whether errors are those of x.
    pub sideways: bool,
}

impl Frame {
    /// The place of positions between 0 and 1.
    pub fn place(&self, (x, y): Point) -> Point {
        (self.left + x * self.width, self.top + (1.0 - y) * self.height)
    }

    fn positions(&self, series: &Series) -> Vec<Option<Point>> {
        series.x.iter().zip(&series.y).map(|(&x, &y)| self.x.position(x).zip(self.y.position(y))).collect()
    }

    /// The points of a series that lie in the frame, by index, with their places.
    pub fn visible(&self, series: &Series) -> Vec<(usize, Point)> {
        let inside = |(x, y): &Point| (0.0..=1.0).contains(x) && (0.0..=1.0).contains(y);
        let positions = self.positions(series).into_iter().enumerate();
        positions.filter_map(|(index, at)| Some((index, self.place(at.filter(inside)?)))).collect()
    }
}

/// The standard error of a point; none where it is absent or not a number.
pub fn standard_error(errors: Option<&Vec<f64>>, index: usize) -> Option<f64> {
    errors?.get(index).copied().filter(|error| error.is_finite())
}

/// What tells one series of a panel from the others.
#[derive(Clone, Copy)]
pub struct Look {
    index: usize,
    style: Style,
    /// How many series of the same style come before, and how many there are.
    ordinal: usize,
    count: usize,
}

impl Look {
    /// The looks of all series of a panel.
    pub fn of(series: &[Series]) -> Vec<Look> {
        let alike = |part: &[Series], style| part.iter().filter(|s| s.style == style).count();
        series
            .iter()
            .enumerate()
            .map(|(index, one)| Look {
                index,
                style: one.style,
                ordinal: alike(&series[..index], one.style),
                count: alike(series, one.style),
            })
            .collect()
    }

    fn colour(self) -> Colour {
        Colour::Series(self.index)
    }

    fn joined(self) -> bool {
        matches!(self.style, Style::Line | Style::Dashed | Style::LinePoints)
    }

    /// Whether a line needs markers to be told from the others without colour.
    fn sparse(self) -> bool {
        match self.style {
            Style::Line => self.ordinal > 0,
            Style::Dashed => self.ordinal >= markers::DASHES.len(),
            _ => false,
        }
    }

    fn every_point(self) -> bool {
        matches!(self.style, Style::Points | Style::LinePoints)
    }

    fn stroke(self, drawing: &mut Drawing, path: &[Point]) {
        let dashed = self.style == Style::Dashed;
        let dashes = dashed.then(|| markers::DASHES[self.ordinal % markers::DASHES.len()]);
        drawing.line(path, self.colour(), LINE, dashes);
    }

    fn mark(self, drawing: &mut Drawing, at: Point) {
        drawing.polygon(&markers::marker(self.index, at, MARKER), self.colour());
        // The second half of the colours has the shapes of the first, hollow.
        if self.index % SERIES >= SERIES / 2 {
            drawing.polygon(&markers::marker(self.index, at, MARKER - HOLLOW), Colour::Page);
        }
    }

    /// How wide the sample of a legend is.
    pub fn sample_width(self) -> f64 {
        if self.joined() { LONG } else { SHORT }
    }

    /// The sample of a legend, from `at` to the right.
    pub fn sample(self, drawing: &mut Drawing, at: Point) {
        let width = self.sample_width();
        let middle = (at.0 + width / 2.0, at.1);
        if self.style == Style::Bars {
            let corners = rectangle((middle.0 - 5.0, at.1 - 5.0), (middle.0 + 5.0, at.1 + 5.0));
            return drawing.polygon(&corners, self.colour());
        }
        if self.joined() {
            self.stroke(drawing, &[at, (at.0 + width, at.1)]);
        }
        if self.sparse() || self.every_point() {
            self.mark(drawing, middle);
        }
    }

    /// The series itself.
    pub fn draw(self, drawing: &mut Drawing, frame: &Frame, series: &Series) {
        if self.style == Style::Bars {
            return self.bars(drawing, frame, series);
        }
        let positions = frame.positions(series);
        for (index, position) in positions.iter().enumerate() {
            let Some((x, y)) = *position else { continue };
            if frame.sideways {
                self.error_bar(drawing, frame, (&frame.x, &series.x, series.error.as_ref()), index, (true, y));
            } else {
                self.error_bar(drawing, frame, (&frame.y, &series.y, series.error.as_ref()), index, (false, x));
                self.error_bar(drawing, frame, (&frame.x, &series.x, series.x_error.as_ref()), index, (true, y));
            }
        }
        if self.joined() {
            for run in markers::clip(&positions) {
                let path: Vec<Point> = run.into_iter().map(|point| frame.place(point)).collect();
                self.stroke(drawing, &path);
                if self.sparse() {
                    // Shifted from line to line, so that markers of close lines keep apart.
                    let shift = (self.ordinal as f64 + 0.5) / self.count as f64;
                    let parts = (0..SPARSE).map(|part| (part as f64 + shift) / SPARSE as f64);
                    markers::along(&path, parts).into_iter().for_each(|place| self.mark(drawing, place));
                }
            }
        }
        let exists = |index: Option<usize>| index.and_then(|index| *positions.get(index)?).is_some();
        for (index, place) in frame.visible(series) {
            // A point without neighbours has no line; it must be seen all the same.
            let lonely = !exists(index.checked_sub(1)) && !exists(Some(index + 1));
            if self.every_point() || lonely {
                self.mark(drawing, place);
            }
        }
    }

    fn bars(self, drawing: &mut Drawing, frame: &Frame, series: &Series) {
        let bottom = frame.y.position(0.0).unwrap_or(0.0).clamp(0.0, 1.0);
        for (index, (&x, &y)) in series.x.iter().zip(&series.y).enumerate() {
            let half = frame.bar_gap / 2.0;
            let slot = frame.x.position(x - half).zip(frame.x.position(x + half));
            let (Some((from, to)), Some(top)) = (slot, frame.y.position(y)) else {
                continue;
            };
            let edge = |part: usize| {
                let part = 0.1 + 0.8 * part as f64 / self.count as f64;
                from + (to - from) * part
            };
            let (left, right) = (edge(self.ordinal), edge(self.ordinal + 1));
            if right < 0.0 || left > 1.0 {
                continue;
            }
            let corner = |x: f64, y: f64| frame.place((x.clamp(0.0, 1.0), y.clamp(0.0, 1.0)));
            drawing.polygon(&rectangle(corner(left, top), corner(right, bottom)), self.colour());
            let across = (left + right) / 2.0;
            self.error_bar(drawing, frame, (&frame.y, &series.y, series.error.as_ref()), index, (false, across));
        }
    }

    /// One standard error either way of a point of an axis, given as its scale, values and errors; along x or else along y,
    /// at the position `across` on the other axis.
    fn error_bar(
        self,
        drawing: &mut Drawing,
        frame: &Frame,
        (scale, values, errors): (&Scale, &[f64], Option<&Vec<f64>>),
        index: usize,
        (sideways, across): (bool, f64),
    ) {
        let (Some(error), Some(&value)) = (standard_error(errors, index), values.get(index)) else { return };
        let Some(high) = scale.position(value + error) else { return };
        // On a logarithmic axis a bar may reach below zero: it ends at the frame.
        let low = scale.position(value - error).unwrap_or(0.0);
        if !(0.0..=1.0).contains(&across) || high < 0.0 || low > 1.0 {
            return;
        }
        // Bars are filled with the colour of the series: the error must stand out from it.
        let colour = if self.style == Style::Bars { Colour::Text } else { self.colour() };
        let turn = |along, across| if sideways { (along, across) } else { (across, along) };
        let ends = [low.max(0.0), high.min(1.0)].map(|along| frame.place(turn(along, across)));
        drawing.line(&ends, colour, HAIRLINE, None);
        let (dx, dy) = turn(0.0, CAP);
        for (x, y) in ends {
            drawing.line(&[(x - dx, y - dy), (x + dx, y + dy)], colour, HAIRLINE, None);
        }
    }
}

fn rectangle(from: Point, to: Point) -> [Point; 4] {
    [from, (to.0, from.1), to, (from.0, to.1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_rows;
    use crate::record::Axis;

    /// A frame of 100 by 100 pixels at (10, 10), from 1 to 100 on x and from 0 to 10 on y.
    fn frame(log_x: bool) -> Frame {
        let axis = |log, range| Axis { label: String::new(), log, range: Some(range), names: Vec::new() };
        Frame {
            left: 10.0,
            top: 10.0,
            width: 100.0,
            height: 100.0,
            x: Scale::new(&axis(log_x, (1.0, 100.0)), [].into_iter()),
            y: Scale::new(&axis(false, (0.0, 10.0)), [].into_iter()),
            bar_gap: 1.0,
            sideways: false,
        }
    }

    fn draw(frame: &Frame, series: &Series) -> image::RgbImage {
        let mut drawing = Drawing::new(120.0, 120.0);
        Look::of(std::slice::from_ref(series))[0].draw(&mut drawing, frame, series);
        drawing.bitmap().expect("a bitmap")
    }

    /// Whether the picture has the colour of the first series at a place.
    fn coloured(picture: &image::RgbImage, (x, y): Point) -> bool {
        let at = |length: f64| (length * f64::from(crate::renderer::DENSITY)) as u32;
        picture.get_pixel(at(x), at(y)).0 == Colour::Series(0).light()
    }

    #[test]
    fn only_points_that_have_a_place_in_the_frame_are_marked() {
        let frame = frame(true);
        let series = example_rows::series(
            Style::Points,
            &[1.0, 10.0, 100.0, 0.0, -1.0, 1000.0, 10.0, f64::NAN],
            &[0.0, 5.0, 10.0, 5.0, 5.0, 5.0, 11.0, 5.0],
        );
        assert_eq!(frame.visible(&series), [(0, (10.0, 110.0)), (1, (60.0, 60.0)), (2, (110.0, 10.0))]);
        let picture = draw(&frame, &series);
        for (_, place) in frame.visible(&series) {
            assert!(coloured(&picture, place), "{place:?}");
        }
        // Nothing farther from these places than a marker is large.
        for (x, y, pixel) in picture.enumerate_pixels() {
            let distance =
                |(_, (left, top)): &(usize, Point)| (f64::from(x) / 2.0 - left).hypot(f64::from(y) / 2.0 - top);
            let near = frame.visible(&series).iter().any(|point| distance(point) < 2.0 * MARKER);
            assert!(near || pixel.0 == [255; 3], "{x}, {y}");
        }
    }

    #[test]
    fn a_line_passes_between_its_points_and_ends_at_the_frame() {
        let picture = draw(&frame(false), &example_rows::series(Style::Line, &[1.0, 199.0], &[5.0, 5.0]));
        assert!([11.0, 60.0, 109.0].into_iter().all(|x| coloured(&picture, (x, 60.0))));
        assert!(!coloured(&picture, (112.0, 60.0)));
    }

    #[test]
    fn bars_stand_on_zero() {
        let series = example_rows::series(Style::Bars, &[50.5], &[5.0]);
        let picture = draw(&Frame { bar_gap: 50.0, ..frame(false) }, &series);
        assert!(coloured(&picture, (60.0, 109.0)) && coloured(&picture, (60.0, 61.0)));
        assert!(!coloured(&picture, (60.0, 58.0)) && !coloured(&picture, (30.0, 100.0)));
    }

    /// Where the picture of a point at the centre, with its error, has ink along a line through the centre.
    fn ink(frame: &Frame, x: f64, y: f64, place: impl Fn(f64) -> Point) -> Vec<f64> {
        let mut series = example_rows::series(Style::Points, &[x], &[y]);
        series.error = Some(vec![2.0]);
        let picture = draw(frame, &series);
        let inked = |(x, y): Point| picture.get_pixel((x * 2.0) as u32, (y * 2.0) as u32).0 != [255; 3];
        [37.0, 41.0, 79.0, 83.0].into_iter().filter(|&along| inked(place(along))).collect()
    }

    #[test]
    fn error_bars_reach_one_standard_error_either_way() {
        let upright = frame(false);
        assert_eq!(ink(&upright, 50.5, 5.0, |y| (60.0, y)), [41.0, 79.0]);
        let sideways = Frame { sideways: true, x: upright.y, y: upright.x, ..upright };
        assert_eq!(ink(&sideways, 5.0, 50.5, |x| (x, 60.0)), [41.0, 79.0]);
    }

    #[test]
    fn a_point_can_have_errors_of_both_coordinates() {
        let mut series = example_rows::series(Style::Points, &[50.5], &[5.0]);
        series.x_error = Some(vec![20.0]);
        let inked = |picture: &image::RgbImage, (x, y): Point| {
            picture.get_pixel((x * 2.0) as u32, (y * 2.0) as u32).0 != [255; 3]
        };
        let reach = |series: &Series| {
            let picture = draw(&frame(false), series);
            [(45.0, 60.0), (75.0, 60.0), (30.0, 60.0), (60.0, 45.0)].map(|place| inked(&picture, place))
        };
        assert_eq!(reach(&series), [true, true, false, false]);
        series.error = Some(vec![2.0]);
        assert_eq!(reach(&series), [true, true, false, true]);
    }
}
