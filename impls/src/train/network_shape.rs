//! The shape of the network that a run trains: from its settings and the shape of its data.

use super::network_config::NetworkConfig;
use super::objective_config::ObjectiveConfig;
use super::setting_values::SettingValues;
use crate::data::DataShape;
use crate::error::{Error, Result};
use crate::network::{
    ConditioningShape, DitShape, NetworkShape, PatchTransformerShape, Patches, Positions, Signal, TransformerShape,
    UNetShape,
};

impl SettingValues {
    /// The network for data of this shape.
    pub fn network(&self, data: &DataShape) -> Result<NetworkShape> {
        let (gaussian, set) = (self.is_gaussian(), &self.data.dataset);
        let classes = if self.class_conditioning { data.classes } else { 0 };
        if self.class_conditioning && classes == 0 {
            return Err(Error::Setting(format!("class_conditioning = true: {set} has no classes")));
        }
        if gaussian && data.image.is_none() {
            let what = format!("{} needs images: the tokens of {set} have no order", self.implementation());
            return Err(Error::Setting(format!("{what}, use md4")));
        }
        let signal = match gaussian {
            true => Signal::Points { fourier: self.network.fourier() },
            false => Signal::Tokens,
        };
        let condition = self.condition_width.unwrap_or(0);
        let conditioning =
            |sinusoid| ConditioningShape { time: self.time_conditioning, classes, width: condition, sinusoid };
        let Self { width, layers, dropout, .. } = *self;
        let (values, length) = (data.values, data.length);
        Ok(match &self.network {
            NetworkConfig::Transformer { heads, hidden, perceptron, positions, embedding, patch_size, .. } => {
                let absorbing = matches!(self.objective, ObjectiveConfig::D3pmAbsorbing(_));
                NetworkShape::Transformer(TransformerShape {
                    values,
                    signal,
                    outputs: if gaussian { 1 } else { values + usize::from(absorbing) },
                    length,
                    patches: patch_size.map(|size| self.patches_of(data, size)).transpose()?,
                    width,
                    heads: *heads,
                    layers,
                    hidden: *hidden,
                    embedding: *embedding,
                    positions: *positions,
                    perceptron: *perceptron,
                    conditioning: conditioning(condition),
                    block: self.block_of(data)?,
                    dropout,
                })
            }
            NetworkConfig::Dit { heads } => {
                let (heads, time) = (*heads, self.time_conditioning);
                NetworkShape::Dit(DitShape { values, length, width, heads, layers, condition, time, dropout })
            }
            NetworkConfig::UNet { resolutions, patches, .. } => {
                let image =
                    data.image.ok_or_else(|| Error::Setting(format!("network = \"unet\": {set} has no images")))?;
                let patches = patches.map(|[width, heads, layers]| PatchTransformerShape { width, heads, layers });
                let levels = *resolutions;
                let smallest = (levels + usize::from(patches.is_some())).saturating_sub(1) as u32;
                let divisible = image[..2].iter().all(|side| smallest < 16 && side % (1 << smallest) == 0);
                let size = format!("{}x{}", image[0], image[1]);
                if patches.is_some() && image[0] != image[1] {
                    let what = format!("patches: the images of {set} are {size}, and must be square");
                    return Err(Error::Setting(format!("{what}: take patches out, or cut the images")));
                }
                if !divisible {
                    let what = format!("images of {size} cannot be halved {smallest} times");
                    return Err(Error::Setting(format!("{what}: use fewer resolutions")));
                }
                // VDM's makes a wider condition of a sinusoid of its own width.
                let conditioning = conditioning(if gaussian { width } else { condition });
                NetworkShape::UNet(UNetShape {
                    values,
                    signal,
                    image,
                    width,
                    levels,
                    layers,
                    patches,
                    conditioning,
                    dropout,
                })
            }
        })
    }

    /// Size of the blocks of positions that see none after them, if the sequence is a whole number of them.
    fn block_of(&self, data: &DataShape) -> Result<Option<usize>> {
        match &self.objective {
            ObjectiveConfig::Ar(_) => Ok(Some(1)),
            ObjectiveConfig::Block(block) if !data.length.is_multiple_of(block.size) => {
                let what =
                    format!("block_size = {}: no divisor of {}, the length of a sequence of", block.size, data.length);
                Err(Error::Setting(format!("{what} {}; choose one", self.data.dataset)))
            }
            ObjectiveConfig::Block(block) => Ok(Some(block.size)),
            _ => Ok(None),
        }
    }

    /// Patches of this size, if the images can be cut into them.
    fn patches_of(&self, data: &DataShape, size: usize) -> Result<Patches> {
        match data.image {
            Some(image) if image[..2].iter().all(|side| side.is_multiple_of(size)) => Ok(Patches { image, size }),
            _ => {
                let what = format!("patch_size = {size}: {} has no images that can be cut so", self.data.dataset);
                Err(Error::Setting(format!("{what}, take it out or choose a divisor of height and width")))
            }
        }
    }

    /// Rejects a network that cannot be made, or does not fit its implementation.
    pub(super) fn check_network(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Setting(what));
        let (network, gaussian) = (&self.network, self.is_gaussian());
        let is_ar = matches!(self.objective, ObjectiveConfig::Ar(_));
        let is_block = matches!(self.objective, ObjectiveConfig::Block(_));
        let uniform = matches!(self.objective, ObjectiveConfig::D3pmUniform(_));
        let too_narrow = |width: usize| width < 4 || !width.is_multiple_of(2);
        let conditional = self.time_conditioning || self.class_conditioning;
        let is_dit = matches!(network, NetworkConfig::Dit { .. });
        let condition = self.condition_width.unwrap_or(0);
        if (conditional || is_dit) && (too_narrow(condition) || condition > 1 << 16) {
            return wrong("condition_width is missing, odd, or not from 4 to 65536: conditioning needs it".into());
        }
        let (heads, rotary) = match *network {
            NetworkConfig::Transformer { patch_size: Some(_), .. } if is_ar => {
                return wrong("patch_size: ar reads one token after the other, take it out".into());
            }
            NetworkConfig::Transformer { patch_size: Some(_), .. } if is_block => {
                return wrong("patch_size: the blocks of block are of tokens, take it out".into());
            }
            NetworkConfig::Dit { .. } if self.class_conditioning => {
                return wrong("class_conditioning: the dit has no classes, use the transformer".into());
            }
            NetworkConfig::Dit { .. } if gaussian => {
                return wrong("network = \"dit\" reads tokens: use the transformer or unet".into());
            }
            NetworkConfig::UNet { .. } if gaussian && too_narrow(self.width) => {
                return wrong(format!("width = {}: the time's sinusoid needs an even width from 4", self.width));
            }
            NetworkConfig::UNet { patches: Some([width, heads, _]), .. }
                if width == 0 || heads == 0 || !width.is_multiple_of(heads) =>
            {
                return wrong(format!("patches: width {width} is not a multiple of heads {heads}"));
            }
            NetworkConfig::Transformer { heads, positions, .. } => (heads, positions == Positions::Rotary),
            NetworkConfig::Dit { heads } => (heads, true),
            NetworkConfig::UNet { .. } => (1, false),
        };
        if self.class_conditioning != self.label_dropout.is_some() {
            return wrong("label_dropout belongs to class_conditioning = true, and only there".into());
        }
        if !self.width.is_multiple_of(heads) {
            return wrong(format!("width {} is not a multiple of heads {heads}", self.width));
        }
        if rotary && !(self.width / heads).is_multiple_of(2) {
            return wrong(format!("heads of width {}: rotary positions need an even width", self.width / heads));
        }
        match network.fourier() {
            Some([first, last]) if first > last || last > 16 => {
                return wrong(format!("fourier = [{first}, {last}]: first and last k, at most 16"));
            }
            Some(_) if !gaussian => return wrong("fourier belongs to Gaussian diffusion: tokens are embedded".into()),
            _ => {}
        }
        let needs_time = uniform || gaussian || matches!(self.objective, ObjectiveConfig::GenMd4(_));
        if needs_time && !self.time_conditioning {
            let what = "time_conditioning = false: the posterior of";
            return wrong(format!("{what} {} depends on the time, set it to true", self.implementation()));
        }
        if uniform && self.class_conditioning {
            return wrong("class_conditioning: the sampler of d3pm-uniform has no classes, use md4".into());
        }
        if is_ar && (!matches!(network, NetworkConfig::Transformer { .. }) || self.time_conditioning) {
            let what = "ar needs network = \"transformer\" and time_conditioning = false";
            return wrong(format!("{what}: it is causal and has no time"));
        }
        if is_block && (!matches!(network, NetworkConfig::Transformer { .. }) || self.time_conditioning) {
            let what = "block needs network = \"transformer\" and time_conditioning = false";
            return wrong(format!("{what}: each block of a sequence has a time of its own"));
        }
        Ok(())
    }
}
