//! The tensors of a PyTorch state dict, each of which must be used.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, LayerNorm, Linear};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use burn_store::bridge;
use burn_store::burn_pack;
use burn_store::pytorch_reader::PytorchReader;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};

/// Shape and values of a tensor in single precision.
pub type Values = (Vec<usize>, Vec<f32>);

/// The tensors of a weights file by name, and the file's SHA-256, for a `.safetensors` file or a file of `torch.save`.
pub fn single_precision(path: &Path) -> Result<(BTreeMap<String, Values>, String)> {
    let hash = elbow_base::hash::sha256(&fs::read(path).map_err(Error::io(path))?);
    let file = StateDict::load(path)?;
    let values = |(name, stored): (&String, &burn_pack::Tensor)| {
        let data = file.single(name, stored.clone())?;
        Ok((name.clone(), (data.shape().to_vec(), data.iter::<f32>().collect())))
    };
    Ok((file.tensors.iter().map(values).collect::<Result<_>>()?, hash))
}

/// Tensors by name, as they lie in the file; they are converted when they are taken out.
pub(super) struct StateDict {
    path: PathBuf,
    /// What stands in front of the names in the file.
    pub(super) prefix: String,
    pub(super) tensors: BTreeMap<String, burn_pack::Tensor>,
}

impl StateDict {
    /// Reads a `.safetensors` file, or a file of `torch.save`: a state dict, or a checkpoint with a `state_dict` inside.
    pub fn load(path: &Path) -> Result<Self> {
        let mut file = Self::load_all(path)?;
        let prefix = "state_dict.";
        if file.tensors.keys().any(|name| name.starts_with(prefix)) {
            file.enter(prefix);
        }
        Ok(file)
    }

    /// Reads every tensor of a file; the names of nested ones are joined by dots.
    pub fn load_all(path: &Path) -> Result<Self> {
        let is_safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
        let tensors = if is_safetensors { from_safetensors(path)? } else { from_pytorch(path)? };
        Ok(Self { path: path.to_owned(), prefix: String::new(), tensors })
    }

    /// Keeps the tensors under a prefix, by their names without it.
    pub fn enter(&mut self, prefix: &str) {
        let all = std::mem::take(&mut self.tensors).into_iter();
        self.tensors = all.filter_map(|(name, data)| Some((name.strip_prefix(prefix)?.to_owned(), data))).collect();
        self.prefix += prefix;
    }

    /// The shape of a tensor that must be there.
    pub fn shape<const D: usize>(&self, name: &str) -> Result<[usize; D]> {
        let stored = self.tensors.get(name).ok_or_else(|| self.wrong(format!("no tensor {}{name}", self.prefix)))?;
        let shape = stored.shape.to_vec();
        let expected = format!("{}{name} has shape {shape:?} where {D} dimensions were expected", self.prefix);
        shape.try_into().map_err(|_| self.wrong(expected))
    }

    /// Number of the tensors `PREFIX.0...`, `PREFIX.1...` and so on.
    pub fn count(&self, prefix: &str) -> usize {
        let starts = |number: &usize| self.tensors.keys().any(|name| name.starts_with(&format!("{prefix}.{number}.")));
        (0..).take_while(starts).count()
    }

    /// Takes a tensor out.
    pub fn take<const D: usize>(&mut self, name: &str, device: &Device) -> Result<Param<Tensor<D>>> {
        self.shape::<D>(name)?;
        let stored = self.remove(name).ok_or_else(|| self.wrong(format!("no tensor {}{name}", self.prefix)))?;
        if !stored.dtype.is_float() {
            return Err(
                self.wrong(format!("{}{name} is {:?}: weights are floating-point numbers", self.prefix, stored.dtype))
            );
        }
        Ok(Param::from_data(self.single(name, stored)?, device))
    }

    /// Takes the values of a tensor out, if it is there.
    pub fn take_values(&mut self, name: &str) -> Result<Option<Vec<f32>>> {
        let stored = self.remove(name);
        stored.map(|stored| Ok(self.single(name, stored)?.iter::<f32>().collect())).transpose()
    }

    /// A tensor in single precision, which must be finite.
    fn single(&self, name: &str, stored: burn_pack::Tensor) -> Result<TensorData> {
        let dtype = stored.dtype;
        let data = bridge::into_data(stored).map_err(|e| self.wrong(format!("{}{name}: {e}", self.prefix)))?;
        let data = data.convert::<f32>();
        let is_finite = data.iter::<f32>().all(f32::is_finite);
        match is_finite {
            true => Ok(data),
            false => Err(self.wrong(format!("{}{name} ({dtype:?}) has values that are not finite", self.prefix))),
        }
    }

    /// Takes a dense layer out: `NAME.weight`, \[out, in\] in the file, and `NAME.bias` if it has one.
    pub fn linear(&mut self, name: &str, bias: bool, device: &Device) -> Result<Linear> {
        let weight: Param<Tensor<2>> = self.take(&format!("{name}.weight"), device)?;
        let bias = if bias { Some(self.take(&format!("{name}.bias"), device)?) } else { None };
        Ok(Linear { weight: weight.map(|weight| weight.transpose()), bias })
    }

    /// Takes several dense layers without bias out, side by side as one.
    pub fn joined(&mut self, names: &[String], device: &Device) -> Result<Linear> {
        let layers = names.iter().map(|name| self.linear(name, false, device)).collect::<Result<Vec<_>>>()?;
        let weight = Tensor::cat(layers.into_iter().map(|layer| layer.weight.val()).collect(), 1);
        Ok(Linear { weight: Param::from_tensor(weight), bias: None })
    }

    /// Takes the scale of a layer norm out.
    pub fn layer_norm(&mut self, name: &str, mut norm: LayerNorm, device: &Device) -> Result<LayerNorm> {
        norm.gamma = self.take(&format!("{name}.weight"), device)?;
        Ok(norm)
    }

    /// Takes the weights of a convolution out.
    pub fn conv(&mut self, name: &str, conv: &mut Conv2d, device: &Device) -> Result<()> {
        conv.weight = self.take(&format!("{name}.weight"), device)?;
        conv.bias = Some(self.take(&format!("{name}.bias"), device)?);
        Ok(())
    }

    /// Takes the scale and the shift of a group norm out.
    pub fn group_norm(&mut self, name: &str, norm: &mut GroupNorm, device: &Device) -> Result<()> {
        norm.gamma = Some(self.take(&format!("{name}.weight"), device)?);
        norm.beta = Some(self.take(&format!("{name}.bias"), device)?);
        Ok(())
    }

    /// Takes a tensor out as it lies in the file, if it is there.
    pub fn remove(&mut self, name: &str) -> Option<burn_pack::Tensor> {
        self.tensors.remove(name)
    }

    /// An error where tensors are left.
    pub fn finish(self) -> Result<()> {
        match self.tensors.is_empty() {
            true => Ok(()),
            false => {
                let left: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
                Err(self.wrong(format!("tensors without a place in this network: {}", left.join(", "))))
            }
        }
    }

    /// An error about this file.
    pub fn wrong(&self, what: String) -> Error {
        Error::format(&self.path, what)
    }
}

fn from_safetensors(path: &Path) -> Result<BTreeMap<String, burn_pack::Tensor>> {
    let bytes = fs::read(path).map_err(Error::io(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| Error::format(path, e.to_string()))?;
    let stored = |(name, view): (String, safetensors::tensor::TensorView)| {
        let dtype = match view.dtype() {
            Dtype::F64 => DType::F64,
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::I64 => DType::I64,
            Dtype::I32 => DType::I32,
            other => return Err(Error::format(path, format!("{name} is {other:?}: F64, F32, F16 and BF16 are read"))),
        };
        let bytes = Bytes::from_bytes_vec(view.data().to_vec());
        Ok((name.clone(), burn_pack::Tensor::new(name, dtype, view.shape().to_vec(), None, bytes)))
    };
    file.tensors().into_iter().map(stored).collect()
}

fn from_pytorch(path: &Path) -> Result<BTreeMap<String, burn_pack::Tensor>> {
    // The reader's own errors do not say that a file is missing, or a folder.
    fs::File::open(path).and_then(|mut file| file.read(&mut [0])).map_err(Error::io(path))?;
    let reader = PytorchReader::new(path).map_err(|e| Error::format(path, e.to_string()))?;
    Ok(reader.into_tensors().into_iter().map(|(name, tensor)| (name, bridge::from_pytorch(tensor))).collect())
}
