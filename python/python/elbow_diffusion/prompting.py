"""A masked denoiser behind a prompt: the denoiser of what comes after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .denoisers import Denoiser
from .errors import InputError
from .functions import Function


class Prompted(Function):
    """A network that is told a prompt before what it is given, and masks up to its window behind it."""

    def __init__(self, inner: Function, before: int, prompt: npt.NDArray[np.int64], behind: npt.NDArray[np.int64]) -> None:
        super().__init__(inner.model, points=False, name=inner.name, hash=inner.hash)
        self.inner = inner
        self.has_costs, self.has_draws = inner.has_costs, inner.has_draws
        self.prompt, self.behind = prompt, behind
        self.before = before
        """Tokens of the frame, which stay in front of the prompt."""

    def call(self, inputs: list[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        width = inputs[0].shape[1]
        output = self.inner.call([self._joined(inputs[0]), *inputs[1:]])
        kept = output[:, len(self.prompt) : len(self.prompt) + width]
        if self.before:
            kept = np.concatenate([output[:, : self.before], kept[:, self.before :]], axis=1)
        return np.ascontiguousarray(kept)

    def costs(
        self,
        inputs: list[npt.NDArray[Any]],
        x: npt.NDArray[np.int64],
        masked: npt.NDArray[np.bool_],
        places: tuple[int, int, int],
    ) -> npt.NDArray[np.float32]:
        return self.inner.costs([self._joined(inputs[0]), *inputs[1:]], x, masked, self._behind(places))

    def draws(
        self,
        inputs: list[npt.NDArray[Any]],
        tokens: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
        uniforms: npt.NDArray[np.float64],
        tempering: tuple[float, int | None, float],
        places: tuple[int, int, int],
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        joined = [self._joined(inputs[0]), *inputs[1:]]
        return self.inner.draws(joined, tokens, uniforms, tempering, self._behind(places))

    def _behind(self, places: tuple[int, int, int]) -> tuple[int, int, int]:
        before, first, values = places
        return before + len(self.prompt), first, values

    def _joined(self, z: npt.NDArray[Any]) -> npt.NDArray[Any]:
        rows = len(z)
        parts = [z[:, : self.before], np.tile(self.prompt, (rows, 1)), z[:, self.before :], np.tile(self.behind, (rows, 1))]
        return np.concatenate(parts, axis=1)


def prompted(den: Denoiser, prompt: Sequence[int], length: int) -> Denoiser:
    """The denoiser of `length` tokens behind a prompt of data ids 0 to V - 1.

    A network with a window of its own sees masks behind them: its bound is that of the tokens whatever follows.
    """
    model = den.tables["model"]
    if model["kind"] != "masked":
        raise InputError(f"a prompt of a denoiser of the kind {model['kind']}\n  give a masked one")
    ids = np.asarray(prompt, dtype=np.int64).reshape(-1)
    if ids.size and not (0 <= ids.min() and ids.max() < den.values):
        raise InputError(f"a prompt with ids from {ids.min()} to {ids.max()}\n  give ids from 0 to {den.values - 1}")
    window = model["length"]
    if window is not None and len(ids) + length > window:
        raise InputError(f"{len(ids)} + {length} tokens where the window has {window}\n  shorten the prompt")
    frame = model["frame"] or {}
    if window is not None and frame.get("last") is not None:
        raise InputError("a frame behind a window of its own, and a prompt\n  leave out the frame's last token")
    first = model["value_ids"][0] if model["value_ids"] else 0
    mask_id = model["mask_id"] if model["mask_id"] is not None else den.values
    behind = np.full(0 if window is None else window - len(ids) - length, mask_id, dtype=np.int64)
    before = 0 if frame.get("first") is None else 1
    function = Prompted(den.function, before, ids + first, behind)
    return replace(den, function=function, tables={**den.tables, "model": {**model, "length": length}})
