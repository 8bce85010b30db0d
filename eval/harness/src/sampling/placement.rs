//! Placement of a sampler's steps and the other options that depend on the model.

use std::str::FromStr;

use elbow_base::Error;
use elbow_impls::UnknownName;
use elbow_impls::gaussian::LevelGrid;
use elbow_impls::md4::Grid;
use elbow_impls::network::Denoiser;
use elbow_impls::schedule::{GaussianSchedule, MaskedSchedule};

use super::options::names;
use super::{Request, Sampled, grid_under};

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
    pub fn place<'a>(
        self,
        model: &dyn Sampled,
        denoiser: impl Into<Denoiser<'a>>,
        grid: Option<StepGrid>,
        schedule: Option<&StepSchedule>,
    ) -> Result<Self, Error> {
        let Some(gaussian) = model.objective().gaussian() else {
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
        let own = gaussian.schedule_of(denoiser.into().gaussian()?)?;
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

    /// Refuses a sampler that does not draw from the model.
    pub fn check_sampler(&self, model: &dyn Sampled) -> Result<(), Error> {
        let known = model.objective().samplers();
        if known.contains(&self.sampler) {
            return Ok(());
        }
        let what = format!("sampler {} does not draw from {}", self.sampler, model.objective().name());
        Err(Error::input(what, format!("use {}", names(known))))
    }

    /// Refuses a class that the data have not, of which there are `classes`, and guidance that was not trained.
    pub fn check(&self, model: &dyn Sampled, classes: usize) -> Result<(), Error> {
        if let Some(class) = self.class.filter(|&class| class as usize >= classes) {
            let what = format!("--class {class}: this model has the classes 0 to {}", classes - 1);
            return Err(Error::input(what, "name one of them"));
        }
        match model.unguidable() {
            Some([why, advice]) if self.guidance != 1.0 => {
                Err(Error::input(format!("--guidance {}: {why}", self.guidance), advice))
            }
            _ => Ok(()),
        }
    }
}
