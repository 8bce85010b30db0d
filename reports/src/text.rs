//! Text in figures: the bundled font, its metrics, line breaking, and glyph rasterisation.
//!
//! The text drawing of `plotters` drops side bearings, which tears accents off their letters, and has
//! no font of its own. Hence this small replacement; the font is the same on every machine.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, PxScale, ScaleFont, point};

static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| load(include_bytes!("../assets/DejaVuSans.ttf")));
static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| load(include_bytes!("../assets/DejaVuSans-Bold.ttf")));

fn load(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the bundled font is a valid TrueType file")
}

/// Size and weight of a text; `em` is in the pixels of the caller's canvas.
#[derive(Clone, Copy)]
pub struct Face {
    pub em: f64,
    pub bold: bool,
}

impl Face {
    fn font(self) -> &'static FontRef<'static> {
        if self.bold { &BOLD } else { &REGULAR }
    }

    /// Each glyph of `text` with the position of its origin, and the position behind the last.
    fn layout(self, text: &str) -> (Vec<(GlyphId, f32)>, f32) {
        let font = self.font().as_scaled(self.scale());
        let mut glyphs: Vec<(GlyphId, f32)> = Vec::new();
        let mut pen = 0.0;
        for character in text.chars() {
            let glyph = font.glyph_id(character);
            if let Some(&(before, _)) = glyphs.last() {
                pen += font.kern(before, glyph);
            }
            glyphs.push((glyph, pen));
            pen += font.h_advance(glyph);
        }
        (glyphs, pen)
    }

    fn scale(self) -> PxScale {
        let font = self.font();
        let units = font.units_per_em().unwrap_or(1000.0);
        PxScale::from(self.em as f32 * font.height_unscaled() / units)
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

    /// Calls `dot` with each covered pixel, relative to the start of the baseline, and its coverage.
    pub fn rasterise(self, text: &str, mut dot: impl FnMut(i32, i32, f32)) {
        for (glyph, x) in self.layout(text).0 {
            let glyph = glyph.with_scale_and_position(self.scale(), point(x, 0.0));
            if let Some(outline) = self.font().outline_glyph(glyph) {
                let corner = outline.px_bounds().min;
                outline.draw(|x, y, coverage| {
                    let (x, y) = (x as i32 + corner.x as i32, y as i32 + corner.y as i32);
                    dot(x, y, coverage.clamp(0.0, 1.0));
                });
            }
        }
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
        let mut accent_right = i32::MIN;
        FACE.rasterise("w\u{303}", |x, y, coverage| {
            if y < -7 && coverage > 0.1 {
                accent_right = accent_right.max(x);
            }
        });
        assert!(accent_right > 0, "there is an accent");
        assert!(f64::from(accent_right) < FACE.width("w"));
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
