"""Sets of images: arrays in memory, files, folders and data sets, as `elbow fid` reads them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import numpy.typing as npt

from .arrays import to_numpy
from .commands import Command, Printed
from .results import Document
from .shards import sharded

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ImageOptions(TypedDict, total=False):
    """How images become features; the options of `elbow fid`."""

    network: str
    """digits-classifier, lite0, inception, or an ONNX file; by default the first for grey images of 8x8, lite0 for others."""
    convention: str
    """tf, pytorch or clean: how pixels become the input of an ONNX file."""
    features: str
    """The output of the network that holds the features, or a tensor inside it."""
    pool: str
    """mean, cls or first7: how a map of features becomes one vector."""
    range: str
    """The numbers that are black and white in arrays other than uint8: 0,1 or -1,1 or 0,255."""
    layout: str
    """nhwc, nchw or planes: the order of an array's axes, where more than one fits."""
    cache: str
    """Folder of the features that are kept between calls; by default none are."""


class Statistics(Document):
    """Mean and covariance of a set's features, in a file that `frechet_distance` and other tools read."""

    def __init__(self, printed: Printed) -> None:
        super().__init__(printed)
        with np.load(self.file) as arrays:
            self.mean: npt.NDArray[np.float64] = arrays["mu"]
            """[d]."""
            self.covariance: npt.NDArray[np.float64] = arrays["sigma"]
            """[d, d], with n - 1."""

    @property
    def file(self) -> Path:
        """The file."""
        return Path(self.data["output"])

    @property
    def n(self) -> int | None:
        """Number of images or rows."""
        count: int | None = self.data["n"]
        return count


def are_images(data: Any) -> bool:
    """Whether the argument names a set, or is an array of images in place of features."""
    return isinstance(data, (str, os.PathLike)) or getattr(data, "ndim", 2) == 4


def measured(
    metric: str, a: Any, b: Any, options: Mapping[str, object], images: ImageOptions, progress: bool
) -> str:
    """One metric of two sets, as the document of `elbow fid calc`."""
    command = Command(["fid", "calc"])
    with tempfile.TemporaryDirectory(prefix="elbow-") as folder:
        words = {"a": _placed(command, a, Path(folder), "a")}
        words["b"] = words["a"] if b is a else _placed(command, b, Path(folder), "b")
        command.words.extend(words.values())
        command.flags({"metrics": metric, **options, **_flags(images)})
        return command.run(lambda printed: printed.json, progress)


@sharded
def frechet_statistics(
    images: Any, file: str | os.PathLike[str], *, progress: bool = False, **options: Unpack[ImageOptions]
) -> Statistics:
    """Mean and covariance of a set of images or features, written to `file` (npz), which `frechet_distance` takes in place of a set.

    `images`: as in `frechet_distance`. `shard`: see `merge`; parts are of images.

    >>> import numpy as np, tempfile
    >>> features = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = frechet_statistics(features, folder + "/stats.npz")
    >>> found.n, bool(np.allclose(found.covariance, np.cov(features.T), atol=1e-6))
    (50, True)
    """
    command = Command(["fid", "stats"])
    with tempfile.TemporaryDirectory(prefix="elbow-") as folder:
        command.words.extend([_placed(command, images, Path(folder), "images"), "-o", os.fspath(file)])
        command.flags(_flags(options))
        return command.run(Statistics, progress)


def _flags(images: ImageOptions) -> dict[str, object]:
    return {**images, "no-cache": "cache" not in images}


def _placed(command: Command, data: Any, folder: Path, name: str) -> str:
    """The word for a set: its own name, or that of a file with the array."""
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    path = folder / f"{name}.npy"
    array = to_numpy(data)
    # A matrix is one of features, which have single precision here.
    np.save(path, array.astype(np.float32) if array.ndim == 2 else array)
    return command.place(f"the array {name}", path, name)
