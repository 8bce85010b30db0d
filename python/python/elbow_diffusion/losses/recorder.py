"""The denoiser that a loss is given: it knows the answers, and records the calls."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import to_numpy
from ..errors import InputError

Array = npt.NDArray[np.float64]


@dataclass
class Recorder:
    """A denoiser `(z, t)` over exact numbers. `answer` gives its output for z and t in double precision."""

    answer: Callable[[npt.NDArray[Any], Array | None], npt.NDArray[Any]]
    length: int
    """Tokens or coordinates per row."""
    z: list[npt.NDArray[Any]] = field(default_factory=list)
    """The z of each call of the current loss."""
    t: list[Array | None] = field(default_factory=list)
    """The t of each call, one per row."""

    def __call__(self, z: Any, t: Any = None, *_: Any, **__: Any) -> Any:
        rows = to_numpy(z)
        if rows.ndim < 2 or rows[0].size != self.length:
            raise InputError(f"the denoiser was given z of the shape {list(rows.shape)}\n  give [rows, {self.length}]")
        flat = rows.reshape(len(rows), self.length)
        times = None if t is None else np.array(to_numpy(t), dtype=np.float64).reshape(-1)
        if times is not None and len(times) not in (1, len(rows)):
            what = f"the denoiser was given {len(times)} times for {len(rows)} rows"
            raise InputError(f"{what}\n  give one per row, or one")
        if times is not None:
            times = np.broadcast_to(times, (len(rows),)).copy()
        self.z.append(np.array(flat))
        self.t.append(times)
        output = self.answer(flat, times)
        return like(z, output.reshape(*rows.shape, *output.shape[2:]))

    def clear(self) -> None:
        """Forgets the calls."""
        self.z.clear()
        self.t.clear()


def like(model: Any, array: npt.NDArray[Any]) -> Any:
    """The array in the framework and on the device of `model`, in single precision; NumPy's keeps double precision."""
    framework = type(model).__module__.partition(".")[0]
    if framework == "torch":
        torch = importlib.import_module("torch")
        single = array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array
        return torch.from_numpy(np.ascontiguousarray(single)).to(model.device)
    if framework in ("jax", "jaxlib"):
        return importlib.import_module("jax.numpy").asarray(array)
    return array


@dataclass
class Draws:
    """The calls of a loss, one row per drawn z."""

    x: npt.NDArray[Any]
    """[calls, batch, length]."""
    z: npt.NDArray[Any]
    """[calls, batch, length]."""
    t: Array | None
    """[calls, batch]."""
    loss: Array
    """[calls, batch], or [calls] where the loss gives a mean over the batch."""


def draw(
    loss: Callable[..., Any],
    recorder: Recorder,
    data: npt.NDArray[Any],
    calls: int,
    order: np.random.Generator,
    give: Callable[[], dict[str, Any]],
    sample: Any,
) -> Draws:
    """Calls the loss, `loss(denoiser, x)`, and lines its values up with the z and t of the denoiser's calls.

    The rows come in another order at each call: a loss that draws the times of its rows in rising order is right in the mean.
    """
    batch, length = data.shape
    xs, z, t, values = [], [], [], []
    for _ in range(calls):
        recorder.clear()
        x = data[order.permutation(batch)]
        given = like(sample, x) if sample is not None else x.copy()
        value = np.asarray(to_numpy(loss(recorder, given, **give())), dtype=np.float64)
        if not np.isfinite(value).all():
            raise InputError(f"the loss is {value[~np.isfinite(value)][0]}\n  every value of the denoiser is finite")
        if value.shape not in ((), (1,), (batch,), (batch, 1), (batch, length)):
            what = f"the loss has the shape {list(value.shape)} for x of {list(x.shape)}"
            raise InputError(f"{what}\n  return a mean over the batch, or a number per row or per token")
        if len(recorder.z) != 1 or len(recorder.z[0]) != batch:
            rows = [len(rows) for rows in recorder.z]
            what = f"the loss called the denoiser {len(rows)} times, with {rows} rows, for {batch} sequences"
            raise InputError(f"{what}\n  one call with a row per sequence can be checked")
        xs.append(x)
        z.append(recorder.z[0])
        t.append(recorder.t[0])
        values.append(value.reshape(batch, length).sum(1) if value.shape == (batch, length) else value.reshape(-1))
    shape = (calls, batch) if values[0].size == batch and batch > 1 else (calls,)
    known = [one for one in t if one is not None]
    times = np.stack(known) if len(known) == calls else None
    return Draws(np.stack(xs), np.stack(z), times, np.concatenate(values).reshape(shape))
