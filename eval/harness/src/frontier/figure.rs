//! The figure of frontiers: perplexity against entropy, and differences at equal entropy.

use elbow_reports::record::{Axis, Figure, Panel, Series, Style};

use super::{Comparison, Curve, Numbers};

/// The figure: the curves with a standard error of both coordinates and the reference point, and beside them the differences
/// of pairs at equal entropy.
pub fn figure(
    id: &str,
    caption: &str,
    curves: &[Curve],
    reference: Option<(&str, &Numbers)>,
    comparisons: &[Comparison],
) -> Figure {
    let curve = |curve: &Curve| points(&curve.name, Style::LinePoints, curve.points.iter().map(|point| &point.numbers));
    let mut series: Vec<Series> = curves.iter().map(curve).collect();
    series.extend(reference.map(|(name, numbers)| points(name, Style::Points, [numbers])));
    let mut panels = vec![Panel::Plot {
        title: "Generative frontiers".to_owned(),
        x: axis("unigram entropy of a sample, nats", false),
        y: axis("generative perplexity per token", true),
        series,
    }];
    let pairs: Vec<Series> = comparisons.iter().filter_map(differences).collect();
    if !pairs.is_empty() {
        panels.push(Panel::Plot {
            title: "Difference at equal entropy".to_owned(),
            x: axis("unigram entropy of a sample, nats", false),
            y: axis("cross-entropy A − B, nats per token", false),
            series: pairs,
        });
    }
    Figure { id: id.to_owned(), title: "Generative frontiers".to_owned(), caption: caption.to_owned(), panels }
}

fn axis(label: &str, log: bool) -> Axis {
    Axis { label: label.to_owned(), log, range: None, names: Vec::new() }
}

fn points<'a>(label: &str, style: Style, all: impl IntoIterator<Item = &'a Numbers>) -> Series {
    let all: Vec<&Numbers> = all.into_iter().collect();
    let of = |number: &dyn Fn(&Numbers) -> f64| all.iter().map(|numbers| number(numbers)).collect::<Vec<f64>>();
    Series {
        label: label.to_owned(),
        style,
        x: of(&|numbers| numbers.entropy.value),
        y: of(&|numbers| numbers.perplexity.value),
        error: Some(of(&|numbers| numbers.perplexity.standard_error)),
        x_error: Some(of(&|numbers| numbers.entropy.standard_error)),
    }
}

fn differences(pair: &Comparison) -> Option<Series> {
    pair.entropies?;
    let of = |number: &dyn Fn(&super::AtEntropy) -> f64| pair.differences.iter().map(number).collect::<Vec<f64>>();
    Some(Series {
        label: format!("{} − {}", pair.a, pair.b),
        style: Style::LinePoints,
        x: of(&|at| at.entropy),
        y: of(&|at| at.difference.value),
        error: Some(of(&|at| at.difference.standard_error)),
        x_error: None,
    })
}
