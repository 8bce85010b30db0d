"""Commands of elbow as functions: the same program, with data and networks of this process."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from . import _elbow
from .arrays import to_numpy
from .denoisers import Denoiser
from .errors import ElbowError, InputError
from .functions import Function
from .progress import bar

Model = Denoiser | str | os.PathLike[str]
"""A model to judge: a denoiser, the folder of a run, or a model file."""


Result = TypeVar("Result")


@dataclass
class Printed:
    """What a command gives."""

    json: str
    """Its document, as under `--json`."""
    text: str
    """What it prints for a person."""
    arrays: dict[str, npt.NDArray[np.float64]]
    """Further numbers by name."""


@dataclass(frozen=True)
class Role:
    """How much of a call's work is done here: by default all of it."""

    words: tuple[str, ...] = ()
    """Words that make a command a part of the work."""
    merged: tuple[str, ...] = ()
    """Files of parts, or folders with them, whose numbers are taken in place of the work."""
    result: Callable[[Printed], Any] | None = None
    """What a part gives in place of the result."""


ROLE: ContextVar[Role] = ContextVar("ROLE", default=Role())
"""The role of the commands of this call."""


@dataclass
class Command:
    """The words of a command, with the data and the functions that they name."""

    words: list[str]
    data: list[tuple[str, int, npt.NDArray[np.uint32], tuple[npt.NDArray[np.uint32], int] | None]] = field(
        default_factory=list
    )
    functions: list[tuple[str, Function]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    """Names of what lies in files for the command alone, in place of which messages and texts speak of it."""
    places: list[tuple[str, str]] = field(default_factory=list)
    """Words that stand for such files. The parts of a work have the same words, wherever its files lie."""

    def flag(self, name: str, value: object) -> None:
        """An option, where it is given."""
        if value is True:
            self.words.append(f"--{name}")
        elif value is not None and value is not False:
            self.words.extend([f"--{name}", str(value)])

    def flags(self, options: Mapping[str, object]) -> None:
        """Options, where they are given."""
        for name, value in options.items():
            self.flag(name, value)

    def place(self, word: str, path: Path, name: str) -> str:
        """A word for what lies in a file or folder for the command alone, of which messages speak by `name`."""
        self.places.append((word, str(path)))
        self.files[str(path)] = name
        return word

    def give(self, name: str, x: Any, values: int, classes: tuple[Any, int] | None = None) -> None:
        """Data of this process, which the words can name: tokens [n, length] below `values`."""
        tokens = ids(x, values, "x")
        if tokens.ndim != 2:
            raise InputError(f"x has the shape {list(tokens.shape)}\n  give tokens [sequences, length]")
        labels = None
        if classes is not None:
            labels = (ids(classes[0], classes[1], "classes"), classes[1])
            if labels[0].shape != (len(tokens),):
                raise InputError(f"classes of the shape {list(labels[0].shape)} for {len(tokens)} sequences")
        self.data.append((name, values, tokens, labels))

    @contextmanager
    def naming(self, model: Model, schedule: str | None, option: str | None = "model") -> Iterator[None]:
        """The command with a model, under an option or as its next word; the file of a denoiser lies in a folder of its own in
        the meantime."""
        if not isinstance(model, Denoiser):
            if schedule is not None:
                raise InputError(f"schedule = {schedule!r}: a run and a model file have their own\n  leave it out")
            self._word(option, os.fspath(model))
            yield
            return
        # Two functions may have one name.
        name, taken = model.name, [known for known, function in self.functions if function is not model.function]
        while name in taken:
            name += "'"
        with tempfile.TemporaryDirectory(prefix="elbow-") as folder:
            text = model.toml(schedule, name)
            file = Path(folder) / f"{re.sub(r'[^A-Za-z0-9_.]+', '-', name).strip('-')}.toml"
            file.write_text(text)
            word = f"{name} {hashlib.sha256(text.encode()).hexdigest()[:8]}"
            self._word(option, self.place(word, file, name))
            self.functions.append((name, model.function))
            yield

    def judging(self, model: Model, schedule: str | None) -> AbstractContextManager[None]:
        """The command with a model under `--checkpoint`, for the folder of a run, or `--model`."""
        is_run = not isinstance(model, Denoiser) and os.path.isdir(model)
        return self.naming(model, schedule, "checkpoint" if is_run else "model")

    def _word(self, option: str | None, value: str) -> None:
        if option is None:
            self.words.append(value)
        else:
            self.flag(option, value)

    def run(self, result: Callable[[Printed], Result], progress: bool = False) -> Result:
        """Runs the command, and makes the `result` of what it gives. An exception of a function comes out of here."""
        role = ROLE.get()
        # A network may call elbow itself, and does its work as a whole.
        token = ROLE.set(Role())
        try:
            json, text, arrays = _elbow.call(
                [*self.words, *role.words],
                data=self.data,
                functions=self.functions,
                places=self.places,
                merged=role.merged,
                progress=bar(progress),
            )
        except ElbowError as error:
            raise type(error)(self._named(str(error))) from None
        finally:
            ROLE.reset(token)
        printed = Printed(self._named(json), self._named(text), dict(arrays))
        # A part has no result: `shards.sharded` says so to who calls.
        made: Result = (role.result or result)(printed)
        return made

    def _named(self, text: str) -> str:
        for file, name in self.files.items():
            text = text.replace(file, name)
        return text


def ids(x: Any, values: int, what: str) -> npt.NDArray[np.uint32]:
    """Ids from 0 to `values` - 1 in the type of the native half."""
    found = to_numpy(x)
    if not np.issubdtype(found.dtype, np.integer):
        raise InputError(f"{what} has numbers of the type {found.dtype}\n  give integers from 0 to {values - 1}")
    if found.size and not (0 <= int(found.min()) and int(found.max()) < values):
        raise InputError(f"{what} has ids from {found.min()} to {found.max()}\n  give ids from 0 to {values - 1}")
    return np.ascontiguousarray(found, dtype=np.uint32)
