"""Exact bounds of toys: the cascade of bounds of "Demystifying Diffusion Objectives", by enumeration and quadrature."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .commands import Command, Model
from .denoisers import Denoiser
from .results import Document

Toy = Mapping[str, Any] | str | os.PathLike[str]
"""A toy: the fields of a toy file, or the path of one."""

_Array = npt.NDArray[np.float64]


class Cascade(Document):
    """The exact cascade of bounds, in nats. Arrays over i start at i = 1."""

    @property
    def entropy(self) -> float:
        """H = -E log q(x)."""
        return float(self.data["entropy"])

    @property
    def elbo(self) -> _Array:
        """E L^(i), i = 1..T+1."""
        return self._array("elbo")

    @property
    def gap(self) -> _Array:
        """g_i = E L^(i+1) - E L^(i), i = 1..T, computed as an expected KL."""
        return self._array("gap")

    @property
    def kl_step(self) -> _Array:
        """E l_i, i = 1..T."""
        return self._array("kl_step")

    @property
    def decoder(self) -> _Array:
        """E D_i, i = 1..T+1."""
        return self._array("decoder")

    @property
    def data_model_kl(self) -> _Array:
        """KL(q || p~(i)), i = 1..T+1; empty where it is too expensive."""
        return self._array("data_model_kl")

    @property
    def slack(self) -> float:
        """E log p~(1)(x) - E L^(1), nats: by how much the bound is above the sampler's own code length; NaN where it is not known."""
        return self._number("slack")

    @property
    def w_tilde(self) -> _Array:
        """w~(t(i)), i = 1..T; NaN where infinite."""
        return self._array("w_tilde")

    @property
    def cascade_weights(self) -> _Array:
        """w_i, i = 1..T; NaN where infinite."""
        return self._array("cascade_weights")

    @property
    def neg_elbo_continuous(self) -> float:
        """-E L^(1) in continuous time; NaN where infinite."""
        return self._number("neg_elbo_continuous")

    @property
    def weighted_continuous(self) -> float:
        """The reweighted loss in continuous time, no bound on the likelihood; NaN where infinite."""
        return self._number("weighted_continuous")

    @property
    def any_order_ar_nll(self) -> float:
        """E over orders of -log p(x) of a masked denoiser that reveals one token per step; NaN for other processes."""
        return self._number("any_order_ar_nll")

    @property
    def theorem1_residual(self) -> float:
        """max over i of |E L^(i+1) - E L^(i) - g_i|."""
        return self._number("theorem1_residual")

    @property
    def theorem2_residual(self) -> float:
        """max over x of the difference of the two sides of Theorem 2; NaN where a term is infinite."""
        return self._number("theorem2_residual")

    def _array(self, name: str) -> _Array:
        return np.array([np.nan if x is None else x for x in self.data.get(name, [])], dtype=np.float64)

    def _number(self, name: str) -> float:
        value = self.data.get(name)
        return float("nan") if value is None else float(value)


def masked(
    toy: Toy,
    *,
    schedule: str | None = None,
    steps: int = 10,
    weighting: str = "elbo",
    block: int | None = None,
    model: Model | None = None,
) -> Cascade:
    """The cascade of masked diffusion, or with `block` of block diffusion in blocks of as many tokens.

    `toy`: {"states": V, "length": L, "data": {word: probability}, "denoiser": {"kind": ...}}, with words of L digits.
    `schedule`: linear (the default), cosine, poly:W, geometric, loglinear, or poly:W,W,... with one W per value. `model`: a masked
    denoiser, run or model file that sees no time, in place of the toy's denoiser, and of its schedule by default. `weighting`: elbo,
    sigmoid:B, fm, simple, iddpm, edm, p2:G, min-snr:G, snr, indi. In nats.

    >>> toy = {"states": 2, "length": 2, "data": {"00": 0.5, "11": 0.5}, "denoiser": {"kind": "exact"}}
    >>> masked(toy, steps=4).gap.round(4)
    array([0.0433, 0.0433, 0.0433, 0.0433])
    """
    return _cascade("masked", toy, steps, weighting, {"schedule": schedule, "block": block}, model)


def uniform(
    toy: Toy,
    *,
    schedule: str = "linear",
    steps: int = 10,
    weighting: str = "elbo",
    transition: str = "uniform",
    parameterization: str = "d3pm",
) -> Cascade:
    """The cascade of uniform diffusion, or of any other transition between states (D3PM). In nats.

    `transition`: uniform, absorbing, or the path of a file with a matrix. `parameterization`: d3pm or mixture.

    >>> toy = {"states": 2, "length": 1, "data": {"0": 0.25, "1": 0.75}, "denoiser": {"kind": "exact"}}
    >>> bool(uniform(toy, steps=4).theorem1_residual < 1e-14)
    True
    """
    options = {"schedule": schedule, "transition": transition, "parameterization": parameterization}
    return _cascade("uniform", toy, steps, weighting, {**options})


def gaussian(
    toy: Toy,
    *,
    schedule: str | None = None,
    gamma_min: float | None = None,
    gamma_max: float | None = None,
    steps: int = 10,
    weighting: str = "elbo",
) -> Cascade:
    """The cascade of Gaussian diffusion. In nats.

    `toy`: {"atoms": [[position, probability], ...], "denoiser": {"kind": "exact"}} or a mixture. `schedule`: vdm,
    fixed-linear:MIN:MAX (gamma), cosine, ot or normal:MEAN:STD, each with :MIN:MAX; by default fixed-linear from
    `gamma_min` to `gamma_max`.

    >>> gaussian({"atoms": [[-1, 0.3], [0.5, 0.7]], "denoiser": {"kind": "exact"}}, steps=2).gap.shape
    (2,)
    """
    options = {"schedule": schedule, "gamma-min": gamma_min, "gamma-max": gamma_max}
    return _cascade("gaussian", toy, steps, weighting, {**options})


def _cascade(
    process: str, toy: Toy, steps: int, weighting: str, options: dict[str, object], model: Model | None = None
) -> Cascade:
    command = Command(["theory", process])
    command.flags({"steps": steps, "weighting": weighting, **options})
    with tempfile.TemporaryDirectory(prefix="elbow-") as folder, ExitStack() as stack:
        if isinstance(toy, Mapping):
            file = Path(folder) / "toy.json"
            file.write_text(json.dumps(toy))
            command.files[str(file)] = "the toy"
            command.flag("toy", file)
        else:
            command.flag("toy", os.fspath(toy))
        if model is not None:
            own = isinstance(model, Denoiser) and model.schedule is None
            stack.enter_context(command.naming(model, "linear" if own else None))
        return command.run(Cascade)
