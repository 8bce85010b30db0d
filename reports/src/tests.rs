//! Tests of whole reports and of the row file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::record::{self, Axis, Figure, Panel, Row, Series, Style, Verdict};
use crate::{render, sample};

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
fn draw(panels: Vec<Panel>) -> (String, image::RgbImage) {
    let mut row = sample::row("a", Verdict::Verified);
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
    let rows = [sample::row("b", Verdict::Refuted), sample::row("a", Verdict::Verified)];
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
    let mut old = sample::row("a", Verdict::Refuted);
    old.claim.title = "Old title".into();
    let rows = [old, sample::row("a", Verdict::Verified)];
    let dir = folder();
    render(&rows, dir.path()).expect("valid rows");
    for name in ["index.html", "report.md", "junit.xml"] {
        let text = fs::read_to_string(dir.path().join(name)).expect("a text file");
        assert!(text.contains("Title of a"), "{name}");
        assert!(!text.contains("Old title"), "{name}");
        assert!(!text.contains("<failure"), "{name}");
    }
}

#[test]
fn degenerate_data_of_every_style_and_scale_is_drawn() {
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
        for style in STYLES {
            for (x, y) in data {
                let plain = sample::series(style, x, y);
                let panel = sample::plot(log, vec![with_error(plain.clone(), 2.0), plain]);
                let (page, png) = draw(vec![panel]);
                let context = format!("{style:?}, log: {log}, {x:?}, {y:?}");
                assert!(!page.contains("NaN") && !page.contains("inf"), "{context}");
                assert!(png.pixels().any(|pixel| pixel.0[0] < 128), "{context}: blank");
            }
        }
    }
}

#[test]
fn what_cannot_be_shown_is_said_or_left_out() {
    let points = |x: &[f64], y: &[f64]| {
        let (page, _) = draw(vec![sample::plot(true, vec![sample::series(Style::Points, x, y)])]);
        // Markers are the only polygons of such a plot.
        (page.matches("<polygon").count(), page.contains(">\nno data\n<"))
    };
    let with_legend = 1;
    assert_eq!(points(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]), (3 + with_legend, false));
    assert_eq!(points(&[1.0, 0.0, 3.0], &[1.0, 2.0, -3.0]), (1 + with_legend, false));
    assert_eq!(points(&[-1.0, 0.0], &[1.0, 2.0]), (with_legend, true));
}

#[test]
fn a_fixed_range_cuts_the_data_off() {
    let mut panel = sample::plot(false, vec![sample::series(Style::Points, &[0.0, 5.0], &[0.5, 0.5])]);
    if let Panel::Plot { x, .. } = &mut panel {
        *x = Axis { range: Some((-1.0, 1.0)), ..x.clone() };
    }
    let (page, _) = draw(vec![panel]);
    assert_eq!(page.matches("<polygon").count(), 2, "one point and the legend's sample");
}

#[test]
fn bitmaps_hold_all_panels_but_tables() {
    let plot = || sample::plot(false, vec![sample::series(Style::Line, &[0.0, 1.0], &[0.0, 1.0])]);
    let table = || Panel::Table { title: String::new(), header: vec!["a".into()], rows: vec![] };
    let (_, one) = draw(vec![plot(), table()]);
    let (_, two) = draw(vec![plot(), plot()]);
    assert!(two.width() > 2 * one.width());
    assert_eq!(two.height(), one.height());

    let mut row = sample::row("a", Verdict::Verified);
    row.figures[0].panels = vec![table()];
    let dir = folder();
    let rendered = render(&[row], dir.path()).expect("a table is a figure");
    assert!(rendered.figures.is_empty());
}

#[test]
fn broken_figures_are_refused_by_name() {
    let report = |change: &dyn Fn(&mut Vec<Figure>)| {
        let mut row = sample::row("a", Verdict::Verified);
        change(&mut row.figures);
        let dir = folder();
        let error = render(&[row], dir.path()).expect_err("a broken figure");
        assert!(files(dir.path()).is_empty(), "a half-written report");
        format!("{error:#}")
    };
    let escaped = report(&|figures| figures[0].id = "../a".into());
    assert!(escaped.contains("claim a") && escaped.contains("\"../a\""), "{escaped}");
    let twice = report(&|figures| figures.push(figures[0].clone()));
    assert!(twice.contains("both have a figure figure-a"), "{twice}");
    let short = report(&|figures| {
        if let Panel::Images { images, .. } = &mut figures[0].panels[1] {
            images[2].pop();
        }
    });
    assert!(short.contains("figure figure-a, panel 1: image 2 has 3 bytes instead of 4"), "{short}");
}

/// Writes text as a row file and reads it.
fn read(text: &str) -> anyhow::Result<Vec<Row>> {
    let dir = folder();
    let path = dir.path().join("results.jsonl");
    fs::write(&path, text)?;
    record::read_rows(&path)
}

#[test]
fn only_a_torn_last_line_is_dropped() {
    let rows = [sample::row("a", Verdict::Verified), sample::row("b", Verdict::Blocked)];
    let [first, second] = rows.clone().map(|row| serde_json::to_string(&row).expect("finite numbers"));
    let whole = format!("{first}\n{second}\n");
    assert_eq!(read(&whole).expect("two rows"), rows);
    assert_eq!(read(&whole[..whole.len() - 1]).expect("the line end alone is torn"), rows);
    assert_eq!(read(&whole[..whole.len() - 9]).expect("one row"), rows[..1]);
    let middle = read(&format!("{}\n{second}\n", &first[..40])).expect_err("a bad first line");
    assert!(middle.to_string().contains("line 1"), "{middle}");
    let ended = read(&format!("{first}\n{{}}\n")).expect_err("a bad whole line");
    assert!(ended.to_string().contains("line 2"), "{ended}");
}

#[test]
fn rows_of_another_schema_or_of_no_version_are_refused() {
    let line = |change: &dyn Fn(&mut Row)| {
        let mut row = sample::row("a", Verdict::Verified);
        change(&mut row);
        format!("{}\n", serde_json::to_string(&row).expect("finite numbers"))
    };
    let newer = read(&line(&|row| row.schema += 1)).expect_err("a newer schema");
    assert!(newer.to_string().contains("row schema 2 where this program reads 1"), "{newer}");
    let nameless = read(&line(&|row| row.provenance.version.clear())).expect_err("no version");
    assert!(nameless.to_string().contains("a row without a version"), "{nameless}");
    let unknown = line(&|_| ()).replace("\"seconds\":", "\"surprise\":1,\"seconds\":");
    assert!(read(&unknown).expect_err("an unknown field").to_string().contains("surprise"));
}
