//! The colours of figures, in a light and a dark version.
//!
//! Figures are drawn in the light colours. Inline SVG then names CSS variables instead, so that it
//! follows the theme of the page.

use plotters::style::RGBColor;

/// A role that has a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The page itself, inside of hollow markers.
    Page,
    Text,
    Muted,
    Frame,
    Grid,
    /// A data series, by its place in the panel.
    Series(usize),
}

/// How many series have a colour of their own.
pub const SERIES: usize = 10;

/// CSS variable, light and dark colour. The series keep apart for colour-blind readers (after Okabe and
/// Ito, darkened or lightened for contrast with the page).
const COLOURS: [(&str, u32, u32); 5 + SERIES] = [
    ("plot-page", 0xFFFFFF, 0x15191E),
    ("plot-text", 0x20262E, 0xE4E8EC),
    ("plot-muted", 0x5A6571, 0xA3ADB8),
    ("plot-frame", 0x98A2AD, 0x5C6773),
    ("plot-grid", 0xE6E9ED, 0x2B323A),
    ("series-0", 0x0067A5, 0x5AB4F0),
    ("series-1", 0xCF5300, 0xFF9350),
    ("series-2", 0x00805C, 0x3ECDA0),
    ("series-3", 0xB0478A, 0xF08CC8),
    ("series-4", 0x94680A, 0xE8BE4A),
    ("series-5", 0x3C8FC4, 0x9AD7FF),
    ("series-6", 0x5B4699, 0xB6A4F5),
    ("series-7", 0x7A3B20, 0xD9A184),
    ("series-8", 0x66717D, 0xB4BEC8),
    ("series-9", 0x0B5F66, 0x76C9CF),
];

impl Ink {
    /// The colour on white.
    pub fn light(self) -> RGBColor {
        let index = match self {
            Ink::Page => 0,
            Ink::Text => 1,
            Ink::Muted => 2,
            Ink::Frame => 3,
            Ink::Grid => 4,
            Ink::Series(index) => 5 + index % SERIES,
        };
        let [_, red, green, blue] = COLOURS[index].1.to_be_bytes();
        RGBColor(red, green, blue)
    }
}

/// CSS declarations of all colours of one theme.
pub fn declarations(dark: bool) -> String {
    COLOURS.iter().map(|(name, light, night)| format!("--{name}: #{:06X};", if dark { night } else { light })).collect()
}

/// Replaces the light colours of an SVG by their CSS variables.
pub fn follow_theme(mut svg: String) -> String {
    for (name, light, _) in COLOURS {
        for property in ["fill", "stroke"] {
            // Text content cannot match: its quotation marks are escaped.
            svg = svg.replace(&format!("{property}=\"#{light:06X}\""), &format!("style=\"{property}:var(--{name})\""));
        }
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: u32) -> f64 {
        let [_, red, green, blue] = colour.to_be_bytes().map(|byte| {
            let part = f64::from(byte) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn text_and_series_stand_out_from_both_pages() {
        let (_, white, black) = COLOURS[0];
        let contrast = |one: u32, other: u32| {
            let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
            (one / other).max(other / one)
        };
        for (name, light, dark) in COLOURS {
            let least = match name {
                "plot-text" | "plot-muted" => 4.5,
                "plot-page" | "plot-frame" | "plot-grid" => 1.0,
                _ => 3.0,
            };
            assert!(contrast(light, white) >= least, "{name}, light");
            assert!(contrast(dark, black) >= least, "{name}, dark");
        }
    }

    #[test]
    fn every_colour_is_replaced_and_distinct() {
        let svg: String = COLOURS.iter().map(|(_, light, _)| format!("<path fill=\"#{light:06X}\"/>")).collect();
        let themed = follow_theme(svg);
        assert!(!themed.contains('#'), "{themed}");
        for (name, ..) in COLOURS {
            assert_eq!(themed.matches(&format!("var(--{name})")).count(), 1);
        }
    }
}
