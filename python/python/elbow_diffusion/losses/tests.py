"""Statistical tests that share one probability of a false alarm."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from .. import _elbow
from .recorder import Array
from .result import Finding


@dataclass
class Tests:
    """Statements that chance could have made, judged together when all are in (Bonferroni)."""

    false_alarm: float
    pending: list[tuple[str, str, float]] = field(default_factory=list)
    settled: list[Finding] = field(default_factory=list)

    def add(self, about: str, what: str, p_value: float) -> None:
        """A statement that holds where `p_value` is too small for chance."""
        self.pending.append((about, what, p_value))

    def state(self, about: str, what: str, wrong: bool = True) -> None:
        """A statement that chance has no part in."""
        self.settled.append(Finding(about, wrong, what))

    def findings(self) -> list[Finding]:
        """What holds, mistakes first."""
        level = self.false_alarm / max(1, len(self.pending))
        found = [Finding(about, True, what, p) for about, what, p in self.pending if p < level]
        return sorted(self.settled + found, key=lambda finding: not finding.wrong)


def normal_tails(statistic: float) -> float:
    """The probability that a standard normal number is farther from 0."""
    return math.erfc(abs(statistic) / math.sqrt(2.0))


def mean_tails(values: Array, exact: float) -> float:
    """The probability that a mean of independent `values` is farther from `exact` than it is, by Student's law."""
    error = values.std(ddof=1) / math.sqrt(len(values))
    # Rounding alone, where a loss has no spread.
    if abs(values.mean() - exact) <= 1e-6 * abs(exact):
        return 1.0
    return 0.0 if error == 0.0 else _elbow.student_tails((values.mean() - exact) / error, len(values) - 1)


def counts_tail(seen: Array, expected: Array) -> float:
    """The probability of a larger chi-square statistic; cells below five expected are put together."""
    small = expected < 5.0
    seen = np.append(seen[~small], seen[small].sum())
    expected = np.append(expected[~small], expected[small].sum())
    if expected[-1] < 5.0:
        if seen[-1] > 0 and expected[-1] < 1e-9:
            return 0.0
        seen, expected = seen[:-1], expected[:-1]
    statistic = ((seen - expected) ** 2 / expected).sum()
    return 1.0 if len(seen) < 2 else _elbow.chi_square_tail(float(statistic), float(len(seen) - 1))


def uniform_tail(u: Array) -> float:
    """A bound on the probability of a larger Kolmogorov-Smirnov distance of numbers from the uniform law (Massart)."""
    u = np.sort(u)
    steps = np.arange(len(u) + 1) / len(u)
    distance = max(float((steps[1:] - u).max()), float((u - steps[:-1]).max()))
    return min(1.0, 2.0 * math.exp(-2.0 * len(u) * distance**2))
