"""PyTorch: networks that stay on their device, with cross-entropies of masked tokens and draws of values there.

Logits of [8, 1024, 50257] in single precision are 1.6 GB: they stay where they are, and 8 x 1024 costs or values come back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .errors import InputError
from .functions import Function

CHUNK = 1 << 24
"""Logits that are normalised together: 64 MiB in single precision."""


def masked_costs(
    logits: torch.Tensor,
    x: torch.Tensor,
    masked: torch.Tensor,
    *,
    first: int = 0,
    values: int | None = None,
    chunk: int = CHUNK,
) -> torch.Tensor:
    """-log mu[n, x_n] of the masked tokens and 0 of the others, nats, [rows, length], in single precision on their device.

    `logits` [rows, length, columns], `x` [rows, length] (0 to V - 1), `masked` [rows, length] (bool). mu is the softmax over
    the data's columns alone: `values` of them from column `first`, or all. At most `chunk` logits are copied at a time.

    >>> import torch
    >>> logits = torch.zeros(1, 3, 5)
    >>> masked_costs(logits, torch.tensor([[0, 1, 2]]), torch.tensor([[True, False, True]]), values=4)
    tensor([[1.3863, 0.0000, 1.3863]])
    """
    values = logits.shape[2] - first if values is None else values
    costs = torch.zeros(masked.shape, dtype=torch.float32, device=logits.device)
    row, position = masked.to(logits.device).nonzero().unbind(dim=1)
    targets = x.to(logits.device)
    for part, of_values in _chunks(logits, row, position, first, values, chunk):
        log_mu = of_values.float().log_softmax(dim=1)
        costs[row[part], position[part]] = -log_mu.gather(1, targets[row[part], position[part], None])[:, 0]
    return costs


def drawn_values(
    logits: torch.Tensor,
    rows: torch.Tensor,
    positions: torch.Tensor,
    uniforms: torch.Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    first: int = 0,
    values: int | None = None,
    chunk: int = CHUNK,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A value for each token, and the log of its probability before any tempering, nats: [tokens] each, on the logits' device.

    `logits` [rows, length, columns]; `rows` and `positions` [tokens]: which tokens; `uniforms` [tokens] (float64) in (0, 1): the value is
    the first at which the running sum of probabilities exceeds it. All in double precision, over the data's columns alone: `values` of
    them from column `first`, or all. Logits are divided by the `temperature` (0: the most probable value), then the `top_k` most probable
    are kept, then of those the fewest with a share of `top_p`. At most `chunk` logits are copied at a time.

    >>> import torch
    >>> logits = torch.log(torch.tensor([[[0.5, 0.3, 0.2]]]))
    >>> tokens, uniforms = torch.zeros(3, dtype=torch.int64), torch.tensor([0.4, 0.6, 0.9], dtype=torch.float64)
    >>> drawn_values(logits, tokens, tokens, uniforms)[0]
    tensor([0, 1, 2])
    """
    values = logits.shape[2] - first if values is None else values
    rows, positions, uniforms = (one.to(logits.device) for one in (rows, positions, uniforms))
    found = torch.empty(len(rows), dtype=torch.int64, device=logits.device)
    log_mu = torch.empty(len(rows), dtype=torch.float64, device=logits.device)
    # Double precision, and a sorted copy where probabilities are cut.
    for part, of_values in _chunks(logits, rows, positions, first, values, chunk // 4):
        own = of_values.double().log_softmax(dim=1)
        if temperature == 0.0:
            value = own.argmax(dim=1)
        else:
            p = _cut((own / temperature).softmax(dim=1), top_k, top_p)
            sums = p.cumsum(dim=1)
            # Rounding can leave a remainder: it belongs to the last possible value.
            last = values - 1 - p.gt(0).flip(1).to(torch.int8).argmax(dim=1)
            above = (sums > (uniforms[part] * sums[:, -1])[:, None]).to(torch.int8)
            value = torch.where(above.any(dim=1), above.argmax(dim=1), last)
        found[part] = value
        log_mu[part] = own.gather(1, value[:, None])[:, 0]
    return found, log_mu


def _cut(p: torch.Tensor, top_k: int | None, top_p: float) -> torch.Tensor:
    """The probabilities [tokens, V] that top-k and top-p leave, not normalised."""
    values = p.shape[1]
    if (top_k is None or top_k >= values) and top_p >= 1.0:
        return p
    # Of equals the first.
    ordered, order = p.sort(dim=1, descending=True, stable=True)
    if top_k is not None and top_k < values:
        ordered[:, top_k:] = 0.0
    if top_p < 1.0:
        sums = ordered.cumsum(dim=1)
        ordered[sums - ordered >= top_p * sums[:, -1:]] = 0.0
    cut: torch.Tensor = torch.zeros_like(p).scatter_(1, order, ordered)
    return cut


def _chunks(
    logits: torch.Tensor, rows: torch.Tensor, positions: torch.Tensor, first: int, values: int, chunk: int
) -> Iterator[tuple[slice, torch.Tensor]]:
    """The logits of some tokens over the data's columns, [tokens, values], at most `chunk` of them at a time."""
    size = max(1, chunk // values)
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        yield part, logits[rows[part], positions[part], first : first + values]


class TorchFunction(Function):
    """A module or function of PyTorch, on its own device."""

    def __init__(self, model: Callable[..., Any], *, points: bool, name: str = "", hash: str = "", device: Any) -> None:
        super().__init__(model, points=points, name=name, hash=hash)
        self.has_costs = self.has_draws = not points
        parameters = model.parameters() if isinstance(model, torch.nn.Module) else iter(())
        own = next(iter(parameters), None)
        self.device = torch.device(device) if device is not None else (own.device if own is not None else "cpu")

    def call(self, inputs: list[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        output = self._output(inputs)
        return self.checked(output.float().cpu().numpy(), *inputs[0].shape)

    def costs(
        self,
        inputs: list[npt.NDArray[Any]],
        x: npt.NDArray[np.int64],
        masked: npt.NDArray[np.bool_],
        places: tuple[int, int, int],
    ) -> npt.NDArray[np.float32]:
        before, first, values = places
        output = self._output(inputs)[:, before : before + x.shape[1]]
        first = self.columns(output.shape[2], first, values)
        costs = masked_costs(output, torch.from_numpy(x), torch.from_numpy(masked), first=first, values=values)
        found: npt.NDArray[np.float32] = costs.cpu().numpy()
        return self.costs_checked(found)

    def draws(
        self,
        inputs: list[npt.NDArray[Any]],
        tokens: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
        uniforms: npt.NDArray[np.float64],
        tempering: tuple[float, int | None, float],
        places: tuple[int, int, int],
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        before, first, values = places
        temperature, top_k, top_p = tempering
        output = self._output(inputs)
        first = self.columns(output.shape[2], first, values)
        rows, positions = torch.from_numpy(tokens[0]), torch.from_numpy(tokens[1])
        found, log_mu = drawn_values(
            output,
            rows,
            positions.add(before),
            torch.from_numpy(uniforms),
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            first=first,
            values=values,
        )
        logs: npt.NDArray[np.float64] = log_mu.cpu().numpy()
        self.costs_checked(logs.astype(np.float32)[:, None])
        return found.cpu().numpy(), logs

    def _output(self, inputs: list[npt.NDArray[Any]]) -> torch.Tensor:
        """The output on its device, without a graph of gradients."""
        if getattr(self.model, "training", False):
            raise InputError(f"{self.name} is in training mode, with dropout and the like\n  call its eval() first")
        with torch.no_grad():
            output = self.model(*[torch.from_numpy(array).to(self.device) for array in inputs])
        if not isinstance(output, torch.Tensor):
            raise InputError(f"{self.name} returned a {type(output).__name__}\n  return a tensor")
        rows, length = inputs[0].shape
        self.check_form(list(output.shape), str(output.dtype), output.is_floating_point(), rows, length)
        return output
