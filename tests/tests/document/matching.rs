//! Whether a program printed what a document shows.

/// Largest relative difference of decimal numbers: trainings differ between processors in their last digits, and what is
/// sampled from them in more. Exact numbers have tests of their own.
pub const TOLERANCE: f64 = 0.05;

/// The same of standard errors, the numbers after `+- `: they are themselves known to some ten percent.
const TOLERANCE_OF_ERRORS: f64 = 0.3;

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
            text_matches(&line, &first, Some(TOLERANCE)) && lines_match(rest, others)
        }
        _ => false,
    }
}

/// The words with one space between them: the width of a column depends on its numbers.
fn spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text is as shown, which may begin with a number of this tolerance, if any.
fn text_matches(shown: &str, printed: &str, tolerance: Option<f64>) -> bool {
    if let Some(rest) = shown.strip_prefix("...") {
        let mut ends = printed.char_indices().map(|(at, _)| at).chain([printed.len()]);
        return ends.any(|at| text_matches(rest, &printed[at..], Some(TOLERANCE)));
    }
    if let (Some(shown), Some(printed)) = (shown.strip_prefix("+- "), printed.strip_prefix("+- ")) {
        return text_matches(shown, printed, Some(TOLERANCE_OF_ERRORS));
    }
    if let (Some(tolerance), Some(expected), Some(found)) = (tolerance, number(shown), number(printed)) {
        let rests = (&shown[expected.len()..], &printed[found.len()..]);
        return close(expected, found, tolerance) && text_matches(rests.0, rests.1, None);
    }
    match (shown.chars().next(), printed.chars().next()) {
        (None, None) => true,
        (Some(a), Some(b)) if a == b => {
            let (shown, printed) = (&shown[a.len_utf8()..], &printed[b.len_utf8()..]);
            text_matches(shown, printed, (!a.is_alphanumeric()).then_some(TOLERANCE))
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

/// Whole numbers are equal, decimal ones differ by less than this share.
fn close(expected: &str, found: &str, tolerance: f64) -> bool {
    let decimal = |text: &str| text.contains(['.', 'e']);
    match (expected.parse::<f64>(), found.parse::<f64>()) {
        (Ok(a), Ok(b)) if decimal(expected) && decimal(found) => {
            (a - b).abs() <= tolerance * a.abs().max(b.abs()) || a.max(b) < ROUNDING
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
    assert!(matches("1.0 +- 0.10", "1.01 +- 0.12"));
    // Witnesses.
    assert!(!matches("1.0 +- 0.10", "1.2 +- 0.10") && !matches("1.0 +- 0.10", "1.0 +- 0.20"));
    assert!(!matches("NELBO 2.53 bits", "NELBO 2.71 bits") && !matches("n = 64", "n = 65"));
    assert!(!matches("a ... c", "a b d") && !matches("a\nb", "a") && !matches("residual 1e-16", "residual 1e-3"));
    assert!(!matches("md4", "md5") && !matches("-1.5", "1.5") && !matches("", "a"));
}
