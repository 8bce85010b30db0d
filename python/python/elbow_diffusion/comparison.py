"""Paired differences of two models' bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .commands import Command, Model, Printed
from .denoisers import Denoiser
from .errors import InputError
from .likelihood import judged_on
from .results import Estimate, Estimated
from .shards import sharded


class Comparison(Estimated):
    """The difference A - B of two bounds on the same sequences: below 0, A is better."""

    def __init__(self, printed: Printed) -> None:
        super().__init__(printed)
        self.per_sequence: npt.NDArray[np.float64] = printed.arrays["a"] - printed.arrays["b"]
        """A - B of each sequence, nats, [sequences]; in a random order under `target_se`."""

    @property
    def bits_per_dim(self) -> Estimate:
        """A - B, bits per token, with the error of the differences."""
        return Estimate.of(self.data["difference"]["bits_per_dim"], "bits/dim")

    @property
    def estimate(self) -> Estimate:
        """`bits_per_dim`."""
        return self.bits_per_dim

    @property
    def better(self) -> str:
        """A, B, undecided, or neither where nothing differs."""
        return str(self.data["better"])


@sharded
def compare(
    a: Model,
    b: Model,
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
) -> Comparison:
    """The difference A - B of two models' bounds on the same sequences, under the same noise where their processes allow it.

    The arguments are those of `likelihood`, `shard` among them; `schedule` is that of the denoisers that have none of their own.

    >>> import numpy as np
    >>> from elbow_diffusion import compare, denoiser
    >>> even = denoiser(lambda z: np.zeros((*z.shape, 2)), values=2, length=4)
    >>> biased = denoiser(lambda z: np.broadcast_to(np.log([0.9, 0.1]), (*z.shape, 2)), values=2, length=4)
    >>> compare(even, biased, np.zeros((8, 4), int), schedule="linear").better
    'B'
    """
    command = Command(["compare", "--seed", str(seed)])
    own = [isinstance(model, Denoiser) and model.schedule is None for model in (a, b)]
    if schedule is not None and not any(own):
        raise InputError(f"schedule = {schedule!r}: both models have their own\n  leave it out")
    with command.naming(a, schedule if own[0] else None, None), command.naming(b, schedule if own[1] else None, None):
        judged_on(command, b if isinstance(a, Denoiser) else a, x, classes, split, name)
        options = {"draws": draws, "estimator": estimator, "sequences": sequences, "target-se": target_se, "length": length}
        command.flags(options)
        return command.run(Comparison, progress)
