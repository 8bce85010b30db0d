//! Samples of a model of letters under a judge, cut to smaller and smaller nuclei.

use elbow_impls::tempering::Tempering;

use super::super::prelude::*;
use super::Texts;
use super::generative_perplexity::{Judge, number};
use crate::sampling::Request;

impl Texts {
    pub(super) fn nucleus(&self, context: &Context) -> Result<Outcome, Error> {
        let text = self.texts.first().ok_or_else(|| Error::internal("the claim names no text"))?;
        let [model, judge] = &self.presets[..] else {
            return Err(Error::internal("the claim must name a model and a judge"));
        };
        let model = context.trained(model, &self.set_for(text))?;
        let judge = context.trained(judge, &self.set_for(text))?;
        let data = self.test(context, &model, text)?;
        let judging = Judge { context, model: &judge, data: data.as_ref() };
        let real = judging.held_out(self.samples)?;
        let mut found = Vec::new();
        for &nucleus in &self.nuclei {
            let tempering = Tempering { nucleus, ..Tempering::NONE };
            let request = Request { tempering, ..context.request(&model, self.samples, data.length()) };
            let drawn = context.sample(&model, &request)?;
            found.push((nucleus, judging.judge(&drawn.tokens)?));
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (Some((low, least)), Some((high, most))) = (found.first(), found.last()) else {
            return Err(Error::internal("the claim names no nucleus"));
        };
        // The same random numbers at every nucleus: the samples are paired.
        let difference = Estimate::of_pairs(&least.numbers.entropies, &most.numbers.entropies);
        let quantity = format!("entropy of samples, nucleus {low} − nucleus {high}");
        let mut outcome = Outcome::estimated(&quantity, difference, "nats", "samples");
        let named = found.iter().rev().map(|(nucleus, judged)| (format!("nucleus {nucleus}"), judged));
        let mut rows = Vec::new();
        for (name, judged) in std::iter::once(("held-out text".to_owned(), &real)).chain(named) {
            let (p, e) = (&judged.numbers.perplexity, &judged.numbers.entropy);
            outcome.estimate_detail(format!("{name}: perplexity under the judge"), p, "1");
            outcome.estimate_detail(format!("{name}: token entropy"), e, "nats");
            rows.push(vec![name, number(p), number(e), judged.first.clone()]);
        }
        outcome.made = vec![inputs::weights(&model), inputs::weights(&judge)];
        let header = ["", "perplexity", "entropy, nats", "the first sample"];
        outcome.figures.push(figure(
            "generative",
            "Generative perplexity, and the entropy that it must be read with",
            "Samples of a masked model of letters, judged by an autoregressive one that was trained on the same text; mean and \
             standard error over samples. Cutting the tails of each draw makes samples more probable and duller.",
            vec![table("", &header, rows)],
        ));
        Ok(outcome)
    }
}
