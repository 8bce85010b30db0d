//! Samples of a model of letters under a judge, cut to smaller and smaller nuclei.

use reports::record::Panel;

use super::super::{Outcome, figure, trained_run, weights_of};
use super::Texts;
use super::judged::{Judge, number};
use crate::failure::Failure;
use crate::likelihood::Estimate;
use crate::sampling::{self, Request};
use crate::claims::context::{Check, Context};

impl Texts {
    pub(super) fn nucleus(&self, context: &Context) -> Result<Outcome, Failure> {
        let text = self.texts.first().ok_or_else(|| Failure::internal("the claim names no text"))?;
        let [model, judge] = &self.presets[..] else {
            return Err(Failure::internal("the claim must name a model and a judge"));
        };
        let (model, _) = trained_run(context, model, &self.set_for(text))?;
        let (judge, _) = trained_run(context, judge, &self.set_for(text))?;
        let data = self.test(context, &model, text)?;
        let judging = Judge { context, model: &judge, data: data.as_ref() };
        let real = judging.held_out(self.samples)?;
        let mut found = Vec::new();
        for &nucleus in &self.nuclei {
            let plain = Request::new(&model.settings, &model.model, self.samples, data.length(), context.seed);
            let request = Request { nucleus, ..plain };
            let drawn = sampling::draw(context, &model.settings, &model.model, &request, context.bar.as_ref())?;
            found.push((nucleus, judging.judge(&drawn.tokens)?));
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (Some((low, least)), Some((high, most))) = (found.first(), found.last()) else {
            return Err(Failure::internal("the claim names no nucleus"));
        };
        // The same random numbers at every nucleus: the samples are paired.
        let pairs = least.numbers.entropies.iter().zip(&most.numbers.entropies);
        let difference = Estimate::of(&pairs.map(|(a, b)| a - b).collect::<Vec<_>>());
        let quantity = format!("entropy of samples, nucleus {low} − nucleus {high}");
        let mut outcome = Outcome::exact(&quantity, difference.value, "nats")
            .over(self.samples, "samples")
            .with_error(difference.standard_error);
        let named = found.iter().rev().map(|(nucleus, judged)| (format!("nucleus {nucleus}"), judged));
        let mut rows = Vec::new();
        for (name, judged) in std::iter::once(("held-out text".to_owned(), &real)).chain(named) {
            let (p, e) = (&judged.numbers.perplexity, &judged.numbers.entropy);
            outcome.detail(format!("{name}: perplexity under the judge"), p.value, Some(p.standard_error), "1");
            outcome.detail(format!("{name}: token entropy"), e.value, Some(e.standard_error), "nats");
            rows.push(vec![name, number(p), number(e), judged.first.clone()]);
        }
        outcome.made = vec![weights_of(&model), weights_of(&judge)];
        let header = ["", "perplexity", "entropy, nats", "the first sample"].map(String::from).to_vec();
        outcome.figures.push(figure(
            "generative",
            "Generative perplexity, and the entropy that it must be read with",
            "Samples of a masked model of letters, judged by an autoregressive one that was trained on the same text; mean and \
             standard error over samples. Cutting the tails of each draw makes samples more probable and duller.",
            vec![Panel::Table { title: String::new(), header, rows }],
        ));
        Ok(outcome)
    }
}
