//! The denoiser of an enumerated toy as a table.

use burn::tensor::Device;
use elbow_impls::network::TableDenoiser;
use elbow_theory::masked::Enumeration;

/// The toy's denoiser mu_theta in the form that the training losses take.
pub fn table_denoiser(enumeration: &Enumeration, device: &Device) -> TableDenoiser {
    let (states, length) = (enumeration.states(), enumeration.length());
    let rows: Vec<Vec<f64>> = enumeration.probabilities().chunks(length * states).map(<[f64]>::to_vec).collect();
    TableDenoiser::new(states, length, &rows, device)
}
