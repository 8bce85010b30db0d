//! The colours of figures, in a light and a dark version.
//!
//! Figures are drawn in the light colours. Inline SVG then names CSS variables instead, so that it follows the theme of the page.

/// A colour by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
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

impl Colour {
    /// Red, green and blue on white.
    pub fn light(self) -> [u8; 3] {
        let index = match self {
            Colour::Page => 0,
            Colour::Text => 1,
            Colour::Muted => 2,
            Colour::Frame => 3,
            Colour::Grid => 4,
            Colour::Series(index) => 5 + index % SERIES,
        };
        let [_, red, green, blue] = COLOURS[index].1.to_be_bytes();
        [red, green, blue]
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
    fn every_role_has_a_colour_of_its_own() {
        let series = (0..SERIES).map(Colour::Series);
        let all = [Colour::Page, Colour::Text, Colour::Muted, Colour::Frame, Colour::Grid].into_iter().chain(series);
        let seen: std::collections::HashSet<_> = all.map(Colour::light).collect();
        assert_eq!(seen.len(), COLOURS.len());
        for (name, light, dark) in COLOURS {
            assert!(declarations(false).contains(&format!("--{name}: #{light:06X};")), "{name}");
            assert!(declarations(true).contains(&format!("--{name}: #{dark:06X};")), "{name}");
        }
    }
}
