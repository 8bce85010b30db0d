//! From settings to the network that they name.

use super::build::DataShape;
use super::settings::Settings;
use crate::error::{Error, Result, UnknownName};
use crate::network::{
    ConditioningShape, DitShape, NetworkShape, PatchTransformerShape, Patches, Signal, TransformerShape, UNetShape,
};

/// The networks with the settings that they need, and those that they may have.
const NETWORKS: [(&str, &[&str], &[&str]); 3] = [
    (
        "transformer",
        &["heads", "hidden", "perceptron", "positions"],
        &["embedding", "patch_size", "fourier", "condition_width", "label_dropout"],
    ),
    ("dit", &["heads", "condition_width"], &[]),
    ("unet", &[], &["patches", "resolutions", "fourier", "condition_width", "label_dropout"]),
];

impl Settings {
    /// The network for data of `values` values, `length` tokens, perhaps images, perhaps of classes.
    pub fn network(&self, data: &DataShape) -> Result<NetworkShape> {
        let classes = if self.class_conditioning { data.classes } else { 0 };
        if self.class_conditioning && classes == 0 {
            return Err(Error::Setting(format!("class_conditioning = true: {} has no classes", self.dataset)));
        }
        if self.is_gaussian() && data.image.is_none() {
            let what = format!("{} needs images: the tokens of {} have no order", self.implementation, self.dataset);
            return Err(Error::Setting(format!("{what}, use md4")));
        }
        let width = self.condition_width.unwrap_or(0);
        // VDM's U-Net makes a wider condition of a sinusoid of its own width.
        let sinusoid = if self.is_gaussian() && self.network == "unet" { self.width } else { width };
        let conditioning = ConditioningShape { time: self.time_conditioning, classes, width, sinusoid };
        let signal = match self.is_gaussian() {
            true => Signal::Points { fourier: self.fourier },
            false => Signal::Tokens,
        };
        let heads = self.heads.unwrap_or(1);
        let text = |setting: &Option<String>| setting.clone().unwrap_or_default();
        Ok(match self.network.as_str() {
            "transformer" => NetworkShape::Transformer(TransformerShape {
                values: data.values,
                signal,
                outputs: match signal {
                    Signal::Tokens => data.values + usize::from(self.implementation == "d3pm-absorbing"),
                    Signal::Points { .. } => 1,
                },
                length: data.length,
                patches: self.patch_size.map(|size| self.patches_of(data, size)).transpose()?,
                width: self.width,
                heads,
                layers: self.layers,
                hidden: self.hidden.unwrap_or(0),
                embedding: self.embedding,
                positions: text(&self.positions).parse()?,
                perceptron: text(&self.perceptron).parse()?,
                conditioning,
                causal: self.implementation == "ar",
                dropout: self.dropout,
            }),
            "dit" => NetworkShape::Dit(DitShape {
                values: data.values,
                length: data.length,
                width: self.width,
                heads,
                layers: self.layers,
                condition: conditioning.width,
                time: conditioning.time,
                dropout: self.dropout,
            }),
            _ => {
                let image = data
                    .image
                    .ok_or_else(|| Error::Setting(format!("network = \"unet\": {} has no images", self.dataset)))?;
                let patches = self.patches.map(|[width, heads, layers]| PatchTransformerShape { width, heads, layers });
                let levels = self.resolutions.unwrap_or(1);
                let smallest = (levels + usize::from(patches.is_some())).saturating_sub(1) as u32;
                let divisible = image[..2].iter().all(|side| smallest < 16 && side % (1 << smallest) == 0);
                if !divisible || (patches.is_some() && image[0] != image[1]) {
                    let what = format!("images of {}x{} cannot be halved {smallest} times", image[0], image[1]);
                    return Err(Error::Setting(format!("{what}: use fewer resolutions, and patches on squares")));
                }
                NetworkShape::UNet(UNetShape {
                    values: data.values,
                    signal,
                    image,
                    width: self.width,
                    levels,
                    layers: self.layers,
                    patches,
                    conditioning,
                    dropout: self.dropout,
                })
            }
        })
    }

    /// Patches of this size, if the images can be cut into them.
    fn patches_of(&self, data: &DataShape, size: usize) -> Result<Patches> {
        match data.image {
            Some(image) if image[..2].iter().all(|side| side.is_multiple_of(size)) => Ok(Patches { image, size }),
            _ => {
                let what = format!("patch_size = {size}: {} has no images that can be cut so", self.dataset);
                Err(Error::Setting(format!("{what}, take it out or choose a divisor of height and width")))
            }
        }
    }

    /// Rejects a network that cannot be made, or does not fit its implementation.
    pub(super) fn check_network(&self) -> Result<()> {
        let names = NETWORKS.map(|(name, _, _)| name);
        let Some((_, needed, allowed)) = NETWORKS.iter().find(|(name, _, _)| *name == self.network) else {
            return Err(UnknownName::new("network", &self.network, &names).into());
        };
        self.check_keys("network", &self.network, &self.network_settings(), needed, allowed)?;
        let conditional = self.time_conditioning || self.class_conditioning;
        let width = self.condition_width.unwrap_or(0);
        if (conditional || self.network == "dit") && (width < 4 || !width.is_multiple_of(2)) {
            return Err(Error::Setting("condition_width is missing, below 4 or odd: conditioning needs it".into()));
        }
        if self.is_gaussian() && self.network == "unet" && (self.width < 4 || !self.width.is_multiple_of(2)) {
            return Err(Error::Setting(format!(
                "width = {}: the time's sinusoid needs an even width from 4",
                self.width
            )));
        }
        let sizes = [
            ("hidden", self.hidden),
            ("embedding", self.embedding),
            ("patch_size", self.patch_size),
            ("resolutions", self.resolutions),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == Some(0)) {
            return Err(Error::Setting(format!("{name} is 0: it must be at least 1")));
        }
        if let Some([width, heads, _]) = self.patches.filter(|[w, h, _]| *w == 0 || *h == 0 || !w.is_multiple_of(*h)) {
            return Err(Error::Setting(format!("patches: width {width} is not a multiple of heads {heads}")));
        }
        if self.class_conditioning != self.label_dropout.is_some() {
            return Err(Error::Setting("label_dropout belongs to class_conditioning = true, and only there".into()));
        }
        if self.network == "dit" && self.class_conditioning {
            return Err(Error::Setting("class_conditioning: the dit has no classes, use the transformer".into()));
        }
        let heads = self.heads.unwrap_or(1);
        if heads == 0 || !self.width.is_multiple_of(heads) {
            return Err(Error::Setting(format!("width {} is not a multiple of heads {heads}", self.width)));
        }
        let rotary = self.network == "dit" || self.positions.as_deref() == Some("rotary");
        if rotary && !(self.width / heads).is_multiple_of(2) {
            return Err(Error::Setting(format!(
                "heads of width {}: rotary positions need an even width",
                self.width / heads
            )));
        }
        if let (Some(positions), Some(perceptron)) = (&self.positions, &self.perceptron) {
            positions.parse::<crate::network::Positions>()?;
            perceptron.parse::<crate::network::Perceptron>()?;
        }
        if self.is_gaussian() && self.network == "dit" {
            return Err(Error::Setting("network = \"dit\" reads tokens: use the transformer or unet".into()));
        }
        if let Some([first, last]) = self.fourier.filter(|[first, last]| first > last || *last > 16) {
            return Err(Error::Setting(format!("fourier = [{first}, {last}]: first and last k, at most 16")));
        }
        if self.fourier.is_some() && !self.is_gaussian() {
            return Err(Error::Setting("fourier belongs to Gaussian diffusion: tokens are embedded".into()));
        }
        if self.implementation == "ar" && self.patch_size.is_some() {
            return Err(Error::Setting("patch_size: ar reads one token after the other, take it out".into()));
        }
        let needs_time = matches!(self.implementation.as_str(), "d3pm-uniform" | "genmd4") || self.is_gaussian();
        if needs_time && !self.time_conditioning {
            let what =
                format!("time_conditioning = false: the posterior of {} depends on the time", self.implementation);
            return Err(Error::Setting(format!("{what}, set it to true")));
        }
        if self.implementation == "d3pm-uniform" && self.class_conditioning {
            return Err(Error::Setting(
                "class_conditioning: the sampler of d3pm-uniform has no classes, use md4".into(),
            ));
        }
        if self.implementation == "ar" && (self.network != "transformer" || self.time_conditioning) {
            let what = "ar needs network = \"transformer\" and time_conditioning = false";
            return Err(Error::Setting(format!("{what}: it is causal and has no time")));
        }
        Ok(())
    }

    fn network_settings(&self) -> [(&'static str, bool); 11] {
        [
            ("heads", self.heads.is_some()),
            ("hidden", self.hidden.is_some()),
            ("perceptron", self.perceptron.is_some()),
            ("positions", self.positions.is_some()),
            ("embedding", self.embedding.is_some()),
            ("patch_size", self.patch_size.is_some()),
            ("fourier", self.fourier.is_some()),
            ("resolutions", self.resolutions.is_some()),
            ("patches", self.patches.is_some()),
            ("condition_width", self.condition_width.is_some()),
            ("label_dropout", self.label_dropout.is_some()),
        ]
    }
}
