//! The likelihood of the probability-flow ODE (Song et al. 2021; Chen et al. 2018).
//!
//! With y = z / alpha and s = sigma / alpha the ODE is dy/ds = eps_hat(y, s), and along it d log p(y)/ds = -tr(d
//! eps_hat / dy). From y_0 at the first level to y_1 at the last, log p(y_0) = log N(y_1; 0, I / alpha_1^2) + the
//! integral of the trace over s. It is the density of another model than the one whose NELBO is reported: same network,
//! another reverse process.

use burn::tensor::{Device, Tensor, TensorData};
use elbow_impls::Key;
use elbow_impls::gaussian::{Level, Preconditioning, Prediction};
use elbow_impls::key::open_uniform;
use elbow_impls::network::{GaussianDenoiser, Input, to_f64_vec};

/// eps_hat and the trace of its derivative by z.
pub trait Field {
    /// For rows of `length` points z at one log-SNR: eps_hat, row after row, and tr(d eps_hat / dz) of each row.
    fn eps_and_trace(&self, z: &[f64], length: usize, log_snr: f64) -> (Vec<f64>, Vec<f64>);
}

/// log p(y_0) of each row of `y`, nats, for y_0 = z / alpha at gamma_min: the classical Runge-Kutta method in ln s.
pub fn log_density(
    field: &dyn Field,
    y: &[f64],
    length: usize,
    [gamma_min, gamma_max]: [f64; 2],
    steps: usize,
    mut advanced: impl FnMut(),
) -> Vec<f64> {
    let h = 0.5 * (gamma_max - gamma_min) / steps as f64;
    // dy/d(ln s) = s eps_hat, and the same of the trace by y: d eps_hat/dy = alpha d eps_hat/dz.
    let slope = |y: &[f64], ln_s: f64| -> (Vec<f64>, Vec<f64>) {
        let level = Level::of_log_snr(-2.0 * ln_s);
        let z: Vec<f64> = y.iter().map(|y| level.alpha * y).collect();
        let (eps, trace) = field.eps_and_trace(&z, length, level.log_snr);
        let s = ln_s.exp();
        (eps.iter().map(|e| s * e).collect(), trace.iter().map(|t| s * level.alpha * t).collect())
    };
    let along = |y: &[f64], step: f64, d: &[f64]| -> Vec<f64> { y.iter().zip(d).map(|(y, d)| y + step * d).collect() };
    let mut y = y.to_vec();
    let mut integral = vec![0.0; y.len() / length];
    for i in 0..steps {
        let from = 0.5 * gamma_min + i as f64 * h;
        let (d1, t1) = slope(&y, from);
        let (d2, t2) = slope(&along(&y, 0.5 * h, &d1), from + 0.5 * h);
        let (d3, t3) = slope(&along(&y, 0.5 * h, &d2), from + 0.5 * h);
        let (d4, t4) = slope(&along(&y, h, &d3), from + h);
        let mean =
            |a: &[f64], b: &[f64], c: &[f64], d: &[f64], at: usize| (a[at] + 2.0 * (b[at] + c[at]) + d[at]) / 6.0;
        y.iter_mut().enumerate().for_each(|(at, y)| *y += h * mean(&d1, &d2, &d3, &d4, at));
        integral.iter_mut().enumerate().for_each(|(at, sum)| *sum += h * mean(&t1, &t2, &t3, &t4, at));
        advanced();
    }
    let alpha = Level::of_log_snr(-gamma_max).alpha;
    let normal = |y: &f64| -0.5 * ((alpha * y).powi(2) + (2.0 * std::f64::consts::PI).ln()) + alpha.ln();
    y.chunks(length).zip(integral).map(|(y, integral)| y.iter().map(normal).sum::<f64>() + integral).collect()
}

/// Method for the trace of a network's derivative.
#[derive(Clone, Debug, PartialEq)]
pub enum Trace {
    /// The exact trace, by one derivative per coordinate.
    Exact,
    /// Hutchinson's estimate v^T J v with random signs v, the same along the whole path, so that the ODE stays one.
    Hutchinson(Key),
}

/// Method for the derivative of a network along a direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Derivative {
    /// Automatic differentiation, on a device that differentiates.
    Automatic,
    /// (F(z + h v) - F(z - h v)) / 2h, for networks that have no derivative, such as an ONNX file. The step h is in units of
    /// the noise sigma in z: the network is smooth on the scale of the noise, and not below.
    Differences(f64),
}

/// A network with its derivative.
pub struct NetworkField<'a> {
    /// The network.
    pub denoiser: &'a dyn GaussianDenoiser,
    /// Its device.
    pub device: &'a Device,
    /// The quantity that the network outputs.
    pub prediction: Prediction,
    /// Class of each row; empty without classes.
    pub class: Vec<u32>,
    /// The method for the trace.
    pub trace: Trace,
    /// The method for the derivative.
    pub derivative: Derivative,
}

/// Coordinates per network call with derivatives, so that it fits into memory.
const CALL_SIZE: usize = 1 << 16;

impl NetworkField<'_> {
    /// F and v^T (dF/d input) v for rows of inputs and of directions at one noise level.
    fn products(
        &self,
        input: &[f32],
        directions: &[f32],
        class: &[u32],
        length: usize,
        network: &Preconditioning,
    ) -> (Vec<f64>, Vec<f64>) {
        let rows = input.len() / length;
        let tensor = |data: &[f32]| Tensor::<2>::from_data(TensorData::new(data.to_vec(), [rows, length]), self.device);
        let output = |z: Tensor<2>| {
            let seen = Input::points(z, &vec![network.c_noise; rows]);
            self.denoiser.output(&if class.is_empty() { seen } else { seen.with_class(class) })
        };
        if let Derivative::Differences(step) = self.derivative {
            let step = step * network.c_in * network.level.sigma;
            let moved = |by: f64| -> Vec<f32> {
                input.iter().zip(directions).map(|(z, v)| (f64::from(*z) + by * f64::from(*v)) as f32).collect()
            };
            let (above, below) = (moved(step), moved(-step));
            let [high, low] = [&above, &below].map(|points| to_f64_vec(output(tensor(points))));
            // In single precision the points are not quite 2 h v apart: what counts is how far along v they are.
            let product = |row: usize| {
                let (mut along, mut apart, mut square) = (0.0, 0.0, 0.0);
                for at in row * length..(row + 1) * length {
                    let v = f64::from(directions[at]);
                    along += v * (high[at] - low[at]);
                    apart += v * (f64::from(above[at]) - f64::from(below[at]));
                    square += v * v;
                }
                along * square / apart
            };
            return (to_f64_vec(output(tensor(input))), (0..rows).map(product).collect());
        }
        let z = tensor(input).require_grad();
        let f = output(z.clone());
        let gradients = (f.clone() * tensor(directions)).sum().backward();
        let gradient: Vec<f64> =
            z.grad(&gradients).map_or(vec![0.0; input.len()], |g| g.into_data().iter::<f64>().collect());
        let product = |(g, v): (&[f64], &[f32])| g.iter().zip(v).map(|(g, v)| g * f64::from(*v)).sum();
        let products = gradient.chunks(length).zip(directions.chunks(length)).map(product).collect();
        (to_f64_vec(f), products)
    }

    /// F and the trace of dF/d input of each row.
    fn output_and_trace(&self, input: &[f32], length: usize, network: &Preconditioning) -> (Vec<f64>, Vec<f64>) {
        let rows = input.len() / length;
        if let Trace::Hutchinson(key) = &self.trace {
            let signs = |row: usize| {
                let mut rng = key.fold(row as u64).rng();
                (0..length).map(move |_| if open_uniform(&mut rng) < 0.5 { -1.0 } else { 1.0 })
            };
            let directions: Vec<f32> = (0..rows).flat_map(signs).collect();
            return self.products(input, &directions, &self.class, length, network);
        }
        // Each row once per coordinate, as many coordinates at a time as fit into memory.
        let mut output = Vec::new();
        let mut trace = vec![0.0; rows];
        let at_once = (CALL_SIZE / (rows * length)).clamp(1, length);
        for first in (0..length).step_by(at_once) {
            let coordinates = first..(first + at_once).min(length);
            let count = coordinates.len();
            let unit = |i: usize| (0..length).map(move |j| if i == j { 1.0 } else { 0.0 });
            let directions: Vec<f32> = coordinates.flat_map(|i| (0..rows).flat_map(move |_| unit(i))).collect();
            let class = self.class.repeat(count);
            let (f, products) = self.products(&input.repeat(count), &directions, &class, length, network);
            products.iter().enumerate().for_each(|(at, product)| trace[at % rows] += product);
            output = f[..input.len()].to_vec();
        }
        (output, trace)
    }
}

impl Field for NetworkField<'_> {
    fn eps_and_trace(&self, z: &[f64], length: usize, log_snr: f64) -> (Vec<f64>, Vec<f64>) {
        let network = self.prediction.at(log_snr);
        let input: Vec<f32> = z.iter().map(|z| (network.c_in * z) as f32).collect();
        let (f, trace) = self.output_and_trace(&input, length, &network);
        let eps = z.iter().zip(f).map(|(z, f)| network.eps(*z, f)).collect();
        let whole = |t: f64| network.skip * length as f64 + network.out * network.c_in * t;
        (eps, trace.into_iter().map(whole).collect())
    }
}
