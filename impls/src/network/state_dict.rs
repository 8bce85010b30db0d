//! The tensors of a PyTorch state dict, each of which must be used.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, LayerNorm, Linear};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_store::pytorch_reader::PytorchReader;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};

/// Shape and values of a tensor in single precision.
pub type Values = (Vec<usize>, Vec<f32>);

/// The tensors of a weights file by name, and the file's SHA-256, for a `.safetensors` file or a file of `torch.save`.
pub fn single_precision(path: &Path) -> Result<(BTreeMap<String, Values>, String)> {
    let hash = elbow_base::hash::sha256(&fs::read(path).map_err(Error::io(path))?);
    let values = |data: TensorData| (data.shape().to_vec(), data.iter::<f32>().collect());
    Ok((StateDict::load(path)?.tensors.into_iter().map(|(name, data)| (name, values(data))).collect(), hash))
}

/// Tensors by name, as they lie in the file.
pub(super) struct StateDict {
    path: PathBuf,
    tensors: BTreeMap<String, TensorData>,
}

impl StateDict {
    /// Reads a `.safetensors` file, or a file of `torch.save`: a state dict, or a checkpoint with a `state_dict`
    /// inside. Single and half precision become single.
    pub fn load(path: &Path) -> Result<Self> {
        let is_safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
        let tensors = if is_safetensors { from_safetensors(path)? } else { from_pytorch(path)? };
        Ok(Self { path: path.to_owned(), tensors })
    }

    /// The shape of a tensor that must be there.
    pub fn shape<const D: usize>(&self, name: &str) -> Result<[usize; D]> {
        let data = self.tensors.get(name).ok_or_else(|| self.wrong(format!("no tensor {name}")))?;
        let expected = format!("{name} has shape {:?} where {D} dimensions were expected", data.shape());
        data.shape().to_vec().try_into().map_err(|_| self.wrong(expected))
    }

    /// Number of the tensors `PREFIX.0...`, `PREFIX.1...` and so on.
    pub fn count(&self, prefix: &str) -> usize {
        let starts = |number: &usize| self.tensors.keys().any(|name| name.starts_with(&format!("{prefix}.{number}.")));
        (0..).take_while(starts).count()
    }

    /// Takes a tensor out.
    pub fn take<const D: usize>(&mut self, name: &str, device: &Device) -> Result<Param<Tensor<D>>> {
        self.shape::<D>(name)?;
        let data = self.tensors.remove(name).ok_or_else(|| self.wrong(format!("no tensor {name}")))?;
        Ok(Param::from_data(data, device))
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

    /// Drops tensors that hold no weights.
    pub fn ignore(&mut self, name: &str) {
        self.tensors.remove(name);
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

fn from_safetensors(path: &Path) -> Result<BTreeMap<String, TensorData>> {
    let bytes = fs::read(path).map_err(Error::io(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| Error::format(path, e.to_string()))?;
    let single = |(name, view): (String, safetensors::tensor::TensorView)| {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => return Err(Error::format(path, format!("{name} is {other:?}: expected floating point"))),
        };
        let bytes = burn::tensor::Bytes::from_bytes_vec(view.data().to_vec());
        Ok((name, TensorData::from_bytes(bytes, view.shape().to_vec(), dtype).convert::<f32>()))
    };
    file.tensors().into_iter().map(single).collect()
}

fn from_pytorch(path: &Path) -> Result<BTreeMap<String, TensorData>> {
    // The reader's own errors do not say that a file is missing, or a folder.
    let first = fs::File::open(path).and_then(|mut file| file.read(&mut [0]));
    first.map_err(Error::io(path))?;
    let wrong = |e: &dyn std::fmt::Display| Error::format(path, e.to_string());
    let reader = PytorchReader::with_top_level_key(path, "state_dict")
        .or_else(|_| PytorchReader::new(path))
        .map_err(|e| wrong(&e))?;
    let single = |(name, tensor): (String, _)| {
        let data = burn_store::bridge::into_data(burn_store::bridge::from_pytorch(tensor)).map_err(|e| wrong(&e))?;
        Ok((name, data.convert::<f32>()))
    };
    reader.into_tensors().into_iter().map(single).collect()
}
