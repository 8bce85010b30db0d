//! What drawing asks of a model beside its denoiser.

use elbow_impls::network::Positions;
use elbow_impls::train::{NetworkConfig, ObjectiveConfig, Settings};

/// A model to draw from: what its samplers and their options depend on, beside the denoiser.
pub trait Sampled: Sync {
    /// The implementation, which says the samplers and the schedules.
    fn objective(&self) -> &ObjectiveConfig;

    /// Tokens per sequence of the network, where the model says it; none: as many as are drawn.
    fn window(&self) -> Option<usize>;

    /// Whether its positions end with the window, so that the network reads no longer sequence.
    fn has_last_position(&self) -> bool {
        false
    }

    /// Whether the network is told classes.
    fn has_classes(&self) -> bool;

    /// Why the network cannot be guided, and what would help; none where it knows "no class".
    fn unguidable(&self) -> Option<[&'static str; 2]>;
}

impl Sampled for Settings {
    fn objective(&self) -> &ObjectiveConfig {
        &self.objective
    }

    fn window(&self) -> Option<usize> {
        self.data.sequence_length
    }

    fn has_last_position(&self) -> bool {
        matches!(self.network, NetworkConfig::Transformer { positions: Positions::Learned, .. })
    }

    fn has_classes(&self) -> bool {
        self.class_conditioning
    }

    fn unguidable(&self) -> Option<[&'static str; 2]> {
        (self.label_dropout == Some(0.0)).then_some([
            "the model was trained with label_dropout = 0",
            "guidance needs a model that knows \"no class\": train with label_dropout = 0.1",
        ])
    }
}
