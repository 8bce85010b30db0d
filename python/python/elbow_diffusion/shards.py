"""One work on several machines: parts of a call, which know nothing of each other, and what they give together."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, overload

from .commands import ROLE, Role
from .errors import InputError
from .results import Document

P = ParamSpec("P")
R = TypeVar("R", covariant=True)

Rank = tuple[int, int] | Literal["env"]
"""(rank, world), ranks from 0; or env: RANK and WORLD_SIZE, or the variables of a Slurm job array."""


class Shard(Document):
    """A part of a call's work, recorded in a file."""

    @property
    def file(self) -> Path:
        """The file with the numbers of its units."""
        return Path(self.data["file"])

    @property
    def folder(self) -> Path:
        """The folder of the files of all parts, if they are made with the same `out`."""
        return Path(self.data["folder"])

    @property
    def units(self) -> int:
        """Number of its units of work."""
        return int(self.data["units"])


class Sharded(Protocol[P, R]):
    """A function whose work can be done in parts."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    def __call__(self, *args: Any, shard: Rank, **kwargs: Any) -> Shard: ...


def sharded(function: Callable[P, R]) -> Sharded[P, R]:
    """The function with the arguments `shard`, `rounds` and `out`; see `merge`."""
    signature = inspect.signature(function)
    defaults = {"shard": None, "rounds": None, "out": "out"}
    more = {name: default for name, default in defaults.items() if name not in signature.parameters}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name, default) for name, default in more.items()}
        shard, rounds = given["shard"], given["rounds"]
        if shard is None:
            if given != more:
                raise InputError("rounds and out are those of a part\n  leave them out, or name the part: shard = (rank, world)")
            return function(*args, **kwargs)
        words = ["--shard", _part(shard)]
        words += [] if rounds is None else ["--rounds", str(rounds)]
        words += ["--out", os.fspath(given["out"])] if "out" in given else []
        with _role(Role(words=tuple(words), result=Shard)):
            return function(*args, **kwargs)

    keywords = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default) for name, default in more.items()]
    # A parameter **options stays the last.
    parameters = sorted([*signature.parameters.values(), *keywords], key=lambda one: one.kind)
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call


def merge(
    function: Sharded[P, R], shards: Shard | str | os.PathLike[str] | Sequence[Shard | str | os.PathLike[str]], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """What `function(*args, **kwargs)` gives, to the byte but for times, with the numbers of its parts in place of the network.

    `shards`: the parts, their files, or folders with them, in any order. They were made by the same call with `shard=(rank, world)`, for
    each rank from 0 to world - 1, on any machines: `likelihood`, `compare`, `sample`, `frechet_statistics`, `eval`. A part writes below
    `out`, and goes on where it was stopped. With `target_se` each does its share of so many `rounds` of 128 sequences. Parts that are
    missing, or of other settings, data or versions, are refused.

    >>> import numpy as np, tempfile
    >>> from elbow_diffusion import denoiser, likelihood, merge
    >>> den = denoiser(lambda z: np.zeros((*z.shape, 4)), values=4, length=8, schedule="linear")
    >>> x = np.random.default_rng(0).integers(4, size=(100, 8))
    >>> with tempfile.TemporaryDirectory() as out:
    ...     parts = [likelihood(den, x, shard=(rank, 3), out=out) for rank in range(3)]
    ...     whole = merge(likelihood, parts, den, x)
    >>> bool((whole.per_sequence == likelihood(den, x).per_sequence).all())
    True
    """
    places = [shards] if isinstance(shards, (Shard, str, os.PathLike)) else list(shards)
    if not places:
        raise InputError("no parts\n  name their files, or the folder with them")
    files = tuple(os.fspath(place.file if isinstance(place, Shard) else place) for place in places)
    with _role(Role(merged=files)):
        return function(*args, **kwargs)


@contextmanager
def _role(role: Role) -> Iterator[None]:
    token = ROLE.set(role)
    try:
        yield
    finally:
        ROLE.reset(token)


def _part(shard: Rank) -> str:
    """A part as the command line counts it, from 1."""
    if shard == "env":
        return "env"
    rank, world = shard
    if not 0 <= rank < world:
        raise InputError(f"shard = ({rank}, {world})\n  ranks are 0 to world - 1")
    return f"{rank + 1}/{world}"
