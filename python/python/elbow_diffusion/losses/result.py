"""What a check of a loss found."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass

from ..results import Estimate


@dataclass(frozen=True)
class Finding:
    """One statement about a loss."""

    about: str
    """value, times, noise or mean."""
    wrong: bool
    """Whether the loss is not the objective because of it; otherwise it is a remark."""
    what: str
    """In words."""
    p_value: float | None = None
    """The probability of what was seen, or of more, if the loss were right; none where nothing is left to chance."""


@dataclass(frozen=True)
class LossCheck:
    """The verdict on a loss."""

    objective: str
    """The objective with its schedule and weighting."""
    mean: Estimate
    """Mean of the loss over the calls."""
    exact: float
    """The objective's exact value, in the same unit."""
    findings: list[Finding]
    """Everything that was found, mistakes first."""
    false_alarm: float
    """Bound on the probability that a right loss is called wrong, over all tests together."""
    tests: int
    """Number of statistical tests that share it."""

    @property
    def agrees(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.wrong for finding in self.findings)

    @property
    def mistakes(self) -> list[str]:
        """What is wrong, in words."""
        return [finding.what for finding in self.findings if finding.wrong]

    def json(self) -> str:
        """All fields."""
        return json.dumps({"agrees": self.agrees, **asdict(self)}, indent=2)

    def __repr__(self) -> str:
        verdict = "agrees with" if self.agrees else "is not"
        lines = [
            f"the loss {verdict} {self.objective}",
            f"  mean {self.mean}, exact {self.exact:.4f}",
        ]
        for finding in self.findings:
            mark = "WRONG" if finding.wrong else "note "
            chance = "" if finding.p_value is None else f" (p = {finding.p_value:.1g})"
            lines.append(f"  {mark}  {finding.about}: {finding.what}{chance}")
        lines.append(f"  a right loss is called wrong with a probability below {self.false_alarm:g}, over {self.tests} tests")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
