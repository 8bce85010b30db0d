//! The networks with their settings.

use super::flat::Reader;
use crate::error::{Result, UnknownName};
use crate::network::{Perceptron, Positions};

/// The network, with the settings that only it has. The setting `network` names the variant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NetworkConfig {
    /// `transformer`: over tokens, or over patches of an image.
    Transformer {
        /// Attention heads.
        heads: usize,
        /// Hidden units of the perceptron.
        hidden: usize,
        /// `glu`, `swiglu` or `relu2`.
        perceptron: Perceptron,
        /// `rotary` or `learned`.
        positions: Positions,
        /// Width of the token embedding, where it is not `width`.
        embedding: Option<usize>,
        /// Pixels on a side of a patch that is one position.
        patch_size: Option<usize>,
        /// First and last k of the Fourier features sin and cos of 2 pi 2^k z (vdm, flow, edm).
        fourier: Option<[u32; 2]>,
    },
    /// `dit`: MDLM's diffusion transformer.
    Dit {
        /// Attention heads.
        heads: usize,
    },
    /// `unet`: VDM's, and with `patches` MD4's.
    UNet {
        /// First and last k of the Fourier features sin and cos of 2 pi 2^k z (vdm, flow, edm).
        fourier: Option<[u32; 2]>,
        /// Resolutions, each half the last one's.
        resolutions: usize,
        /// Width, heads and layers of the transformer over patches in the middle.
        patches: Option<[usize; 3]>,
    },
}

impl NetworkConfig {
    /// The settings of all networks.
    pub(super) const KEYS: [&str; 9] =
        ["heads", "hidden", "perceptron", "positions", "embedding", "patch_size", "fourier", "resolutions", "patches"];

    /// Takes the network's settings out of the table.
    pub(super) fn read(from: &mut Reader) -> Result<Self> {
        let name: String = from.needed("network")?;
        from.of = format!("network {name}");
        Ok(match name.as_str() {
            "transformer" => Self::Transformer {
                heads: from.size("heads", usize::MAX)?,
                hidden: from.size("hidden", 1 << 18)?,
                perceptron: from.name("perceptron")?,
                positions: from.name("positions")?,
                embedding: from.optional_size("embedding")?,
                patch_size: from.optional_size("patch_size")?,
                fourier: from.optional("fourier")?,
            },
            "dit" => Self::Dit { heads: from.size("heads", usize::MAX)? },
            "unet" => Self::UNet {
                fourier: from.optional("fourier")?,
                resolutions: from.optional_size("resolutions")?.unwrap_or(1),
                patches: from.optional("patches")?,
            },
            _ => return Err(UnknownName::new("network", &name, &["transformer", "dit", "unet"]).into()),
        })
    }

    /// The name of the network in settings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Transformer { .. } => "transformer",
            Self::Dit { .. } => "dit",
            Self::UNet { .. } => "unet",
        }
    }

    pub(super) fn fourier(&self) -> Option<[u32; 2]> {
        match *self {
            Self::Transformer { fourier, .. } | Self::UNet { fourier, .. } => fourier,
            Self::Dit { .. } => None,
        }
    }
}
