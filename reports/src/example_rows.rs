//! Example rows for tests.

use crate::record::*;

/// A complete row of the suite `theory` with a figure of each kind of panel.
pub fn row(id: &str, verdict: Verdict) -> Row {
    Row {
        schema: SCHEMA,
        claim: Claim {
            id: id.into(),
            title: format!("Title of {id}"),
            suite: "theory".into(),
            tier: "exact".into(),
            source: "lecture 3, slide 12".into(),
            statement: "The loss is what it is.".into(),
            expected: "= 1.305 within 3 standard errors".into(),
            why: "five comparisons share a risk of 1 %".into(),
            analysis: "First.\n\nSecond.".into(),
            command: format!("elbow run {id}"),
            about: None,
        },
        verdict,
        reason: None,
        measured: Some(Measured {
            quantity: "mean loss".into(),
            value: 1.305_184,
            standard_error: Some(0.001_23),
            n: 1000,
            n_unit: "test images".into(),
            unit: "nats".into(),
            interval: Some(Interval { low: 1.302, high: 1.308, confidence: 0.99 }),
            rivals: Some(1),
        }),
        details: vec![Detail { name: "largest gap".into(), value: 3.1e-16, standard_error: None, unit: "1".into() }],
        figures: vec![Figure {
            id: format!("figure-{id}"),
            title: "A figure".into(),
            caption: "Its caption.".into(),
            panels: vec![
                plot(false, vec![series(Style::LinePoints, &[0.0, 1.0], &[2.0, 3.0])]),
                Panel::Images {
                    title: "Samples".into(),
                    width: 2,
                    height: 2,
                    channels: 1,
                    columns: 2,
                    images: vec![vec![0, 80, 160, 255]; 3],
                    row_labels: Vec::new(),
                },
                Panel::Table {
                    title: "Numbers".into(),
                    header: vec!["i".into(), "loss".into()],
                    rows: vec![vec!["0".into(), "1.5".into()]],
                },
            ],
        }],
        seconds: 1.25,
        key: "5eed".into(),
        provenance: Provenance {
            version: "0.1.0".into(),
            git_revision: "0123456789abcdef0123456789abcdef01234567".into(),
            git_dirty: true,
            program_hash: "aa".into(),
            seed: 7,
            device: "cpu".into(),
            threads: 2,
            machine: None,
            claim_hash: "bb".into(),
            inputs: vec![Input { name: "digits".into(), sha256: "cc".into() }],
            finished: "2025-01-02T03:04:05Z".into(),
        },
        checksum: None,
    }
}

/// A plot panel with both axes logarithmic or both linear.
pub fn plot(log: bool, series: Vec<Series>) -> Panel {
    let axis = |label: &str| Axis { label: label.into(), log, range: None, names: Vec::new() };
    Panel::Plot { title: "A plot".into(), x: axis("step i"), y: axis("loss in nats"), series }
}

/// A series with its style as label.
pub fn series(style: Style, x: &[f64], y: &[f64]) -> Series {
    Series { label: format!("{style:?}"), style, x: x.to_vec(), y: y.to_vec(), error: None, x_error: None }
}
