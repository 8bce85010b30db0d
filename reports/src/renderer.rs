//! Drawings: shapes in page pixels, drawn by `plotters` as inline SVG and as a bitmap.
//!
//! Both pictures show the same shapes. The SVG names CSS variables in place of colours, so that it follows the theme of the page, and
//! leaves text to the browser; the bitmap has the light colours on white and the glyphs of the bundled font.

use std::vec::IntoIter;

use image::{Rgb, RgbImage, imageops};
use plotters::element::{DashedPathElement, DottedPathElement};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::palette::{self, Colour};
use crate::text::Face;

/// Backend units per page pixel: backends know whole units only.
const FINE: u32 = 6;
/// Bitmap pixels per page pixel, for screens of high density.
pub const DENSITY: u32 = 2;

/// A place in page pixels, x to the right and y down.
pub type Point = (f64, f64);

/// A picture of known size.
pub struct Drawing {
    /// Page pixels.
    pub width: u32,
    /// Page pixels.
    pub height: u32,
    /// Later shapes cover earlier ones.
    shapes: Vec<Shape>,
}

/// A place in backend units.
type Place = (i32, i32);

/// An element of `plotters`, or a text.
enum Shape {
    Line(PathElement<Place>),
    Dashes(DashedPathElement<IntoIter<Place>, u32>),
    Dots(DottedPathElement<IntoIter<Place>, u32, Circle<Place, u32>>),
    Polygon(Polygon<Place>),
    Text { text: String, at: Place, style: TextStyle },
}

/// The pattern of a dashed line, in page pixels.
#[derive(Clone, Copy)]
pub struct Dashes {
    pub length: u32,
    pub gap: u32,
    /// Whether there is a dot in the middle of each gap.
    pub dotted: bool,
}

/// Font, colour and direction of a text.
#[derive(Clone, Copy)]
pub struct TextStyle {
    pub face: Face,
    pub colour: Colour,
    /// The end of the text that lies on its place.
    pub anchor: HPos,
    /// Bottom to top instead of left to right.
    pub upwards: bool,
}

impl Drawing {
    /// An empty drawing.
    pub fn new(width: f64, height: f64) -> Drawing {
        Drawing { width: width.ceil() as u32, height: height.ceil() as u32, shapes: Vec::new() }
    }

    /// A line of straight pieces, solid without `dashes`.
    pub fn line(&mut self, points: &[Point], colour: Colour, width: f64, dashes: Option<Dashes>) {
        let mut points: Vec<Place> = points.iter().copied().map(on_grid).collect();
        points.dedup();
        let points = without_straight_parts(points);
        if points.len() < 2 {
            return;
        }
        let width = grid(width).unsigned_abs();
        let style = paint(colour).stroke_width(width);
        let Some(Dashes { length, gap, dotted }) = dashes else {
            return self.shapes.push(Shape::Line(PathElement::new(points, style)));
        };
        let (length, gap) = (length * FINE, gap * FINE);
        self.shapes.push(Shape::Dashes(DashedPathElement::new(points.clone(), length, gap, style)));
        if dotted {
            let dot = move |at| Circle::new(at, width / 2, style.filled());
            self.shapes.push(Shape::Dots(DottedPathElement::new(points, length + gap / 2, length + gap, dot)));
        }
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: &[Point], colour: Colour) {
        let points: Vec<Place> = points.iter().copied().map(on_grid).collect();
        self.shapes.push(Shape::Polygon(Polygon::new(points, paint(colour))));
    }

    /// One line of text, centred on `at` across its baseline.
    pub fn text(&mut self, text: &str, at: Point, style: TextStyle) {
        self.shapes.push(Shape::Text { text: text.to_owned(), at: on_grid(at), style });
    }

    /// Width and height in backend units.
    fn size(&self) -> (u32, u32) {
        (self.width * FINE, self.height * FINE)
    }

    /// The `viewBox` of [`Drawing::svg`].
    pub fn view_box(&self) -> String {
        format!("0 0 {} {}", self.size().0, self.size().1)
    }

    /// The content of an SVG element.
    pub fn svg(&self) -> Result<String, String> {
        let mut element = String::new();
        self.draw(SVGBackend::with_string(&mut element, self.size()), false)?;
        let content = element.split_once(">\n").map_or("", |(_, content)| content.trim_end_matches("</svg>\n"));
        Ok(palette::follow_theme(content.replace("opacity=\"1\" ", "")))
    }

    /// The drawing on white at [`DENSITY`].
    pub fn bitmap(&self) -> Result<RgbImage, String> {
        let (width, height) = self.size();
        let mut canvas = RgbImage::from_pixel(width, height, Rgb([255; 3]));
        self.draw(BitMapBackend::with_buffer(&mut canvas, (width, height)), true)?;
        // Averaging smooths the edges, which the backend draws hard.
        Ok(imageops::thumbnail(&canvas, self.width * DENSITY, self.height * DENSITY))
    }

    /// Draws on any backend; `glyphs` are the pixels of texts, which are left to the backend otherwise.
    fn draw<B: DrawingBackend>(&self, backend: B, glyphs: bool) -> Result<(), String> {
        let area = backend.into_drawing_area();
        let drawn = self.shapes.iter().try_for_each(|shape| match shape {
            Shape::Line(line) => area.draw(line),
            Shape::Dashes(line) => area.draw(line),
            Shape::Dots(line) => area.draw(line),
            Shape::Polygon(polygon) => area.draw(polygon),
            Shape::Text { text, at, style } if glyphs => style
                .pixels(text, *at)
                .try_for_each(|(at, coverage)| area.draw_pixel(at, &paint(style.colour).mix(coverage.into()))),
            Shape::Text { text, at, style } => area.draw_text(text, &style.font(), *at),
        });
        drawn.and_then(|()| area.present()).map_err(|error| error.to_string())
    }
}

impl TextStyle {
    fn face(self) -> Face {
        Face { em: self.face.em * f64::from(FINE), ..self.face }
    }

    fn transform(self) -> FontTransform {
        if self.upwards { FontTransform::Rotate270 } else { FontTransform::None }
    }

    fn font(self) -> plotters::style::TextStyle<'static> {
        let weight = if self.face.bold { FontStyle::Bold } else { FontStyle::Normal };
        // The SVG backend divides the size of a font by 1.24.
        let font = FontDesc::new(FontFamily::SansSerif, self.face().em * 1.24, weight).transform(self.transform());
        font.color(&paint(self.colour)).pos(Pos::new(self.anchor, VPos::Center))
    }

    /// The pixels of a text that is centred on `at`, with their coverage.
    fn pixels(self, text: &str, at: Place) -> impl Iterator<Item = (Place, f32)> {
        let face = self.face();
        let left = match self.anchor {
            HPos::Left => 0.0,
            HPos::Center => -face.width(text) / 2.0,
            HPos::Right => -face.width(text),
        };
        // Half the height of a small letter, as the SVG's 0.5ex.
        let baseline = 0.27 * face.em;
        face.pixels(text).into_iter().map(move |((x, y), coverage)| {
            let (dx, dy) = self.transform().transform(x + left.round() as i32, y + baseline.round() as i32);
            ((at.0 + dx, at.1 + dy), coverage)
        })
    }
}

/// Leaves out the points that lie on the straight line between their neighbours that stay, to one backend unit, a sixth of a
/// pixel: a curve of a thousand points needs a hundred or two.
fn without_straight_parts(points: Vec<Place>) -> Vec<Place> {
    let mut kept: Vec<Place> = points.first().copied().into_iter().collect();
    let mut start = 0;
    for end in 1..points.len() {
        // The point before `end` stays where a line past it would leave one of the points between.
        let is_straight =
            |next: usize| points[start + 1..next].iter().all(|&point| is_near(point, points[start], points[next]));
        if end + 1 == points.len() || !is_straight(end + 1) {
            kept.push(points[end]);
            start = end;
        }
    }
    kept
}

/// Whether a point lies within one unit of the line between two others, and between them.
fn is_near(point: Place, from: Place, to: Place) -> bool {
    let vector = |to: Place| (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
    let ((x, y), (dx, dy)) = (vector(point), vector(to));
    let length = dx.hypot(dy);
    let along = (x * dx + y * dy) / length;
    (x * dy - y * dx).abs() <= length && (0.0..=length).contains(&along)
}

fn on_grid((x, y): Point) -> Place {
    (grid(x), grid(y))
}

fn grid(length: f64) -> i32 {
    (length * f64::from(FINE)).round() as i32
}

fn paint(colour: Colour) -> RGBColor {
    let [red, green, blue] = colour.light();
    RGBColor(red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rectangle of pixels that are not white, as left, top, right, bottom.
    fn inked(picture: &RgbImage) -> Option<[u32; 4]> {
        let inked = picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0 != [255; 3]);
        inked.fold(None, |bounds, (x, y, _)| {
            let [left, top, right, bottom] = bounds.unwrap_or([x, y, x, y]);
            Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
        })
    }

    #[test]
    fn shapes_lie_at_their_place_in_both_pictures() {
        let mut drawing = Drawing::new(20.0, 10.0);
        drawing.line(&[(2.0, 3.0), (2.04, 3.0), (12.0, 3.0)], Colour::Text, 2.0, None);
        drawing.polygon(&[(14.0, 5.0), (18.0, 5.0), (18.0, 9.0), (14.0, 9.0)], Colour::Series(1));
        let picture = drawing.bitmap().expect("a bitmap");
        assert_eq!(picture.dimensions(), (40, 20));
        let [left, top, right, bottom] = inked(&picture).expect("visible shapes");
        // The backend may fill the units along the far edges as well: a sixth of a page pixel.
        assert!((left, top) == (4, 4) && (35..=36).contains(&right) && (17..=18).contains(&bottom));
        assert_eq!(picture.get_pixel(10, 5).0, Colour::Text.light());
        assert_eq!(picture.get_pixel(30, 12).0, Colour::Series(1).light());
        let svg = drawing.svg().expect("an SVG");
        assert!(svg.contains("style=\"stroke:var(--plot-text)\" stroke-width=\"12\" points=\"12,18 72,18 \""), "{svg}");
        assert!(
            svg.contains("<polygon style=\"fill:var(--series-1)\" points=\"84,30 108,30 108,54 84,54 \"/>"),
            "{svg}"
        );
    }

    #[test]
    fn points_on_a_straight_line_are_left_out() {
        let line: Vec<Place> = (0..100).map(|x| (x, 2 * x)).collect();
        assert_eq!(without_straight_parts(line.clone()), [(0, 0), (99, 198)]);
        // A corner may move by a unit.
        let corner = [line, (100..150).map(|x| (x, 198)).collect(), vec![(120, 198)]].concat();
        assert_eq!(without_straight_parts(corner), [(0, 0), (100, 198), (149, 198), (120, 198)]);
        let circle: Vec<Place> = (0..1000)
            .map(|i| f64::from(i) * std::f64::consts::TAU / 1000.0)
            .map(|angle| ((1000.0 * angle.cos()).round() as i32, (1000.0 * angle.sin()).round() as i32))
            .collect();
        let thinned = without_straight_parts(circle.clone());
        assert!((60..300).contains(&thinned.len()), "{}", thinned.len());
        // Every point lies near the line that is left.
        for point in circle {
            let near = |pair: &[Place]| pair.contains(&point) || is_near(point, pair[0], pair[1]);
            assert!(thinned.windows(2).any(near), "{point:?}");
        }
        assert!(without_straight_parts(Vec::new()).is_empty());
    }

    #[test]
    fn dashes_leave_gaps() {
        for dotted in [false, true] {
            let mut drawing = Drawing::new(20.0, 4.0);
            drawing.line(&[(0.0, 2.0), (20.0, 2.0)], Colour::Text, 2.0, Some(Dashes { length: 6, gap: 4, dotted }));
            let picture = drawing.bitmap().expect("a bitmap");
            let dark = |x: f64| picture.get_pixel((x * f64::from(DENSITY)) as u32, 4).0 != [255; 3];
            assert_eq!([1.0, 5.0, 6.5, 9.5, 11.0, 15.0, 16.5].map(dark), [true, true, false, false, true, true, false]);
            assert_eq!((dark(8.0), dark(18.0)), (dotted, dotted));
            assert_eq!(drawing.svg().map(|svg| svg.matches("<polyline").count()), Ok(2));
        }
    }

    #[test]
    fn text_starts_at_its_anchor_and_turns() {
        let inked = |anchor, upwards| {
            let mut drawing = Drawing::new(100.0, 100.0);
            let style = TextStyle { face: Face { em: 12.0, bold: true }, colour: Colour::Text, anchor, upwards };
            drawing.text("<MMM", (50.0, 50.0), style);
            assert!(drawing.svg().is_ok_and(|svg| svg.contains(">\n&lt;MMM\n</text>")));
            inked(&drawing.bitmap().expect("a bitmap")).expect("a visible text").map(|edge| edge / DENSITY)
        };
        let [left, top, right, bottom] = inked(HPos::Left, false);
        assert!((50..53).contains(&left) && right > 80 && top > 40 && bottom < 56);
        assert!((47..50).contains(&inked(HPos::Right, false)[2]));
        let [left, _, right, bottom] = inked(HPos::Left, true);
        assert!((47..50).contains(&bottom) && left > 40 && right < 56);
        let [left, _, right, _] = inked(HPos::Center, false);
        assert!((left + right).abs_diff(100) < 3);
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let mut drawing = Drawing::new(10.0, 10.0);
        drawing.line(&[], Colour::Text, 1.0, None);
        drawing.line(&[(5.0, 5.0), (5.0, 5.0)], Colour::Text, 1.0, None);
        assert_eq!(inked(&drawing.bitmap().expect("a bitmap")), None);
        assert_eq!(Drawing::new(10.0, 0.0).bitmap().map(|picture| picture.dimensions()), Ok((20, 0)));
    }
}
