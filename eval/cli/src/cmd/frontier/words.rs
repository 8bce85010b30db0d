//! Frontiers for a person.

use elbow_harness::frontier::{Comparison, Curve, Numbers, Side};

/// A line per temperature, below the name of the curve.
pub(super) fn table(curve: &Curve) -> Vec<String> {
    let header = [curve.name.clone(), "  temperature       perplexity       entropy, nats      NFE".to_owned()];
    let rows = curve
        .points
        .iter()
        .map(|point| format!("  {:>11}  {}  {:>7.2}", point.temperature.to_string(), row(&point.numbers), point.nfe));
    header.into_iter().chain(rows).collect()
}

/// The numbers of samples.
pub(super) fn row(numbers: &Numbers) -> String {
    let (p, e) = (&numbers.perplexity, &numbers.entropy);
    format!("{:>8.3} +- {:.3}   {:.4} +- {:.4}", p.value, p.standard_error, e.value, e.standard_error)
}

/// Which of two curves is lower.
pub(super) fn verdict(pair: &Comparison) -> String {
    let (Some([low, high]), Some(mean)) = (pair.entropies, &pair.mean) else {
        return format!("{} - {}: not compared, no entropy is reached by both", pair.a, pair.b);
    };
    let word = match pair.lower {
        Side::A => format!("{} is lower", pair.a),
        Side::B => format!("{} is lower", pair.b),
        Side::Undecided => "undecided".to_owned(),
    };
    let [from, to] = mean.interval;
    format!(
        "{} - {} = {:+.4} +- {:.4} nats per token at equal entropy, mean over {low:.3} to {high:.3} nats; 95 % interval \
         {from:.4} to {to:.4}: {word}",
        pair.a, pair.b, mean.value, mean.standard_error
    )
}
