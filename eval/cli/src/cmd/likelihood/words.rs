//! Bounds in words.

use elbow_harness::likelihood::{Bound, Estimate, LinesBound, OdeNll};

/// The bound of sequences of different lengths.
pub fn describe_lines(bound: &LinesBound) -> String {
    let (b, p) = (&bound.bits_per_token, &bound.perplexity);
    let [shortest, longest] = bound.lengths;
    let mut lines = vec![
        format!(
            "NELBO {:.4} +- {:.4} bits/token (standard error of a ratio over sequences)",
            b.value, b.standard_error
        ),
        format!(
            "  {} sequences of {}, {shortest} to {longest} tokens, {} in all, {} draws, {} estimator",
            bound.sequences, bound.dataset, bound.tokens_scored, bound.draws, bound.estimator
        ),
        format!("  perplexity {:.4} +- {:.4} per token", p.value, p.standard_error),
    ];
    lines.extend(bound.protocol.iter().map(|(name, choice)| format!("  {name}: {choice}")));
    lines.join("\n")
}

/// The bound, and the likelihood under the ODE where it was asked for.
pub fn describe(bound: &Bound, is_exact: bool, ode: Option<&OdeNll>) -> String {
    let kind = if is_exact { "NLL" } else { "NELBO" };
    let b = &bound.bits_per_dim;
    let unit = if bound.text.is_some() { "bits/token" } else { "bits/dim" };
    let of = if bound.sequences < bound.available { format!(" of {}", bound.available) } else { String::new() };
    let sequences = format!("  {}{of} sequences of {}, {} tokens each", bound.sequences, bound.dataset, bound.dims);
    let mut lines =
        vec![format!("{kind} {:.4} +- {:.4} {unit} (standard error over sequences)", b.value, b.standard_error)];
    let is_k_dce = bound.estimator == "k-dce";
    if is_exact {
        lines.push(format!("{sequences}; exact, left to right"));
    } else {
        lines.push(format!("{sequences}, {} draws, {} estimator", bound.draws, bound.estimator));
    }
    if is_k_dce {
        lines.push("  k-DCE, exact at both ends: no prior or reconstruction term".to_owned());
    } else if !is_exact {
        lines.push(format!(
            "  reconstruction {:.4}, prior {:.4}, diffusion {:.4} +- {:.4}",
            bound.reconstruction, bound.prior, bound.diffusion.value, bound.diffusion.standard_error
        ));
    }
    if let Some(target) = &bound.target {
        lines.push(match target.reached {
            true => format!(
                "  stopped at the standard error {}: {} of {} sequences were enough",
                target.standard_error, bound.sequences, target.available
            ),
            false => format!(
                "  the standard error {} was not reached with all {} sequences: what is left is the spread of the data and the \
                 noise of the draws, which more --draws would lower",
                target.standard_error, target.available
            ),
        });
    }
    let p = &bound.perplexity;
    if let Some(text) = &bound.text {
        let perplexity = format!("  perplexity {:.4} +- {:.4} per token", p.value, p.standard_error);
        let unit = |e: &Estimate, name: &str| format!(", {:.4} +- {:.4} bits/{name}", e.value, e.standard_error);
        let per_character = text.bits_per_character.as_ref().map(|e| unit(e, "char")).unwrap_or_default();
        let per_byte = text.bits_per_byte.as_ref().map(|e| unit(e, "byte")).unwrap_or_default();
        lines.push(perplexity + &per_character + &per_byte);
        if let Some(lost) = &text.lost {
            lines.push(format!(
                "  no bits/char and bits/byte: the tokens do not give the text back; at least {:.2} % of it is lost or changed, {} \
                 tokens are unknown",
                100.0 * lost.share,
                lost.unknown_tokens
            ));
        }
        if bound.tokens_dropped > 0 || text.lost.is_some() {
            lines.push(format!("  over {} tokens; {} are not scored", bound.tokens_scored, bound.tokens_dropped));
        }
    }
    if let Some(ode) = ode {
        let b = &ode.bits_per_dim;
        lines.push(format!(
            "ODE NLL {:.4} +- {:.4} {unit}: {} sequences, {} draws, {} dequantisation, {} trace, {} steps",
            b.value, b.standard_error, ode.sequences, ode.draws, ode.dequantisation, ode.trace, ode.steps
        ));
        let change = format!("  half as many steps change it by {:+.4}", ode.half_steps_difference);
        let verdict = if ode.is_converged() { "" } else { ": not converged, use more --ode-steps" };
        lines.push(change + verdict);
        if let Some(change) = ode.step_difference {
            let verdict = match ode.has_exact_derivative() {
                true => "",
                false => ": too much to be trusted, the network is rough or its numbers are coarse",
            };
            lines.push(format!(
                "  differences of the whole step in place of half of it change it by {change:+.1e}{verdict}"
            ));
        }
    }
    // The rest of k-DCE's protocol says that its terms are zero.
    let is_told = |name: &str| !is_k_dce || !["form", "objective", "prior", "reconstruction"].contains(&name);
    let protocol = bound.protocol.iter().filter(|(name, _)| is_told(name));
    lines.extend(protocol.map(|(name, choice)| format!("  {name}: {choice}")));
    lines.join("\n")
}
