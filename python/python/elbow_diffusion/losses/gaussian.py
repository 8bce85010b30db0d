"""Objectives of Gaussian diffusion over atoms whose denoiser is a posterior mean, with the mistakes that look like them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _elbow
from ..errors import InputError
from .recorder import Array, Draws, one_time
from .toy import WEIGHTINGS, nodes

LENGTH = 4
ATOMS = np.array([-0.8, 0.1, 0.9])
# Sixteen rows of four coordinates, an atom as often as its probability: a batch of them is the law of the data.
COUNTS = np.array([16, 32, 16])
TOY = {
    "atoms": [[float(atom), float(count / 64)] for atom, count in zip(ATOMS, COUNTS)],
    # Other probabilities of the same atoms: wrong where there is noise, right where there is none, or the loss of velocities would
    # be infinite.
    "denoiser": {"kind": "atoms", "atoms": [[-0.8, 0.6], [0.1, 0.1], [0.9, 0.3]]},
}


def batch() -> Array:
    """The rows, [16, 4]."""
    return np.random.default_rng(0).permutation(np.repeat(ATOMS, COUNTS)).reshape(16, LENGTH)


def levels(log_snr: Array, scale: str) -> tuple[Array, Array]:
    """alpha and sigma of z = alpha x + sigma eps: vp (alpha^2 + sigma^2 = 1), ve (alpha = 1) or ot (alpha + sigma = 1)."""
    ratio = np.exp(-log_snr / 2)
    if scale == "ve":
        return np.ones_like(ratio), ratio
    if scale == "ot":
        return 1 / (1 + ratio), ratio / (1 + ratio)
    total = np.hypot(1.0, ratio)
    return 1 / total, ratio / total


@dataclass
class GaussianObjective:
    """w(lambda) gamma'(t) |eps - eps_hat|^2 / 2 for t uniform on (0, 1), times a constant."""

    name: str
    schedule: str
    weighting: str
    scale: str
    """How z is scaled: vp, ve or ot."""
    output: str
    """What the denoiser gives: eps, x, v or velocity."""
    time: str
    """What the loss tells the denoiser: time, log-snr, gamma, sigma (sigma / alpha) or c-noise."""
    constant: float = 1.0
    shrink: float = 0.0
    """By how much of itself x_hat is smaller where there is noise alone: another denoiser."""

    def describe(self) -> str:
        """Name, schedule, weighting."""
        return f"{self.name} (schedule {self.schedule}, weighting {self.weighting})"

    def log_snr(self, told: Array) -> Array:
        """The log-SNR from what the loss told the denoiser."""
        with np.errstate(divide="ignore", invalid="ignore"):
            meanings: dict[str, Callable[[], Array]] = {
                "time": lambda: _elbow.gaussian_schedule(self.schedule, told.ravel())[0].reshape(told.shape),
                "log-snr": lambda: told,
                "gamma": lambda: -told,
                "sigma": lambda: -2 * np.log(told),
                "c-noise": lambda: -8 * told,
            }
            return meanings[self.time]()

    def times(self, told: Array) -> Array:
        """The times that the loss drew."""
        if self.time == "time":
            return told
        return _elbow.times_of_log_snr("gaussian", self.schedule, self.log_snr(told).ravel()).reshape(told.shape)

    def answer(self, z: npt.NDArray[Any], told: Array | None) -> Array:
        """The denoiser's output, [n, length]."""
        if told is None:
            raise InputError("the denoiser was given no noise level\n  call it with (z, t)")
        told = one_time(told)
        z = z.astype(np.float64)
        alpha, sigma = (one[:, None] for one in levels(self.log_snr(told), self.scale))
        x = self.denoised(z, alpha, sigma)
        eps = (z - alpha * x) / sigma
        return {"x": x, "eps": eps, "v": alpha * eps - sigma * x, "velocity": eps - x}[self.output]

    def denoised(self, z: Array, alpha: Array, sigma: Array) -> Array:
        """x_hat at z = alpha x + sigma eps."""
        alpha, sigma = (np.broadcast_to(one, z.shape).ravel() for one in (alpha, sigma))
        means = _elbow.posterior_means(json.dumps(TOY), alpha, sigma, z.ravel())
        return (means * (1 - self.shrink * sigma**2 / (alpha**2 + sigma**2))).reshape(z.shape)

    def widths(self) -> tuple[int, ...]:
        """Numbers of coordinates per row that the denoiser takes."""
        return (LENGTH,)

    def again(self) -> GaussianObjective:
        """The objective of the second pass of a loss, where the network answers otherwise."""
        return replace(self, shrink=0.3)

    def prepared(self, draws: Draws) -> Draws:
        """The draws with one noise level per row."""
        return replace(draws, t=None if draws.t is None else one_time(draws.t))

    def gradients(self, draws: Draws) -> Array | None:
        """The derivative of each row's loss by the output, [calls, rows, length], nats per row."""
        if draws.t is None:
            return None
        alpha, sigma = (one[..., None] for one in levels(self.log_snr(draws.t), self.scale))
        z = draws.z.astype(np.float64)
        # eps - eps_hat = c (output_hat - output).
        c = {"x": alpha / sigma, "eps": -np.ones_like(alpha), "v": -alpha / (alpha**2 + sigma**2), "velocity": -alpha / (alpha + sigma)}[self.output]
        error = alpha / sigma * (self.denoised(z, alpha, sigma) - draws.x)
        found: Array = 2 * self.weight(draws.t)[..., None] * error * c
        return found

    def weight(self, told: Array, weighting: str | None = None) -> Array:
        """The weight of |eps - eps_hat|^2."""
        log_snr = self.log_snr(told)
        slope = _elbow.gaussian_schedule(self.schedule, self.times(told).ravel())[1].reshape(told.shape)
        w = _elbow.weights("gaussian", self.schedule, weighting or self.weighting, log_snr.ravel()).reshape(told.shape)
        return 0.5 * self.constant * w * slope

    def errors(self, draws: Draws) -> tuple[Array, Array, Array, Array]:
        """eps of each coordinate, |eps - eps_hat|^2 of each row, alpha, sigma."""
        if draws.t is None:
            raise InputError("the denoiser was given no noise level\n  call it with (z, t)")
        alpha, sigma = (one[..., None] for one in levels(self.log_snr(draws.t), self.scale))
        z = draws.z.astype(np.float64)
        eps = (z - alpha * draws.x) / sigma
        x_hat = self.denoised(z, alpha, sigma)
        return eps, ((alpha / sigma * (draws.x - x_hat)) ** 2).sum(-1), alpha[..., 0], sigma[..., 0]

    def of_draws(self, draws: Draws) -> Array | None:
        """The loss of each drawn row, nats per row."""
        return None if draws.t is None else self.weight(draws.t) * self.errors(draws)[1]

    def exact(self) -> float:
        """The mean of the loss over the data, nats per row."""
        t, law = nodes()
        told = self._told(t)
        alpha, sigma = (one[:, None, None] for one in levels(self.log_snr(told), "vp"))
        eps = np.linspace(-8, 8, 1601)
        normal = np.exp(-(eps**2) / 2)
        normal /= normal.sum()
        z = alpha * ATOMS[:, None] + sigma * eps
        x_hat = self.denoised(z, alpha, sigma)
        square = ((alpha / sigma * (ATOMS[:, None] - x_hat)) ** 2 * normal).sum(-1) @ (COUNTS / 64)
        return float(LENGTH * (law * self.weight(told) * square).sum())

    def _told(self, t: Array) -> Array:
        """What the denoiser is told at these times."""
        log_snr = _elbow.gaussian_schedule(self.schedule, t)[0]
        return {
            "time": t,
            "log-snr": log_snr,
            "gamma": -log_snr,
            "sigma": np.exp(-log_snr / 2),
            "c-noise": -log_snr / 8,
        }[self.time]

    def mistakes(self, draws: Draws) -> list[tuple[str, Array]]:
        """Losses that are often in the place of this one, with what is wrong with them; up to a factor each."""
        if draws.t is None:
            return []
        _, square, alpha, sigma = self.errors(draws)
        weight = self.weight(draws.t)
        slope = self.weight(draws.t, "elbo")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            own: Array = {"eps": np.ones_like(alpha), "x": (sigma / alpha) ** 2, "v": 1 / alpha**2, "velocity": (1 + sigma / alpha) ** 2}[self.output]
            found = [
                (f"the weight is left out: |{self.output} - {self.output}_hat|^2 alone", own * square),
                ("the unweighted error of eps", square),
                ("the unweighted error of x", (sigma / alpha) ** 2 * square),
                ("the weight is applied twice", weight * weight * square),
                ("the weighting is applied twice", weight * weight / slope * square),
                ("gamma' is left out", weight / slope * square),
                ("the weight is its own inverse", square / weight),
                ("the square root of the squared error", weight * np.sqrt(square)),
                ("the error of x in place of that of eps", weight * (sigma / alpha) ** 2 * square),
                ("the error of eps in place of that of x", weight * (alpha / sigma) ** 2 * square),
                ("the error of v in place of that of eps", weight / alpha**2 * square),
                ("sigma in place of sigma^2 in the weight", weight * sigma / alpha * square),
                ("sigma in place of sigma^2 in the weight", weight * alpha / sigma * square),
            ]
            found += [(f"the weighting is {name}", self.weight(draws.t, name) * square) for name in WEIGHTINGS if name != self.weighting]
        return found
