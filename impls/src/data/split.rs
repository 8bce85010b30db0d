//! The parts of a data set.

use crate::error::UnknownName;

/// Which part of a data set. Images have `train` and `test`, texts all four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The data of training.
    Train,
    /// Held-out data for choices.
    Valid,
    /// Held-out data for results.
    Test,
    /// The whole: for a corpus on which nothing was trained.
    All,
}

crate::names!(Split, "split": Train = "train", Valid = "valid", Test = "test", All = "all");

impl Split {
    /// Every split.
    pub const ALL: [Self; 4] = [Self::Train, Self::Valid, Self::Test, Self::All];

    /// The entry for this split among the splits that a data set offers.
    pub(super) fn choose<T: Copy>(self, offered: &[(Self, T)]) -> Result<T, UnknownName> {
        let found = offered.iter().find(|(split, _)| *split == self).map(|&(_, what)| what);
        found.ok_or_else(|| {
            let names: Vec<String> = offered.iter().map(|(split, _)| split.to_string()).collect();
            UnknownName::new("split", &self.to_string(), &names)
        })
    }
}
