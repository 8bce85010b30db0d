"""PyTorch: networks that stay on their device, and cross-entropies of masked tokens there.

Logits of [8, 1024, 50257] in single precision are 1.6 GB: they stay where they are, and 8 x 1024 costs come back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .errors import InputError
from .functions import Function

CHUNK = 1 << 24
"""Logits of masked tokens that are normalised together: 64 MiB in single precision."""


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
    places = masked.to(logits.device).nonzero()
    targets = x.to(logits.device)
    size = max(1, chunk // values)
    for start in range(0, len(places), size):
        row, position = places[start : start + size].unbind(dim=1)
        of_values = logits[row, position, first : first + values].float()
        log_mu = of_values.log_softmax(dim=1)
        costs[row, position] = -log_mu.gather(1, targets[row, position, None])[:, 0]
    return costs


class TorchFunction(Function):
    """A module or function of PyTorch, on its own device."""

    has_costs = True

    def __init__(self, model: Callable[..., Any], *, points: bool, name: str = "", hash: str = "", device: Any) -> None:
        super().__init__(model, points=points, name=name, hash=hash)
        self.has_costs = not points
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
        first = 0 if output.shape[2] == values else first
        if output.shape[2] < first + values:
            what = f"{self.name} returned {output.shape[2]} columns, and the last data id is {first + values - 1}"
            raise InputError(f"{what}\n  correct values or value_ids")
        costs = masked_costs(output, torch.from_numpy(x), torch.from_numpy(masked), first=first, values=values)
        found = costs.cpu().numpy()
        if np.isnan(found).any():
            raise InputError(f"{self.name} returned logits that are not numbers, first in row {np.argwhere(np.isnan(found))[0][0]}"
                             "\n  a network that is judged must give numbers; logits may be -inf")
        return found

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
