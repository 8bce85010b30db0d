//! Drawing in page pixels on either kind of canvas, SVG or bitmap.

use anyhow::{Result, anyhow};
use image::{RgbImage, imageops};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::palette::{self, Ink};
use crate::text::Face;

/// Canvas pixels a page pixel: backends know whole pixels only.
const FINE: u32 = 6;
/// Bitmap pixels a page pixel, for screens of high density.
pub const DENSITY: u32 = 2;

/// A place on the canvas in page pixels.
pub type Point = (f64, f64);

/// The outcome of a drawing step.
pub type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Something of known size that can be drawn on any canvas.
pub trait Drawing {
    /// Width and height in page pixels.
    fn size(&self) -> (u32, u32);
    fn draw<DB: DrawingBackend>(&self, pen: &Pen<DB>) -> Drawn<DB>;
}

/// Draws on white at [`DENSITY`].
pub fn bitmap(drawing: &impl Drawing) -> Result<RgbImage> {
    let (width, height) = drawing.size();
    let fine = (width * FINE, height * FINE);
    let mut canvas = RgbImage::from_pixel(fine.0, fine.1, image::Rgb([255; 3]));
    let pen = Pen { area: BitMapBackend::with_buffer(&mut canvas, fine).into_drawing_area(), outlines: true };
    drawing.draw(&pen).map_err(|error| anyhow!("{error}"))?;
    pen.area.present().map_err(|error| anyhow!("{error}"))?;
    drop(pen);
    // Averaging smooths the edges, which the backend itself draws hard.
    Ok(imageops::thumbnail(&canvas, width * DENSITY, height * DENSITY))
}

/// The drawing as an inline SVG element that scales with its container and follows the page's theme.
pub fn svg(drawing: &impl Drawing) -> Result<String> {
    let (width, height) = drawing.size();
    let mut text = String::new();
    let pen = Pen {
        area: SVGBackend::with_string(&mut text, (width * FINE, height * FINE)).into_drawing_area(),
        outlines: false,
    };
    drawing.draw(&pen).map_err(|error| anyhow!("{error}"))?;
    pen.area.present().map_err(|error| anyhow!("{error}"))?;
    drop(pen);
    let body = text.split_once(">\n").map_or("", |(_, body)| body).replace("opacity=\"1\" ", "");
    Ok(palette::follow_theme(body))
}

/// The `viewBox` of [`svg`].
pub fn view_box(drawing: &impl Drawing) -> String {
    let (width, height) = drawing.size();
    format!("0 0 {} {}", width * FINE, height * FINE)
}

/// How a text is set.
#[derive(Clone, Copy)]
pub struct Setting {
    pub face: Face,
    pub ink: Ink,
    pub across: HPos,
    /// Bottom to top instead of left to right.
    pub upwards: bool,
}

/// Draws in page pixels.
pub struct Pen<DB: DrawingBackend> {
    area: DrawingArea<DB, plotters::coord::Shift>,
    /// Whether text is drawn as pixels of the bundled font rather than left to the canvas.
    outlines: bool,
}

impl<DB: DrawingBackend> Pen<DB> {
    pub fn line(&self, points: &[Point], ink: Ink, width: f64) -> Drawn<DB> {
        let style = ink.light().stroke_width(grid(width).max(1) as u32);
        let mut points: Vec<_> = points.iter().copied().map(on_grid).collect();
        points.dedup();
        self.area.draw(&PathElement::new(points, style))
    }

    pub fn polygon(&self, points: &[Point], ink: Ink) -> Drawn<DB> {
        let points: Vec<_> = points.iter().copied().map(on_grid).collect();
        self.area.draw(&Polygon::new(points, ink.light().filled()))
    }

    /// One line of text, centred vertically on `at` (across its baseline).
    pub fn text(&self, text: &str, at: Point, setting: Setting) -> Drawn<DB> {
        let face = Face { em: setting.face.em * f64::from(FINE), ..setting.face };
        let colour = setting.ink.light();
        let transform = if setting.upwards { FontTransform::Rotate270 } else { FontTransform::None };
        if !self.outlines {
            let weight = if face.bold { FontStyle::Bold } else { FontStyle::Normal };
            // The backend divides the size of a font by 1.24.
            let font = FontDesc::new(FontFamily::SansSerif, face.em * 1.24, weight);
            let style =
                TextStyle::from(font.transform(transform)).pos(Pos::new(setting.across, VPos::Center)).color(&colour);
            return self.area.draw_text(text, &style, on_grid(at));
        }
        let start = match setting.across {
            HPos::Left => 0.0,
            HPos::Center => -face.width(text) / 2.0,
            HPos::Right => -face.width(text),
        };
        // Half the height of a small letter, which is where the SVG backend centres.
        let drop = 0.27 * face.em;
        let (x, y) = on_grid(at);
        let mut dots = Vec::new();
        face.rasterise(text, |dx, dy, coverage| {
            let local = (dx + start.round() as i32, dy + drop.round() as i32);
            let (dx, dy) = transform.transform(local.0, local.1);
            dots.push(((x + dx, y + dy), coverage));
        });
        dots.into_iter().try_for_each(|(at, coverage)| self.area.draw_pixel(at, &colour.mix(coverage.into())))
    }
}

fn on_grid((x, y): Point) -> (i32, i32) {
    (grid(x), grid(y))
}

fn grid(length: f64) -> i32 {
    (length * f64::from(FINE)).round() as i32
}
