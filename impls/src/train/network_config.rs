//! The networks with their settings, and the shape of the network that a run trains.

use super::flat::{Named, settings_enum};
use super::objective_config::ObjectiveConfig;
use super::settings::Settings;
use crate::data::DataShape;
use crate::error::{Error, Result};
use crate::network::{
    ConditioningShape, DitShape, NetworkShape, PatchTransformerShape, Patches, Perceptron, Positions, Signal,
    TransformerShape, UNetShape,
};

settings_enum! {
    /// The network, with the settings that only it has. The setting `network` names the variant.
    network: pub enum NetworkConfig {
        /// A transformer over tokens, or over patches of an image.
        "transformer" = Transformer {
            /// Attention heads.
            heads: usize,
            /// Hidden units of the perceptron.
            hidden: usize,
            /// `glu`, `swiglu` or `relu2`.
            perceptron: Named<Perceptron>,
            /// `rotary` or `learned`.
            positions: Named<Positions>,
            /// Width of the token embedding, where it is not `width`.
            embedding: Option<usize>,
            /// Pixels on a side of a patch that is one position.
            patch_size: Option<usize>,
            /// First and last k of the Fourier features sin and cos of 2 pi 2^k z (vdm, flow, edm).
            fourier: Option<[u32; 2]>,
        }
        /// MDLM's diffusion transformer.
        "dit" = Dit {
            /// Attention heads.
            heads: usize,
        }
        /// VDM's U-Net, and with `patches` MD4's.
        "unet" = UNet {
            /// First and last k of the Fourier features sin and cos of 2 pi 2^k z (vdm, flow, edm).
            fourier: Option<[u32; 2]>,
            /// Resolutions, each half the last one's; 1 where it is absent.
            resolutions: Option<usize>,
            /// Width, heads and layers of the transformer over patches in the middle.
            patches: Option<[usize; 3]>,
        }
    }
}

impl NetworkConfig {
    fn heads(&self) -> usize {
        match self {
            Self::Transformer { heads, .. } | Self::Dit { heads } => *heads,
            Self::UNet { .. } => 1,
        }
    }

    fn fourier(&self) -> Option<[u32; 2]> {
        match self {
            Self::Transformer { fourier, .. } | Self::UNet { fourier, .. } => *fourier,
            Self::Dit { .. } => None,
        }
    }
}

impl Settings {
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
                let absorbing = matches!(self.objective, ObjectiveConfig::D3pmAbsorbing { .. });
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
                    positions: **positions,
                    perceptron: **perceptron,
                    conditioning: conditioning(condition),
                    causal: matches!(self.objective, ObjectiveConfig::Ar {}),
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
                let levels = resolutions.unwrap_or(1);
                let smallest = (levels + usize::from(patches.is_some())).saturating_sub(1) as u32;
                let divisible = image[..2].iter().all(|side| smallest < 16 && side % (1 << smallest) == 0);
                if !divisible || (patches.is_some() && image[0] != image[1]) {
                    let what = format!("images of {}x{} cannot be halved {smallest} times", image[0], image[1]);
                    return Err(Error::Setting(format!("{what}: use fewer resolutions, and patches on squares")));
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
        let is_ar = matches!(self.objective, ObjectiveConfig::Ar {});
        let is_dit = matches!(network, NetworkConfig::Dit { .. });
        let too_narrow = |width: usize| width < 4 || !width.is_multiple_of(2);
        let conditional = self.time_conditioning || self.class_conditioning;
        if (conditional || is_dit) && too_narrow(self.condition_width.unwrap_or(0)) {
            return wrong("condition_width is missing, below 4 or odd: conditioning needs it".into());
        }
        let heads = network.heads();
        let mut rotary = is_dit;
        match network {
            NetworkConfig::Transformer { hidden, positions, embedding, patch_size, .. } => {
                rotary = **positions == Positions::Rotary;
                let sizes = [("hidden", Some(*hidden)), ("embedding", *embedding), ("patch_size", *patch_size)];
                if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == Some(0)) {
                    return wrong(format!("{name} is 0: it must be at least 1"));
                }
                if is_ar && patch_size.is_some() {
                    return wrong("patch_size: ar reads one token after the other, take it out".into());
                }
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
            NetworkConfig::UNet { resolutions: Some(0), .. } => {
                return wrong("resolutions is 0: it must be at least 1".into());
            }
            NetworkConfig::UNet { patches: Some([width, heads, _]), .. }
                if *width == 0 || *heads == 0 || !width.is_multiple_of(*heads) =>
            {
                return wrong(format!("patches: width {width} is not a multiple of heads {heads}"));
            }
            NetworkConfig::Dit { .. } | NetworkConfig::UNet { .. } => {}
        }
        if self.class_conditioning != self.label_dropout.is_some() {
            return wrong("label_dropout belongs to class_conditioning = true, and only there".into());
        }
        if heads == 0 || !self.width.is_multiple_of(heads) {
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
        let uniform = matches!(self.objective, ObjectiveConfig::D3pmUniform { .. });
        let needs_time = uniform || gaussian || matches!(self.objective, ObjectiveConfig::GenMd4 {});
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
        Ok(())
    }
}
