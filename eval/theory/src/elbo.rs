//! The bounds L^(i) of models with optimal decoders, from their terms.

/// The terms of the bounds of one outcome x, or of a group of outcomes on average, in nats.
///
/// They are what each process computes for itself: `masked/elbo.rs`, `discrete/elbo.rs`, `gaussian/elbo.rs`.
pub struct ElboTerms {
    /// q(x), the weight in expectations over the data.
    pub probability: f64,
    /// D_i(x) = E log q(x | z_s(i)) for i = 1..=T+1.
    pub decoder: Vec<f64>,
    /// l_i(x) = E KL(q(z_s(i) | z_t(i), x) || p_theta(z_s(i) | z_t(i))) for i = 1..=T.
    pub step_kl: Vec<f64>,
    /// K(x) = KL(q(z_1 | x) || p(z_1)).
    pub prior: f64,
}

impl ElboTerms {
    /// L^(i)(x) = D_i(x) - K(x) - sum over j >= i of l_j(x) for i = 1..=T+1, nats [Demystifying, L^(i)].
    ///
    /// It is the ELBO of the model that runs the learned reverse kernels from t(T) = 1 down to s(i) = (i - 1)/T and
    /// then draws x from the exact posterior q(x | z_s(i)). L^(1) is the ordinary ELBO.
    pub fn elbos(&self) -> Vec<f64> {
        let steps = self.step_kl.len();
        let mut elbos = vec![0.0; steps + 1];
        let mut remaining = 0.0;
        for i in (0..=steps).rev() {
            if i < steps {
                remaining += self.step_kl[i];
            }
            elbos[i] = self.decoder[i] - self.prior - remaining;
        }
        elbos
    }
}
