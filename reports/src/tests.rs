//! Tests of whole reports.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use image::RgbImage;

use crate::palette::Colour;
use crate::record::{Figure, Panel, Series, Style, Verdict};
use crate::{Error, example_rows, render};

/// All files below a folder with their bytes.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let folders = [dir.to_path_buf(), dir.join("figures")];
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_file() {
                let name = path.strip_prefix(dir).expect("a path below").display();
                all.insert(name.to_string(), fs::read(&path).expect("a readable file"));
            }
        }
    }
    all
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Renders one figure and returns the page and the PNG file.
fn draw(panels: Vec<Panel>) -> (String, RgbImage) {
    let mut row = example_rows::row("a", Verdict::Verified);
    row.figures[0].panels = panels;
    let dir = folder();
    let rendered = render(&[row], dir.path()).expect("a drawable figure");
    let page = fs::read_to_string(rendered.html).expect("a page");
    let png = image::open(&rendered.figures[0]).expect("a valid PNG file");
    (page, png.into_rgb8())
}

fn with_error(mut series: Series, error: f64) -> Series {
    series.error = Some(vec![error; series.x.len()]);
    series
}

const STYLES: [Style; 5] = [Style::Line, Style::Dashed, Style::Points, Style::LinePoints, Style::Bars];

#[test]
fn the_same_rows_give_the_same_bytes() {
    let rows = [example_rows::row("b", Verdict::Refuted), example_rows::row("a", Verdict::Verified)];
    let (first, second) = (folder(), folder());
    let rendered = render(&rows, first.path()).expect("valid rows");
    assert_eq!(rendered.figures.len(), 2);
    // Twice into the second folder: files are replaced and nothing is left beside them.
    for _ in 0..2 {
        render(&rows, second.path()).expect("valid rows");
    }
    let files = [first, second].map(|dir| files(dir.path()));
    let names: Vec<&String> = files[0].keys().collect();
    assert_eq!(names, ["figures/figure-a.png", "figures/figure-b.png", "index.html", "junit.xml", "report.md"]);
    assert!(files[0] == files[1], "the bytes differ");
}

#[test]
fn a_later_row_supersedes_an_earlier_one() {
    let mut old = example_rows::row("a", Verdict::Refuted);
    old.claim.title = "Old title".into();
    let rows = [old, example_rows::row("a", Verdict::Verified)];
    let dir = folder();
    render(&rows, dir.path()).expect("valid rows");
    for name in ["index.html", "report.md", "junit.xml"] {
        let text = fs::read_to_string(dir.path().join(name)).expect("a text file");
        assert!(text.contains("Title of a"), "{name}");
        assert!(!text.contains("Old title"), "{name}");
        assert!(!text.contains("<failure"), "{name}");
    }
}

/// Draws points that are few, equal, missing, not finite or huge, on both scales.
fn draw_degenerate(style: Style) {
    let data: [(&[f64], &[f64]); 8] = [
        (&[], &[]),
        (&[1.0], &[1.0]),
        (&[1.0, 2.0, 3.0], &[5.0, 5.0, 5.0]),
        (&[2.0, 2.0], &[1.0, 3.0]),
        (&[0.0, -1.0, 1.0], &[-1.0, 0.0, 1.0]),
        (&[1.0, f64::NAN, 3.0], &[f64::INFINITY, 1.0, f64::NAN]),
        (&[1e-300, 1e300], &[-1e300, 1e300]),
        (&[1.0, 2.0, 3.0], &[1.0]),
    ];
    for log in [false, true] {
        for (x, y) in data {
            let plain = example_rows::series(style, x, y);
            let panel = example_rows::plot(log, vec![with_error(plain.clone(), 2.0), plain]);
            let (page, png) = draw(vec![panel]);
            let context = format!("log: {log}, {x:?}, {y:?}");
            assert!(!page.contains("NaN") && !page.contains("inf"), "{context}");
            assert!(png.pixels().any(|pixel| pixel.0[0] < 128), "{context}: blank");
        }
    }
}

#[test]
fn degenerate_lines_are_drawn() {
    [Style::Line, Style::Dashed].into_iter().for_each(draw_degenerate);
}

#[test]
fn degenerate_points_are_drawn() {
    [Style::Points, Style::LinePoints].into_iter().for_each(draw_degenerate);
}

#[test]
fn degenerate_bars_are_drawn() {
    draw_degenerate(Style::Bars);
}

#[test]
fn every_series_has_its_colour_in_both_pictures() {
    let series = STYLES.map(|style| example_rows::series(style, &[1.0, 2.0, 3.0], &[3.0, 1.0, 2.0]));
    let (page, png) = draw(vec![example_rows::plot(false, series.into())]);
    for (index, style) in STYLES.into_iter().enumerate() {
        let colour = Colour::Series(index);
        assert!(png.pixels().any(|pixel| pixel.0 == colour.light()), "{style:?}");
        assert!(page.contains(&format!(":var(--series-{index})\"")), "{style:?}");
    }
}

#[test]
fn titles_and_labels_of_plots_are_text_of_the_page() {
    let (page, _) = draw(vec![example_rows::plot(true, vec![])]);
    for text in ["A plot", "step i", "loss in nats", "no data"] {
        assert!(page.contains(&format!(">\n{text}\n</text>")), "{text}");
    }
}

#[test]
fn bitmaps_hold_all_panels_but_tables() {
    let plot = || example_rows::plot(false, vec![example_rows::series(Style::Line, &[0.0, 1.0], &[0.0, 1.0])]);
    let table = || Panel::Table { title: String::new(), header: vec!["a".into()], rows: vec![] };
    let (_, one) = draw(vec![plot(), table()]);
    let (_, two) = draw(vec![plot(), plot()]);
    assert!(two.width() > 2 * one.width());
    assert_eq!(two.height(), one.height());

    let mut row = example_rows::row("a", Verdict::Verified);
    row.figures[0].panels = vec![table()];
    let dir = folder();
    let rendered = render(&[row], dir.path()).expect("a table is a figure");
    assert!(rendered.figures.is_empty());
}

/// Renders a row with broken figures, which must leave no file.
fn refused(change: impl Fn(&mut Vec<Figure>)) -> Error {
    let mut row = example_rows::row("a", Verdict::Verified);
    change(&mut row.figures);
    let dir = folder();
    let error = render(&[row], dir.path()).expect_err("a broken figure");
    assert!(files(dir.path()).is_empty(), "a half-written report");
    error
}

#[test]
fn a_figure_id_that_leaves_the_folder_is_refused() {
    let error = refused(|figures| figures[0].id = "../a".into());
    assert_eq!(error.to_string(), "claim a: the figure id \"../a\" is not safe as a file name");
}

#[test]
fn two_figures_of_one_id_are_refused() {
    let error = refused(|figures| figures.push(figures[0].clone()));
    assert_eq!(error.to_string(), "claims a and a both have a figure figure-a");
}

#[test]
fn a_short_image_is_refused() {
    let error = refused(|figures| {
        if let Panel::Images { images, .. } = &mut figures[0].panels[1] {
            images[2].pop();
        }
    });
    assert_eq!(error.to_string(), "claim a: figure figure-a, panel 1: image 2 has 3 bytes instead of 4");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = folder();
    let file = dir.path().join("file");
    fs::write(&file, "").expect("writable");
    let error = render(&[], &file).expect_err("a file in the place of a folder");
    assert!(matches!(&error, Error::Io { action: "create", path, .. } if path.starts_with(&file)), "{error}");
}
