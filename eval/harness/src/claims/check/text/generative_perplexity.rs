//! Texts under an autoregressive model: generative perplexity, with the entropy that it must be read with.

use elbow_impls::data::{Dataset, Tokens};

use super::super::prelude::*;
use crate::likelihood::{Generative, generative};
use crate::runs::Trained;

/// The autoregressive model that judges texts.
pub(super) struct Judge<'a> {
    pub context: &'a Context<'a>,
    pub model: &'a Trained,
    /// Held-out text, in the judge's windows.
    pub data: &'a dyn Dataset,
}

/// The numbers of some texts under the judge, and the first of the texts.
pub(super) struct Judged {
    pub numbers: Generative,
    pub first: String,
}

impl Judge<'_> {
    /// Judges some texts.
    pub fn judge(&self, tokens: &Tokens) -> Result<Judged, Error> {
        let (device, bar) = (&self.context.device, self.context.bar.as_ref());
        let numbers = generative(self.model.diffusion()?, self.data, tokens, device, bar)?;
        Ok(Judged { numbers, first: self.decode(tokens.rows().next().unwrap_or(&[])) })
    }

    /// Judges the first `count` windows of held-out text.
    pub fn held_out(&self, count: usize) -> Result<Judged, Error> {
        self.judge(&self.data.select(&(0..count.min(self.data.len())).collect::<Vec<_>>())?)
    }

    pub fn decode(&self, tokens: &[u32]) -> String {
        self.data.text().map_or(String::new(), |text| text.decode(tokens))
    }
}

/// A cell of a table.
pub(super) fn number(estimate: &Estimate) -> String {
    format!("{:.3} ± {:.3}", estimate.value, estimate.standard_error)
}
