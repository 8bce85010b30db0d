//! Which part of a work a process does.

use std::fmt;
use std::str::FromStr;

use elbow_base::Error;
use serde::{Deserialize, Serialize};

/// Part m of n, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// m, 1 to n.
    pub number: usize,
    /// n.
    pub of: usize,
}

/// Most parts of a work.
const MOST: usize = 1_000_000;

impl Part {
    /// Part `number` of `of`, if there is such a part.
    pub fn new(number: usize, of: usize) -> Option<Self> {
        (1..=of.min(MOST)).contains(&number).then_some(Self { number, of })
    }

    /// Whether the unit is of this part: units are dealt out in turn, so that every part has its share of each round.
    pub fn has(&self, unit: usize) -> bool {
        unit % self.of == self.number - 1
    }

    /// The part that a launcher names in the variables of the environment: RANK and WORLD_SIZE (torchrun, MPI wrappers), or
    /// those of a Slurm job array. Refuses both where they differ, and an array whose ids have gaps.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let number = |name: &str| -> Result<Option<usize>, Error> {
            let Some(text) = variable(name) else { return Ok(None) };
            let wrong = |_| Error::input(format!("{name} = {text:?} is no number"), "say --shard m/n");
            text.trim().parse().map(Some).map_err(wrong)
        };
        let ranks = match (number("RANK")?, number("WORLD_SIZE")?) {
            (Some(rank), Some(size)) => Some((rank + 1, size, "RANK of WORLD_SIZE")),
            _ => None,
        };
        let (id, count) = (number("SLURM_ARRAY_TASK_ID")?, number("SLURM_ARRAY_TASK_COUNT")?);
        let array = match id.zip(count) {
            None => None,
            Some((id, count)) => {
                let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
                let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
                let last = number("SLURM_ARRAY_TASK_MAX")?.unwrap_or(first + step * count.saturating_sub(1));
                if id < first || (id - first) % step != 0 || last != first + step * count.saturating_sub(1) {
                    let what = format!("the ids of the Slurm array have gaps: {count} tasks from {first} to {last}");
                    return Err(Error::input(what, "number the tasks 1-N, or say --shard m/n"));
                }
                Some(((id - first) / step + 1, count, "SLURM_ARRAY_TASK_ID of SLURM_ARRAY_TASK_COUNT"))
            }
        };
        let (number, of, name) = match (ranks, array) {
            (Some(one), Some(other)) if (one.0, one.1) != (other.0, other.1) => {
                let [one, other] = [one, other].map(|(number, of, name)| format!("{name} is {number}/{of}"));
                return Err(Error::input(format!("two shards are named: {one}, {other}"), "say --shard m/n"));
            }
            (Some(found), _) | (None, Some(found)) => found,
            (None, None) => {
                let what = "--shard env: neither RANK and WORLD_SIZE nor SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT are set";
                return Err(Error::input(what, "run it as a task of a job array, or say --shard m/n"));
            }
        };
        Self::new(number, of).ok_or_else(|| {
            Error::input(format!("{name}: there is no shard {number} of {of}"), "say --shard m/n, 1 <= m <= n")
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Part {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('/').and_then(|(m, n)| Self::new(m.parse().ok()?, n.parse().ok()?));
        parsed
            .ok_or_else(|| Error::input(format!("{text:?} is no shard"), "a shard is m/n, as 3/8: the third of eight"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
        Part::of_environment(variable).map(|part| part.to_string()).map_err(|e| e.what)
    }

    fn array<'a>(id: &'a str, count: &'a str, min: &'a str, max: &'a str, step: &'a str) -> Vec<(&'a str, &'a str)> {
        let names = ["ID", "COUNT", "MIN", "MAX", "STEP"].map(|name| match name {
            "ID" => "SLURM_ARRAY_TASK_ID",
            "COUNT" => "SLURM_ARRAY_TASK_COUNT",
            "MIN" => "SLURM_ARRAY_TASK_MIN",
            "MAX" => "SLURM_ARRAY_TASK_MAX",
            _ => "SLURM_ARRAY_TASK_STEP",
        });
        names.into_iter().zip([id, count, min, max, step]).collect()
    }

    #[test]
    fn launchers_name_the_part() {
        assert_eq!(found(&[("RANK", "0"), ("WORLD_SIZE", "4")]), Ok("1/4".into()));
        assert_eq!(found(&array("0", "7", "0", "6", "1")), Ok("1/7".into()), "an array from 0");
        assert_eq!(found(&array("7", "7", "1", "7", "1")), Ok("7/7".into()), "an array from 1");
        assert_eq!(found(&array("9", "3", "1", "9", "4")), Ok("3/3".into()), "steps of four");
        let gaps = found(&array("7", "3", "1", "7", "1")).expect_err("1, 2 and 7");
        assert!(gaps.contains("have gaps"), "{gaps}");
        let both = [array("3", "4", "1", "4", "1"), vec![("RANK", "0"), ("WORLD_SIZE", "1")]].concat();
        assert!(found(&both).expect_err("two").contains("two shards are named"));
        assert!(found(&[("RANK", "4"), ("WORLD_SIZE", "4")]).expect_err("beyond").contains("no shard 5 of 4"));
        assert!(found(&[("RANK", "1")]).is_err() && found(&[("RANK", "x"), ("WORLD_SIZE", "2")]).is_err());
    }

    #[test]
    fn parts_share_the_units_out() {
        for of in 1..8 {
            let parts: Vec<Part> = (1..=of).filter_map(|number| Part::new(number, of)).collect();
            assert!((0..30).all(|unit| parts.iter().filter(|part| part.has(unit)).count() == 1), "{of}");
        }
        assert!(["0/3", "4/3", "3", "1/0", "a/b"].iter().all(|text| text.parse::<Part>().is_err()));
    }
}
