"""Suites of claims, their rows, and the report."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .commands import Command
from .results import Document, frame
from .shards import sharded


class Claims(Document):
    """The verdicts of claims."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One per claim: id, suite, title, verdict, expected, measured, reason, seconds."""
        return list(self.data["claims"])

    @property
    def refuted(self) -> list[str]:
        """Ids of the claims that are refuted."""
        return [row["id"] for row in self.rows if row["verdict"] == "refuted"]

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`."""
        return frame(self.rows)


@sharded
def evaluate(
    names: str | Sequence[str],
    *,
    out: str | os.PathLike[str] = "out",
    slow: bool = False,
    fresh: bool = False,
    seed: int = 0,
    progress: bool = False,
) -> Claims:
    """Runs suites of claims, or claims by their ids, and writes rows and the report to the folder `out`, as `elbow eval`.

    A second run reuses what is unchanged; `fresh` runs everything again. `slow`: claims that take long too. `shard`: see `merge`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     claims = evaluate("theorem-1", out=out)
    >>> claims.rows[0]["verdict"]
    'verified'
    """
    words = [names] if isinstance(names, str) else list(names)
    command = Command(["eval", *words, "--out", os.fspath(out), "--seed", str(seed)])
    command.flag("slow", slow)
    command.flag("fresh", fresh)
    return command.run(Claims, progress)


def report(out: str | os.PathLike[str] = "out") -> Path:
    """Renders the rows of the folder `out` again; the page."""
    return Command(["report", "--out", os.fspath(out)]).run(lambda printed: Path(json.loads(printed.json)["html"]))


def rows(out: str | os.PathLike[str] = "out") -> list[dict[str, Any]]:
    """The recorded rows of the folder `out` with all their fields, oldest first."""
    with open(Path(out) / "results.jsonl") as file:
        return [json.loads(line) for line in file]
