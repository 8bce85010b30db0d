"""Generative frontiers: perplexity of a model's samples under a judge, against their entropy, over temperatures."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .commands import Command, Model, Printed
from .denoisers import Denoiser
from .errors import InputError
from .functions import Judging
from .likelihood import give
from .results import Document, Estimate, frame

Judge = Model | Callable[[npt.NDArray[np.int64]], Any]
"""What judges samples: a model, or a function of tokens [rows, length] that returns log p of each row, [rows], in nats."""


@dataclass(frozen=True)
class Point:
    """Samples at one temperature under the judge: means over samples."""

    temperature: float | None
    """None of held-out data."""
    perplexity: Estimate
    """exp of the cross-entropy, per token."""
    cross_entropy: Estimate
    """Nats per token under the judge."""
    entropy: Estimate
    """The unigram entropy of a sample, nats."""
    difference: Estimate
    """Cross-entropy minus that entropy, nats per token, with the error of the paired difference."""
    nfe: float | None
    """Network evaluations per sample."""

    @staticmethod
    def of(fields: dict[str, Any]) -> Point:
        """The point of a document's fields."""
        units = {"perplexity": "", "cross_entropy": "nats/token", "entropy": "nats", "difference": "nats/token"}
        numbers = {name: Estimate.of(fields[name], unit) for name, unit in units.items()}
        return Point(temperature=fields.get("temperature"), nfe=fields.get("nfe"), **numbers)


@dataclass(frozen=True)
class Curve:
    """The frontier of one model."""

    name: str
    points: list[Point]
    """In the order of the temperatures."""


class Frontier(Document):
    """Frontiers of models, with their comparisons at equal entropy and the picture."""

    def __init__(self, printed: Printed, png: Path) -> None:
        super().__init__(printed)
        self.png: bytes = png.read_bytes()
        """The picture, a PNG file."""
        shape = (len(self.data["curves"]), -1, self.data["samples"])
        self.entropies: npt.NDArray[np.float64] = printed.arrays["entropy"].reshape(shape)
        """Of each sample, nats, [curves, temperatures, samples]."""
        self.cross_entropies: npt.NDArray[np.float64] = printed.arrays["cross_entropy"].reshape(shape)
        """Of each sample under the judge, nats per token, [curves, temperatures, samples]."""

    @property
    def curves(self) -> list[Curve]:
        """One per model and top-p."""
        return [Curve(curve["name"], [Point.of(point) for point in curve["points"]]) for curve in self.data["curves"]]

    @property
    def held_out(self) -> Point | None:
        """Held-out data under the judge; none where none were given."""
        reference = self.data["reference"]
        return None if reference is None else Point.of(reference["numbers"])

    @property
    def comparisons(self) -> list[dict[str, Any]]:
        """One per pair of curves: a, b, the entropies that both reach, `mean` and `area` between them with intervals, and which is `lower`."""
        return list(self.data["comparisons"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One per point: curve, temperature, nfe, and perplexity, cross_entropy and entropy, each with its standard error."""
        names = ("perplexity", "cross_entropy", "entropy")
        rows = []
        for curve in self.curves:
            for point in curve.points:
                row: dict[str, Any] = {"curve": curve.name, "temperature": point.temperature, "nfe": point.nfe}
                for name in names:
                    estimate: Estimate = getattr(point, name)
                    row |= {name: estimate.value, f"{name}_standard_error": estimate.standard_error}
                rows.append(row)
        return rows

    def to_pandas(self) -> Any:
        """`rows` as a `pandas.DataFrame`."""
        return frame(self.rows)

    def _repr_html_(self) -> str:
        picture = base64.b64encode(self.png).decode()
        return f'{super()._repr_html_()}<img alt="generative frontiers" src="data:image/png;base64,{picture}">'


def frontier(
    models: Model | Sequence[Model],
    judge: Judge,
    x: Any = None,
    *,
    temperatures: Sequence[float] = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1),
    top_p: Sequence[float] = (),
    top_k: int | None = None,
    samples: int = 256,
    sampler: str | None = None,
    steps: int | None = None,
    length: int | None = None,
    schedule: str | None = None,
    to: str | os.PathLike[str] | None = None,
    seed: int = 0,
    name: str = "x",
    progress: bool = False,
) -> Frontier:
    """Samples of each model at each temperature under a judge: generative perplexity against entropy, compared at equal entropy.

    `models`: one or several, each a `denoiser`, the folder of a run, or a model file, of tokens. `judge`: another such model, whose bound
    is an upper bound of the cross-entropy unless it is autoregressive; or a function of tokens [rows, length] (int64) that returns
    log p of each row, [rows], in nats. `x`: held-out tokens [n, length], called `name`, or the name of a data set or file; by default those
    of the judge, if it names any. `top_p`: a curve for each. `length`: tokens per sample of models that take any number. `schedule`: of
    denoisers that have none of their own. `to`: the folder for the picture, frontier.png. Errors are over samples.

    >>> import numpy as np
    >>> from elbow_diffusion import denoiser, frontier
    >>> law = np.log([0.5, 0.3, 0.1, 0.1])
    >>> den = denoiser(lambda z: np.broadcast_to(law, (*z.shape, 4)), values=4, length=8, schedule="linear")
    >>> f = frontier(den, lambda tokens: law[tokens].sum(1), temperatures=[0.5, 1.0], samples=64)
    >>> cold, warm = f.curves[0].points
    >>> cold.perplexity.value < warm.perplexity.value and cold.entropy.value < warm.entropy.value
    True
    """
    several = [models] if isinstance(models, (Denoiser, str, os.PathLike)) else list(models)
    command = Command(["frontier", "--samples", str(samples), "--seed", str(seed)])
    listed = {"temperatures": temperatures, "top-p": top_p}
    options = {name: ",".join(str(float(one)) for one in numbers) or None for name, numbers in listed.items()}
    command.flags({**options, "top-k": top_k, "sampler": sampler, "steps": steps, "length": length})
    with tempfile.TemporaryDirectory(prefix="elbow-") as temporary, ExitStack() as stack:
        folder = Path(temporary) if to is None else Path(to)
        command.flag("to", folder)
        if to is None:
            command.files[str(folder / "frontier.png")] = "frontier.png"
        for model in several:
            stack.enter_context(command.naming(model, schedule if _needs_schedule(model) else None, None))
        if isinstance(judge, (Denoiser, str, os.PathLike)):
            stack.enter_context(command.naming(judge, schedule if _needs_schedule(judge) else None, "judge"))
            fits: Model = judge
        else:
            function = Judging(judge)
            command.functions.append((function.word, function))
            command.flag("judge", function.word)
            fits = several[0]
        if schedule is not None and not any(_needs_schedule(model) for model in [*several, judge]):
            raise InputError(f"schedule = {schedule!r}: all models have their own\n  leave it out")
        give(command, fits, x, None, name)
        return command.run(lambda printed: Frontier(printed, folder / "frontier.png"), progress)


def _needs_schedule(model: object) -> bool:
    return isinstance(model, Denoiser) and model.schedule is None
