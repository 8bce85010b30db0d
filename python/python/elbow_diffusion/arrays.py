"""Arrays of PyTorch, JAX and NumPy as NumPy arrays, without a copy where there need be none."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError


def to_numpy(array: Any) -> npt.NDArray[Any]:
    """The same numbers as a NumPy array. A tensor of PyTorch is detached, and fetched from its device."""
    if isinstance(array, np.ndarray):
        return array
    if hasattr(array, "detach") and hasattr(array, "cpu"):
        array = array.detach().cpu()
        # NumPy has no bfloat16.
        return np.asarray(array.float() if str(array.dtype) == "torch.bfloat16" else array)
    return np.asarray(array)


def matrix(array: Any, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """A matrix in row-major order and in this precision."""
    found = to_numpy(array)
    if found.ndim != 2:
        raise InputError(f"an array of the shape {list(found.shape)}\n  give a matrix: one row per item")
    return np.ascontiguousarray(found, dtype=dtype)
