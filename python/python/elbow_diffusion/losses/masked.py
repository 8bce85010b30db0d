"""Objectives of masked diffusion over a toy whose denoiser is a table, with the mistakes that look like them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _elbow
from ..errors import InputError
from .recorder import Array, Draws

Ids = npt.NDArray[np.int64]

STATES, LENGTH = 3, 4
MASK = STATES
# Sixteen words, a word as often as its probability in sixteenths: a batch of them is the law of the data.
WORDS = ["0012"] * 3 + ["0102"] * 2 + ["1120"] * 3 + ["2210", "2201", "0000", "1111"] + ["2012"] * 2 + ["1021", "0221"]
TOY = {
    "states": STATES,
    "length": LENGTH,
    "data": {word: WORDS.count(word) / 16 for word in WORDS},
    "denoiser": {"kind": "tempered", "temperature": 1.6, "floor": 0.05},
}
SCHEDULES = ["linear", "cosine", "poly:0.5", "poly:2", "poly:3", "geometric", "loglinear", "md4:linear", "md4:cosine"]
WEIGHTINGS = ["elbo", "simple", "sigmoid:0", "sigmoid:2", "fm", "iddpm", "edm", "p2:1", "min-snr:5", "snr", "indi"]


def batch() -> Ids:
    """The words, [16, 4]."""
    return np.array([[int(digit) for digit in word] for word in WORDS])


class Table:
    """The denoiser: logits of every partially masked sequence, with a column for the mask that a loss should leave out."""

    def __init__(self) -> None:
        symbols = STATES + 1
        patterns = symbols**LENGTH
        mu = _elbow.masked_table(json.dumps(TOY)).reshape(patterns, LENGTH, STATES)
        rng = np.random.default_rng(0)
        # What it says at visible positions should not matter; it differs from what is there.
        careless = rng.dirichlet(np.ones(STATES), size=(patterns, LENGTH))
        digits = patterns_of(np.arange(patterns))
        mu = np.where((digits == MASK)[:, :, None], mu, careless)
        mask = rng.normal(size=(patterns, LENGTH, 1))
        self.logits = np.concatenate([np.log(mu), mask], axis=2)

    def answer(self, z: npt.NDArray[Any], columns: int) -> Array:
        """Logits [n, length, columns]."""
        return self.logits[number(z)][:, :, :columns]

    def costs(self, z: Ids, x: Ids, columns: int = STATES) -> Array:
        """-log of the softmax over the first `columns` at x_n, of visible positions too: [..., length], nats."""
        logits = self.logits[number(z)][..., :columns]
        normaliser = np.log(np.exp(logits).sum(-1))
        found: Array = normaliser - np.take_along_axis(logits, x[..., None], -1)[..., 0]
        return found

    def mu(self, z: Ids) -> Array:
        """Probabilities of the values, [..., length, V]."""
        found: Array = np.exp(self.logits[number(z)][..., :STATES])
        return found


def number(z: npt.NDArray[Any]) -> Ids:
    """The number of each pattern, the first position most significant."""
    ids = np.asarray(z, dtype=np.int64)
    if ids.size and not (0 <= ids.min() and ids.max() <= MASK):
        raise InputError(f"the denoiser was given ids from {ids.min()} to {ids.max()}\n  the values are 0 to {MASK - 1}, the mask {MASK}")
    found: Ids = (ids * (STATES + 1) ** np.arange(LENGTH)[::-1]).sum(-1)
    return found


def patterns_of(numbers: Ids) -> Ids:
    """The digits of patterns."""
    return (numbers[:, None] // (STATES + 1) ** np.arange(LENGTH)[::-1]) % (STATES + 1)


def masked_sets(x: Ids) -> tuple[Ids, npt.NDArray[np.bool_]]:
    """Every partially masked form of each row, [rows, 2^L, L], and the sets [2^L, L]."""
    hidden = (np.arange(2**LENGTH)[:, None] >> np.arange(LENGTH) & 1).astype(bool)
    return np.where(hidden, MASK, x[:, None, :]), hidden


def nodes(count: int = 400) -> tuple[Array, Array]:
    """Nodes and weights of quadrature over (0, 1), dense at both ends."""
    points, weights = np.polynomial.legendre.leggauss(count)
    u = (points + 1) / 2
    return np.sin(np.pi * u / 2) ** 2, weights / 2 * np.pi / 2 * np.sin(np.pi * u)


@dataclass
class MaskedObjective:
    """A weighted sum of the cross-entropies of the masked tokens, each masked by itself with the probability 1 - alpha(t)."""

    name: str
    schedule: str
    weighting: str = "elbo"
    steps: int | None = None
    """T of a loss in discrete time; t is a multiple of 1/T."""
    first_time: float = 0.0
    """Times are uniform from here to 1."""
    columns: int = STATES
    """Columns of the denoiser's output: V, or V + 1 with one for the mask."""
    time: str | None = "time"
    """What the loss tells the denoiser: time, mask-rate, log-snr, sigma = -log alpha, or nothing."""
    table: Table = field(default_factory=Table)

    def describe(self) -> str:
        """Name, schedule, weighting."""
        steps = "" if self.steps is None else f", {self.steps} steps"
        return f"{self.name} (schedule {self.schedule}, weighting {self.weighting}{steps})"

    def masked(self, t: Array) -> Array:
        """1 - alpha(t)."""
        return _elbow.masked_schedule(self.schedule, t.ravel())[1].reshape(t.shape)

    def rate(self, t: Array, schedule: str | None = None) -> Array:
        """r(t) = -alpha' / (1 - alpha), or its form in discrete time."""
        alpha, masked, slope = (one.reshape(t.shape) for one in _elbow.masked_schedule(schedule or self.schedule, t.ravel()))
        if self.steps is None:
            return -slope / masked
        before = _elbow.masked_schedule(schedule or self.schedule, (t - 1 / self.steps).clip(0.0).ravel())[1].reshape(t.shape)
        return self.steps * (masked - before) / masked

    def factor(self, t: Array, weighting: str | None = None) -> Array:
        """w~(t)."""
        alpha, masked, _ = (one for one in _elbow.masked_schedule(self.schedule, t.ravel()))
        with np.errstate(divide="ignore"):
            log_snr = np.log(alpha / masked)
        return _elbow.weights("masked", self.schedule, weighting or self.weighting, log_snr).reshape(t.shape)

    def weight(self, t: Array) -> Array:
        """w~(t) r(t)."""
        return self.factor(t) * self.rate(t)

    def values(self, x: Ids, z: Ids, t: Array) -> Array:
        """The loss of each row, nats per sequence."""
        found: Array = self.weight(t) * (self.table.costs(z, x) * (z == MASK)).sum(-1)
        return found

    def of_draws(self, draws: Draws) -> Array | None:
        """The loss of each drawn row; none where it depends on a time that the loss did not tell."""
        return None if draws.t is None else self.values(draws.x, draws.z, draws.t)

    def times(self, told: Array) -> Array:
        """The times that the loss drew, from what it told the denoiser."""
        if self.time == "time":
            return told
        with np.errstate(divide="ignore"):
            meanings: dict[str, Callable[[], Array]] = {
                "mask-rate": lambda: np.log((1 - told) / told),
                "log-snr": lambda: told,
                "sigma": lambda: -np.log(np.expm1(told)),
            }
            log_snr = meanings[str(self.time)]()
        return _elbow.times_of_log_snr("masked", self.schedule, log_snr.ravel()).reshape(told.shape)

    def grid(self) -> tuple[Array, Array]:
        """Times and their probabilities."""
        if self.steps is not None:
            return np.arange(1, self.steps + 1) / self.steps, np.full(self.steps, 1 / self.steps)
        t, weights = nodes()
        return self.first_time + (1 - self.first_time) * t, weights

    def exact(self) -> float:
        """The mean of the loss over the data, nats per sequence."""
        x = batch()
        z, hidden = masked_sets(x)
        t, law = self.grid()
        masked = self.masked(t)[:, None]
        count = hidden.sum(1)
        sets = masked**count * (1 - masked) ** (LENGTH - count)
        costs = (self.table.costs(z, np.broadcast_to(x[:, None, :], z.shape)) * hidden).sum(-1).mean(0)
        # The loss is the weight times the costs, whatever the weights of the rows: one sum over sets per time.
        return float((law * self.weight(t) * (sets @ costs)).sum())

    def counts(self) -> Array:
        """The probability of k masked tokens, k = 0..L, over all times."""
        t, law = self.grid()
        masked = self.masked(t)[:, None]
        k = np.arange(LENGTH + 1)
        choose = np.array([math.comb(LENGTH, int(one)) for one in k])
        found: Array = (law[:, None] * choose * masked**k * (1 - masked) ** (LENGTH - k)).sum(0)
        return found

    def mistakes(self, draws: Draws) -> list[tuple[str, Array]]:
        """Losses that are often in the place of this one, with what is wrong with them; up to a factor each."""
        x, z, t = draws.x, draws.z, draws.t
        hidden = z == MASK
        costs, with_mask = self.table.costs(z, x), self.table.costs(z, x, STATES + 1)
        total = (costs * hidden).sum(-1)
        found: list[tuple[str, Array]] = []
        weight = np.ones(total.shape) if t is None else self.weight(t)
        count = np.maximum(hidden.sum(-1), 1)
        found += [
            ("the mean over the masked tokens in place of their sum", weight * total / count),
            ("the mask is counted among the values: its logit enters the softmax", weight * (with_mask * hidden).sum(-1)),
            ("the visible tokens are counted too", weight * costs.sum(-1)),
            ("the visible tokens are counted too, and the mask among the values", weight * with_mask.sum(-1)),
            ("the visible tokens are counted in place of the masked ones", weight * (costs * ~hidden).sum(-1)),
            ("the targets are shifted by one position", weight * (self.table.costs(z, np.roll(x, -1, -1)) * hidden).sum(-1)),
            ("the targets are shifted by one position", weight * (self.table.costs(z, np.roll(x, 1, -1)) * hidden).sum(-1)),
            ("a probability in place of its logarithm", weight * (np.exp(-costs) * hidden).sum(-1)),
            ("one minus a probability in place of its logarithm", weight * ((1 - np.exp(-costs)) * hidden).sum(-1)),
        ]
        spread = -np.log(self.table.mu(z)).mean(-1)
        smoothed = [(eps, (1 - eps) * costs + eps * spread) for eps in (0.05, 0.1, 0.2)]
        found += [(f"the targets are smoothed by {eps}", weight * (cost * hidden).sum(-1)) for eps, cost in smoothed]
        if t is None:
            return found
        with np.errstate(divide="ignore", invalid="ignore"):
            alpha, masked, slope = (one.reshape(t.shape) for one in _elbow.masked_schedule(self.schedule, t.ravel()))
            rate, factor = self.rate(t), self.factor(t)
            found += [
                ("the weight is left out", total),
                ("the weight is left out, and the mean over the masked tokens is in place of their sum", total / count),
                ("the weight is applied twice", weight * weight * total),
                ("the weighting is applied twice", factor * weight * total),
                ("the schedule's derivative is left out: 1 / (1 - alpha) in place of -alpha' / (1 - alpha)", factor * total / masked),
                ("the division by 1 - alpha is left out: -alpha' in place of -alpha' / (1 - alpha)", -slope * factor * total),
                ("sigma' in place of sigma' / (e^sigma - 1)", -slope / alpha * factor * total),
                ("alpha in place of 1 - alpha: -alpha' / alpha", -slope / alpha * total),
                ("the time runs backwards in the weight: r(1 - t)", self.weight(1 - t) * total),
                ("the weight is its own inverse", total / weight),
            ]
            found += [
                (f"the weighting is {name}", self.factor(t, name) * rate * total) for name in WEIGHTINGS if name != self.weighting
            ]
            found += [
                (f"the weight is that of the schedule {name}", self.rate(t, name) * factor * total)
                for name in SCHEDULES
                if name != self.schedule
            ]
            if self.steps is not None:
                found.append(("the weight is that of continuous time", factor * -slope / masked * total))
        return found


@dataclass
class AnyOrderObjective(MaskedObjective):
    """(L / k) times the cross-entropies of k masked tokens, k uniform on 1..L: the any-order bound."""

    time: str | None = None

    def describe(self) -> str:
        return self.name

    def values(self, x: Ids, z: Ids, t: Array) -> Array:
        hidden = z == MASK
        found: Array = LENGTH / np.maximum(hidden.sum(-1), 1) * (self.table.costs(z, x) * hidden).sum(-1)
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
        weighted = self.values(draws.x, draws.z, np.empty(0)) / np.where(total > 0, total, 1.0)
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

    def values(self, x: Ids, z: Ids, t: Array) -> Array:
        return super().values(x, z, t) / LENGTH

    def counts(self) -> Array:
        ends = 1 - 2 / np.pi * np.arccos(np.arange(LENGTH + 1) / LENGTH)
        return np.concatenate([[0.0], np.diff(ends)])


@dataclass
class GenMd4Objective(MaskedObjective):
    """GenMD4 with 1 - alpha_v = (1 - eps) t^w_v: -r_x log mu_x - r_x + sum over v of r_v mu_v of each masked token, r_v = w_v / t."""

    exponents: tuple[float, ...] = (0.8, 1.0, 1.3)
    eps: float = 1e-4

    def describe(self) -> str:
        return f"{self.name} (exponents {', '.join(map(str, self.exponents))})"

    def _hidden(self, x: Ids, t: Array) -> Array:
        found: Array = (1 - self.eps) * t[..., None] ** np.array(self.exponents)[x]
        return found

    def values(self, x: Ids, z: Ids, t: Array) -> Array:
        w = np.array(self.exponents)
        own = w[x]
        value = own * self.table.costs(z, x) - own + self.table.mu(z) @ w
        found: Array = (value * (z == MASK)).sum(-1) / t
        return found

    def exact(self) -> float:
        x = batch()
        z, hidden = masked_sets(x)
        t, law = self.grid()
        one = self.values(np.broadcast_to(x[:, None, :], z.shape), z, np.ones(z.shape[:2]))
        each = self._hidden(x[None], t[:, None])[:, :, None, :]
        sets = np.where(hidden, each, 1 - each).prod(-1)
        return float((law / t * (sets * one).sum(-1).mean(-1)).sum())

    def counts(self) -> Array:
        x = batch()
        _, hidden = masked_sets(x)
        t, law = self.grid()
        each = self._hidden(x[None], t[:, None])[:, :, None, :]
        sets = (law[:, None, None] * np.where(hidden, each, 1 - each).prod(-1)).sum(0).mean(0)
        return np.array([sets[hidden.sum(1) == k].sum() for k in range(LENGTH + 1)])

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

    def masked_of(self, x: Ids, t: Array) -> Array:
        """The probability that each token is masked, [..., length]."""
        return self._hidden(x, t)
