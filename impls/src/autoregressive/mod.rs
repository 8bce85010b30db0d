//! The left-to-right baseline on the same network: p(x) = prod_n mu(x_n | x_<n), its likelihood exact.
//!
//! Position n sees the tokens before it through a causal mask and a shift: its input is x_{n-1}, and the first
//! position's is the id V (the mask's, which means "begin" here). Every token of a sequence is scored, the first too.

mod loss;
mod sampler;

pub use loss::Autoregressive;
pub use sampler::left_to_right;
