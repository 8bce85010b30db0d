//! The data that a model is judged on.

use std::path::{Path, PathBuf};

use elbow_base::Error;
use elbow_impls::data::detokenizer::Detokenizer;
use elbow_impls::data::text_options::Documents;
use elbow_impls::data::{Alphabet, Dataset, Lines, Spec, Split, TextOptions, token_array};

use super::{AnyModel, Source};
use crate::likelihood::PublishedProtocol;
use crate::outside::OutsideModel;
use crate::runs::Trained;
use crate::workspace::Workspace;

/// Which data a model is judged on.
#[derive(Clone, Debug)]
pub struct DataChoice {
    /// Another data set than the model's own, by name or file.
    pub dataset: Option<String>,
    /// The part of it.
    pub split: Split,
    /// Tokens per sequence of a text, for a model from outside that takes any number.
    pub length: Option<usize>,
    /// Conventions of reading a text.
    pub text: TextChanges,
    /// A published protocol, whose conventions hold for texts where no others are given.
    pub protocol: Option<PublishedProtocol>,
    /// Whether data may differ from those of training although they have their name.
    pub other_data: bool,
}

impl DataChoice {
    /// Puts the conventions in the place of a data set's own. Ids are in no text.
    fn apply_to(&self, spec: &mut Spec) {
        if let Some(protocol) = self.protocol.filter(|_| !is_of_ids(spec)) {
            protocol.text().apply(&mut spec.text);
        }
        self.text.apply(&mut spec.text);
    }

    /// A split of the model's own data.
    pub fn new(split: Split) -> Self {
        Self { dataset: None, split, length: None, text: TextChanges::default(), protocol: None, other_data: false }
    }
}

/// Whether the data are rows of ids.
fn is_of_ids(spec: &Spec) -> bool {
    spec.alphabet.as_deref().is_some_and(|alphabet| token_array::values(alphabet).is_some())
}

/// Conventions of reading a text in place of the model's own; see [`TextOptions`].
#[derive(Clone, Debug, Default)]
pub struct TextChanges {
    /// The two tokens around each window.
    pub frame: Option<String>,
    /// Where documents end.
    pub documents: Option<Documents>,
    /// What undoes the word-level tokenization of a corpus.
    pub detokenizer: Option<Detokenizer>,
}

impl TextChanges {
    /// The name of the first that is given: `frame`, `documents` or `detokenizer`.
    pub fn first(&self) -> Option<&'static str> {
        let Self { frame, documents, detokenizer } = self;
        let given =
            [("frame", frame.is_some()), ("documents", documents.is_some()), ("detokenizer", detokenizer.is_some())];
        given.into_iter().find_map(|(name, given)| given.then_some(name))
    }

    /// Puts them in the place of others.
    pub fn apply(&self, options: &mut TextOptions) {
        options.frame = self.frame.clone().or(options.frame.take());
        options.documents = self.documents.or(options.documents);
        options.detokenizer = self.detokenizer.or(options.detokenizer);
    }
}

/// Data that fit a model.
pub struct JudgedData {
    /// The data.
    pub set: Box<dyn Dataset>,
    /// How they differ from those of training, where that was accepted.
    pub difference: Option<String>,
}

impl AnyModel {
    /// Opens the data that the model is judged on. Refuses those that do not fit, and those that are not what a run was
    /// trained on although they have the name.
    pub fn data(&self, workspace: &Workspace, choice: &DataChoice) -> Result<JudgedData, Error> {
        let data = match &self.source {
            Source::Run(run) => of_run(run, workspace, choice),
            Source::Outside(model) => {
                let set = model.data(workspace, choice)?.ok_or_else(|| self.no_data())?;
                Ok(JudgedData { set, difference: None })
            }
        }?;
        if let (Some(option), None) = (choice.text.first(), data.set.text()) {
            return Err(Error::input(format!("--{option}: {} is no text", data.set.name()), "leave it out"));
        }
        Ok(data)
    }

    /// Opens the sequences of different lengths that a model from outside is judged on.
    pub fn lines(&self, choice: &DataChoice) -> Result<Lines, Error> {
        let no_model = || Error::input("--lines: a run of elbow has one length", "name a model file with --model");
        self.outside().ok_or_else(no_model)?.lines(choice)?.ok_or_else(|| self.no_data())
    }

    fn no_data(&self) -> Error {
        let what = format!("{}: no data", self.place.display());
        Error::input(what, "name them with --dataset NAME, or under [data] in the file")
    }

    /// The data that say how the model's tokens are written: those of its training, or those that its file names, if it
    /// does. A text has windows of `length` tokens where the model takes any number.
    pub fn written_as(&self, workspace: &Workspace, length: Option<usize>) -> Result<Option<Box<dyn Dataset>>, Error> {
        match &self.source {
            Source::Run(run) => {
                let data = workspace.open(&run.settings.data(Split::Train))?;
                run.check_fits(data.as_ref())?;
                Ok(Some(data))
            }
            Source::Outside(model) => {
                let length = length.filter(|_| self.takes_any_length());
                model.data(workspace, &DataChoice { length, ..DataChoice::new(Split::Train) })
            }
        }
    }

    /// Whether the network takes sequences of any length.
    pub fn takes_any_length(&self) -> bool {
        self.outside().is_some_and(|model| model.file().model.length.is_none())
    }

    /// The files that the model is read from, its data among them where they are files.
    pub fn files(&self) -> Vec<PathBuf> {
        let (own, data) = match &self.source {
            Source::Run(run) => (Vec::new(), Some(&run.settings.data.dataset)),
            Source::Outside(model) => {
                let file = model.file();
                let own = [self.place.clone()].into_iter().chain(file.model.onnx.clone());
                (own.collect(), file.data.as_ref().map(|data| &data.dataset))
            }
        };
        // A data set without a folder in front is a name of the catalogue.
        let data = data.map(PathBuf::from).filter(|path| path.components().count() > 1);
        own.into_iter().chain(data).collect()
    }
}

fn of_run(run: &Trained, workspace: &Workspace, choice: &DataChoice) -> Result<JudgedData, Error> {
    let mut spec = run.settings.data(choice.split);
    if let Some(name) = &choice.dataset {
        spec = spec.of_set(name);
    }
    choice.apply_to(&mut spec);
    let set = workspace.open(&spec)?;
    run.check_shape(set.as_ref())?;
    let difference = run.difference(set.as_ref(), &spec);
    match (&difference, choice.other_data) {
        (Some(what), false) => {
            Err(Error::input(what.as_str(), "restore it; or accept it with --other-data, and the result says so"))
        }
        _ => Ok(JudgedData { set, difference }),
    }
}

impl OutsideModel {
    /// The data set of the model file, or another that is named; none where neither names one. A text is cut into windows
    /// of [`OutsideModel::length`] tokens.
    pub fn data(&self, workspace: &Workspace, choice: &DataChoice) -> Result<Option<Box<dyn Dataset>>, Error> {
        let own = self.file().data.as_ref();
        let Some(name) = choice.dataset.as_deref().or(own.map(|data| data.dataset.as_str())) else { return Ok(None) };
        let alphabet = own.and_then(|data| data.alphabet.clone());
        let mut spec = Spec { alphabet, ..Spec::new(name, choice.split) };
        // Token ids have the length of their rows.
        spec.length = if is_of_ids(&spec) { None } else { Some(self.length(choice.length)?) };
        choice.apply_to(&mut spec);
        let data = workspace.open(&spec)?;
        self.check_fits(data.as_ref())?;
        match choice.length {
            Some(length) if length != data.length() => {
                let what = format!("--length {length}: a sequence of {} has {} tokens", data.name(), data.length());
                Err(Error::input(what, "leave it out"))
            }
            _ => Ok(Some(data)),
        }
    }

    /// Whether the model file says that each line of its text is a sequence.
    pub fn is_of_lines(&self) -> bool {
        self.file().data.as_ref().is_some_and(|data| data.lines)
    }

    /// The sequences of different lengths of the model file's text, or of another file that is named; none where neither
    /// names one.
    pub fn lines(&self, choice: &DataChoice) -> Result<Option<Lines>, Error> {
        let own = self.file().data.as_ref();
        let Some(path) = choice.dataset.as_deref().or(own.map(|data| data.dataset.as_str())) else { return Ok(None) };
        let given = choice.length.map(|_| "length").or(choice.text.first());
        if let Some(option) = given {
            return Err(Error::input(format!("--{option}: each line is a sequence of its own length"), "leave it out"));
        }
        let alphabet = own.and_then(|data| data.alphabet.as_deref()).ok_or_else(|| {
            let advice = "name it under [data], as alphabet = \"bytes\"";
            Error::input(format!("{path}: lines of text need an alphabet"), advice)
        })?;
        let lines = Lines::load(Path::new(path), &Alphabet::parse(alphabet)?, choice.split)?;
        self.check_lines(&lines)?;
        Ok(Some(lines))
    }
}
