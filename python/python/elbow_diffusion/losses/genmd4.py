"""GenMD4: a schedule per value, which is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .masked import MaskedObjective
from .recorder import Array, Draws
from .toy import LENGTH, MASK, STATES, Ids, batch, masked_sets

STEP = 1e-20
"""The imaginary step of a derivative: no digits cancel, so that it is exact."""


@dataclass
class GenMd4Objective(MaskedObjective):
    """GenMD4 with 1 - alpha_v = (1 - eps) t^w_v: -r_x log mu_x - r_x + sum over v of r_v mu_v of each masked token, r_v = w_v / t."""

    exponents: tuple[float, ...] = (0.8, 1.0, 1.3)
    eps: float = 1e-4

    def describe(self) -> str:
        return f"{self.name} (exponents {', '.join(map(str, self.exponents))})"

    def rates(self, x: Ids, t: Array) -> Array:
        found: Array = (1 - self.eps) * t[..., None] ** np.array(self.exponents)[x]
        return found

    def values(self, x: Ids, z: Ids, t: Array) -> Array:
        found: Array = self._costs(x, z, np.array(self.exponents)) / t
        return found

    def _costs(self, x: Ids, z: Ids, w: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """t times the loss of each row."""
        own = w[x]
        value = own * self.table.costs(z, x) - own + self.table.mu(z) @ w
        found: npt.NDArray[Any] = (value * (z == MASK)).sum(-1)
        return found

    def exact(self) -> float:
        w = np.array(self.exponents)
        return float(self._mean(w, w))

    def slope(self, with_law: bool = True) -> Array:
        """The derivative of the exact mean by each exponent, [V]; that of the loss at fixed masks, if not `with_law`."""
        w = np.array(self.exponents)
        steps = w + 1j * STEP * np.eye(STATES)
        return np.array([self._mean(one, one if with_law else w).imag / STEP for one in steps])

    def _mean(self, of_loss: npt.NDArray[Any], of_law: npt.NDArray[Any]) -> Any:
        """The exact mean of the loss with one set of exponents under the masks of another, which may be complex."""
        x = batch()
        z, hidden = masked_sets(x)
        t, law = self.grid()
        one = self._costs(np.broadcast_to(x[:, None, :], z.shape), z, of_loss)
        return (law / t * (self._sets(x, hidden, t, of_law) * one).sum(-1).mean(-1)).sum()

    def _sets(self, x: Ids, hidden: npt.NDArray[np.bool_], t: Array, w: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The probability of each set of masks, [times, rows, sets]."""
        each = ((1 - self.eps) * t[:, None, None] ** w[x])[:, :, None, :]
        found: npt.NDArray[Any] = np.where(hidden, each, 1 - each).prod(-1)
        return found

    def counts(self) -> Array:
        x = batch()
        _, hidden = masked_sets(x)
        t, law = self.grid()
        sets = (law[:, None, None] * self._sets(x, hidden, t, np.array(self.exponents))).sum(0).mean(0)
        return np.array([sets[hidden.sum(1) == k].sum() for k in range(LENGTH + 1)])

    def gradients(self, draws: Draws) -> Array | None:
        if draws.t is None:
            return None
        w, mu = np.array(self.exponents), self.table.mu(draws.z)
        found = w[draws.x][..., None] * self.table.slopes(draws.z, draws.x, self.columns)
        found[..., :STATES] += mu * (w - (mu @ w)[..., None])
        result: Array = found * (draws.z == MASK)[..., None] / draws.t[..., None, None]
        return result

    def mistakes(self, draws: Draws) -> list[tuple[str, Array]]:
        x, z, t = draws.x, draws.z, draws.t
        if t is None:
            return []
        hidden, w, costs = z == MASK, np.array(self.exponents), self.table.costs(z, x)
        own = w[x]
        means = self.table.mu(z) @ w
        return [
            (what, (value * hidden).sum(-1) / t)
            for what, value in [
                ("the terms without a logarithm are left out: r_x CE alone", own * costs),
                ("the term -r_x is left out", own * costs + means),
                ("the term sum r_v mu_v is left out", own * costs - own),
                ("one rate for all values: CE / t", costs),
            ]
        ]
