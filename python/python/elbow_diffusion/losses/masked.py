"""Objectives of masked diffusion over a toy whose denoiser is a table, with the mistakes that look like them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _elbow
from .recorder import Array, Draws, one_time
from .toy import LENGTH, MASK, SCHEDULES, STATES, WEIGHTINGS, Flags, Ids, Table, batch, masked_sets, nodes

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

    @property
    def length(self) -> int:
        """Tokens that a row of draws is about."""
        return LENGTH

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

    def inside(self, z: Ids) -> Flags:
        """The tokens that a row of draws is about."""
        return np.ones(z.shape[-1:], dtype=bool)

    def values(self, x: Ids, z: Ids, t: Array) -> Array:
        """The loss of each row, nats per sequence."""
        found: Array = self.weight(t) * (self.table.costs(z, x) * (z == MASK) * self.inside(z)).sum(-1)
        return found

    def answer(self, z: npt.NDArray[Any], told: Array | None) -> Array:
        """The denoiser's output, [rows, width, columns]."""
        del told
        return self.table.answer(z, self.columns)

    def widths(self) -> tuple[int, ...]:
        """Numbers of tokens per row that the denoiser takes."""
        return (LENGTH,)

    def again(self) -> MaskedObjective:
        """The objective of the second pass of a loss, where the network answers otherwise."""
        return replace(self, table=Table(0.7))

    def prepared(self, draws: Draws) -> Draws:
        """The draws with the times that the loss drew, one per row."""
        return replace(draws, t=None if self.time is None or draws.t is None else self.times(one_time(draws.t)))

    def law_draws(self, draws: Draws) -> Draws:
        """The draws with the tokens alone that a row is about."""
        return draws

    def gradients(self, draws: Draws) -> Array | None:
        """The derivative of each row's loss by the logits, [calls, rows, length, columns], nats per sequence."""
        if draws.t is None:
            return None
        hidden = (draws.z == MASK) & self.inside(draws.z)
        slopes = self.table.slopes(draws.z, draws.x, self.columns) * hidden[..., None]
        found: Array = self.weight(draws.t)[..., None, None] * slopes
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
        """The probability of k masked tokens, k = 0..length, over all times."""
        t, law = self.grid()
        masked = self.masked(t)[:, None]
        k = np.arange(self.length + 1)
        choose = np.array([math.comb(self.length, int(one)) for one in k])
        found: Array = (law[:, None] * choose * masked**k * (1 - masked) ** (self.length - k)).sum(0)
        return found

    def rates(self, x: Ids, t: Array) -> Array:
        """The probability that each token is masked, [..., length]."""
        del x
        return self.masked(t)[..., None] + np.zeros(self.length)

    def mistakes(self, draws: Draws) -> list[tuple[str, Array]]:
        """Losses that are often in the place of this one, with what is wrong with them; up to a factor each."""
        x, z, t = draws.x, draws.z, draws.t
        inside = self.inside(z)
        hidden = (z == MASK) & inside
        costs, with_mask = self.table.costs(z, x), self.table.costs(z, x, STATES + 1)
        total = (costs * hidden).sum(-1)
        found: list[tuple[str, Array]] = []
        weight = np.ones(total.shape) if t is None else self.weight(t)
        count = np.maximum(hidden.sum(-1), 1)
        found += [
            ("the mean over the masked tokens in place of their sum", weight * total / count),
            ("the mask is counted among the values: its logit enters the softmax", weight * (with_mask * hidden).sum(-1)),
            ("the visible tokens are counted too", weight * (costs * inside).sum(-1)),
            ("the visible tokens are counted too, and the mask among the values", weight * (with_mask * inside).sum(-1)),
            ("the visible tokens are counted in place of the masked ones", weight * (costs * (inside & ~hidden)).sum(-1)),
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
