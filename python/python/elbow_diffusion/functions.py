"""Python callables as networks: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import hashlib
import importlib
import json
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

    def checked(self, output: npt.NDArray[Any], rows: int, length: int) -> _Floats:
        """The output in single precision and row-major order, if it is one."""
        self.check_form(list(output.shape), str(output.dtype), np.issubdtype(output.dtype, np.floating), rows, length)
        bad = ~np.isfinite(output) if self.points else np.isnan(output) | np.isposinf(output)
        if bad.any():
            row = int(np.argwhere(bad)[0][0])
            what = f"{self.name} returned {output[bad][0]}: {int(bad.sum())} of {bad.size} numbers, first in row {row}"
            raise InputError(f"{what}\n  a network that is judged must give numbers; logits may be -inf")
        return np.ascontiguousarray(output, dtype=np.float32)

    def check_form(self, shape: list[int], dtype: str, floating: bool, rows: int, length: int) -> None:
        """Refuses an output of another shape or type of numbers than the network of this kind has."""
        if not floating:
            raise InputError(f"{self.name} returned numbers of the type {dtype}\n  return floating-point numbers")
        wanted = "[rows, length]" if self.points else "[rows, length, columns]"
        right = shape == [rows, length] or (len(shape) == 3 and shape[:2] == [rows, length])
        if not right or (len(shape) == 2) != self.points:
            what = f"{self.name} returned the shape {shape} for {rows} rows of {length}"
            raise InputError(f"{what}\n  return {wanted}")


class JaxFunction(Function):
    """A callable of JAX, on JAX's default device."""

    def given(self, inputs: list[npt.NDArray[Any]]) -> list[Any]:
        numpy = importlib.import_module("jax.numpy")
        small = [array.astype(np.int32) if array.dtype == np.int64 else array for array in inputs]
        return [numpy.asarray(array) for array in small]


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


def load(name: str, folder: str, file: str) -> Function:
    """The function `module:function` of a model file; its module may lie in the folder of the file."""
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
    points = json.loads(file)["model"]["kind"] == "gaussian"
    return function(found, framework="auto", device=None, points=points, name=name, hash=hash)
