//! Exact denoisers of toys, so that the loss code that trains networks runs with known predictions; and networks as tables,
//! so that the theory of toys runs with what was trained.

mod mixture;
mod network;
mod table;

pub use mixture::MixtureDenoiser;
pub use network::network_probabilities;
pub use table::table_denoiser;
