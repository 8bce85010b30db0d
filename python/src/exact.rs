//! Exact numbers of toys, schedules and weightings, against which a user's loss is checked.

use elbow_base::Error;
use elbow_impls::Weighting;
use elbow_impls::schedule::{GaussianSchedule, LogSnr, MaskedSchedule};
use elbow_theory::gaussian::{GaussianToy, weighted_loss as gaussian_weighted_loss};
use elbow_theory::masked::{Enumeration, weighted_loss as masked_weighted_loss};
use elbow_theory::{Alphabet, Toy};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::door::{raised, serve};

type Numbers<'py> = Bound<'py, PyArray1<f64>>;

fn each<'py>(py: Python<'py>, numbers: &PyReadonlyArray1<'py, f64>, f: impl Fn(f64) -> f64) -> Numbers<'py> {
    numbers.as_array().iter().map(|&x| f(x)).collect::<Vec<f64>>().into_pyarray(py)
}

fn parsed<T: std::str::FromStr<Err: Into<Error>>>(py: Python<'_>, name: &str) -> PyResult<T> {
    name.parse().map_err(|unknown: T::Err| raised(py, &unknown.into()))
}

/// alpha, 1 - alpha and d alpha / dt of a masking schedule at these times.
#[pyfunction]
pub fn masked_schedule<'py>(
    py: Python<'py>,
    name: &str,
    times: PyReadonlyArray1<'py, f64>,
) -> PyResult<(Numbers<'py>, Numbers<'py>, Numbers<'py>)> {
    let schedule: MaskedSchedule = parsed(py, name)?;
    let alpha = each(py, &times, |t| schedule.alpha(t));
    let masked = each(py, &times, |t| schedule.mask_probability(t));
    Ok((alpha, masked, each(py, &times, |t| schedule.alpha_prime(t))))
}

/// The log-SNR and gamma' of a Gaussian schedule at these times.
#[pyfunction]
pub fn gaussian_schedule<'py>(
    py: Python<'py>,
    name: &str,
    times: PyReadonlyArray1<'py, f64>,
) -> PyResult<(Numbers<'py>, Numbers<'py>)> {
    let schedule: GaussianSchedule = parsed(py, name)?;
    Ok((each(py, &times, |t| schedule.log_snr(t)), each(py, &times, |t| schedule.gamma_prime(t))))
}

/// The times at which a schedule, of the family `masked` or `gaussian`, has these log-SNRs.
#[pyfunction]
pub fn times_of_log_snr<'py>(
    py: Python<'py>,
    family: &str,
    name: &str,
    log_snrs: PyReadonlyArray1<'py, f64>,
) -> PyResult<Numbers<'py>> {
    let schedule = named_schedule(py, family, name)?;
    Ok(each(py, &log_snrs, |log_snr| schedule.time_of_log_snr(log_snr)))
}

/// w(lambda) of a weighting at these log-SNRs, under a schedule of the family `masked` or `gaussian`.
#[pyfunction]
pub fn weights<'py>(
    py: Python<'py>,
    family: &str,
    schedule: &str,
    weighting: &str,
    log_snrs: PyReadonlyArray1<'py, f64>,
) -> PyResult<Numbers<'py>> {
    let (schedule, weighting) = (named_schedule(py, family, schedule)?, parsed::<Weighting>(py, weighting)?);
    Ok(each(py, &log_snrs, |log_snr| weighting.of_log_snr(schedule.as_ref(), log_snr)))
}

fn named_schedule(py: Python<'_>, family: &str, name: &str) -> PyResult<Box<dyn LogSnr>> {
    Ok(match family {
        "masked" => Box::new(parsed::<MaskedSchedule>(py, name)?),
        _ => Box::new(parsed::<GaussianSchedule>(py, name)?),
    })
}

/// mu of a toy's denoiser, `[(V + 1)^L, L, V]` row-major: patterns in base V + 1 with the first position most significant and
/// the mask as the digit V; 1 at visible positions.
#[pyfunction]
pub fn masked_table<'py>(py: Python<'py>, toy: String) -> PyResult<Numbers<'py>> {
    let table = serve(py, None, move |_| Ok(Enumeration::new(&Toy::parse(&toy, Alphabet::Masked)?)?.probabilities()))?;
    Ok(table.into_pyarray(py))
}

/// The exact reweighted loss of a toy in continuous time, nats: masked diffusion.
#[pyfunction]
pub fn masked_loss(py: Python<'_>, toy: String, schedule: &str, weighting: &str) -> PyResult<f64> {
    let (schedule, weighting): (MaskedSchedule, Weighting) = (parsed(py, schedule)?, parsed(py, weighting)?);
    serve(py, None, move |_| {
        let enumeration = Enumeration::new(&Toy::parse(&toy, Alphabet::Masked)?)?;
        Ok(masked_weighted_loss(&enumeration, &schedule, &weighting))
    })
}

/// The exact reweighted loss of a toy in continuous time, nats: Gaussian diffusion.
#[pyfunction]
pub fn gaussian_loss(py: Python<'_>, toy: String, schedule: &str, weighting: &str) -> PyResult<f64> {
    let (schedule, weighting): (GaussianSchedule, Weighting) = (parsed(py, schedule)?, parsed(py, weighting)?);
    serve(py, None, move |_| Ok(gaussian_weighted_loss(&GaussianToy::parse(&toy)?, &schedule, &weighting).value))
}

/// E[x | z] under the denoiser's law of a one-dimensional toy, for z = alpha x + sigma eps.
#[pyfunction]
pub fn posterior_means<'py>(
    py: Python<'py>,
    toy: &str,
    alphas: PyReadonlyArray1<'py, f64>,
    sigmas: PyReadonlyArray1<'py, f64>,
    z: PyReadonlyArray1<'py, f64>,
) -> PyResult<Numbers<'py>> {
    let toy = GaussianToy::parse(toy).map_err(|failure| raised(py, &failure.into()))?;
    let (alphas, sigmas, z) = (alphas.as_array(), sigmas.as_array(), z.as_array());
    let levels = alphas.iter().zip(sigmas.iter());
    let means =
        levels.zip(z.iter()).map(|((&alpha, &sigma), &z)| toy.denoiser.posterior_mean((alpha, sigma), [z, 0.0])[0]);
    Ok(means.collect::<Vec<f64>>().into_pyarray(py))
}
