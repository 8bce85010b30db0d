"""The native half of `elbow_diffusion`."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_Progress = Callable[[str, int, int], None]

VERSION: Final[str]

def main(arguments: Sequence[str]) -> int:
    """Runs the command line on these arguments, the first of which is the program's name; the exit code."""

def call(
    arguments: Sequence[str],
    *,
    data: Sequence[tuple[str, int, npt.NDArray[np.uint32], tuple[npt.NDArray[np.uint32], int] | None]],
    functions: Sequence[tuple[str, Any]],
    progress: _Progress | None,
) -> tuple[str, str, list[tuple[str, npt.NDArray[np.float64]]]]:
    """What a command prints under `--json`, what it prints for a person, and further numbers by name."""

def student_interval(value: float, standard_error: float, n: int, confidence: float) -> tuple[float, float]:
    """The two-sided Student interval of a mean of `n` units."""

def compare_features(
    metric: str,
    generated: npt.NDArray[np.float32],
    reference: npt.NDArray[np.float32],
    *,
    blocks: int,
    neighbours: int | None,
    boundary: str | None,
    splits: int,
    seed: int,
    progress: _Progress | None,
) -> str:
    """One metric of two arrays [n, d] and [m, d] as JSON."""
