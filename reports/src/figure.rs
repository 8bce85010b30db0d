//! Figures, drawn: one PNG file per figure, and one piece of HTML per panel.

use base64::Engine;
use image::{RgbImage, imageops};
use serde::Serialize;

use crate::image_grid::{self, Grid};
use crate::plot::{self, Plot, Title};
use crate::record::{Figure, Panel};
use crate::renderer::DENSITY;

/// Room between the panels of a PNG file, in page pixels.
const GAP: u32 = 16;

/// A figure, drawn.
#[derive(Serialize)]
pub struct DrawnFigure {
    pub id: String,
    title: String,
    caption: String,
    panels: Vec<PanelView>,
    /// The PNG file: all panels side by side. Tables are left out; a figure of tables alone has none.
    #[serde(skip)]
    pub png: Option<Vec<u8>>,
}

/// A panel as the page's template takes it.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum PanelView {
    Plot {
        /// Content of the SVG element.
        svg: String,
        view_box: String,
        width: u32,
        /// The plot in words, for readers who cannot see it.
        alt: String,
    },
    Images {
        title: String,
        data: String,
        width: u32,
        height: u32,
        alt: String,
    },
    Table {
        title: String,
        header: Vec<String>,
        rows: Vec<Vec<String>>,
    },
}

/// Draws all panels. The error says what is wrong with the figure.
pub fn draw(figure: &Figure) -> Result<DrawnFigure, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if figure.id.is_empty() || !figure.id.chars().all(plain) {
        return Err(format!("the figure id {:?} is not safe as a file name", figure.id));
    }
    let mut panels = Vec::new();
    let mut bitmaps = Vec::new();
    for (index, panel) in figure.panels.iter().enumerate() {
        let (view, bitmap) =
            draw_panel(panel).map_err(|problem| format!("figure {}, panel {index}: {problem}", figure.id))?;
        panels.push(view);
        bitmaps.extend(bitmap);
    }
    let png = match bitmaps.is_empty() {
        true => None,
        false => Some(image_grid::png(&side_by_side(&bitmaps))?),
    };
    Ok(DrawnFigure { id: figure.id.clone(), title: figure.title.clone(), caption: figure.caption.clone(), panels, png })
}

fn draw_panel(panel: &Panel) -> Result<(PanelView, Option<RgbImage>), String> {
    match panel {
        Panel::Plot { title, x, y, series } => {
            let drawing = Plot::new(title, x, y, series).draw();
            let labels: Vec<&str> = series.iter().map(|one| one.label.as_str()).collect();
            let view = PanelView::Plot {
                svg: drawing.svg()?,
                view_box: drawing.view_box(),
                width: drawing.width,
                alt: format!("{title}. {} against {}. Series: {}.", y.label, x.label, labels.join(", "))
                    .trim_start_matches(". ")
                    .into(),
            };
            Ok((view, Some(drawing.bitmap()?)))
        }
        Panel::Images { title, width, height, channels, columns, images } => {
            let grid = Grid { width: *width, height: *height, channels: *channels, columns: *columns, images };
            let small = grid.draw(1)?;
            let file = base64::engine::general_purpose::STANDARD.encode(image_grid::png(&small)?);
            let view = PanelView::Images {
                title: title.clone(),
                data: format!("data:image/png;base64,{file}"),
                width: small.width(),
                height: small.height(),
                alt: format!("{title}: {} images of {width} by {height} pixels, {columns} a row", images.len()),
            };
            Ok((view, Some(titled(title, &grid.draw(DENSITY as usize)?)?)))
        }
        Panel::Table { title, header, rows } => {
            Ok((PanelView::Table { title: title.clone(), header: header.clone(), rows: rows.clone() }, None))
        }
    }
}

/// An image grid below its title.
fn titled(title: &str, grid: &RgbImage) -> Result<RgbImage, String> {
    let width = (grid.width() / DENSITY).max(plot::WIDTH as u32 / 2);
    let inset = plot::MARGIN as u32 * DENSITY;
    let strip = Title::new(title, f64::from(width)).draw().bitmap()?;
    let mut canvas = blank(strip.width().max(grid.width() + 2 * inset), strip.height() + grid.height() + 2 * inset);
    imageops::replace(&mut canvas, &strip, 0, 0);
    imageops::replace(&mut canvas, grid, inset.into(), (strip.height() + inset).into());
    Ok(canvas)
}

fn side_by_side(panels: &[RgbImage]) -> RgbImage {
    let gap = GAP * DENSITY;
    let width: u32 = panels.iter().map(|panel| panel.width() + gap).sum();
    let height = panels.iter().map(RgbImage::height).max().unwrap_or(0);
    let mut canvas = blank(width.saturating_sub(gap), height);
    let mut left = 0;
    for panel in panels {
        imageops::replace(&mut canvas, panel, left.into(), 0);
        left += panel.width() + gap;
    }
    canvas
}

fn blank(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, image::Rgb([255; 3]))
}
