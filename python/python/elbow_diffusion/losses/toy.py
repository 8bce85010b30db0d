"""The toy of masked and uniform losses: sixteen words, and a table that answers every pattern."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _elbow
from ..errors import InputError
from .recorder import Array

Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

STATES, LENGTH = 3, 4
MASK = STATES
# Sixteen words, a word as often as its probability in sixteenths: a batch of them is the law of the data.
WORDS = ["0012"] * 3 + ["0102"] * 2 + ["1120"] * 3 + ["2210", "2201", "0000", "1111"] + ["2012"] * 2 + ["1021", "0221"]
TOY = {
    "states": STATES,
    "length": LENGTH,
    "data": {word: WORDS.count(word) / 16 for word in WORDS},
    "denoiser": {"kind": "tempered", "temperature": 1.6, "floor": 0.05},
}
SCHEDULES = ["linear", "cosine", "poly:0.5", "poly:2", "poly:3", "geometric", "loglinear", "md4:linear", "md4:cosine"]
WEIGHTINGS = ["elbo", "simple", "sigmoid:0", "sigmoid:2", "fm", "iddpm", "edm", "p2:1", "min-snr:5", "snr", "indi"]


def batch() -> Ids:
    """The words, [16, 4]."""
    return np.array([[int(digit) for digit in word] for word in WORDS])


class Table:
    """The denoiser: logits of every partially masked sequence, with a column for the mask that a loss should leave out.

    `scale` multiplies the logits of the values: another denoiser.
    """

    def __init__(self, scale: float = 1.0) -> None:
        symbols = STATES + 1
        patterns = symbols**LENGTH
        mu = _elbow.masked_table(json.dumps(TOY)).reshape(patterns, LENGTH, STATES)
        rng = np.random.default_rng(0)
        # What it says at visible positions should not matter; it differs from what is there.
        careless = rng.dirichlet(np.ones(STATES), size=(patterns, LENGTH))
        digits = patterns_of(np.arange(patterns))
        mu = np.where((digits == MASK)[:, :, None], mu, careless)
        mask = rng.normal(size=(patterns, LENGTH, 1))
        self.logits = np.concatenate([scale * np.log(mu), mask], axis=2)

    def answer(self, z: npt.NDArray[Any], columns: int) -> Array:
        """Logits [n, length, columns]."""
        return self.logits[number(z)][:, :, :columns]

    def costs(self, z: Ids, x: Ids, columns: int = STATES) -> Array:
        """-log of the softmax over the first `columns` at x_n, of visible positions too: [..., length], nats."""
        logits = self.logits[number(z)][..., :columns]
        normaliser = np.log(np.exp(logits).sum(-1))
        found: Array = normaliser - np.take_along_axis(logits, x[..., None], -1)[..., 0]
        return found

    def mu(self, z: Ids) -> Array:
        """Probabilities of the values, [..., length, V]."""
        mu = np.exp(self.logits[number(z)][..., :STATES])
        found: Array = mu / mu.sum(-1, keepdims=True)
        return found

    def slopes(self, z: Ids, x: Ids, columns: int) -> Array:
        """The derivative of the costs by the logits, mu - x, and 0 for the mask's: [..., length, columns]."""
        found = np.zeros((*z.shape, columns))
        found[..., :STATES] = self.mu(z) - (x[..., None] == np.arange(STATES))
        return found


def number(z: npt.NDArray[Any]) -> Ids:
    """The number of each pattern, the first position most significant."""
    ids = np.asarray(z, dtype=np.int64)
    if ids.size and not (0 <= ids.min() and ids.max() <= MASK):
        raise InputError(f"the denoiser was given ids from {ids.min()} to {ids.max()}\n  the values are 0 to {MASK - 1}, the mask {MASK}")
    found: Ids = (ids * (STATES + 1) ** np.arange(LENGTH)[::-1]).sum(-1)
    return found


def patterns_of(numbers: Ids) -> Ids:
    """The digits of patterns."""
    return (numbers[:, None] // (STATES + 1) ** np.arange(LENGTH)[::-1]) % (STATES + 1)


def masked_sets(x: Ids) -> tuple[Ids, Flags]:
    """Every partially masked form of each row, [rows, 2^L, L], and the sets [2^L, L]."""
    hidden = (np.arange(2**LENGTH)[:, None] >> np.arange(LENGTH) & 1).astype(bool)
    return np.where(hidden, MASK, x[:, None, :]), hidden


@cache
def nodes(count: int = 400) -> tuple[Array, Array]:
    """Nodes and weights of quadrature over (0, 1), dense at both ends."""
    points, weights = np.polynomial.legendre.leggauss(count)
    u = (points + 1) / 2
    return np.sin(np.pi * u / 2) ** 2, weights / 2 * np.pi / 2 * np.sin(np.pi * u)
