//! Drawings: shapes in page pixels, written as inline SVG and rasterised to a bitmap.
//!
//! Both pictures show the same shapes. The SVG names CSS variables in place of colours, so that it follows the theme of the page, and
//! leaves text to the browser; the bitmap has the light colours on white and the glyphs of the bundled font.

use image::{Rgb, RgbImage};
use minijinja::HtmlEscape;
use tiny_skia::{Color, FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, StrokeDash, Transform};

use crate::palette::Colour;
use crate::text::Face;

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

enum Shape {
    Line { points: Vec<Point>, colour: Colour, width: f32, dashes: &'static [f32] },
    Polygon { points: Vec<Point>, colour: Colour },
    Text { text: String, at: Point, style: TextStyle },
}

/// The end of a text that lies on its place.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// Font, colour and direction of a text.
#[derive(Clone, Copy)]
pub struct TextStyle {
    pub face: Face,
    pub colour: Colour,
    pub anchor: Anchor,
    /// Bottom to top instead of left to right.
    pub upwards: bool,
}

impl Drawing {
    /// An empty drawing.
    pub fn new(width: f64, height: f64) -> Drawing {
        Drawing { width: width.ceil() as u32, height: height.ceil() as u32, shapes: Vec::new() }
    }

    /// A line of straight pieces; `dashes` are lengths of dashes and gaps in turn, none for a solid line.
    pub fn line(&mut self, points: &[Point], colour: Colour, width: f32, dashes: &'static [f32]) {
        let mut points: Vec<Point> = points.iter().copied().map(round).collect();
        points.dedup();
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, colour, width, dashes });
        }
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: &[Point], colour: Colour) {
        self.shapes.push(Shape::Polygon { points: points.iter().copied().map(round).collect(), colour });
    }

    /// One line of text, centred on `at` across its baseline.
    pub fn text(&mut self, text: &str, at: Point, style: TextStyle) {
        self.shapes.push(Shape::Text { text: text.to_owned(), at: round(at), style });
    }

    /// The `viewBox` of [`Drawing::svg`].
    pub fn view_box(&self) -> String {
        format!("0 0 {} {}", self.width, self.height)
    }

    /// The content of an SVG element.
    pub fn svg(&self) -> String {
        self.shapes.iter().map(Shape::svg).collect()
    }

    /// The drawing on white at [`DENSITY`].
    pub fn bitmap(&self) -> RgbImage {
        let (width, height) = (self.width * DENSITY, self.height * DENSITY);
        let Some(mut canvas) = Pixmap::new(width, height) else { return RgbImage::new(width, height) };
        canvas.fill(Color::WHITE);
        for shape in &self.shapes {
            shape.rasterise(&mut canvas);
        }
        RgbImage::from_fn(width, height, |x, y| {
            let pixel = canvas.pixels()[(y * width + x) as usize];
            Rgb([pixel.red(), pixel.green(), pixel.blue()])
        })
    }
}

impl Shape {
    fn svg(&self) -> String {
        let list = |points: &[Point]| points.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ");
        match self {
            Shape::Line { points, colour, width, dashes } => {
                let colour = colour.variable();
                let dashes: Vec<String> = dashes.iter().map(f32::to_string).collect();
                let dashes = match dashes.is_empty() {
                    true => String::new(),
                    false => format!(" stroke-dasharray=\"{}\"", dashes.join(" ")),
                };
                format!(
                    "<polyline fill=\"none\" style=\"stroke:var(--{colour})\" stroke-width=\"{width}\"{dashes} points=\"{}\"/>\n",
                    list(points)
                )
            }
            Shape::Polygon { points, colour } => {
                format!("<polygon style=\"fill:var(--{})\" points=\"{}\"/>\n", colour.variable(), list(points))
            }
            Shape::Text { text, at: (x, y), style } => {
                let anchor = match style.anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                let weight = if style.face.bold { " font-weight=\"bold\"" } else { "" };
                let turn = if style.upwards { format!(" transform=\"rotate(270 {x} {y})\"") } else { String::new() };
                format!(
                    "<text x=\"{x}\" y=\"{y}\" dy=\"0.5ex\" text-anchor=\"{anchor}\" font-size=\"{}\"{weight}{turn} \
                     style=\"fill:var(--{})\">{}</text>\n",
                    style.face.em,
                    style.colour.variable(),
                    HtmlEscape(text)
                )
            }
        }
    }

    fn rasterise(&self, canvas: &mut Pixmap) {
        let (path, colour, stroke) = match self {
            Shape::Line { points, colour, width, dashes } => {
                let dash = StrokeDash::new(dashes.to_vec(), 0.0);
                let stroke = Stroke { width: *width, line_join: LineJoin::Round, dash, ..Stroke::default() };
                (path(points), *colour, Some(stroke))
            }
            Shape::Polygon { points, colour } => (path(points), *colour, None),
            Shape::Text { text, at, style } => (style.outline(text, *at), style.colour, None),
        };
        // A text of blanks has nothing to show.
        let Some(path) = path else { return };
        let [red, green, blue] = colour.light();
        let mut paint = Paint::default();
        paint.set_color_rgba8(red, green, blue, 255);
        let scale = Transform::from_scale(DENSITY as f32, DENSITY as f32);
        match stroke {
            Some(stroke) => canvas.stroke_path(&path, &paint, &stroke, scale, None),
            None => canvas.fill_path(&path, &paint, FillRule::Winding, scale, None),
        }
    }
}

impl TextStyle {
    /// The glyphs of a text that is centred on `at`.
    fn outline(self, text: &str, at: Point) -> Option<Path> {
        let width = self.face.width(text);
        let start = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        // Half the height of a small letter, as the SVG's 0.5ex.
        let baseline = 0.27 * self.face.em;
        self.face.outline(text, |x, y| {
            let (along, down) = (x + start, y + baseline);
            let (dx, dy) = if self.upwards { (down, -along) } else { (along, down) };
            (at.0 + dx, at.1 + dy)
        })
    }
}

/// Tenths of a page pixel are finer than the bitmap and keep the page small.
fn round((x, y): Point) -> Point {
    ((x * 10.0).round() / 10.0, (y * 10.0).round() / 10.0)
}

fn path(points: &[Point]) -> Option<Path> {
    let (first, rest) = points.split_first()?;
    let mut path = PathBuilder::new();
    path.move_to(first.0 as f32, first.1 as f32);
    rest.iter().for_each(|(x, y)| path.line_to(*x as f32, *y as f32));
    path.finish()
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
        drawing.line(&[(2.0, 3.0), (2.04, 3.0), (12.0, 3.0)], Colour::Text, 2.0, &[]);
        drawing.polygon(&[(14.0, 5.0), (18.0, 5.0), (18.0, 9.0), (14.0, 9.0)], Colour::Series(1));
        let picture = drawing.bitmap();
        assert_eq!(picture.dimensions(), (40, 20));
        assert_eq!(inked(&picture), Some([4, 4, 35, 17]));
        assert_eq!(picture.get_pixel(10, 5).0, Colour::Text.light());
        assert_eq!(picture.get_pixel(30, 12).0, Colour::Series(1).light());
        let svg = drawing.svg();
        assert!(svg.contains("style=\"stroke:var(--plot-text)\" stroke-width=\"2\" points=\"2,3 12,3\""), "{svg}");
        assert!(svg.contains("<polygon style=\"fill:var(--series-1)\" points=\"14,5 18,5 18,9 14,9\"/>"), "{svg}");
    }

    #[test]
    fn dashes_leave_gaps() {
        let mut drawing = Drawing::new(20.0, 4.0);
        drawing.line(&[(0.0, 2.0), (20.0, 2.0)], Colour::Text, 2.0, &[6.0, 4.0]);
        let picture = drawing.bitmap();
        let dark = |x: u32| picture.get_pixel(x * DENSITY, 4).0 != [255; 3];
        assert_eq!([1, 5, 7, 9, 11, 15, 17].map(dark), [true, true, false, false, true, true, false]);
        assert!(drawing.svg().contains(" stroke-dasharray=\"6 4\" "));
    }

    #[test]
    fn text_starts_at_its_anchor_and_turns() {
        let inked = |anchor, upwards| {
            let mut drawing = Drawing::new(100.0, 100.0);
            let style = TextStyle { face: Face { em: 12.0, bold: true }, colour: Colour::Text, anchor, upwards };
            drawing.text("<MMM", (50.0, 50.0), style);
            assert!(drawing.svg().contains(">&lt;MMM</text>"));
            inked(&drawing.bitmap()).expect("a visible text").map(|edge| edge / DENSITY)
        };
        let [left, top, right, bottom] = inked(Anchor::Start, false);
        assert!((50..53).contains(&left) && right > 80 && top > 40 && bottom < 56);
        assert!((47..50).contains(&inked(Anchor::End, false)[2]));
        let [left, _, right, bottom] = inked(Anchor::Start, true);
        assert!((47..50).contains(&bottom) && left > 40 && right < 56);
        let [left, _, right, _] = inked(Anchor::Middle, false);
        assert!((left + right).abs_diff(100) < 3);
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let mut drawing = Drawing::new(10.0, 10.0);
        drawing.line(&[], Colour::Text, 1.0, &[]);
        drawing.line(&[(5.0, 5.0), (5.0, 5.0)], Colour::Text, 1.0, &[]);
        assert_eq!(inked(&drawing.bitmap()), None);
        assert_eq!(Drawing::new(10.0, 0.0).bitmap().dimensions(), (20, 0));
    }
}
