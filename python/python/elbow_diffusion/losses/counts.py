"""Objectives that draw numbers of masks in place of times."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .masked import MaskedObjective
from .recorder import Array, Draws
from .toy import LENGTH, MASK, Ids, batch, masked_sets


@dataclass
class AnyOrderObjective(MaskedObjective):
    """(L / k) times the cross-entropies of k masked tokens, k uniform on 1..L: the any-order bound."""

    time: str | None = None

    def describe(self) -> str:
        return self.name

    def counted(self, z: Ids) -> Array:
        """The weight of a row, L / k."""
        found: Array = LENGTH / np.maximum((z == MASK).sum(-1), 1)
        return found

    def values(self, x: Ids, z: Ids, t: Array) -> Array:
        found: Array = self.counted(z) * (self.table.costs(z, x) * (z == MASK)).sum(-1)
        return found

    def gradients(self, draws: Draws) -> Array | None:
        weight = self.counted(draws.z)
        slopes = self.table.slopes(draws.z, draws.x, self.columns) * (draws.z == MASK)[..., None]
        found: Array = weight[..., None, None] * slopes
        return found

    def of_draws(self, draws: Draws) -> Array | None:
        return self.values(draws.x, draws.z, np.empty(0))

    def counts(self) -> Array:
        return np.array([0.0] + [1 / LENGTH] * LENGTH)

    def exact(self) -> float:
        x = batch()
        z, hidden = masked_sets(x)
        count = hidden.sum(1)
        law = np.array([self.counts()[k] / math.comb(LENGTH, int(k)) for k in count])
        values = self.values(np.broadcast_to(x[:, None, :], z.shape), z, np.empty(0))
        return float((values.mean(0) * law).sum())

    def mistakes(self, draws: Draws) -> list[tuple[str, Array]]:
        hidden = draws.z == MASK
        total = (self.table.costs(draws.z, draws.x) * hidden).sum(-1)
        count = hidden.sum(-1)
        weighted = self.counted(draws.z)
        found = super().mistakes(Draws(draws.x, draws.z, None, draws.loss))
        return [(what, weighted * value) for what, value in found] + [
            ("the weight L / k is left out", total),
            ("the weight L / k is applied twice", total / np.maximum(count, 1) ** 2),
            ("the weight is 1 / (k + 1)", total / (count + 1)),
            ("the weight is k / L in place of L / k", total * count),
        ]


@dataclass
class MaskGitObjective(AnyOrderObjective):
    """The mean of the cross-entropies of k = ceil(L cos(pi u / 2)) masked tokens, u uniform."""

    def counted(self, z: Ids) -> Array:
        return super().counted(z) / LENGTH

    def counts(self) -> Array:
        ends = 1 - 2 / np.pi * np.arccos(np.arange(LENGTH + 1) / LENGTH)
        return np.concatenate([[0.0], np.diff(ends)])
