//! Placement of a sampler's steps and the other options that depend on the model.

use std::str::FromStr;

use elbow_base::Error;
use elbow_impls::UnknownName;
use elbow_impls::gaussian::LevelGrid;
use elbow_impls::md4::Grid;
use elbow_impls::network::Model;
use elbow_impls::schedule::{GaussianSchedule, MaskedSchedule};
use elbow_impls::train::Settings;

use super::{Request, Sampler, grid_under};

/// Grid of a sampler's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepGrid {
    /// Uniform in time.
    Uniform,
    /// Uniform in the angle of a cosine; masked diffusion only.
    Cosine,
    /// EDM's noise levels; Gaussian diffusion only.
    Edm,
}

elbow_impls::names!(StepGrid, "grid": Uniform = "uniform", Cosine = "cosine", Edm = "edm");

/// A schedule by name. The name depends on the process: `cosine` is a masking schedule and a curve of the log-SNR.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSchedule(String);

impl FromStr for StepSchedule {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let (Err(masked), Err(gaussian)) = (name.parse::<MaskedSchedule>(), name.parse::<GaussianSchedule>()) else {
            return Ok(Self(name.to_owned()));
        };
        let (Some(one), Some(other)) = (masked.unknown_name(), gaussian.unknown_name()) else { return Err(masked) };
        let mut known = [one.known.clone(), other.known.clone()].concat();
        known.sort();
        known.dedup();
        Err(UnknownName { known, ..one.clone() }.into())
    }
}

impl Request {
    /// Places the steps on a grid under a schedule; `None` is the implementation's own choice.
    ///
    /// Masked diffusion has times of a masking schedule. Gaussian diffusion has noise levels between the ends that the
    /// model was trained on, so that a schedule with other ends is refused.
    pub fn place(
        self,
        settings: &Settings,
        model: &Model,
        grid: Option<StepGrid>,
        schedule: Option<&StepSchedule>,
    ) -> Result<Self, Error> {
        let Some(gaussian) = settings.gaussian() else {
            let schedule = schedule.map_or(Ok(self.schedule), |named| named.0.parse())?;
            let grid = match grid {
                None => grid_under(&schedule),
                Some(StepGrid::Uniform) => Grid::Uniform,
                Some(StepGrid::Cosine) => Grid::Cosine,
                Some(StepGrid::Edm) => {
                    let what = "the grid edm has noise levels, which masked diffusion has not";
                    return Err(Error::input(what, "use the grid uniform or cosine"));
                }
            };
            return Ok(Self { schedule, grid, ..self });
        };
        let own = gaussian.schedule_of(model.gaussian()?)?;
        let ends = own.ends().ok_or_else(|| Error::internal("a trained schedule has ends"))?;
        let chosen = match schedule.map(|named| named.0.parse()).transpose()? {
            None => own,
            Some(GaussianSchedule::Whole(curve)) => format!("{curve}:{}:{}", ends[0], ends[1]).parse()?,
            Some(named) if named.ends() == Some(ends) => named,
            Some(named) => {
                let what = format!("schedule {named}: the model knows gamma from {} to {}", ends[0], ends[1]);
                return Err(Error::input(what, "name a curve without ends: cosine, ot or normal:MEAN:STD"));
            }
        };
        let levels = match (grid, schedule) {
            (Some(StepGrid::Edm), _) => LevelGrid::edm(ends),
            (Some(StepGrid::Uniform), _) | (None, Some(_)) => LevelGrid::Times(chosen),
            (None, None) => self.levels,
            (Some(StepGrid::Cosine), _) => {
                let what = "the grid cosine is of masked diffusion, and this model is Gaussian";
                return Err(Error::input(what, "use the grid uniform or edm"));
            }
        };
        Ok(Self { levels, ..self })
    }

    /// Refuses churn, a class or guidance that has no meaning for the model. `classes`: those of the data.
    pub fn check(&self, settings: &Settings, classes: usize) -> Result<(), Error> {
        if self.churn.amount > 0.0 && self.sampler != Sampler::Heun {
            let what = format!("churn {}: the {} sampler adds no such noise", self.churn.amount, self.sampler);
            return Err(Error::input(what, "use the heun sampler, of vdm, flow or edm"));
        }
        let classes = if settings.class_conditioning { classes } else { 0 };
        let option = match (self.class, self.guidance) {
            (Some(class), _) if class as usize >= classes => Some(format!("class {class}")),
            (_, guidance) if guidance != 1.0 && classes == 0 => Some(format!("guidance {guidance}")),
            _ => None,
        };
        if let Some(option) = option {
            return Err(match classes {
                0 => {
                    let what = format!("{option}: this model has no classes");
                    Error::input(what, "train with class_conditioning = true")
                }
                _ => {
                    let what = format!("{option}: this model has the classes 0 to {}", classes - 1);
                    Error::input(what, "name one of them")
                }
            });
        }
        if self.guidance != 1.0 && settings.label_dropout == Some(0.0) {
            let what = format!("guidance {}: the model was trained with label_dropout = 0", self.guidance);
            return Err(Error::input(
                what,
                "guidance needs a model that knows \"no class\": train with label_dropout = 0.1",
            ));
        }
        Ok(())
    }
}
