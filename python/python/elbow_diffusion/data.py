"""Data sets as arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _elbow


@dataclass(frozen=True)
class Dataset:
    """One split of a data set."""

    name: str
    """Name with split."""
    tokens: npt.NDArray[np.uint32] = field(repr=False)
    """[n, length], 0 to V - 1; pixels of images, channels innermost."""
    labels: npt.NDArray[np.uint32] | None = field(repr=False)
    """Classes [n]; none where there are none."""
    values: int
    """Number of data values V."""
    classes: int
    """Number of classes."""
    image: tuple[int, int, int] | None
    """Height, width and channels of images."""
    hash: str
    """SHA-256 of the data."""

    @property
    def images(self) -> npt.NDArray[Any]:
        """[n, height, width, channels]."""
        if self.image is None:
            raise ValueError(f"{self.name} has no images")
        return self.tokens.reshape(-1, *self.image)


def dataset(
    name: str | os.PathLike[str],
    split: str = "test",
    *,
    length: int | None = None,
    alphabet: str | None = None,
    folders: Sequence[str | os.PathLike[str]] = (),
) -> Dataset:
    """A data set by its name (digits, fashion-mnist, cifar10, shakespeare, ...), a file or a folder, as `elbow` finds it.

    `length` (tokens per window) and `alphabet` (text8, bytes, tokenizer:FILE) of a text. `folders` are searched first.

    >>> digits = dataset("digits")
    >>> digits.tokens.shape, digits.values, digits.image
    ((299, 64), 17, (8, 8, 1))
    """
    places = [os.fspath(folder) for folder in folders]
    found = _elbow.dataset(os.fspath(name), split, length=length, alphabet=alphabet, folders=places)
    tokens, labels, values, size, classes, image, hash = found
    extents = None if image is None else (image[0], image[1], image[2])
    known = labels if classes else None
    return Dataset(f"{os.fspath(name)}:{split}", tokens.reshape(-1, size), known, values, classes, extents, hash)
