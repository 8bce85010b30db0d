"""Distances of images or features: FID and its family, each number with its standard error."""

from __future__ import annotations

import html
import json
import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _elbow
from .arrays import matrix
from .errors import InputError
from .images import are_images, measured
from .progress import bar

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .images import ImageOptions


class Measure:
    """A number of one or two sets of features, with its standard error."""

    def __init__(self, document: str, index: int = 0) -> None:
        data: dict[str, Any] = json.loads(document)
        fields = data["measures"][index]
        self.metric: str = fields["metric"]
        """Name of the metric, and of the features: `given`."""
        self.value: float = fields["value"]
        error = fields["standard_error"]
        self.standard_error: float = math.nan if error is None else error
        """NaN where there is none; `error_over` says why."""
        self.error_over: str = fields["error_over"]
        """The units that the standard error is over."""
        self.n: list[int | None] = fields["n"]
        """Number of rows of either set."""
        self.details: Any = fields["details"]
        """Settings and further numbers."""
        self.warnings: list[str] = data["warnings"]
        self._fields = fields

    def json(self) -> str:
        """The fields of this measure in the document of `elbow fid calc --json`."""
        return json.dumps(self._fields, indent=2)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The two-sided normal interval with this coverage."""
        half = NormalDist().inv_cdf(0.5 + confidence / 2) * self.standard_error
        return self.value - half, self.value + half

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        has_error = not math.isnan(self.standard_error)
        error = f" +- {self.standard_error:.4f} over {self.error_over}" if has_error else f" ({self.error_over})"
        warnings = "".join(f"\n  warning: {warning}" for warning in self.warnings)
        return f"{self.metric} {self.value:.6g}{error}{warnings}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def frechet_distance(
    a: Any, b: Any, *, blocks: int = 10, seed: int = 0, progress: bool = False, **images: Unpack[ImageOptions]
) -> Measure:
    """The Frechet distance of features or images `a` and `b`: FID, where the features are Inception's.

    Features: [n, d] and [m, d] of NumPy, PyTorch or JAX, finite, rounded to single precision. Images: [n, h, w, c] of uint8, or with
    `range` and `layout` others; the name of a data set with its split, a file or a folder; also a file of statistics. Their features are
    those of `network` under `convention`; see `images.ImageOptions`. The standard error is over `a`, `b` fixed: `blocks` disjoint
    blocks are left out in turn; 0 for none, which is `blocks` + 1 times as fast.

    >>> import numpy as np
    >>> a = np.random.default_rng(0).normal(size=(400, 8))
    >>> frechet_distance(a, a + 1.0).value
    8.0...
    """
    return Measure(_compare("fd", a, b, images, blocks=blocks, seed=seed, progress=progress))


def kid(a: Any, b: Any, *, progress: bool = False, **images: Unpack[ImageOptions]) -> Measure:
    """The kernel inception distance (unbiased, over all pairs) of features [n, d] and [m, d] or images, with the jackknife's error.

    >>> import numpy as np
    >>> a, b = np.random.default_rng(0).normal(size=(2, 100, 8))
    >>> bool(abs(kid(a, b).value) < 4 * kid(a, b).standard_error)
    True
    """
    return Measure(_compare("kid", a, b, images, progress=progress))


def mind(
    a: Any, b: Any, *, blocks: int = 10, seed: int = 0, progress: bool = False, **images: Unpack[ImageOptions]
) -> Measure:
    """The Monge inception distance of features [n, d] and [m, d] or images: a sliced Wasserstein distance along 1000 directions.

    The standard error is over `a`, `b` fixed, by `blocks` disjoint blocks left out in turn, and over the directions.

    >>> import numpy as np
    >>> a = np.random.default_rng(0).normal(size=(400, 8))
    >>> round(mind(a, a + 1.0).value)
    24
    """
    return Measure(_compare("mind", a, b, images, blocks=blocks, seed=seed, progress=progress))


def precision_recall(
    a: Any,
    b: Any,
    *,
    k: int | None = None,
    boundary: str | None = None,
    progress: bool = False,
    **images: Unpack[ImageOptions],
) -> dict[str, Measure]:
    """Precision, recall, density and coverage of generated features `a` [n, d] and a reference `b` [m, d], or of images.

    `k`: the neighbour whose distance is a ball's radius; `boundary`: closed or open balls; the papers' by default.

    >>> import numpy as np
    >>> a, b = np.random.default_rng(0).normal(size=(2, 100, 2))
    >>> list(precision_recall(a, b))
    ['precision', 'recall', 'density', 'coverage']
    """
    document = _compare("prdc", a, b, images, neighbours=k, boundary=boundary, progress=progress)
    names = ["precision", "recall", "density", "coverage"]
    return {name: Measure(document, index) for index, name in enumerate(names)}


def inception_score(
    logits: Any, *, splits: int = 10, seed: int = 0, progress: bool = False, **images: Unpack[ImageOptions]
) -> Measure:
    """The Inception Score of class logits [n, classes] or of images, the mean over `splits` parts in a random order.

    >>> import numpy as np
    >>> round(inception_score(50.0 * np.eye(4), splits=1).value, 6)
    4.0
    """
    return Measure(_compare("is", logits, logits, images, splits=splits, seed=seed, progress=progress))


def _compare(
    metric: str,
    a: Any,
    b: Any,
    images: ImageOptions,
    *,
    blocks: int | None = None,
    neighbours: int | None = None,
    boundary: str | None = None,
    splits: int | None = None,
    seed: int = 0,
    progress: bool,
) -> str:
    if are_images(a) or are_images(b):
        options = {"blocks": blocks, "neighbours": neighbours, "boundary": boundary, "splits": splits, "seed": seed}
        return measured(metric, a, b, options, images, progress)
    if images:
        raise InputError(f"{next(iter(images))} of features\n  leave it out, or give images [n, h, w, c]")
    first: npt.NDArray[np.float32] = matrix(a, np.float32)
    second: npt.NDArray[np.float32] = first if b is a else matrix(b, np.float32)
    return _elbow.compare_features(
        metric,
        first,
        second,
        blocks=blocks or 0,
        neighbours=neighbours,
        boundary=boundary,
        splits=splits or 1,
        seed=seed,
        progress=bar(progress),
    )
