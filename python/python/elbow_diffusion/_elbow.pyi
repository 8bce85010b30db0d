"""The native half of `elbow_diffusion`."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_Progress = Callable[[str, int, int], None]
_Numbers = npt.NDArray[np.float64]

__all__ = [
    "VERSION",
    "call",
    "chi_square_tail",
    "compare_features",
    "dataset",
    "gaussian_loss",
    "gaussian_schedule",
    "main",
    "masked_loss",
    "masked_schedule",
    "masked_table",
    "posterior_means",
    "student_interval",
    "student_tails",
    "times_of_log_snr",
    "weights",
]

VERSION: Final[str]

def dataset(
    name: str, split: str, *, length: int | None, alphabet: str | None, folders: Sequence[str]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], int, int, int, list[int] | None, str]:
    """Tokens [n length], classes [n], number of values, length, number of classes, image extents, hash."""

def main(arguments: Sequence[str]) -> int:
    """Runs the command line on these arguments, the first of which is the program's name; the exit code."""

def call(
    arguments: Sequence[str],
    *,
    data: Sequence[tuple[str, int, npt.NDArray[np.uint32], tuple[npt.NDArray[np.uint32], int] | None]],
    functions: Sequence[tuple[str, Any]],
    places: Sequence[tuple[str, str]],
    merged: Sequence[str],
    progress: _Progress | None,
) -> tuple[str, str, list[tuple[str, npt.NDArray[np.float64]]]]:
    """What a command prints under `--json`, what it prints for a person, and further numbers by name."""

def student_interval(value: float, standard_error: float, n: int, confidence: float) -> tuple[float, float]:
    """The two-sided Student interval of a mean of `n` units."""

def compare_features(
    metric: str,
    generated: npt.NDArray[np.float32],
    reference: npt.NDArray[np.float32],
    *,
    blocks: int,
    neighbours: int | None,
    boundary: str | None,
    splits: int,
    seed: int,
    progress: _Progress | None,
) -> str:
    """One metric of two arrays [n, d] and [m, d] as JSON."""

def chi_square_tail(statistic: float, freedom: float) -> float:
    """The probability that a chi-square variable is larger; NaN without any degree of freedom."""

def student_tails(statistic: float, freedom: float) -> float:
    """The probability that a Student variable is farther from 0; NaN without any degree of freedom."""

def masked_schedule(name: str, times: _Numbers) -> tuple[_Numbers, _Numbers, _Numbers]:
    """alpha, 1 - alpha and d alpha / dt of a masking schedule at these times, [n]."""

def gaussian_schedule(name: str, times: _Numbers) -> tuple[_Numbers, _Numbers]:
    """The log-SNR and gamma' of a Gaussian schedule at these times, [n]."""

def times_of_log_snr(family: str, name: str, log_snrs: _Numbers) -> _Numbers:
    """The times, [n], at which a schedule of the family masked or gaussian has these log-SNRs."""

def weights(family: str, schedule: str, weighting: str, log_snrs: _Numbers) -> _Numbers:
    """w(lambda), [n], of a weighting under a schedule of the family masked or gaussian."""

def masked_table(toy: str) -> _Numbers:
    """mu of a toy's denoiser, [(V + 1)^L L V], patterns in base V + 1 with the first position most significant."""

def masked_loss(toy: str, schedule: str, weighting: str) -> float:
    """The exact reweighted loss of a toy in continuous time, nats: masked diffusion."""

def gaussian_loss(toy: str, schedule: str, weighting: str) -> float:
    """The exact reweighted loss of a toy in continuous time, nats: Gaussian diffusion."""

def posterior_means(toy: str, alphas: _Numbers, sigmas: _Numbers, z: _Numbers) -> _Numbers:
    """E[x | z], [n], under the denoiser's law of a one-dimensional toy, for z = alpha x + sigma eps."""
