//! Figures, drawn: one PNG file per figure, and one piece of HTML per panel.

use base64::Engine;
use image::{RgbImage, imageops};
use plotters::style::text_anchor::HPos;
use serde::Serialize;

use crate::csv_file;
use crate::image_grid::{self, Grid};
use crate::palette::Colour;
use crate::plot::{self, Plot, Title};
use crate::record::{Figure, Panel};
use crate::renderer::{DENSITY, Drawing, TextStyle};
use crate::text::Face;

/// Room between the panels of a PNG file, in page pixels.
const GAP: u32 = 16;
/// Width of a PNG file's row of panels, in page pixels: two plots, or three grids of eight small images.
const ROW: u32 = 1080;

/// A figure, drawn.
#[derive(Serialize)]
pub struct DrawnFigure {
    pub id: String,
    title: String,
    caption: String,
    panels: Vec<PanelView>,
    /// Whether tables are folded: there are pictures to look at first.
    folds_tables: bool,
    /// The PNG file: all panels, in rows of one kind. Tables are left out; a figure of tables alone has none.
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
        /// The plot in words, for readers who cannot see it.
        alt: String,
        /// The address of the numbers as CSV, and the name of the file.
        csv: String,
        csv_name: String,
    },
    Images {
        title: String,
        data: String,
        width: u32,
        height: u32,
        alt: String,
        /// Names of the grid's rows, and the width with them.
        labels: Vec<Label>,
        total_width: u32,
    },
    Table {
        title: String,
        header: Vec<String>,
        rows: Vec<Vec<String>>,
        csv: String,
        csv_name: String,
    },
}

/// The name of a row of images.
#[derive(Serialize)]
struct Label {
    text: String,
    /// The middle of the row, in page pixels from the top.
    y: f64,
}

/// The face of a row's name.
const LABEL: Face = Face { em: 12.0, bold: false };
/// Room between the names and the images, in page pixels.
const LABEL_GAP: f64 = 8.0;

/// Draws all panels. The error says what is wrong with the figure.
pub fn draw(figure: &Figure) -> Result<DrawnFigure, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if figure.id.is_empty() || !figure.id.chars().all(plain) {
        return Err(format!("the figure id {:?} is not safe as a file name", figure.id));
    }
    let mut panels = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for (index, panel) in figure.panels.iter().enumerate() {
        let (view, bitmap) = draw_panel(panel, &format!("{}-{}.csv", figure.id, index + 1))
            .map_err(|problem| format!("figure {}, panel {index}: {problem}", figure.id))?;
        let kind = std::mem::discriminant(panel);
        panels.push(view);
        let Some(bitmap) = bitmap else { continue };
        match rows.last_mut() {
            Some(row) if row.kind == kind && row.has_room(&bitmap) => row.panels.push(bitmap),
            _ => rows.push(Row { kind, panels: vec![bitmap] }),
        }
    }
    let folds_tables = !rows.is_empty();
    let png = match rows.is_empty() {
        true => None,
        false => Some(image_grid::png(&below_each_other(&rows))?),
    };
    let [id, title, caption] = [&figure.id, &figure.title, &figure.caption].map(String::clone);
    Ok(DrawnFigure { id, title, caption, panels, folds_tables, png })
}

fn draw_panel(panel: &Panel, csv_name: &str) -> Result<(PanelView, Option<RgbImage>), String> {
    match panel {
        Panel::Plot { title, x, y, series } => {
            let drawing = Plot::new(title, x, y, series).draw();
            let labels: Vec<&str> = series.iter().map(|one| one.label.as_str()).collect();
            let view = PanelView::Plot {
                svg: drawing.svg()?,
                view_box: drawing.view_box(),
                alt: format!("{title}. {} against {}. Series: {}.", y.label, x.label, labels.join(", "))
                    .trim_start_matches(". ")
                    .into(),
                csv: address("text/csv;charset=utf-8", csv_file::plot(x, y, series)?.as_bytes()),
                csv_name: csv_name.to_owned(),
            };
            Ok((view, Some(drawing.bitmap()?)))
        }
        Panel::Images { title, width, height, channels, columns, images, row_labels } => {
            let grid = Grid { width: *width, height: *height, channels: *channels, columns: *columns, images };
            let small = grid.draw(1)?;
            let labels = labels(row_labels, images.len().div_ceil(*columns), small.height())?;
            let room = room(&labels);
            let bitmap = titled(title, &beside(&labels, &grid.draw(DENSITY as usize)?)?)?;
            let each = if row_labels.is_empty() { String::new() } else { format!(", rows: {}", row_labels.join(", ")) };
            let view = PanelView::Images {
                title: title.clone(),
                data: address("image/png", &image_grid::png(&small)?),
                width: small.width(),
                height: small.height(),
                alt: format!("{title}: {} images of {width} by {height} pixels, {columns} per row{each}", images.len()),
                total_width: small.width() + room,
                labels,
            };
            Ok((view, Some(bitmap)))
        }
        Panel::Table { title, header, rows } => {
            let csv = address("text/csv;charset=utf-8", csv_file::table(header, rows)?.as_bytes());
            let (title, header, rows) = (title.clone(), header.clone(), rows.clone());
            Ok((PanelView::Table { title, header, rows, csv, csv_name: csv_name.to_owned() }, None))
        }
    }
}

/// The address of a file that is part of the page.
fn address(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// The names of a grid's rows at their places.
fn labels(texts: &[String], rows: usize, height: u32) -> Result<Vec<Label>, String> {
    if !texts.is_empty() && texts.len() != rows {
        return Err(format!("{} names for {rows} rows of images", texts.len()));
    }
    let middle = |row: usize| (row as f64 + 0.5) * f64::from(height) / rows as f64;
    Ok(texts.iter().enumerate().map(|(row, text)| Label { text: text.clone(), y: middle(row) }).collect())
}

/// The width that names take beside their images, in page pixels.
fn room(labels: &[Label]) -> u32 {
    let widest = labels.iter().map(|label| LABEL.width(&label.text)).fold(0.0, f64::max);
    if labels.is_empty() { 0 } else { (widest + LABEL_GAP).ceil() as u32 }
}

/// An image grid with the names of its rows to the left.
fn beside(labels: &[Label], grid: &RgbImage) -> Result<RgbImage, String> {
    if labels.is_empty() {
        return Ok(grid.clone());
    }
    let mut strip = Drawing::new(f64::from(room(labels)), f64::from(grid.height().div_ceil(DENSITY)));
    let style = TextStyle { face: LABEL, colour: Colour::Text, anchor: HPos::Left, upwards: false };
    labels.iter().for_each(|label| strip.text(&label.text, (0.0, label.y), style));
    let strip = strip.bitmap()?;
    let mut canvas = blank(strip.width() + grid.width(), grid.height());
    imageops::replace(&mut canvas, &strip, 0, 0);
    imageops::replace(&mut canvas, grid, strip.width().into(), 0);
    Ok(canvas)
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

/// Panels of one kind, side by side in a PNG file.
struct Row {
    kind: std::mem::Discriminant<Panel>,
    panels: Vec<RgbImage>,
}

impl Row {
    fn width(&self) -> u32 {
        self.panels.iter().map(|panel| panel.width() + GAP * DENSITY).sum::<u32>().saturating_sub(GAP * DENSITY)
    }

    fn height(&self) -> u32 {
        self.panels.iter().map(RgbImage::height).max().unwrap_or(0)
    }

    fn has_room(&self, panel: &RgbImage) -> bool {
        self.width() + GAP * DENSITY + panel.width() <= ROW * DENSITY
    }
}

/// All rows, from the top.
fn below_each_other(rows: &[Row]) -> RgbImage {
    let width = rows.iter().map(Row::width).max().unwrap_or(0);
    let mut canvas = blank(width, rows.iter().map(Row::height).sum());
    let mut top = 0;
    for row in rows {
        let mut left = 0;
        for panel in &row.panels {
            imageops::replace(&mut canvas, panel, left.into(), top.into());
            left += panel.width() + GAP * DENSITY;
        }
        top += row.height();
    }
    canvas
}

fn blank(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, image::Rgb([255; 3]))
}
