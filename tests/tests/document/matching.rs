//! Whether a program printed what a document shows.

/// Largest relative difference of decimal numbers: trainings differ between processors in their last digits, and what is
/// sampled from them in more. Exact numbers have tests of their own.
pub const TOLERANCE: f64 = 0.05;

/// Decimal numbers below this are rounding errors.
const ROUNDING: f64 = 1e-9;

/// Whether lines are as shown; a shown line `...` stands for any number of lines.
pub fn lines_match(shown: &[&str], printed: &[&str]) -> bool {
    match (shown, printed) {
        ([], []) => true,
        ([line, rest @ ..], _) if line.trim() == "..." => {
            (0..=printed.len()).any(|skipped| lines_match(rest, &printed[skipped..]))
        }
        ([line, rest @ ..], [first, others @ ..]) => {
            let (line, first) = (spaced(line), spaced(first));
            text_matches(&line, &first, true) && lines_match(rest, others)
        }
        _ => false,
    }
}

/// The words with one space between them: the width of a column depends on its numbers.
fn spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text is as shown; `start` says whether a number can begin here.
fn text_matches(shown: &str, printed: &str, start: bool) -> bool {
    if let Some(rest) = shown.strip_prefix("...") {
        let mut ends = printed.char_indices().map(|(at, _)| at).chain([printed.len()]);
        return ends.any(|at| text_matches(rest, &printed[at..], true));
    }
    if start && let (Some(expected), Some(found)) = (number(shown), number(printed)) {
        return close(expected, found) && text_matches(&shown[expected.len()..], &printed[found.len()..], false);
    }
    match (shown.chars().next(), printed.chars().next()) {
        (None, None) => true,
        (Some(a), Some(b)) if a == b => {
            text_matches(&shown[a.len_utf8()..], &printed[b.len_utf8()..], !a.is_alphanumeric())
        }
        _ => false,
    }
}

/// The number that a text begins with: digits, with a fraction and an exponent where they are.
fn number(text: &str) -> Option<&str> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let mut end = whole;
    if whole > 0 && text[end..].starts_with('.') {
        let fraction = digits(&text[end + 1..]);
        end += if fraction > 0 { fraction + 1 } else { 0 };
    }
    if let Some(rest) = text[end..].strip_prefix('e') {
        let signed = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        let exponent = digits(signed);
        end += if exponent > 0 { 1 + rest.len() - signed.len() + exponent } else { 0 };
    }
    (whole > 0).then_some(&text[..end])
}

/// Whole numbers are equal, decimal ones close.
fn close(expected: &str, found: &str) -> bool {
    let decimal = |text: &str| text.contains(['.', 'e']);
    match (expected.parse::<f64>(), found.parse::<f64>()) {
        (Ok(a), Ok(b)) if decimal(expected) && decimal(found) => {
            (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()) || a.max(b) < ROUNDING
        }
        _ => expected == found,
    }
}

#[test]
fn outputs_match_up_to_wildcards_and_last_digits() {
    let matches = |shown: &str, printed: &str| {
        lines_match(&shown.lines().collect::<Vec<_>>(), &printed.lines().collect::<Vec<_>>())
    };
    assert!(matches("NELBO  2.53 bits", "NELBO 2.5310 bits"));
    assert!(matches("a ... c", "a b b c") && matches("a\n...\nd", "a\nb\nc\nd") && matches("x ...", "x 1"));
    assert!(matches("residual 7.8e-16", "residual 2.2e-16") && matches("2.5...", "2.5310 bits"));
    // Witnesses.
    assert!(!matches("NELBO 2.53 bits", "NELBO 2.71 bits") && !matches("n = 64", "n = 65"));
    assert!(!matches("a ... c", "a b d") && !matches("a\nb", "a") && !matches("residual 1e-16", "residual 1e-3"));
    assert!(!matches("md4", "md5") && !matches("-1.5", "1.5") && !matches("", "a"));
}
