//! Probes of the calls of a network, tokens or points: its output must be finite and depend on the sequence, its time and
//! its class alone.

use super::{Finding, differs};

/// What a network answers: the output of each row, one after the other.
pub(super) type Answer = Result<Vec<f32>, String>;

/// The first value that no network may have: NaN, infinity, and where `is_hidden` says so minus infinity too, which is
/// a probability of 0 elsewhere. `length` and `width` are the extents of a row.
pub(super) fn not_finite(
    output: &[f32],
    [length, width]: [usize; 2],
    is_hidden: impl Fn(usize) -> bool,
) -> Option<String> {
    let refused = |place: usize| match output[place] {
        value if value.is_nan() || value == f32::INFINITY => true,
        value => value == f32::NEG_INFINITY && is_hidden(place),
    };
    let place = (0..output.len()).find(|&place| refused(place))?;
    let (sequence, token) = (place / width / length, place / width % length);
    Some(format!("{} at token {token} of sequence {sequence}", output[place]))
}

/// Whether the output of a sequence is the same at a second call, with other sequences in its batch, and alone. `call`
/// answers for the rows with these numbers; `count` are the rows that may be called at once.
pub(super) fn repeats(
    output: &[f32],
    count: usize,
    free_batch: bool,
    call: impl Fn(&[usize]) -> Answer,
) -> Result<Vec<Finding>, String> {
    let rows: Vec<usize> = (0..count).collect();
    let first = output.len() / count;
    if differs(output, &call(&rows)?) {
        let what =
            "another output for the same input: dropout or noise was left on; export the network in evaluation mode";
        return Ok(vec![Finding::wrong("repeat", what)]);
    }
    let repeat = Finding::good("repeat", "the same output for the same input");
    // The first sequence among copies of the last one.
    let others: Vec<usize> = (0..count).map(|row| if row == 0 { 0 } else { count - 1 }).collect();
    let depends = "the output of a sequence depends on";
    let batch = if differs(&output[..first], &call(&others)?[..first]) {
        let what = "the other sequences of its batch: a normalisation over the batch was left on; export the network in \
                    evaluation mode";
        Finding::wrong("batch", format!("{depends} {what}"))
    } else if free_batch && differs(&output[..first], &call(&[0])?) {
        let what = "the number of sequences in its batch: the export has fixed it; export with a free batch axis";
        Finding::wrong("batch", format!("{depends} {what}"))
    } else {
        Finding::good("batch", "the same output with other sequences in the batch, and alone")
    };
    Ok(vec![repeat, batch])
}
