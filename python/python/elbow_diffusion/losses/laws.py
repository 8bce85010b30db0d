"""The laws of times and noise: what a loss drew, against what its objective draws."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .counts import AnyOrderObjective
from .gaussian import GaussianObjective, levels
from .genmd4 import GenMd4Objective
from .masked import MaskedObjective
from .recorder import Array, Draws
from .tests import Tests, counts_tail, normal_tails, uniform_tail
from .toy import LENGTH, MASK, SCHEDULES, Flags, Ids
from .uniform import UniformObjective, check_replacements

Objective = MaskedObjective | GaussianObjective


def check_laws(objective: Objective, draws: Draws, tests: Tests) -> None:
    """The laws of the times and of the noise."""
    if isinstance(objective, GaussianObjective):
        if draws.t is not None:
            check_times(objective, objective.times(draws.t), tests)
        check_noise(objective, draws, tests)
        return
    if draws.t is not None:
        check_times(objective, draws.t, tests)
    if isinstance(objective, UniformObjective):
        check_replacements(objective, draws, tests)
    else:
        of_law = objective.law_draws(draws)
        check_masks(objective, of_law, of_law.t, tests)


def check_times(objective: Objective, t: Array, tests: Tests) -> None:
    """The law of the drawn times, [calls, batch]: uniform, or on the grid of T steps."""
    first = getattr(objective, "first_time", 0.0)
    steps = getattr(objective, "steps", None)
    flat = t.ravel()
    if not np.isfinite(flat).all() or flat.min() < -1e-6 or flat.max() > 1 + 1e-6:
        tests.state("times", f"from {flat.min():.4g} to {flat.max():.4g}: they lie outside of [0, 1]")
        return
    if t.shape[1] > 1 and np.ptp(t, axis=1).max() < 1e-9:
        tests.state("times", "one time for the whole batch: the mean is right, its variance larger", wrong=False)
        flat = t[:, 0]
    distinct = np.unique(flat.round(9))
    if steps is not None:
        index = np.rint(flat * steps).astype(int)
        if np.abs(flat * steps - index).max() > 1e-3:
            tests.state("times", f"not on the grid of {steps} steps")
            return
        seen = np.bincount(index.clip(0, steps), minlength=steps + 1).astype(float)
        expected = np.append(0.0, np.full(steps, len(flat) / steps))
        missing = [k for k in range(steps + 1) if seen[k] == 0 and expected[k] > 0]
        for k in missing[:3]:
            tests.add("times", f"t = {k}/{steps} is never drawn", (1 - 1 / steps) ** len(flat))
        tests.add("times", f"the {steps} steps are not drawn equally often", counts_tail(seen, expected))
        return
    if len(distinct) < min(1000, len(flat) // 4):
        tests.state("times", f"only {len(distinct)} different ones in {len(flat)} draws: they lie on a grid")
        return
    u = (flat - first) / (1 - first)
    low, high = float(u.min()), float(u.max())
    if first > 0 and low < 0:
        below = int((u < -1e-9).sum())
        if below:
            tests.state("times", f"{below} of {len(u)} lie below the first time {first:g}")
    tests.add(
        "times", f"an end is left out: none below {flat.min():.2e} in {len(u)} draws from {first:g} on", (1 - max(low, 0.0)) ** len(u)
    )
    tests.add("times", f"an end is left out: none above {flat.max():.6f} in {len(u)} draws", min(high, 1.0) ** len(u))
    tests.add("times", f"not uniform: their mean is {flat.mean():.4f}, not {(1 + first) / 2:.4f}", uniform_tail(u))


def check_masks(objective: MaskedObjective, draws: Draws, t: Array | None, tests: Tests) -> None:
    """The law of the masks, given the times or over all of them."""
    x, z, length = draws.x, draws.z, objective.length
    hidden = z == MASK
    changed = int((~hidden & (z != x)).sum())
    if changed:
        tests.state("noise", f"{changed} of {(~hidden).sum()} visible tokens are not those of x: replaced, or rows in another order")
        return
    count = hidden.sum(-1)
    if len(hidden) > 20 and z.shape[1] > 1 and (hidden == hidden[:, :1]).all():
        tests.state("noise", "the same mask for the whole batch: the mean is right, its variance larger", wrong=False)
        hidden, count, x = hidden[:, :1], count[:, :1], x[:, :1]
        t = None if t is None else t[:, :1]
    by_count = isinstance(objective, AnyOrderObjective)
    seen = np.bincount(count.ravel(), minlength=length + 1).astype(float)
    expected = objective.counts() * count.size
    # Rows of a call may share their draws: a law of counts needs one row per call, or independent ones.
    odd, law = seen[1::2].sum() / seen.sum(), objective.counts()[1::2].sum()
    if by_count:
        error = math.sqrt(law * (1 - law) / len(count)) if 0 < law < 1 else 1.0
        share = (count % 2).mean(axis=1).mean()
        name = "odd" if share < law else "even"
        tests.add("noise", f"{name} numbers of masks are drawn too seldom: {share:.4f} of the draws are odd, not {law:.4f}",
                  normal_tails((share - law) / error))
        tests.add("noise", f"the number of masks has another law: {_shares(seen)}, not {_shares(expected)}", counts_tail(seen, expected))
    if t is None or by_count:
        _check_positions(hidden, np.zeros(length), tests)
        if not by_count:
            tests.add("noise", f"the number of masks has another law: {_shares(seen)}, not {_shares(expected)}", counts_tail(seen, expected))
        return
    rates = objective.rates(x, t)
    _check_positions(hidden, rates, tests)
    _check_rates(objective, x, hidden, rates, t, tests)


def _check_rates(objective: MaskedObjective, x: Ids, hidden: Flags, rates: Array, t: Array, tests: Tests) -> None:
    excess = (hidden - rates).sum(-1)
    spread = (rates * (1 - rates)).sum(-1)
    z = float(excess.sum() / math.sqrt(spread.sum()))
    slope = float((excess * (rates.mean(-1) - 0.5)).sum() / math.sqrt((spread * (rates.mean(-1) - 0.5) ** 2).sum()))
    what = f"{hidden.mean():.4f} of the tokens are masked, not {rates.mean():.4f} as their times say"
    if max(abs(z), abs(slope)) > 5:
        what += _other_rate(objective, hidden, t)
    tests.add("noise", what, min(1.0, 2 * min(normal_tails(z), normal_tails(slope))))
    # Given the times, the number of masks of a row varies as independent tokens do.
    square = (excess**2).sum() - spread.sum()
    fourth = (rates * (1 - rates) * (1 - 6 * rates * (1 - rates))).sum() + 2 * (spread**2).sum()
    dispersion = float(square / math.sqrt(fourth))
    kind = "a fixed number per time" if dispersion < 0 else "tokens are masked together"
    tests.add("noise", f"the number of masks varies otherwise than for independent tokens: {kind}", normal_tails(dispersion))
    none = (~hidden).all(-1)
    expected = np.prod(1 - rates, axis=-1)
    if not none.any():
        tests.add("noise", f"rows without a mask never occur, and {expected.sum():.0f} were expected: one mask at least",
                  math.exp(float(np.log1p(-expected.clip(0, 1 - 1e-12)).sum())))
    values = [x == value for value in range(MASK)]
    excess_of = np.array([(hidden - rates)[at].sum() for at in values])
    spread_of = np.array([(rates * (1 - rates))[at].sum() for at in values])
    if isinstance(objective, GenMd4Objective) or abs(z) < 5:
        scores = excess_of / np.sqrt(spread_of)
        worst = int(np.abs(scores).argmax())
        score = float(scores[worst])
        tests.add("noise", f"the value {worst} is masked otherwise than its time says", min(1.0, MASK * normal_tails(score)))


def _other_rate(objective: MaskedObjective, hidden: Flags, t: Array) -> str:
    """The name of the rate that the masks were drawn with, where it is a known one."""
    masked = objective.masked(t)
    known = {"alpha: visible and masked tokens are exchanged": 1 - masked, "the time itself": t, "1 - t": 1 - t}
    for name in SCHEDULES:
        other = replace(objective, schedule=name) if not isinstance(objective, GenMd4Objective) else None
        if other is not None and name != objective.schedule:
            known[f"the schedule {name}"] = other.masked(t)
    for name, rate in known.items():
        rate = np.clip(rate, 1e-9, 1 - 1e-9)
        excess = hidden.mean(-1) - rate
        spread = rate * (1 - rate) / hidden.shape[-1]
        scores = [(excess * one).sum() / math.sqrt((spread * one**2).sum()) for one in (np.ones_like(rate), rate - 0.5, (rate - 0.5) ** 2)]
        if max(map(abs, scores)) < 4:
            return f"; they are masked with {name}"
    return ""


def _check_positions(hidden: Flags, rates: Array, tests: Tests) -> None:
    """Every position is masked as often as the others, as far as `rates` are equal."""
    length = hidden.shape[-1]
    if length == 1:
        return
    excess = (hidden - rates).mean(axis=1)
    often = excess - excess.mean(axis=1)[:, None]
    error = often.std(axis=0, ddof=1) / math.sqrt(len(often))
    scores = np.divide(often.mean(axis=0), error, out=np.zeros(length), where=error > 0)
    scores = np.where((error == 0) & (np.abs(often.mean(axis=0)) > 1e-9), np.inf, scores)
    worst = int(np.abs(scores).argmax())
    rate = hidden[..., worst].mean()
    tests.add("noise", f"position {worst} is masked in {rate:.4f} of the draws, the others in {np.delete(hidden, worst, -1).mean():.4f}",
              min(1.0, length * normal_tails(float(scores[worst]))))


def _shares(counts: Array) -> str:
    return "[" + ", ".join(f"{one:.3f}" for one in counts / counts.sum()) + "]"


def check_noise(objective: GaussianObjective, draws: Draws, tests: Tests) -> None:
    """eps is standard normal, and independent of everything."""
    eps, _, _, _ = objective.errors(draws)
    if z_shared(eps):
        tests.state("noise", "the same noise for the whole batch: the mean is right, its variance larger", wrong=False)
        eps = eps[:, :1]
        draws = replace(draws, x=draws.x[:, :1], z=draws.z[:, :1], t=None if draws.t is None else draws.t[:, :1])
    n = eps.size
    if np.ptp(eps, axis=-1).max() < 1e-6:
        tests.state("noise", "the same noise for all coordinates of a row")
        return
    variance = float((eps**2).mean())
    what = f"the noise has the variance {variance:.4g}, not 1, around alpha x"
    score = (variance - 1) / math.sqrt(2 / n)
    if abs(score) > 6:
        what += _other_scale(objective, draws)
    tests.add("noise", what, normal_tails(score))
    tests.add("noise", f"the noise has the mean {eps.mean():.4f}, not 0", normal_tails(float(eps.mean()) * math.sqrt(n)))
    x = draws.x - draws.x.mean()
    tests.add("noise", "the noise depends on x", normal_tails(float((eps * x).sum() / math.sqrt((x**2).sum()))))
    pairs = (eps.sum(-1) ** 2 - (eps**2).sum(-1)) / 2
    tests.add("noise", "the coordinates' noise is correlated",
              normal_tails(float(pairs.sum() / math.sqrt(pairs.size * LENGTH * (LENGTH - 1) / 2))))
    tests.add("noise", "the noise is not normal", uniform_tail(_normal_cdf(eps.ravel())))


def z_shared(eps: Array) -> bool:
    """Whether all rows of a batch have the same noise."""
    return eps.shape[1] > 1 and float(np.ptp(eps, axis=1).max()) < 1e-4


def _normal_cdf(values: Array) -> Array:
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in values])


def _other_scale(objective: GaussianObjective, draws: Draws) -> str:
    """The scales of data and noise that z was made with, where they are known ones."""
    assert draws.t is not None
    log_snr = objective.log_snr(draws.t)
    z = draws.z.astype(np.float64)
    alpha, sigma = (one[..., None] for one in levels(log_snr, objective.scale))
    shapes = {
        "alpha^2 and sigma": (alpha**2, sigma), "alpha and sigma^2": (alpha, sigma**2), "alpha^2 and sigma^2": (alpha**2, sigma**2),
        "sqrt(alpha) and sqrt(sigma)": (np.sqrt(alpha), np.sqrt(sigma)), "sigma and alpha, exchanged": (sigma, alpha),
        "1 and sigma": (np.ones_like(alpha), sigma),
    }  # fmt: skip
    for name, scale in (("variance-preserving", "vp"), ("variance-exploding", "ve"), ("straight", "ot")):
        if scale != objective.scale:
            shapes[f"those of a {name} process"] = tuple(one[..., None] for one in levels(log_snr, scale))  # type: ignore[assignment]
    for name, (a, b) in shapes.items():
        eps = (z - a * draws.x) / b
        if abs(float((eps**2).mean()) - 1) < 5 * math.sqrt(2 / eps.size):
            return f"; data and noise are scaled by {name}"
    return ""
