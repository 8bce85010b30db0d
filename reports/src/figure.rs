//! Figures: one PNG file each, and one piece of HTML a panel.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use image::{RgbImage, imageops};
use serde::Serialize;

use crate::images::{self, Grid};
use crate::pen::{self, DENSITY};
use crate::plot::{self, Plot, Title};
use crate::record::{Figure, Panel};

/// Room between the panels of a PNG file, in page pixels.
const GAP: u32 = 16;

/// A figure, drawn.
#[derive(Serialize)]
pub struct Drawn {
    pub id: String,
    title: String,
    caption: String,
    panels: Vec<Shown>,
    /// The PNG file: all panels side by side. Tables are left out; a figure of tables alone has none.
    #[serde(skip)]
    pub png: Option<Vec<u8>>,
}

/// A panel as the page's template takes it.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Shown {
    Plot {
        /// Inside of the SVG element.
        svg: String,
        view_box: String,
        width: u32,
        /// What a reader who cannot see the plot is told.
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

/// Draws all panels.
pub fn draw(figure: &Figure) -> Result<Drawn> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    ensure!(
        !figure.id.is_empty() && figure.id.chars().all(plain),
        "the figure id {:?} is not safe as a file name",
        figure.id
    );
    let mut panels = Vec::new();
    let mut bitmaps = Vec::new();
    for (index, panel) in figure.panels.iter().enumerate() {
        let (shown, bitmap) = draw_panel(panel).with_context(|| format!("figure {}, panel {index}", figure.id))?;
        panels.push(shown);
        bitmaps.extend(bitmap);
    }
    let png = match bitmaps.is_empty() {
        true => None,
        false => Some(images::png(&side_by_side(&bitmaps))?),
    };
    Ok(Drawn { id: figure.id.clone(), title: figure.title.clone(), caption: figure.caption.clone(), panels, png })
}

fn draw_panel(panel: &Panel) -> Result<(Shown, Option<RgbImage>)> {
    match panel {
        Panel::Plot { title, x, y, series } => {
            let plot = Plot::new(title, x, y, series);
            let labels: Vec<&str> = series.iter().map(|one| one.label.as_str()).collect();
            let shown = Shown::Plot {
                svg: pen::svg(&plot)?,
                view_box: pen::view_box(&plot),
                width: plot::WIDTH as u32,
                alt: format!("{title}. {} against {}. Series: {}.", y.label, x.label, labels.join(", "))
                    .trim_start_matches(". ")
                    .into(),
            };
            Ok((shown, Some(pen::bitmap(&plot)?)))
        }
        Panel::Images { title, width, height, channels, columns, images } => {
            let grid = Grid { width: *width, height: *height, channels: *channels, columns: *columns, images };
            let small = grid.draw(1)?;
            let file = base64::engine::general_purpose::STANDARD.encode(images::png(&small)?);
            let shown = Shown::Images {
                title: title.clone(),
                data: format!("data:image/png;base64,{file}"),
                width: small.width(),
                height: small.height(),
                alt: format!("{title}: {} images of {width} by {height} pixels, {columns} a row", images.len()),
            };
            Ok((shown, Some(titled(title, &grid.draw(DENSITY as usize)?)?)))
        }
        Panel::Table { title, header, rows } => {
            let shown = Shown::Table { title: title.clone(), header: header.clone(), rows: rows.clone() };
            Ok((shown, None))
        }
    }
}

/// An image grid below its title.
fn titled(title: &str, grid: &RgbImage) -> Result<RgbImage> {
    let width = (grid.width() / DENSITY).max(plot::WIDTH as u32 / 2);
    let heading = Title::new(title, f64::from(width));
    let inset = plot::MARGIN as u32 * DENSITY;
    let strip = pen::bitmap(&heading)?;
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
