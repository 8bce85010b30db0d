//! Text in figures: the bundled font, its metrics, line breaking, and glyph outlines.
//!
//! The font is bundled so that lines break, and bitmaps look, the same on every machine.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, OutlineCurve, PxScale, ScaleFont};
use tiny_skia::{Path, PathBuilder};

use crate::renderer::Point;

static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| load(include_bytes!("../assets/DejaVuSans.ttf")));
static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| load(include_bytes!("../assets/DejaVuSans-Bold.ttf")));

fn load(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the bundled font is a valid TrueType file")
}

/// Size in page pixels and weight of a text.
#[derive(Clone, Copy)]
pub struct Face {
    pub em: f64,
    pub bold: bool,
}

impl Face {
    fn font(self) -> &'static FontRef<'static> {
        if self.bold { &BOLD } else { &REGULAR }
    }

    fn units_per_em(self) -> f32 {
        self.font().units_per_em().unwrap_or(1000.0)
    }

    /// Each glyph of `text` with the position of its origin, and the position behind the last.
    fn layout(self, text: &str) -> (Vec<(GlyphId, f32)>, f32) {
        // `PxScale` is the height of a line, not of an em.
        let line = self.font().height_unscaled() / self.units_per_em();
        let font = self.font().as_scaled(PxScale::from(self.em as f32 * line));
        let mut glyphs: Vec<(GlyphId, f32)> = Vec::new();
        let mut end = 0.0;
        for character in text.chars() {
            let glyph = font.glyph_id(character);
            if let Some(&(before, _)) = glyphs.last() {
                end += font.kern(before, glyph);
            }
            glyphs.push((glyph, end));
            end += font.h_advance(glyph);
        }
        (glyphs, end)
    }

    /// Width of one line.
    pub fn width(self, text: &str) -> f64 {
        self.layout(text).1.into()
    }

    /// Breaks `text` at spaces into lines of at most `limit`; a longer word stays whole.
    pub fn wrap(self, text: &str, limit: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.width(&format!("{line} {word}")) <= limit => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.into()),
            }
        }
        lines
    }

    /// The glyphs of a text, to be filled; none where no glyph is visible.
    ///
    /// `place` maps (x, y) from the start of the baseline, y down, onto the drawing.
    pub fn outline(self, text: &str, place: impl Fn(f64, f64) -> Point) -> Option<Path> {
        let scale = self.em as f32 / self.units_per_em();
        let mut path = PathBuilder::new();
        for (glyph, left) in self.layout(text).0 {
            let place = |point: ab_glyph::Point| {
                let (x, y) = place((left + point.x * scale).into(), (-point.y * scale).into());
                (x as f32, y as f32)
            };
            let mut end = None;
            for curve in self.font().outline(glyph).into_iter().flat_map(|outline| outline.curves) {
                let (OutlineCurve::Line(start, _) | OutlineCurve::Quad(start, ..) | OutlineCurve::Cubic(start, ..)) =
                    curve;
                if end != Some(start) {
                    let (x, y) = place(start);
                    path.move_to(x, y);
                }
                match curve {
                    OutlineCurve::Line(_, to) => {
                        let (x, y) = place(to);
                        path.line_to(x, y);
                        end = Some(to);
                    }
                    OutlineCurve::Quad(_, control, to) => {
                        let ((x1, y1), (x, y)) = (place(control), place(to));
                        path.quad_to(x1, y1, x, y);
                        end = Some(to);
                    }
                    OutlineCurve::Cubic(_, first, second, to) => {
                        let ((x1, y1), (x2, y2), (x, y)) = (place(first), place(second), place(to));
                        path.cubic_to(x1, y1, x2, y2, x, y);
                        end = Some(to);
                    }
                }
            }
        }
        path.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Face = Face { em: 12.0, bold: false };

    #[test]
    fn the_fonts_have_the_characters_of_the_field() {
        let text = "λαβσμπεθΣΔ≥≤≠≈∞·²³⁻¹⁰⁴⁹√∑∫∂∇→±×−–—…ℝ‖|∈~^()[]\u{303}";
        for bold in [false, true] {
            let font = Face { bold, ..FACE }.font();
            let missing: String = text.chars().filter(|&c| font.glyph_id(c).0 == 0).collect();
            assert_eq!(missing, "", "bold: {bold}");
        }
    }

    #[test]
    fn a_combining_accent_lies_over_its_letter() {
        let path = FACE.outline("w\u{303}", |x, y| (x, y)).expect("visible glyphs");
        let accent = path.points().iter().filter(|point| point.y < -7.0);
        let right = accent.map(|point| f64::from(point.x)).fold(f64::MIN, f64::max);
        assert!(right > 0.0, "there is an accent");
        assert!(right < FACE.width("w"));
    }

    #[test]
    fn wrapping_keeps_every_word_and_the_limit() {
        let text = "the expected loss of the cascade, in nats per token";
        let lines = FACE.wrap(text, 100.0);
        assert!(lines.len() > 2);
        assert_eq!(lines.join(" "), text);
        assert!(lines.iter().all(|line| FACE.width(line) <= 100.0));
        assert!(FACE.wrap("  ", 100.0).is_empty());
    }
}
