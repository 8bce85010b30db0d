//! Check: time grids of the sampler.

use elbow_impls::md4::Grid;
use elbow_impls::schedule::MaskedSchedule;

use super::prelude::*;

/// Largest difference of alpha between two pairs of schedule and grid.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grids {
    /// `schedule` and `grid` of each side.
    first: [String; 2],
    second: [String; 2],
    steps: usize,
    /// Sequence length of the figure.
    length: usize,
}

impl Check for Grids {
    fn run(&self, _: &Context) -> Result<Outcome, Error> {
        let alphas = |[schedule, grid]: &[String; 2]| -> Result<Vec<f64>, Error> {
            let (schedule, grid): (MaskedSchedule, Grid) = (schedule.parse()?, grid.parse()?);
            Ok((0..=self.steps).map(|i| schedule.alpha(grid.time(i, self.steps))).collect())
        };
        let (first, second) = (alphas(&self.first)?, alphas(&self.second)?);
        let difference = largest(first.iter().zip(&second).map(|(a, b)| (a - b).abs()));
        let linear = alphas(&["linear".into(), "uniform".into()])?;
        let x: Vec<f64> = (1..=self.steps).map(|i| i as f64).collect();
        // Step T of the grid is the sampler's first.
        let revealed = |alpha: &[f64]| -> Vec<f64> {
            alpha.windows(2).rev().map(|pair| (pair[0] - pair[1]) * self.length as f64).collect()
        };
        let series = vec![
            curve(self.first.join(" schedule, ") + " grid", Style::Line, x.clone(), revealed(&first)),
            curve("linear schedule, uniform grid", Style::Dashed, x, revealed(&linear)),
        ];
        let mut outcome =
            Outcome::exact("largest difference of α", difference, "1").over(self.steps + 1, "grid points");
        outcome.figures.push(figure(
            "grid",
            "Tokens revealed by each step of the sampler",
            &format!(
                "Expected number of {} tokens that become visible in each of {} steps, length · (α_s − α_t). The cosine grid \
                 reveals few at first, while little is known, and many at the end.",
                self.length, self.steps
            ),
            vec![plot("", axis("step of the sampler"), axis("tokens"), series)],
        ));
        Ok(outcome)
    }
}
