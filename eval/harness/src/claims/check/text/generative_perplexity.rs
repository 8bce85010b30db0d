//! Texts under an autoregressive judge.

use impls::data::{Dataset, Tokens};

use crate::failure::Failure;
use crate::likelihood::{Estimate, Generative, generative};
use crate::runs::Trained;
use crate::claims::context::{Check, Context};

/// An autoregressive model that judges.
pub(super) struct Judge<'a> {
    pub context: &'a Context<'a>,
    pub model: &'a Trained,
    /// Held-out text, in the judge's windows.
    pub data: &'a dyn Dataset,
}

/// Texts under the judge, and the first of them.
pub(super) struct Judged {
    pub numbers: Generative,
    pub first: String,
}

impl Judge<'_> {
    pub fn judge(&self, tokens: &Tokens) -> Result<Judged, Failure> {
        let Context { .. } = self.context;
        let numbers = generative(&self.model.model, self.data, tokens, device, bar.as_ref())?;
        Ok(Judged { numbers, first: self.decode(tokens.rows().next().unwrap_or(&[])) })
    }

    /// As many windows of held-out text.
    pub fn held_out(&self, count: usize) -> Result<Judged, Failure> {
        self.judge(&self.data.select(&(0..count.min(self.data.len())).collect::<Vec<_>>())?)
    }

    pub fn decode(&self, tokens: &[u32]) -> String {
        self.data.text().map_or(String::new(), |text| text.decode(tokens))
    }
}

/// A number of a table.
pub(super) fn number(estimate: &Estimate) -> String {
    format!("{:.3} ± {:.3}", estimate.value, estimate.standard_error)
}
