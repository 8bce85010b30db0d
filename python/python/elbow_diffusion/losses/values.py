"""The values of a loss, against those that the times and noise which it drew should give, and their mean."""

from __future__ import annotations

import math

import numpy as np

from ..errors import InputError
from ..results import Estimate
from .laws import Objective
from .masked import MASK, MaskedObjective, MaskGitObjective
from .recorder import Array, Draws
from .tests import Tests, mean_tails

AGREEMENT = 1e-3
"""Largest relative difference of values that are called equal: single precision in the loss, where 1 / t is large."""

UNITS = {"nats/sequence": (False, 1.0), "nats/token": (True, 1.0), "bits/sequence": (False, math.log(2)), "bits/token": (True, math.log(2))}


def unit_of(name: str, length: int, of_masked: bool) -> tuple[str, float]:
    """The unit's name, and how many nats per sequence it is."""
    if of_masked:
        return "nats/masked token", 1.0
    if name not in UNITS:
        raise InputError(f"unit = {name!r}\n  choose one of {', '.join(UNITS)}")
    per_token, nats = UNITS[name]
    return name, (length if per_token else 1) * nats


def check_values(objective: Objective, draws: Draws, size: float, tests: Tests) -> None:
    """Every value is that of its z and t, up to rounding; or the mistake that explains them all."""
    expected = objective.of_draws(draws)
    if expected is None:
        _check_without_times(objective, draws, tests)
        return
    of_loss = _like(draws, expected / size)
    factor, agrees = _fit(draws.loss, of_loss)
    if agrees and abs(factor - 1) < AGREEMENT:
        return
    if agrees:
        tests.state("value", f"a factor of {factor:.6g}{_named(factor, draws)}")
        return
    found = []
    for what, values in objective.mistakes(draws):
        factor, agrees = _fit(draws.loss, _like(draws, values / size))
        if agrees:
            # A mistake that needs no factor explains more than one that needs it.
            found.append((abs(factor - 1) > AGREEMENT, what, factor))
    if isinstance(objective, MaskedObjective) and draws.loss.ndim == 1:
        count = np.maximum((draws.z == MASK).sum((-1, -2)), 1)
        factor, agrees = _fit(draws.loss, expected.sum(-1) / count)
        if agrees:
            what = "the mean over all masked tokens of the batch in place of " + ("the mean per row" if isinstance(objective, MaskGitObjective)
                                                                                  else "a sum")
            found.append((abs(factor - 1) > AGREEMENT, what, factor))
    if found:
        needs_factor, _, factor = min(found, key=lambda one: one[0])
        # Several mistakes may be one formula here, such as alpha = 1 - t and a time that runs backwards.
        names = list(dict.fromkeys(what for needs, what, _ in found if needs == needs_factor))
        also = f", and a factor of {factor:.6g}{_named(factor, draws)}" if needs_factor else ""
        tests.state("value", "; or: ".join(names[:3]) + also)
        return
    tests.state("value", _unexplained(draws, of_loss))


def _check_without_times(objective: Objective, draws: Draws, tests: Tests) -> None:
    """Without times only what does not depend on them can be seen: a loss that is some weight times some costs."""
    del objective, draws
    tests.state("value", "not compared one by one: the loss tells the denoiser no time", wrong=False)


def _like(draws: Draws, values: Array) -> Array:
    """Values of rows as the loss gives them: per row, or as means over the batch."""
    return values if draws.loss.ndim == 2 else values.mean(axis=1)


def _fit(loss: Array, values: Array) -> tuple[float, bool]:
    """The factor of `values` that is nearest to the loss, and whether they then agree."""
    loss, values = loss.ravel(), values.ravel()
    known = np.isfinite(values)
    if not known.all() or not (values**2).sum() > 0:
        return 0.0, False
    # The median ratio, since a few large values would decide a fit by squares.
    large = np.abs(values) > 1e-3 * np.abs(values).mean()
    factor = float(np.median(loss[large] / values[large]))
    scale = np.abs(factor * values) + 1e-3 * np.abs(factor * values).mean()
    off = np.abs(loss - factor * values) / scale
    return factor, factor != 0.0 and bool(np.quantile(off, 0.999) < AGREEMENT)


def _named(factor: float, draws: Draws) -> str:
    """What a factor may come from."""
    batch, length = draws.x.shape[1:]
    known = {
        -1.0: "the sign", 1 / length: f"a mean over the {length} tokens in place of a sum", float(length): "a sum over the tokens in place of a mean",
        1 / math.log(2): "bits in place of nats", math.log(2): "nats in place of bits", 1 / batch: "a mean over the batch, twice",
        float(batch): "a sum over the batch in place of a mean", 0.5: "a half", 2.0: "a half is left out", 1 / 3: "one in the number of values",
        1 / (length * math.log(2)): "bits per token", length / math.log(2): "bits, summed", 1 / (2 * length): "a half, and a mean over the coordinates",
        8.0: "2 / sigma_data^2", 0.125: "sigma_data^2 / 2", 1 / (batch * length): "a mean over batch and tokens, and one over the batch again",
        0.999: "an interval of times without its length", 1 / 0.999: "the length of an interval of times",
    }  # fmt: skip
    near = [name for value, name in known.items() if abs(factor / value - 1) < 2e-4]
    return f" ({near[0]})" if near else ""


def _unexplained(draws: Draws, expected: Array) -> str:
    """How the values differ where no known mistake explains them."""
    loss = draws.loss
    correlation = float(np.corrcoef(loss.ravel(), expected.ravel())[0, 1])
    what = f"not those of their z and t; correlation {correlation:.4f}, and no known mistake explains it"
    if draws.t is None or loss.ndim == 1:
        return what
    t = draws.t.ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(expected.ravel() > 0, loss.ravel() / expected.ravel(), np.nan)
    edges = np.quantile(t, np.linspace(0, 1, 41))
    bins = [ratio[(low <= t) & (t < high)] for low, high in zip(edges[:-1], edges[1:])]
    bins = [one[np.isfinite(one)] for one in bins]
    middles = np.array([np.median(one) if len(one) else np.nan for one in bins])
    spread = np.array([np.subtract(*np.quantile(one, [0.75, 0.25])) if len(one) else np.nan for one in bins])
    if np.nanmedian(spread) < 0.5 * float(np.nanstd(middles)):
        shown = ", ".join(f"{middles[k]:.3g} at {np.sqrt(edges[k] * edges[k + 1]):.3g}" for k in (2, 20, 37))
        return f"the weight is another function of time: {shown} times the right one (times as the denoiser is told)"
    return what


def check_mean(objective: Objective, draws: Draws, size: float, unit: str, tests: Tests) -> tuple[Estimate, float]:
    """The mean over the calls, against the objective's exact mean; what is wrong with the values alone is not said again."""
    values = draws.loss if draws.loss.ndim == 1 else draws.loss.mean(axis=1)
    exact = objective.exact() / size
    error = float(values.std(ddof=1) / math.sqrt(len(values)))
    mean = Estimate(float(values.mean()), error, len(values), unit)
    share = 100 * (mean.value / exact - 1)
    what = f"{mean.value:.6g} +- {error:.2g} in place of {exact:.6g}: {share:+.2f} % +- {100 * error / abs(exact):.2f} %"
    tests.add("mean", what, mean_tails(values, exact))
    return mean, exact
