"""Likelihood bounds of denoisers, runs and model files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import to_numpy
from .commands import Command, Model, Printed
from .denoisers import Denoiser
from .errors import InputError
from .results import Estimate, Estimated
from .shards import sharded


class Likelihood(Estimated):
    """An upper bound on the negative log-likelihood, with its terms: a mean over sequences."""

    def __init__(self, printed: Printed) -> None:
        super().__init__(printed)
        self.per_sequence: npt.NDArray[np.float64] = printed.arrays["per_sequence"]
        """All terms of each sequence, nats, [sequences]; in a random order under `target_se`."""

    @property
    def bits_per_dim(self) -> Estimate:
        """All terms, bits per token: nats / (D ln 2)."""
        return self._estimate("bits_per_dim", "bits/dim")

    @property
    def nats(self) -> Estimate:
        """All terms, nats per sequence."""
        return self._estimate("nats", "nats")

    @property
    def perplexity(self) -> Estimate:
        """exp(nats / D), per token."""
        return self._estimate("perplexity", "")

    @property
    def estimate(self) -> Estimate:
        """`bits_per_dim`; its error holds the spread of the data and the noise of the draws."""
        return self.bits_per_dim

    @property
    def terms(self) -> dict[str, float]:
        """reconstruction, prior and diffusion, bits per token."""
        bound = self.data["nelbo"]
        return {
            "reconstruction": bound["reconstruction"],
            "prior": bound["prior"],
            "diffusion": bound["diffusion"]["value"],
        }

    @property
    def protocol(self) -> dict[str, str]:
        """The choices that define the number, the estimator among them."""
        bound = self.data["nelbo"]
        return {"estimator": bound["estimator"], **bound["protocol"]}

    def _estimate(self, name: str, unit: str) -> Estimate:
        return Estimate.of(self.data["nelbo"][name], unit)


@sharded
def likelihood(
    model: Model,
    x: Any = None,
    *,
    schedule: str | None = None,
    classes: Any = None,
    split: str = "test",
    draws: int = 8,
    estimator: str = "auto",
    sequences: int | None = None,
    target_se: float | None = None,
    length: int | None = None,
    seed: int = 0,
    name: str = "x",
    progress: bool = False,
) -> Likelihood:
    """The bound of a model: bits per token, terms, per-sequence numbers, each with what it is over.

    `model`: a `denoiser`, the folder of a run, or a model file. `x`: tokens [n, length] from 0 to V - 1 (NumPy, PyTorch or JAX),
    called `name` in the result; or the name of a data set or file, of which `split` is read; or nothing for the model's own.
    `classes` [n], where the model is told them. `schedule`: of a denoiser that has none of its own. `draws`: stratified draws of
    the noise per sequence. `estimator`: auto, objective or k-dce. `sequences`: the first of them. `target_se`: bits per token; stops
    where the standard error is that small. `length`: tokens per sequence of a text. Needs two sequences or more. `shard`: `merge`.

    >>> import numpy as np
    >>> from elbow_diffusion import denoiser, likelihood
    >>> den = denoiser(lambda z: np.zeros((*z.shape, 4)), values=4, length=8)
    >>> b = likelihood(den, np.zeros((16, 8), int), schedule="linear")
    >>> round(b.value, 6), b.standard_error < 1e-6
    (2.0, True)
    """
    command = Command(["likelihood", "--seed", str(seed)])
    judged_on(command, model, x, classes, split, name)
    options = {"draws": draws, "estimator": estimator, "sequences": sequences, "target-se": target_se, "length": length}
    command.flags(options)
    with command.judging(model, schedule):
        return command.run(Likelihood, progress)


def judged_on(command: Command, model: Model, x: Any, classes: Any, split: str, name: str) -> None:
    """The data of a command: an array, or a split of a data set that is named or the model's own."""
    if not give(command, model, x, classes, name):
        command.flag("split", split)


def give(command: Command, model: Model, x: Any, classes: Any, name: str) -> bool:
    """Data of a command by name; whether they lie in memory. Without `x` they are the model's own."""
    if x is not None and not isinstance(x, (str, os.PathLike)):
        values, count = alphabet(model, x)
        command.give(name, x, values, None if classes is None else (classes, count))
        command.flag("dataset", name)
        return True
    if classes is not None:
        raise InputError("classes of data that are named\n  leave them out: a data set has its own")
    command.flag("dataset", x)
    return False


def alphabet(model: Model, x: Any) -> tuple[int, int]:
    """Number of data values and of classes of the model that judges `x`."""
    if isinstance(model, Denoiser):
        of_class = model.tables["inputs"]["class"]
        return model.values, of_class["classes"] if of_class else 0
    state = Path(model) / "checkpoint" / "state.json"
    if state.is_file():
        shape = json.loads(state.read_text())["data"]
        return shape["values"], shape["classes"]
    # A model file says it, and refuses data that have more.
    return int(to_numpy(x).max(initial=1)) + 1, 0
