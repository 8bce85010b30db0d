//! Infilling texts: known tokens with gaps.

use elbow_base::Error;
use elbow_impls::data::Dataset;

/// The known tokens of an infilling text, by position of the window: those of the pieces between `_`, and `None`, a
/// token to be drawn, for each `_` and for the rest of the window.
pub fn infilling(text: &str, data: &dyn Dataset) -> Result<Vec<Option<u32>>, Error> {
    let wrong =
        |what: String| Error::input(format!("infilling: {what}"), "write '_' for each token that is to be drawn");
    let alphabet = data.text().ok_or_else(|| wrong("this model makes no text".into()))?.alphabet();
    let mut known = Vec::new();
    for (number, piece) in text.split('_').enumerate() {
        known.extend((number > 0).then_some(None));
        known.extend(alphabet.tokens(piece).map_err(wrong)?.into_iter().map(Some));
    }
    if known.len() > data.length() {
        return Err(wrong(format!("{} tokens where the window has {}", known.len(), data.length())));
    }
    known.resize(data.length(), None);
    Ok(known)
}
