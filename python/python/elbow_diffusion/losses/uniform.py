"""D3PM's uniform process: tokens are replaced, and every position is predicted."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np

from .. import _elbow
from .masked import MaskedObjective
from .recorder import Array, Draws
from .toy import LENGTH, SCHEDULES, STATES, Ids, Table, batch
from .tests import Tests, counts_tail, normal_tails

EVERY = np.array(list(itertools.product(range(STATES), repeat=LENGTH)))
"""Every sequence, [V^L, L]."""


@dataclass
class UniformObjective(MaskedObjective):
    """T KL(q(z_s | z_t, x) || p(z_s | z_t)) of a step, summed over tokens; p is q(z_s | z_t, x) with mu in place of x (D3PM, equation 4)."""

    steps: int | None = 10
    hybrid: float = 0.0
    """lambda, the weight of the cross-entropy that is added."""
    first_by_softmax: bool = False
    """Whether the first step costs -log mu(x), as in the authors' code, in place of -log p(x | z)."""
    table: Table = field(default_factory=Table)

    def describe(self) -> str:
        hybrid = f", + {self.hybrid:g} CE" if self.hybrid else ""
        return f"{self.name} (schedule {self.schedule}, {self.steps} steps{hybrid})"

    def variants(self) -> list[tuple[str, UniformObjective]]:
        """Forms of the objective that are right too."""
        return [("the first step costs -log mu(x), as in the authors' code", replace(self, first_by_softmax=True))]

    def _levels(self, t: Array) -> tuple[Array, Array, Array, Array]:
        """alpha_s, 1 - alpha_s and 1 - alpha_t / alpha_s of steps from t to s = t - 1/T, and whether s = 0; [..., 1, 1]."""
        s = (np.rint(t * self.number) - 1) / self.number
        lost = _elbow.masked_schedule(self.schedule, t.ravel())[1].reshape(t.shape)
        alpha_s, lost_s, _ = (one.reshape(t.shape) for one in _elbow.masked_schedule(self.schedule, s.ravel()))
        found = (alpha_s, lost_s, (lost - lost_s) / alpha_s, (s <= 0).astype(float))
        return found[0][..., None, None], found[1][..., None, None], found[2][..., None, None], found[3][..., None, None]

    @property
    def number(self) -> int:
        """T."""
        assert self.steps is not None
        return self.steps

    def _kernels(self, x: Ids, z: Ids, t: Array, mixture: bool = False) -> tuple[Array, Array, Array]:
        """q(z_s | z_t, x), p(z_s | z_t) [..., length, V], and whether s = 0."""
        kept, lost, replaced, is_first = self._levels(t)
        likelihood = (z[..., None] == np.arange(STATES)) * (1 - replaced) + replaced / STATES
        truth, mu = (x[..., None] == np.arange(STATES)).astype(float), self.table.mu(z)

        def posterior(law: Array) -> Array:
            weights = likelihood * (law * kept + lost / STATES)
            found: Array = weights / weights.sum(-1, keepdims=True)
            return found

        if mixture:
            each = mu / (likelihood * kept + lost / STATES)
            p = likelihood * (each * kept + each.sum(-1, keepdims=True) * lost / STATES)
        else:
            p = posterior(mu)
        return posterior(truth), p, np.broadcast_to(is_first[..., 0], z.shape)

    def token_costs(self, x: Ids, z: Ids, t: Array, mixture: bool = False) -> Array:
        """The loss of each token, nats."""
        q, p, is_first = self._kernels(x, z, t, mixture)
        with np.errstate(divide="ignore", invalid="ignore"):
            kl = np.where(q > 0, q * np.log(q / p), 0.0).sum(-1)
        entropy = self.table.costs(z, x)
        if self.first_by_softmax:
            kl = np.where(is_first > 0, entropy, kl)
        found: Array = self.number * kl + self.hybrid * entropy
        return found

    def values(self, x: Ids, z: Ids, t: Array) -> Array:
        found: Array = self.token_costs(x, z, t).sum(-1)
        return found

    def again(self) -> UniformObjective:
        return replace(self, table=Table(0.7))

    def exact(self) -> float:
        x = batch()
        return float(sum(self._share(x, k / self.number) for k in range(1, self.number + 1)) / self.number)

    def _share(self, x: Ids, t: float) -> float:
        """The mean of the loss at a time."""
        lost = float(_elbow.masked_schedule(self.schedule, np.array([t]))[1][0])
        same = EVERY == x[:, None, :]
        law = np.where(same, 1 - lost * (1 - 1 / STATES), lost / STATES).prod(-1)
        z = np.broadcast_to(EVERY, same.shape)
        values = self.values(np.broadcast_to(x[:, None, :], same.shape), z, np.full(same.shape[:2], t))
        return float((law * values).sum(-1).mean())

    def gradients(self, draws: Draws) -> Array | None:
        if draws.t is None:
            return None
        kept, lost, replaced, is_first = self._levels(draws.t)
        z, mu = draws.z, self.table.mu(draws.z)
        likelihood = (z[..., None] == np.arange(STATES)) * (1 - replaced) + replaced / STATES
        q, p, _ = self._kernels(draws.x, z, draws.t)
        # d KL / d weights = (p - q) / weights before normalisation, through d mu_j / d logit_k = mu_j (1{j = k} - mu_k).
        weights = likelihood * (mu * kept + lost / STATES)
        by_mu = (p - q) / weights * likelihood * kept
        slopes = mu * (by_mu - (by_mu * mu).sum(-1, keepdims=True))
        entropy = self.table.slopes(z, draws.x, STATES)
        if self.first_by_softmax:
            slopes = np.where(is_first > 0, entropy, slopes)
        found = np.zeros((*z.shape, self.columns))
        found[..., :STATES] = self.number * slopes + self.hybrid * entropy
        return found

    def mistakes(self, draws: Draws) -> list[tuple[str, Array]]:
        x, z, t = draws.x, draws.z, draws.t
        if t is None:
            return []
        q, p, is_first = self._kernels(x, z, t)
        costs, entropy = self.token_costs(x, z, t), self.table.costs(z, x)
        changed = z != x
        with np.errstate(divide="ignore", invalid="ignore"):
            reverse = np.where(p > 0, p * np.log(p / np.maximum(q, 1e-30)), 0.0).sum(-1)
            crossed = -np.where(q > 0, q * np.log(p), 0.0).sum(-1)
        found = [
            ("only the tokens that were replaced are counted", costs * changed),
            ("only the tokens that were not replaced are counted", costs * ~changed),
            ("the cross-entropy of x in place of the step's KL", entropy),
            ("the first step is left out", costs * (is_first == 0)),
            ("the KL is taken the other way round: KL(p || q)", reverse),
            ("-E log p in place of the KL: the entropy of q is left out", crossed),
            ("the kernel is the mixture of the posteriors, not the posterior of the mean", self.token_costs(x, z, t, mixture=True)),
            ("the targets are shifted by one position", self.token_costs(np.roll(x, -1, -1), z, t)),
            ("the targets are shifted by one position", self.token_costs(np.roll(x, 1, -1), z, t)),
            ("z in place of x as the target", self.token_costs(z, z, t)),
        ]
        found += [
            (f"the step is that of the schedule {name}", replace(self, schedule=name).token_costs(x, z, t))
            for name in SCHEDULES
            if name != self.schedule
        ]
        if self.hybrid:
            found.append(("the cross-entropy is left out: the KL alone", replace(self, hybrid=0.0).token_costs(x, z, t)))
        else:
            found += [(f"{one:g} times the cross-entropy is added", costs + one * entropy) for one in (0.001, 0.01, 0.1, 1.0)]
        return [(what, values.sum(-1)) for what, values in found]


def check_replacements(objective: UniformObjective, draws: Draws, tests: Tests) -> None:
    """The law of the replaced tokens, given the times."""
    x, z, t = draws.x, draws.z, draws.t
    if z.max() >= STATES:
        tests.state("noise", "tokens are masked: the uniform process replaces them by values")
        return
    if t is None:
        return
    lost = objective.masked(t)[..., None]
    changed = z != x
    rate = lost * (STATES - 1) / STATES + np.zeros(LENGTH)
    excess, spread = (changed - rate).sum(-1), (rate * (1 - rate)).sum(-1)
    shape = rate.mean(-1) - 1 / 3
    scores = [float((excess * one).sum() / math.sqrt((spread * one**2).sum())) for one in (np.ones_like(shape), shape)]
    what = f"{changed.mean():.4f} of the tokens differ from x, not {rate.mean():.4f} as their times say"
    if max(map(abs, scores)) > 5:
        what += _other_rate(lost, changed)
    tests.add("noise", what, min(1.0, 2 * min(map(normal_tails, scores))))
    per_call = (changed - rate).mean(axis=1)
    often = per_call - per_call.mean(axis=1)[:, None]
    error = often.std(axis=0, ddof=1) / math.sqrt(len(often))
    worst = int(np.abs(often.mean(axis=0) / error).argmax())
    score = float(often.mean(axis=0)[worst] / error[worst])
    tests.add("noise", f"position {worst} is replaced otherwise than the others", min(1.0, LENGTH * normal_tails(score)))
    square = (excess**2).sum() - spread.sum()
    fourth = (rate * (1 - rate) * (1 - 6 * rate * (1 - rate))).sum() + 2 * (spread**2).sum()
    tests.add("noise", "the number of replaced tokens varies otherwise than for independent tokens", normal_tails(float(square / math.sqrt(fourth))))
    pairs = np.bincount((x * STATES + z)[changed], minlength=STATES**2).reshape(STATES, STATES).astype(float)
    for value in range(STATES):
        seen = np.delete(pairs[value], value)
        tests.add("noise", f"the value {value} is not replaced by the others equally often: {seen.astype(int).tolist()} times",
                  counts_tail(seen, np.full(STATES - 1, seen.sum() / (STATES - 1))))


def _other_rate(lost: Array, changed: Array) -> str:
    """The name of the rate that the tokens were replaced with, where it is a known one."""
    known = {
        "a replaced token never keeps its value": lost + np.zeros(LENGTH),
        "alpha and 1 - alpha are exchanged": (1 - lost) * (STATES - 1) / STATES + np.zeros(LENGTH),
    }
    for name, rate in known.items():
        spread = (rate * (1 - rate)).sum()
        if spread > 0 and abs((changed - rate).sum() / math.sqrt(spread)) < 5:
            return f"; {name}"
    return ""
