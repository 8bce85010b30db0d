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

GRADIENTS = 100
"""Calls of a loss of PyTorch whose gradient is taken: what has no chance in it needs no more."""


@dataclass
class Call:
    """One call of the denoiser, or a part of it with a row per row of x."""

    z: npt.NDArray[Any]
    """[rows, width]."""
    t: Array | None
    """What it was told with z, [rows, times]."""
    leaf: Any = None
    """The tensor that it gave, where gradients are taken."""
    gradient: Array | None = None
    """The derivative of the loss by the output, [rows, width, ...]."""


@dataclass
class Recorder:
    """A denoiser `(z, t)` over exact numbers. `answer` gives its output for z, t and the number of the call in its loss."""

    answer: Callable[[npt.NDArray[Any], Array | None, int], npt.NDArray[Any]]
    widths: tuple[int, ...]
    """Numbers of tokens or coordinates per row that it takes."""
    with_gradient: bool = False
    calls: list[Call] = field(default_factory=list)
    """The calls of the current loss."""

    def __call__(self, z: Any, t: Any = None, *_: Any, **__: Any) -> Any:
        rows = to_numpy(z)
        if rows.ndim < 2 or rows[0].size not in self.widths:
            widths = " or ".join(str(width) for width in self.widths)
            raise InputError(f"the denoiser was given z of the shape {list(rows.shape)}\n  give [rows, {widths}]")
        flat = rows.reshape(len(rows), -1)
        times = None if t is None else np.array(to_numpy(t), dtype=np.float64)
        if times is not None:
            if times.size not in (1, len(rows)) and (times.ndim < 2 or len(times) != len(rows)):
                what = f"the denoiser was given {times.size} times for {len(rows)} rows"
                raise InputError(f"{what}\n  give one per row, or one")
            times = np.full((len(rows), 1), times.ravel()[0]) if times.size == 1 else times.reshape(len(rows), -1)
        output = self.answer(flat, times, len(self.calls))
        given = like(z, output.reshape(*rows.shape, *output.shape[2:]))
        call = Call(np.array(flat), times)
        if self.with_gradient and hasattr(given, "requires_grad_"):
            call.leaf = given.requires_grad_()
            # A loss may write into what it was given.
            given = given.clone()
        self.calls.append(call)
        return given


def one_time(t: Array) -> Array:
    """One time per row, where the denoiser was told several, [calls, rows, times]."""
    if np.ptp(t, axis=-1).max() > 0:
        raise InputError(f"the denoiser was given {t.shape[-1]} different times for a row\n  this objective has one time per row")
    found: Array = t[..., 0]
    return found


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
class Round:
    """One call of a loss."""

    x: npt.NDArray[Any]
    """[batch, length]."""
    calls: list[Call]
    """The denoiser's, with a row per row of x each."""
    loss: Array
    """[batch], or [1] where the loss gives a mean over the batch."""
    slope: Array | None = None
    """The derivative of the loss's mean over the batch by the parameters of the schedule."""


@dataclass
class Draws:
    """The calls of a loss, one row per drawn z."""

    x: npt.NDArray[Any]
    """[calls, rows, length]."""
    z: npt.NDArray[Any]
    """[calls, rows, length]."""
    t: Array | None
    """[calls, rows]."""
    loss: Array
    """[calls, batch], or [calls] where the loss gives a mean over the batch."""
    parts: int = 1
    """Rows, one after the other, that make one row of the batch."""
    gradient: Array | None = None
    """The derivative of the loss's sum by the output, [first calls, rows, width, ...]."""


def play(
    loss: Callable[..., Any],
    recorder: Recorder,
    data: npt.NDArray[Any],
    calls: int,
    order: np.random.Generator,
    give: Callable[[], dict[str, Any]],
    sample: Any,
) -> list[Round]:
    """Calls the loss, `loss(denoiser, x)`, again and again, and keeps what it gave the denoiser.

    The rows come in another order at each call: a loss that draws the times of its rows in rising order is right in the mean.
    """
    rounds = []
    for number in range(calls):
        recorder.calls, recorder.with_gradient = [], sample is not None and number < GRADIENTS
        x = data[order.permutation(len(data))]
        offered = give()
        found = loss(recorder, like(sample, x) if sample is not None else x.copy(), **offered)
        own_slope = None
        if isinstance(found, tuple) and len(found) == 2:
            found, own_slope = found
        value = _checked(np.asarray(to_numpy(found), dtype=np.float64), data.shape)
        slope = _differentiate(found, recorder.calls, offered.get("exponents"), value.size)
        if own_slope is not None:
            slope = np.asarray(to_numpy(own_slope), dtype=np.float64)
        made = [part for call in recorder.calls for part in _split(call, len(data))]
        rounds.append(Round(x, made, value, slope))
    return rounds


def _checked(value: Array, shape: tuple[int, ...]) -> Array:
    """The value of a loss, one per row or their mean."""
    batch, length = shape
    if not np.isfinite(value).all():
        raise InputError(f"the loss is {value[~np.isfinite(value)][0]}\n  every value of the denoiser is finite")
    if value.shape not in ((), (1,), (batch,), (batch, 1), (batch, length)):
        what = f"the loss has the shape {list(value.shape)} for x of [{batch}, {length}]"
        raise InputError(f"{what}\n  return a mean over the batch, or a number per row or per token")
    found: Array = value.sum(1) if value.shape == (batch, length) else value.reshape(-1)
    return found


def _differentiate(loss: Any, calls: list[Call], exponents: Any, values: int) -> Array | None:
    """Keeps the derivatives of a loss of PyTorch by the denoiser's outputs; the one by the schedule's exponents."""
    if not getattr(loss, "requires_grad", False):
        return None
    torch = importlib.import_module("torch")
    inputs = [call.leaf for call in calls if call.leaf is not None]
    learned = getattr(exponents, "requires_grad", False)
    inputs += [exponents] if learned else []
    if not inputs:
        return None
    found = torch.autograd.grad(loss.sum(), inputs, allow_unused=True)
    arrays = [np.zeros(tuple(one.shape)) if grad is None else to_numpy(grad).astype(np.float64) for one, grad in zip(inputs, found)]
    for call, array in zip([call for call in calls if call.leaf is not None], arrays):
        call.gradient = array
    return arrays[-1] / values if learned else None


def _split(call: Call, batch: int) -> list[Call]:
    """The call in parts with a row per row of x, one after the other as `torch.cat` puts them."""
    if not len(call.z) or len(call.z) % batch:
        return [call]
    parts = [slice(start, start + batch) for start in range(0, len(call.z), batch)]
    t, gradient = call.t, call.gradient
    return [Call(call.z[one], None if t is None else t[one], gradient=None if gradient is None else gradient[one]) for one in parts]
