"""Results: numbers with their errors, which print as the command line prints them."""

from __future__ import annotations

import html
import importlib
import json
import math
from dataclasses import dataclass
from typing import Any

from . import _elbow
from .commands import Printed
from .errors import MissingError


@dataclass(frozen=True)
class Estimate:
    """A mean of independent units with its standard error.

    >>> Estimate(2.0, 0.1, n=50, unit="bits/dim")
    2.0000 +- 0.1000 bits/dim (n = 50)
    """

    value: float
    standard_error: float
    """Standard deviation of the mean; NaN where there is none."""
    n: int
    """Number of units."""
    unit: str = ""

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The two-sided Student interval with this coverage."""
        return _elbow.student_interval(self.value, self.standard_error, self.n, confidence)

    def __repr__(self) -> str:
        error = "" if math.isnan(self.standard_error) else f" +- {self.standard_error:.4f}"
        return f"{self.value:.4f}{error} {self.unit}".rstrip() + f" (n = {self.n})"

    @staticmethod
    def of(fields: dict[str, Any], unit: str) -> Estimate:
        """The estimate of a document's fields `value`, `standard_error`, `n`."""
        error = fields["standard_error"]
        return Estimate(fields["value"], math.nan if error is None else error, fields["n"], unit)


def frame(records: list[dict[str, Any]]) -> Any:
    """Rows as a `pandas.DataFrame`."""
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as missing:
        raise MissingError("pandas is not installed\n  pip install pandas, or use the rows as they are") from missing
    return pandas.DataFrame(records)


class Document:
    """What a command gives: `data` holds the fields of its JSON document, and it prints as on the command line."""

    def __init__(self, printed: Printed) -> None:
        self._printed = printed
        self.data: dict[str, Any] = json.loads(printed.json)

    def json(self) -> str:
        """The document, byte for byte as `--json` prints it."""
        return self._printed.json

    def __getitem__(self, field: str) -> Any:
        return self.data[field]

    def __repr__(self) -> str:
        return self._printed.text

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


class Estimated(Document):
    """A document with one number that is a mean over units: value, error, interval."""

    @property
    def estimate(self) -> Estimate:
        """The number."""
        raise NotImplementedError

    @property
    def value(self) -> float:
        """The number, in the unit of `estimate`."""
        return self.estimate.value

    @property
    def standard_error(self) -> float:
        """Standard error of `value` over its units."""
        return self.estimate.standard_error

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The two-sided Student interval of `value`."""
        return self.estimate.interval(confidence)
