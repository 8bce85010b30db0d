//! Every model of letters side by side: bits per character on each text, samples, infilling, published numbers.

use elbow_impls::train::{ObjectiveConfig, Settings};

use super::super::prelude::*;
use super::generative_perplexity::{Judge, number};
use super::{Cell, Texts, implementation};
use crate::sampling::{Request, infilling};

/// Published bits per character on text8, with their protocol.
const PUBLISHED: &str = include_str!("../../../../../published/text8.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    source: String,
    protocol: String,
    models: Vec<PublishedModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishedModel {
    name: String,
    bits_per_character: f64,
    /// Whether the number is an upper bound.
    bound: bool,
}

impl Texts {
    /// The figure of all models, trained on the first text.
    pub(super) fn models(&self, context: &Context, cells: &[Cell]) -> Result<Figure, Error> {
        let home = self.texts.first().ok_or_else(|| Error::internal("the claim names no text"))?;
        let is_judge = |preset: &&String| {
            Settings::resolve(preset, &[]).is_ok_and(|known| matches!(known.objective, ObjectiveConfig::Ar(_)))
        };
        let judge_preset = self.presets.iter().find(is_judge);
        let judge_preset = judge_preset.ok_or_else(|| Error::internal("the claim names no judge"))?;
        let judge = context.trained(judge_preset, &self.set_for(home))?;
        let data = self.test(context, &judge, home)?;
        let judging = Judge { context, model: &judge, data: data.as_ref() };
        let real = judging.held_out(self.samples)?;
        let mut bits = Vec::new();
        let [p, e] = [&real.numbers.perplexity, &real.numbers.entropy].map(number);
        let mut samples = vec![vec!["held-out text".to_owned(), p, e, String::new(), real.first]];
        for preset in &self.presets {
            let model = context.trained(preset, &self.set_for(home))?;
            let name = implementation(preset);
            let of = |text: &String| {
                let cell =
                    cells.iter().find(|cell| cell.preset == *preset && cell.trained == *home && cell.text == *text);
                cell.map_or(String::new(), |cell| number(&cell.bound.bits_per_dim))
            };
            let kind = if model.objective.is_exact() { "likelihood" } else { "bound" };
            let (parameters, steps) = (model.model.parameters(), model.settings.steps);
            let mut row = vec![name.to_owned(), kind.to_owned(), parameters.to_string(), steps.to_string()];
            row.extend(self.texts.iter().chain(&self.tests).map(of));
            bits.push(row);
            let drawn = context.sample(&model, &context.request(&model, self.samples, data.length()))?;
            let judged = judging.judge(&drawn.tokens)?;
            let (p, e) = (number(&judged.numbers.perplexity), number(&judged.numbers.entropy));
            samples.push(vec![name.to_owned(), p, e, format!("{:.1}", drawn.nfe()), judged.first]);
        }
        let texts: Vec<String> =
            self.texts.iter().chain(&self.tests).map(|text| format!("{text}, bits/char")).collect();
        let header: Vec<&str> = ["", "number", "parameters", "training steps"]
            .into_iter()
            .chain(texts.iter().map(String::as_str))
            .collect();
        let mut panels = vec![table(&format!("Trained on {home}, tested on"), &header, bits)];
        let header = ["", "perplexity under ar", "entropy, nats", "NFE", "the first sample"];
        panels.push(table("Samples", &header, samples));
        panels.extend(self.infill.as_ref().map(|text| self.infilled(text, home, &judging)).transpose()?);
        panels.push(published()?);
        let caption = format!(
            "One trunk (genmd4 and d3pm-uniform see the time as well, genmd4 trains on two corruptions of each window), {} windows of held-out text of 64 letters each, means with standard errors over windows; one training seed \
             each. Samples: {} of each model by its own sampler, judged by the autoregressive model, which flatters its own; \
             perplexity is never without entropy. The published numbers stand beside ours and are not compared with them.",
            self.windows, self.samples
        );
        Ok(figure("text-models", "Models of letters after the same steps and batches", &caption, panels))
    }

    /// Fillings of a text with gaps by the first model.
    fn infilled(&self, text: &str, home: &str, judge: &Judge) -> Result<Panel, Error> {
        let Judge { context, data, .. } = *judge;
        let model = context.trained(&self.presets[0], &self.set_for(home))?;
        let request = Request { known: vec![infilling(text, "_", data)?], ..context.request(&model, 4, data.length()) };
        let drawn = context.sample(&model, &request)?;
        let title = format!("Gaps filled by {}", implementation(&self.presets[0]));
        let mut rows = vec![vec!["given".to_owned(), text.to_owned()]];
        rows.extend(drawn.tokens.rows().map(|row| vec!["drawn".to_owned(), judge.decode(row)]));
        Ok(table(&title, &["", "text"], rows))
    }
}

/// The published table.
fn published() -> Result<Panel, Error> {
    let published: Published = toml::from_str(PUBLISHED).map_err(|e| Error::internal(e.message()))?;
    let row = |model: PublishedModel| {
        let sign = if model.bound { "≤ " } else { "" };
        vec![model.name, format!("{sign}{:.2}", model.bits_per_character)]
    };
    let title = format!("Published, text8 ({}); {}", published.source, published.protocol);
    Ok(table(&title, &["model", "bits/char"], published.models.into_iter().map(row).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_table_is_read() {
        let Ok(Panel::Table { rows, .. }) = published() else { panic!("a table") };
        assert!(rows.contains(&vec!["MD4".to_owned(), "≤ 1.37".to_owned()]), "{rows:?}");
        assert!(rows.contains(&vec!["autoregressive".to_owned(), "1.23".to_owned()]), "{rows:?}");
    }
}
