//! The file that describes a model from outside: its network, what goes in, what comes out, and the process that it denoises.

use std::path::{Path, PathBuf};

use elbow_base::Error;
use elbow_impls::gaussian::Prediction;
use serde::{Deserialize, Serialize};

/// A model file (TOML). Paths in it are relative to its folder.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// The network and the ids of its tokens.
    pub model: ModelTable,
    /// The names of the network's inputs.
    pub inputs: InputsTable,
    /// The output and its meaning.
    pub output: OutputTable,
    /// The diffusion process that the model was trained on.
    pub process: ProcessTable,
    /// The data that it is evaluated on, unless a command names other data.
    pub data: Option<DataTable>,
}

/// `[model]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelTable {
    /// The ONNX file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onnx: Option<PathBuf>,
    /// A Python function in place of it, `module:function`, called with tokens or points, the time and the class, as many of
    /// them as the file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// The family of the process.
    pub kind: ModelKind,
    /// Number of data values V.
    pub values: usize,
    /// Tokens per sequence; absent where the network takes any.
    pub length: Option<usize>,
    /// The model's own id of the mask; needed by masked models.
    pub mask_id: Option<u32>,
    /// First and last of the model's ids that are data; absent: 0 to V - 1.
    pub value_ids: Option<[u32; 2]>,
    /// Ids that stand visible around every sequence.
    pub frame: Option<Frame>,
    /// The id that fills shorter sequences up to `length`; absent where all are as long.
    pub pad_id: Option<u32>,
}

/// The family of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Masked diffusion.
    Masked,
    /// Uniform diffusion of tokens.
    Uniform,
    /// Gaussian diffusion of points.
    Gaussian,
}

/// Ids that stand visible around every sequence, such as `[CLS]` and `[SEP]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// Before the sequence.
    pub first: Option<u32>,
    /// After it.
    pub last: Option<u32>,
}

/// `[inputs]`: names in the ONNX file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InputsTable {
    /// The corrupted tokens or points, \[batch, length\].
    pub tokens: String,
    /// The time, where the network sees it.
    pub time: Option<TimeInput>,
    /// The class, where the network sees it.
    pub class: Option<ClassInput>,
}

/// The input that tells the network how much noise there is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TimeInput {
    /// Its name in the ONNX file.
    pub name: String,
    /// What its number means.
    pub means: TimeMeaning,
}

/// The meaning of the time's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeMeaning {
    /// t, from 0 (data) to 1 (noise).
    Time,
    /// 1 - alpha(t), the share of masks.
    MaskRate,
    /// lambda = log(alpha / (1 - alpha)), or log(alpha^2 / sigma^2) of Gaussian diffusion.
    LogSnr,
    /// sigma / alpha of Gaussian diffusion.
    Sigma,
    /// EDM's c_noise, ln(sigma / alpha) / 4.
    CNoise,
}

impl TimeMeaning {
    /// Its name in a model file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::MaskRate => "mask-rate",
            Self::LogSnr => "log-snr",
            Self::Sigma => "sigma",
            Self::CNoise => "c-noise",
        }
    }
}

/// The input that tells the network the class.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClassInput {
    /// Its name in the ONNX file.
    pub name: String,
    /// Number of classes.
    pub classes: usize,
    /// The id that means "no class", where the network has one.
    pub none: Option<u32>,
}

/// `[output]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OutputTable {
    /// Its name in the ONNX file.
    pub name: String,
    /// What it means.
    pub means: OutputMeaning,
}

/// The meaning of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputMeaning {
    /// Logits of the ids.
    Logits,
    /// Their log-probabilities.
    LogProbabilities,
    /// The noise eps.
    Eps,
    /// The data x.
    X,
    /// v = alpha eps - sigma x.
    V,
    /// The velocity eps - x.
    Velocity,
    /// EDM's F; needs `sigma_data`.
    F,
}

/// `[process]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessTable {
    /// The schedule by its name in `elbow train`: `linear`, `loglinear`, `cosine`, ...; with its ends for points.
    pub schedule: String,
    /// Standard deviation of the data, where the output means F.
    pub sigma_data: Option<f64>,
}

/// `[data]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataTable {
    /// The data set by name or file.
    pub dataset: String,
    /// The alphabet of a text: `text8`, `bytes`, `tokenizer:FILE`, `vocab:FILE`; of token ids in an npy or npz file: `ids:V`.
    pub alphabet: Option<String>,
    /// Whether each line of the text is a sequence of its own length; windows of `length` tokens otherwise.
    #[serde(default)]
    pub lines: bool,
}

impl ModelFile {
    /// Reads a model file, and makes its paths absolute.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::reading(path))?;
        let wrong = |what: String| Error::input(format!("{}: {what}", path.display()), "correct the model file");
        let mut file: Self = toml::from_str(&text).map_err(|e| wrong(e.to_string().trim_end().to_owned()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        file.model.onnx = file.model.onnx.map(|onnx| folder.join(onnx));
        if let Some(data) = &mut file.data {
            let beside = folder.join(&data.dataset);
            if beside.exists() {
                data.dataset = beside.display().to_string();
            }
            for kind in ["tokenizer:", "vocab:"] {
                if let Some(defined) = data.alphabet.as_ref().and_then(|alphabet| alphabet.strip_prefix(kind)) {
                    data.alphabet = Some(format!("{kind}{}", folder.join(defined).display()));
                }
            }
        }
        file.check().map_err(wrong)?;
        Ok(file)
    }

    /// The name of the network: its file or its function.
    pub fn network_name(&self) -> String {
        let ModelTable { onnx, python, .. } = &self.model;
        onnx.as_ref().map(|file| file.display().to_string()).or(python.clone()).unwrap_or_default()
    }

    /// The model's id of the first data value.
    pub fn first_value(&self) -> u32 {
        self.model.value_ids.map_or(0, |[first, _]| first)
    }

    /// Number of tokens that stand around a sequence.
    pub fn frame_length(&self) -> usize {
        let frame = self.model.frame.unwrap_or_default();
        usize::from(frame.first.is_some()) + usize::from(frame.last.is_some())
    }

    /// Whether sequences can have so many tokens.
    pub fn takes_length(&self, tokens: usize) -> bool {
        self.model.length.is_none_or(|length| tokens == length || (self.model.pad_id.is_some() && tokens < length))
    }

    /// The meaning of the output of a Gaussian diffusion.
    pub fn prediction(&self) -> Option<Prediction> {
        Some(match self.output.means {
            OutputMeaning::Eps => Prediction::Eps,
            OutputMeaning::X => Prediction::X,
            OutputMeaning::V => Prediction::V,
            OutputMeaning::Velocity => Prediction::Velocity,
            OutputMeaning::F => Prediction::Edm { sigma_data: self.process.sigma_data? },
            OutputMeaning::Logits | OutputMeaning::LogProbabilities => return None,
        })
    }

    /// What the file says that cannot be.
    fn check(&self) -> Result<(), String> {
        let ModelTable { onnx, python, kind, values, length, mask_id, value_ids, pad_id, .. } = &self.model;
        if onnx.is_some() == python.is_some() {
            return Err("a model has a network: onnx = FILE, or python = \"module:function\"".to_owned());
        }
        if *values < 2 {
            return Err(format!("values = {values}: two or more"));
        }
        if *length == Some(0) {
            return Err("length = 0: leave it out where the network takes any".to_owned());
        }
        if let Some([first, last]) = value_ids {
            let count = (u64::from(*last) + 1).saturating_sub(u64::from(*first));
            if count != *values as u64 {
                return Err(format!("value_ids from {first} to {last} are {count} ids, and values = {values}"));
            }
        }
        let ids = u64::from(self.first_value())..u64::from(self.first_value()) + *values as u64;
        match (kind, mask_id) {
            (ModelKind::Masked, None) => return Err("mask_id is missing: a masked model has one".to_owned()),
            (ModelKind::Masked, Some(id)) if ids.contains(&u64::from(*id)) => {
                return Err(format!("mask_id = {id} is one of the data's ids {} to {}", ids.start, ids.end - 1));
            }
            (ModelKind::Uniform | ModelKind::Gaussian, Some(_)) => {
                return Err("mask_id: only masked models have one".to_owned());
            }
            _ => {}
        }
        match (pad_id, length) {
            (Some(_), _) if *kind == ModelKind::Gaussian => return Err("pad_id: points have no ids".to_owned()),
            (Some(_), None) => return Err("pad_id: say up to how many tokens it fills, length = L".to_owned()),
            (Some(id), _) if ids.contains(&u64::from(*id)) || *mask_id == Some(*id) => {
                return Err(format!("pad_id = {id} is an id of the data or of the mask"));
            }
            _ => {}
        }
        let of_points = !matches!(self.output.means, OutputMeaning::Logits | OutputMeaning::LogProbabilities);
        if of_points != (*kind == ModelKind::Gaussian) {
            return Err("output.means: logits or log-probabilities of tokens; eps, x, v, velocity or f of a gaussian \
                        model"
                .to_owned());
        }
        if self.output.means == OutputMeaning::F
            && !self.process.sigma_data.is_some_and(|sigma| sigma > 0.0 && sigma.is_finite())
        {
            return Err("process.sigma_data: the output f needs the data's standard deviation, above 0".to_owned());
        }
        let of_time = self.inputs.time.as_ref().map(|time| time.means);
        match (kind, of_time) {
            (ModelKind::Gaussian, Some(TimeMeaning::MaskRate)) => {
                Err("inputs.time.means: a gaussian model has no masks".to_owned())
            }
            (ModelKind::Masked | ModelKind::Uniform, Some(TimeMeaning::Sigma | TimeMeaning::CNoise)) => {
                Err("inputs.time.means: sigma and c-noise are those of gaussian models".to_owned())
            }
            _ => Ok(()),
        }
    }
}
