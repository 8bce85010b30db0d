"""Python callables as networks: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import to_numpy
from .errors import InputError

_Floats = npt.NDArray[np.float32]


class Function:
    """A callable as the network of a model file. The native half calls it, from the thread that called elbow.

    `model(z, t, class)` gets arrays of its own framework, as many of them as the model file names: tokens [rows, length]
    (int64) or points [rows, length] (float32), the time [rows] (float32) and the class [rows] (int64).
    """

    has_costs = False
    """Whether `costs` gives the costs of masked tokens without their logits."""
    has_draws = False
    """Whether `draws` gives values without their logits."""

    def __init__(self, model: Callable[..., Any], *, points: bool, name: str = "", hash: str = "") -> None:
        self.model = model
        self.points = points
        self.name = name or getattr(model, "__name__", type(model).__name__)
        self.hash = hash
        """SHA-256 of the file that defines the callable, where there is one."""

    def call(self, inputs: list[npt.NDArray[Any]]) -> _Floats:
        """The output for these inputs: [rows, length, columns] of tokens, [rows, length] of points."""
        return self.checked(to_numpy(self.model(*self.given(inputs))), *inputs[0].shape)

    def given(self, inputs: list[npt.NDArray[Any]]) -> list[Any]:
        """The inputs as arrays of the callable's framework."""
        return list(inputs)

    def costs(
        self,
        inputs: list[npt.NDArray[Any]],
        x: npt.NDArray[np.int64],
        masked: npt.NDArray[np.bool_],
        places: tuple[int, int, int],
    ) -> _Floats:
        """-log mu of the masked tokens and 0 of the others, [rows, length], nats; see `has_costs`.

        `places`: number of tokens of the frame before a sequence, column of the first data value, number of data values.
        """
        raise NotImplementedError

    def draws(
        self,
        inputs: list[npt.NDArray[Any]],
        tokens: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
        uniforms: npt.NDArray[np.float64],
        tempering: tuple[float, int | None, float],
        places: tuple[int, int, int],
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """A value for each of `tokens` (rows and positions), and the log of its own probability, nats; see `has_draws`.

        `uniforms` in (0, 1): one per token. `tempering`: temperature, top-k and top-p. `places`: as in `costs`.
        """
        raise NotImplementedError

    def columns(self, width: int, first: int, values: int) -> int:
        """The column of the first data value in an output of this width: one of V columns has those alone."""
        first = 0 if width == values else first
        if width < first + values:
            what = f"{self.name} returned {width} columns, and the last data id is {first + values - 1}"
            raise InputError(f"{what}\n  correct values or value_ids")
        return first

    def checked(self, output: npt.NDArray[Any], rows: int, length: int) -> _Floats:
        """The output in single precision and row-major order, if it is one."""
        self.check_form(list(output.shape), str(output.dtype), np.issubdtype(output.dtype, np.floating), rows, length)
        bad = ~np.isfinite(output) if self.points else np.isnan(output) | np.isposinf(output)
        if bad.any():
            row = int(np.argwhere(bad)[0][0])
            what = f"{self.name} returned {output[bad][0]}: {int(bad.sum())} of {bad.size} numbers, first in row {row}"
            raise InputError(f"{what}\n  a network that is judged must give numbers; logits may be -inf")
        return np.ascontiguousarray(output, dtype=np.float32)

    def costs_checked(self, costs: _Floats) -> _Floats:
        """The costs, if they are numbers."""
        bad = np.isnan(costs)
        if bad.any():
            row = int(np.argwhere(bad)[0][0])
            what = f"{self.name} returned logits that are not numbers, first in row {row}"
            raise InputError(f"{what}\n  a network that is judged must give numbers; logits may be -inf")
        return costs

    def check_form(self, shape: list[int], dtype: str, floating: bool, rows: int, length: int) -> None:
        """Refuses an output of another shape or type of numbers than the network of this kind has."""
        if not floating:
            raise InputError(f"{self.name} returned numbers of the type {dtype}\n  return floating-point numbers")
        wanted = "[rows, length]" if self.points else "[rows, length, columns]"
        right = shape == [rows, length] or (len(shape) == 3 and shape[:2] == [rows, length])
        if not right or (len(shape) == 2) != self.points:
            what = f"{self.name} returned the shape {shape} for {rows} rows of {length}"
            raise InputError(f"{what}\n  return {wanted}")


class Judging(Function):
    """A function of tokens [rows, length] that returns log p of each row, [rows], in nats."""

    def __init__(self, model: Callable[..., Any], *, name: str = "", hash: str = "") -> None:
        if not callable(model):
            raise InputError(f"{model!r} is no judge\n  give a model, or a function of tokens [rows, length]")
        super().__init__(model, points=True, name=name, hash=hash)

    @property
    def word(self) -> str:
        """Its name on the command line, of the form `module:function`."""
        return "judge:" + re.sub(r"[^A-Za-z0-9_.]", "_", self.name)

    def check_form(self, shape: list[int], dtype: str, floating: bool, rows: int, length: int) -> None:
        if not floating or shape != [rows]:
            what = f"{self.name} returned the shape {shape} of {dtype} for {rows} rows"
            raise InputError(f"{what}\n  return log p of each row, [rows], in nats")


class JaxFunction(Function):
    """A callable of JAX, on JAX's default device, where the costs of masked tokens are computed too."""

    def __init__(self, model: Callable[..., Any], *, points: bool, name: str = "", hash: str = "") -> None:
        super().__init__(model, points=points, name=name, hash=hash)
        self.has_costs = not points

    def given(self, inputs: list[npt.NDArray[Any]]) -> list[Any]:
        numpy = importlib.import_module("jax.numpy")
        small = [array.astype(np.int32) if array.dtype == np.int64 else array for array in inputs]
        return [numpy.asarray(array) for array in small]

    def costs(
        self,
        inputs: list[npt.NDArray[Any]],
        x: npt.NDArray[np.int64],
        masked: npt.NDArray[np.bool_],
        places: tuple[int, int, int],
    ) -> _Floats:
        jax, numpy = importlib.import_module("jax"), importlib.import_module("jax.numpy")
        before, first, values = places
        output = numpy.asarray(self.model(*self.given(inputs)))
        floating = bool(numpy.issubdtype(output.dtype, numpy.floating))
        self.check_form(list(output.shape), str(output.dtype), floating, *inputs[0].shape)
        first = self.columns(output.shape[2], first, values)
        logits = output[:, before : before + x.shape[1], first : first + values].astype(numpy.float32)
        chosen = numpy.take_along_axis(logits, numpy.asarray(x.astype(np.int32))[:, :, None], axis=2)[:, :, 0]
        costs = numpy.where(numpy.asarray(masked), jax.nn.logsumexp(logits, axis=2) - chosen, 0.0)
        return self.costs_checked(np.asarray(costs, dtype=np.float32))


def function(
    model: Callable[..., Any], *, framework: str, device: Any, points: bool, name: str = "", hash: str = ""
) -> Function:
    """The callable as a network. `framework`: numpy, torch, jax, or auto, which is torch for a `torch.nn.Module`."""
    if not callable(model):
        raise InputError(f"{model!r} cannot be called\n  give a function of (z, t) or a module")
    if framework == "auto":
        modules = [f"{one.__module__}.{one.__qualname__}" for one in type(model).__mro__]
        framework = "torch" if "torch.nn.modules.module.Module" in modules else "numpy"
    if framework == "torch":
        from .torch import TorchFunction

        return TorchFunction(model, points=points, name=name, hash=hash, device=device)
    if device is not None:
        raise InputError(f"device = {device!r} is one of framework = 'torch'\n  leave it out")
    if framework not in ("numpy", "jax"):
        raise InputError(f"framework = {framework!r}\n  choose one of auto, numpy, torch, jax")
    return (JaxFunction if framework == "jax" else Function)(model, points=points, name=name, hash=hash)


def load(name: str, folder: str, file: str | None) -> Function:
    """The function `module:function` of a model file, or without one a judge; its module may lie in `folder`."""
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not path:
        raise InputError(f"python = {name!r}\n  name a function of a module: python = \"my_model:denoiser\"")
    sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    finally:
        sys.path.remove(folder)
    found: Any = module
    for part in path.split("."):
        if not hasattr(found, part):
            raise InputError(f"python = {name!r}: {module_name} has no {part}\n  correct the model file")
        found = getattr(found, part)
    source = getattr(module, "__file__", None)
    hash = hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else ""
    if isinstance(found, Function):
        found.hash = hash
        return found
    if file is None:
        return Judging(found, name=name, hash=hash)
    points = json.loads(file)["model"]["kind"] == "gaussian"
    return function(found, framework="auto", device=None, points=points, name=name, hash=hash)
