"""Progress by the conventions of tqdm."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .errors import MissingError

Report = Callable[[str, int, int], None]


def bar(shown: bool) -> Report | None:
    """A function that shows how far work is, as a tqdm bar: `report(what, position, length)`. None where not `shown`."""
    if not shown:
        return None
    try:
        tqdm = importlib.import_module("tqdm.auto").tqdm
    except ImportError as missing:
        raise MissingError("progress = True: tqdm is not installed\n  pip install tqdm, or leave it out") from missing
    state: dict[str, Any] = {"what": None, "bar": None}

    def report(what: str, position: int, length: int) -> None:
        if what != state["what"] or state["bar"] is None:
            if state["bar"] is not None:
                state["bar"].close()
            state["what"], state["bar"] = what, tqdm(total=length, desc=what)
        state["bar"].total = length
        state["bar"].n = position
        state["bar"].refresh()
        if position == length > 0:
            state["bar"].close()
            state["bar"] = None

    return report
