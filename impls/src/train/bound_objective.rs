//! Objectives of programs that keep their networks: what a bound depends on, without the settings of a training.

use std::collections::BTreeMap;

use super::flat::Reader;
use super::objective_config::ObjectiveConfig;
use crate::error::{Error, Result, UnknownName};

/// An objective's name, the settings that its bound depends on with their defaults, and those that only training has. `ar` is
/// not among them (it needs no noise), nor are `genmd4` (whose schedule is learned) and `maskgit` (whose bound is that of
/// `any-order`).
const OBJECTIVES: [(&str, &str, &str); 8] = [
    ("any-order", "form = 'k-dce'", ""),
    ("md4", "schedule = 'linear'\ntimesteps = 0", "weighting = 'elbo'"),
    ("mdlm", "protocol = 'exact'", ""),
    ("d3pm-absorbing", "timesteps = 1000", "hybrid = 0.0"),
    ("d3pm-uniform", "schedule = 'linear'\ntimesteps = 0\nkernel = 'd3pm'", "hybrid = 0.0"),
    ("vdm", "schedule = 'vdm'\ntimesteps = 0", "weighting = 'elbo'\nprediction = 'eps'"),
    ("flow", "schedule = 'ot:-13.3:5'", "weighting = 'elbo'"),
    ("edm", "schedule = 'normal:2.4:2.4:-13.3:5'", "weighting = 'elbo'\nsigma_data = 0.5"),
];

impl ObjectiveConfig {
    /// The names for [`Self::of_bound`].
    pub fn bounds() -> impl Iterator<Item = &'static str> {
        OBJECTIVES.iter().map(|(name, ..)| *name)
    }

    /// The objective with this name, with its bound's settings changed by `changes` (`schedule`, `timesteps`, `protocol`,
    /// `form`, `kernel`).
    pub fn of_bound(name: &str, changes: &BTreeMap<String, String>) -> Result<Self> {
        let known: Vec<&str> = Self::bounds().collect();
        let Some((_, bound, training)) = OBJECTIVES.iter().find(|(known, ..)| *known == name) else {
            return Err(UnknownName::new("objective", name, &known).into());
        };
        let table = |text: &str| text.parse::<toml::Table>().map_err(|e| Error::Setting(e.message().to_owned()));
        let mut settings = table(bound)?;
        let keys: Vec<String> = settings.keys().cloned().collect();
        for (key, value) in changes {
            let whole = match settings.get(key) {
                Some(old) => old.is_integer(),
                None => return Err(UnknownName::new("setting of a bound", key, &keys).into()),
            };
            let value = match (whole, value.parse::<i64>()) {
                (false, _) => toml::Value::from(value.as_str()),
                (true, Ok(number)) => number.into(),
                (true, Err(_)) => return Err(Error::Setting(format!("{key} = {value}: expected a whole number"))),
            };
            settings.insert(key.clone(), value);
        }
        settings.extend(table(training)?);
        settings.insert("implementation".to_owned(), name.into());
        let objective = Self::read(&mut Reader { rest: settings, taken: toml::Table::new(), of: String::new() })?;
        match objective.gaussian() {
            Some(gaussian) if gaussian.learned => {
                let what = format!("schedule = {}: learned ends are known to the program alone", gaussian.schedule);
                Err(Error::Setting(format!("{what}: give them as fixed-linear:MIN:MAX (gamma)")))
            }
            _ => Ok(objective),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(name: &str, changes: &[(&str, &str)]) -> Result<ObjectiveConfig> {
        let changes = changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ObjectiveConfig::of_bound(name, &changes)
    }

    #[test]
    fn every_objective_has_a_bound_by_default_and_its_settings_alone() {
        for name in ObjectiveConfig::bounds() {
            assert_eq!(changed(name, &[]).expect("defaults").name(), name);
        }
        let md4 = changed("md4", &[("schedule", "cosine"), ("timesteps", "8")]).expect("settings of md4");
        assert!(
            matches!(md4, ObjectiveConfig::Md4(md4) if md4.steps == Some(8) && md4.schedule.to_string() == "cosine")
        );
        for (name, key, value) in [
            ("md4", "weighting", "simple"),
            ("md4", "timesteps", "many"),
            ("mdlm", "schedule", "linear"),
            ("vdm", "schedule", "learned:-8:5"),
            ("ar", "form", "k-dce"),
        ] {
            assert!(changed(name, &[(key, value)]).is_err(), "{name} {key} = {value}");
        }
    }
}
