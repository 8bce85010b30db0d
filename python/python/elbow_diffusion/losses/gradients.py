"""The gradients of a loss, against those that its values should have: by the network's outputs, by the schedule's exponents."""

from __future__ import annotations

import math

import numpy as np

from .genmd4 import GenMd4Objective
from .passes import Group
from .recorder import Array
from .tests import Tests, mean_tails
from .values import AGREEMENT

SCORES = 5.0
"""Standard errors within which a mean is called that of a known mistake."""


def check_gradients(group: Group, size: float, tests: Tests) -> None:
    """The derivative of a loss whose values are right by the outputs of the network, in the draws where it was taken."""
    draws = group.draws
    known = [one.gradient for one in draws if one.gradient is not None]
    if len(known) < len(draws):
        return
    taken = len(known[0])
    if not any(np.abs(one).max() > 0 for one in known):
        tests.state("gradient", "none passes from the loss to the network: it is detached")
        return
    # A mean over the batch, and over the passes, divides what a row contributes.
    shares = size * len(draws) * (1 if draws[0].loss.ndim == 2 else draws[0].z.shape[1] // draws[0].parts)
    for one, gradient in zip(draws, known):
        of_value = group.objective.gradients(one)
        if of_value is None:
            return
        expected = of_value[:taken].reshape(gradient.shape) / shares
        mistake = _mistake(gradient, expected)
        if mistake:
            tests.state("gradient", mistake)
            return


def _mistake(gradient: Array, expected: Array) -> str | None:
    """What is wrong with a gradient, if anything is."""
    mean = float(np.abs(expected).mean())
    large = np.abs(expected) > 0.1 * mean
    factor = float(np.median(gradient[large] / expected[large]))
    # Small ones are differences of numbers of single precision.
    off = np.abs(gradient - factor * expected) / (np.abs(factor * expected) + abs(factor) * mean + 1e-30)
    if factor != 0.0 and np.quantile(off, 0.999) < AGREEMENT:
        return None if abs(factor - 1) < AGREEMENT else f"a factor of {factor:.4g} beside that of the values"
    if float(np.abs(gradient[expected == 0]).max(initial=0.0)) > AGREEMENT * mean:
        return "outputs that the loss does not depend on have one"
    none = float((gradient[large] == 0).mean())
    if none > 0.0:
        return f"{100 * none:.0f} % of the outputs that the loss depends on have none"
    return f"not that of the values; correlation {np.corrcoef(gradient.ravel(), expected.ravel())[0, 1]:.4f}"


def check_schedule(group: Group, size: float, tests: Tests) -> None:
    """The mean derivative of a loss by the exponents of GenMD4's schedule, against the exact one."""
    objective = group.objective
    slopes = [one.slope for one in group.rounds if one.slope is not None]
    if not isinstance(objective, GenMd4Objective) or not slopes:
        return
    seen = np.stack(slopes)
    exact, at_fixed_masks = objective.slope() / size, objective.slope(with_law=False) / size
    # Without the score-function term the mean is another exact number.
    without = all(_score(values, mean) < SCORES for values, mean in zip(seen.T, at_fixed_masks))
    why = "; the score-function term is left out, though the masks are drawn by the exponents" if without else ""
    for value, (values, mean) in enumerate(zip(seen.T, exact)):
        what = f"by the exponent of the value {value}: {values.mean():.4f} in place of {mean:.4f}{why}"
        tests.add("gradient", what, mean_tails(values, float(mean)))


def _score(values: Array, mean: float) -> float:
    """How many standard errors a mean is from a number."""
    return float(abs(values.mean() - mean) / (values.std(ddof=1) / math.sqrt(len(values))))
