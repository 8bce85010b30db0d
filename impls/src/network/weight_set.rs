//! The sets of weights in one file: raw and averaged ones, under the prefixes that trainers and wrappers put before the names.

use std::fmt;

use burn_store::burn_pack;
use serde::{Deserialize, Serialize};

use super::state_dict::StateDict;
use crate::error::Result;

/// Which weights of a file a network was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightSet {
    /// Raw or averaged.
    pub kind: WeightKind,
    /// What stands before the names of the weights in the file: `state_dict.backbone.`, or `ema.shadow_params.` where averaged
    /// weights are a list without names.
    pub place: String,
}

/// Whether weights are averages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightKind {
    /// Moving averages over the training.
    Averaged,
    /// Those of the last step, beside which averaged ones are in the file.
    Raw,
    /// The only ones of the file, which does not say what they are.
    Unmarked,
}

impl fmt::Display for WeightSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match self.kind {
            WeightKind::Averaged => write!(f, "the averaged weights ({place})"),
            WeightKind::Raw => write!(f, "the raw weights ({place}), not the averaged ones beside them"),
            WeightKind::Unmarked => {
                write!(f, "the file's only weights ({place}); whether they are averaged it does not say")
            }
        }
    }
}

/// Names and shapes of a network's parameters as PyTorch registers them, in its order.
pub(super) type Layout = Vec<(String, Vec<usize>)>;

/// The set of weights that is read.
pub(super) struct Selected {
    pub set: WeightSet,
    /// Averaged weights without names, in the order of the parameters.
    list: Option<Vec<burn_pack::Tensor>>,
    /// Tensors of the file that belong to no set of weights.
    strays: Vec<String>,
}

/// The list of averaged weights in `torch_ema` and its descendants (Lightning's checkpoints of MDLM and SEDD).
const LIST: &str = "shadow_params.";

/// Beginnings of the names of what a trainer keeps beside the weights.
const BOOKKEEPING: [&str; 7] = ["optim", "lr_sched", "sched", "callbacks", "loops", "rng", "scaler"];

impl StateDict {
    /// Keeps one set of weights, by their names without prefix: the averaged ones where there are any, unless `raw`. Each set has
    /// a tensor of the name `anchor` behind its prefix. `layout` is how the names are expected, for the error.
    pub fn select(&mut self, anchor: &str, layout: &str, raw: bool) -> Result<Selected> {
        let prefix =
            |name: &str| name.strip_suffix(anchor).filter(|p| p.is_empty() || p.ends_with('.')).map(str::to_owned);
        let (mut averaged, plain): (Vec<String>, Vec<String>) =
            self.tensors.keys().filter_map(|name| prefix(name)).partition(|prefix| is_average(prefix));
        let list = self.tensors.keys().find_map(|name| Some(name[..name.find(LIST)? + LIST.len()].to_owned()));
        averaged.extend(list.clone());
        if let [one, other, ..] = if averaged.len() > 1 { &averaged[..] } else { &plain[..] } {
            return Err(
                self.wrong(format!("several sets of weights, under {one:?} and {other:?}: leave one in the file"))
            );
        }
        let (averaged, plain) = (averaged.pop(), plain.into_iter().next());
        let (kind, place) = match (&averaged, &plain) {
            (Some(averaged), _) if !raw => (WeightKind::Averaged, averaged.clone()),
            (_, Some(plain)) if self.tensors.keys().any(|name| is_average(name)) => (WeightKind::Raw, plain.clone()),
            (_, Some(plain)) if raw => {
                let what = format!("one set of weights (under {plain:?}), which may be raw or averaged");
                return Err(self.wrong(format!("{what}: leave --raw out")));
            }
            (_, Some(plain)) => (WeightKind::Unmarked, plain.clone()),
            (Some(averaged), None) => {
                return Err(
                    self.wrong(format!("no raw weights, only the averaged ones under {averaged}: leave --raw out"))
                );
            }
            (None, None) => {
                return Err(self.wrong(format!("no tensor {anchor}: expected {layout}; found {}", self.first())));
            }
        };
        let is_list = list.as_ref() == Some(&place);
        let Some(named) = (if is_list { plain.clone() } else { Some(place.clone()) }) else {
            return Err(self
                .wrong(format!("{place} has no names: the raw weights, whose names it shares, are not in the file")));
        };
        let mut strays = Vec::new();
        for (name, stored) in &self.tensors {
            let of = |set: &Option<String>| set.as_ref().is_some_and(|set| name.starts_with(set.as_str()));
            let book =
                BOOKKEEPING.iter().any(|start| name.starts_with(start)) || stored.shape.iter().product::<usize>() <= 1;
            let average = is_average(name);
            let known = match average {
                true => raw || of(&averaged) || of(&list) || book || name.contains("collected_params"),
                false => of(&plain) || book,
            };
            if !known {
                strays.push(name.clone());
            }
        }
        let list = if is_list { Some(self.listed(&place)?) } else { None };
        if !is_average(&named) {
            self.tensors.retain(|name, _| !is_average(name));
        }
        self.enter(&named);
        Ok(Selected { set: WeightSet { kind, place }, list, strays })
    }

    /// The tensors of a list, in its order.
    fn listed(&mut self, prefix: &str) -> Result<Vec<burn_pack::Tensor>> {
        let count = self.tensors.keys().filter(|name| name.starts_with(prefix)).count();
        let item = |number| self.remove(&format!("{prefix}{number}"));
        let items: Option<Vec<_>> = (0..count).map(item).collect();
        items.ok_or_else(|| self.wrong(format!("{prefix} has other things than tensors")))
    }

    /// Checks that these are the parameters of a network, all of them and no others, and puts averaged weights of a list in their
    /// places.
    pub fn fill(&mut self, layout: &Layout, selected: Selected) -> Result<()> {
        let here = self.prefix.clone();
        let missing: Vec<String> = layout
            .iter()
            .filter(|(name, _)| !self.tensors.contains_key(name))
            .map(|(name, _)| format!("{here}{name}"))
            .collect();
        let unknown = self.tensors.keys().filter(|name| layout.iter().all(|(known, _)| known != *name));
        let unknown: Vec<String> = unknown.map(|name| format!("{here}{name}")).chain(selected.strays).collect();
        if !missing.is_empty() || !unknown.is_empty() {
            let mut what = format!("{} of {} tensors fit", layout.len() - missing.len(), layout.len());
            for (say, names) in [("no tensor", &missing), ("without a place in this network:", &unknown)] {
                if !names.is_empty() {
                    what += &format!("; {say} {}", shortened(names));
                }
            }
            if unknown.iter().any(|name| is_average(name)) {
                what += " (averaged weights in a layout that is not read; --raw takes the others)";
            }
            return Err(self.wrong(what));
        }
        let fits = |name: &str, found: &[usize], shape: &[usize]| match found == shape {
            true => Ok(()),
            false => Err(self.wrong(format!("{name} has shape {found:?} where {shape:?} was expected"))),
        };
        for (name, shape) in layout {
            fits(&format!("{here}{name}"), &self.tensors[name].shape.to_vec(), shape)?;
        }
        let Some(list) = selected.list else { return Ok(()) };
        let place = &selected.set.place;
        if list.len() != layout.len() {
            let what = format!("{} tensors under {place}, but {} parameters", list.len(), layout.len());
            return Err(self.wrong(format!("{what}: which are averaged is not known, --raw takes those under {here}")));
        }
        for (number, ((name, shape), stored)) in layout.iter().zip(&list).enumerate() {
            fits(&format!("{place}{number}, the average of {name},"), &stored.shape.to_vec(), shape)?;
        }
        self.tensors = layout.iter().map(|(name, _)| name.clone()).zip(list).collect();
        self.prefix = format!("{place} ");
        Ok(())
    }

    /// The first names of the file.
    fn first(&self) -> String {
        shortened(&self.tensors.keys().cloned().collect::<Vec<_>>())
    }
}

/// Whether a name says that its weights are averages: `ema.`, `model_ema.`, `ema_state_dict.`, `swa_model.`, ...
fn is_average(name: &str) -> bool {
    name.split(['.', '_']).any(|word| ["ema", "swa", "averaged", "shadow"].contains(&word))
}

/// The first three names.
fn shortened(names: &[String]) -> String {
    let rest = if names.len() > 3 { format!(" and {} more", names.len() - 3) } else { String::new() };
    match names {
        [] => "no tensors".to_owned(),
        names => names[..names.len().min(3)].join(", ") + &rest,
    }
}
