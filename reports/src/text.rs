//! Text in figures: the bundled font, its metrics, line breaking, and the pixels of glyphs.
//!
//! The font is bundled so that lines break, and bitmaps look, the same on every machine. The text drawing of `plotters` leaves out
//! side bearings, which would tear accents off their letters.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, PxScale, ScaleFont, point};

static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| load(include_bytes!("../assets/DejaVuSans.ttf")));
static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| load(include_bytes!("../assets/DejaVuSans-Bold.ttf")));

fn load(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the bundled font is a valid TrueType file")
}

/// Size in pixels, of a page or a bitmap, and weight of a text.
#[derive(Clone, Copy)]
pub struct Face {
    pub em: f64,
    pub bold: bool,
}

impl Face {
    fn font(self) -> &'static FontRef<'static> {
        if self.bold { &BOLD } else { &REGULAR }
    }

    fn scale(self) -> PxScale {
        // `PxScale` is the height of a line, not of an em.
        let units = self.font().units_per_em().unwrap_or(1000.0);
        PxScale::from(self.em as f32 * self.font().height_unscaled() / units)
    }

    /// Each glyph of `text` with the position of its origin, and the position behind the last.
    fn layout(self, text: &str) -> (Vec<(GlyphId, f32)>, f32) {
        let font = self.font().as_scaled(self.scale());
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

    /// Each pixel that the glyphs of a text cover, relative to the start of the baseline, with its coverage.
    pub fn pixels(self, text: &str) -> Vec<((i32, i32), f32)> {
        let mut pixels = Vec::new();
        for (glyph, left) in self.layout(text).0 {
            let glyph = glyph.with_scale_and_position(self.scale(), point(left, 0.0));
            let Some(outline) = self.font().outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, coverage| {
                let at = (x as i32 + corner.x as i32, y as i32 + corner.y as i32);
                pixels.push((at, coverage.clamp(0.0, 1.0)));
            });
        }
        pixels
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
        let pixels = FACE.pixels("w\u{303}").into_iter();
        let accent = pixels.filter(|((_, y), coverage)| *y < -7 && *coverage > 0.1);
        let right = accent.map(|((x, _), _)| f64::from(x)).fold(f64::MIN, f64::max);
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
