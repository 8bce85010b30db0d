"""The values of a loss, against those that the times and noise which it drew should give, and their mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ..errors import InputError
from .counts import MaskGitObjective
from .laws import Objective
from .masked import MaskedObjective
from .passes import Group
from .recorder import Array, Draws
from .tests import Tests, mean_tails
from .toy import MASK
from .uniform import UniformObjective

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


def check_values(group: Group, size: float, tests: Tests, first: Objective) -> bool:
    """Whether every value is that of its z and t, up to rounding; where not, the mistake that explains them all is stated."""
    objective, loss = group.objective, group.draws[0].loss
    expected = _of(group, objective.of_draws)
    if expected is None:
        tests.state("value", "not compared one by one: the loss tells the denoiser no time", wrong=False)
        return False
    expected /= size
    factor, agrees = _fit(loss, expected)
    if agrees and abs(factor - 1) < AGREEMENT:
        return True
    for what, variant in objective.variants() if isinstance(objective, UniformObjective) else []:
        values = _of(group, variant.of_draws)
        one, fits = (0.0, False) if values is None else _fit(loss, values / size)
        if fits and abs(one - 1) < AGREEMENT:
            tests.state("value", what, wrong=False)
            group.objective = variant
            return True
    if agrees:
        tests.state("value", f"a factor of {factor:.6g}{_named(factor, group)}")
        return False
    found = []
    for what, values in _mistakes(group, first, size):
        factor, agrees = _fit(loss, values / size)
        if agrees:
            # A mistake that needs no factor explains more than one that needs it.
            found.append((abs(factor - 1) > AGREEMENT, what, factor))
    if found:
        needs_factor, _, factor = min(found, key=lambda one: one[0])
        # Several mistakes may be one formula here, such as alpha = 1 - t and a time that runs backwards.
        names = list(dict.fromkeys(what for needs, what, _ in found if needs == needs_factor))
        also = f", and a factor of {factor:.6g}{_named(factor, group)}" if needs_factor else ""
        tests.state("value", "; or: ".join(names[:3]) + also)
        return False
    tests.state("value", _unexplained(group.draws, expected))
    return False


def _mistakes(group: Group, first: Objective, size: float) -> Iterator[tuple[str, Array]]:
    """Losses that are often in the place of a group's, nats per row of the batch or their mean."""
    objective, draws = group.objective, group.draws
    lists = [objective.mistakes(one) for one in draws]
    for same in zip(*lists):
        yield same[0][0], np.mean([_like(one, values) for one, (_, values) in zip(draws, same)], axis=0)
    if len(draws) > 1:
        for number, one in enumerate(draws):
            alone = objective.of_draws(one)
            if alone is not None:
                yield f"pass {number + 1} of {len(draws)} alone is counted, in place of their mean", _like(one, alone)
    if first is not objective and len(group.rounds[0].calls) > 1:
        earlier, last = _of(group, first.of_draws), _of(group, objective.of_draws)
        if earlier is not None and last is not None:
            yield "the first pass is counted in place of the last", earlier
            yield "both passes are counted in place of the last", (earlier + last) / 2
    if isinstance(objective, MaskedObjective) and draws[0].loss.ndim == 1 and len(draws) == 1:
        expected = objective.of_draws(draws[0])
        if expected is not None:
            count = np.maximum((draws[0].z == MASK).sum((-1, -2)), 1)
            per_row = "the mean per row" if isinstance(objective, MaskGitObjective) else "a sum"
            # It has no unit but its own.
            yield f"the mean over all masked tokens of the batch in place of {per_row}", expected.sum(-1) / count * size


def _of(group: Group, values: Callable[[Draws], Array | None]) -> Array | None:
    """The mean over a group's passes of the values of their draws; none where one has none."""
    found = [(one, values(one)) for one in group.draws]
    each = [_like(one, known) for one, known in found if known is not None]
    return None if len(each) < len(found) else np.asarray(np.mean(each, axis=0))


def _like(draws: Draws, values: Array) -> Array:
    """Values of drawn rows as the loss gives them: per row of the batch, or as means over it."""
    rows: Array = values.reshape(len(values), -1, draws.parts).sum(-1)
    found: Array = rows if draws.loss.ndim == 2 else rows.mean(axis=1)
    return found


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


def _named(factor: float, group: Group) -> str:
    """What a factor may come from."""
    batch, length = group.rounds[0].x.shape
    passes, blocks = len(group.draws), group.draws[0].parts
    steps = getattr(group.objective, "steps", None)
    known = {
        -1.0: "the sign", 1 / length: f"a mean over the {length} tokens in place of a sum", float(length): "a sum over the tokens in place of a mean",
        1 / math.log(2): "bits in place of nats", math.log(2): "nats in place of bits", 1 / batch: "a mean over the batch, twice",
        float(batch): "a sum over the batch in place of a mean", 0.5: "a half", 2.0: "a half is left out", 1 / 3: "one in the number of values",
        1 / (length * math.log(2)): "bits per token", length / math.log(2): "bits, summed", 1 / (2 * length): "a half, and a mean over the coordinates",
        8.0: "2 / sigma_data^2", 0.125: "sigma_data^2 / 2", 1 / (batch * length): "a mean over batch and tokens, and one over the batch again",
        0.999: "an interval of times without its length", 1 / 0.999: "the length of an interval of times",
    }  # fmt: skip
    known |= {1 / steps: "T is left out", float(steps): "T, twice"} if steps else {}
    known |= {1 / blocks: "a mean over the blocks in place of a sum"} if blocks > 1 else {}
    known |= {float(passes): "a sum over the passes in place of their mean"} if passes > 1 else {}
    near = [name for value, name in known.items() if abs(factor / value - 1) < 2e-4]
    return f" ({near[0]})" if near else ""


def _unexplained(passes: list[Draws], expected: Array) -> str:
    """How the values differ where no known mistake explains them."""
    draws = passes[0]
    loss = draws.loss
    correlation = float(np.corrcoef(loss.ravel(), expected.ravel())[0, 1])
    what = f"not those of their z and t; correlation {correlation:.4f}, and no known mistake explains it"
    if draws.t is None or loss.ndim == 1 or len(passes) > 1 or draws.parts > 1:
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


def check_mean(objective: Objective, draws: Draws, size: float, tests: Tests) -> float:
    """The mean over the calls, against the objective's exact mean, which is given back."""
    values = draws.loss if draws.loss.ndim == 1 else draws.loss.mean(axis=1)
    exact = objective.exact() / size
    value, error = float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))
    share = 100 * (value / exact - 1)
    what = f"{value:.6g} +- {error:.2g} in place of {exact:.6g}: {share:+.2f} % +- {100 * error / abs(exact):.2f} %"
    tests.add("mean", what, mean_tails(values, exact))
    return exact
