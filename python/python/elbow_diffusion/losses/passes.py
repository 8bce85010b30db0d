"""Losses that call the network more than once: which call of a loss its value comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .recorder import Draws, Round
from .tests import Tests

if TYPE_CHECKING:
    from .laws import Objective

PASSES = ["one", "mean", "last"]
FEWEST = 20
"""Calls of a loss with the same number of passes that are looked at."""


@dataclass
class Group:
    """Calls of a loss with the same number of passes."""

    objective: Objective
    """The objective, with the answers that count."""
    draws: list[Draws]
    """The draws whose mean the loss is."""
    rounds: list[Round]


def groups(rounds: list[Round], passes: str, first: Objective, later: Objective, tests: Tests) -> list[Group]:
    """The calls by how many passes they made, with what counts of each.

    `one`: one pass. `mean`: the loss is the mean over all passes, each with draws of its own. `last`: the last pass counts, and those
    before it gave what it was told (self-conditioning); they have another answer, so that their value in its place shows.
    """
    if passes not in PASSES:
        raise InputError(f"passes = {passes!r}\n  choose one of {', '.join(PASSES)}")
    for one in rounds:
        _check_rows(one, passes)
    numbers = sorted({len(one.calls) for one in rounds})
    if passes == "mean":
        if len(numbers) > 1:
            raise InputError(f"the loss made {numbers[0]} passes in one call and {numbers[-1]} in another\n  passes = 'mean' needs the same number")
        return [Group(first, [_lined_up(rounds, k) for k in range(numbers[0])], rounds)]
    found = []
    for number in numbers:
        same = [one for one in rounds if len(one.calls) == number]
        if len(same) < FEWEST and len(numbers) > 1:
            continue
        if number > 1:
            _check_earlier(same, tests)
        found.append(Group(first if number == 1 else later, [_lined_up(same, -1)], same))
    return found


def _check_rows(one: Round, passes: str) -> None:
    batch, rows = len(one.x), [len(call.z) for call in one.calls]
    if not rows or any(count != batch for count in rows):
        what = f"the loss called the denoiser {len(rows)} times, with {rows} rows, for {batch} sequences"
        raise InputError(f"{what}\n  a call needs a row per sequence, or several for each")
    if passes == "one" and len(rows) > 1:
        what = f"the loss called the denoiser with {len(rows)} rows per sequence"
        raise InputError(f"{what}\n  say what counts: passes = 'mean', or 'last' for self-conditioning")


def _lined_up(rounds: list[Round], number: int) -> Draws:
    """The draws of one pass."""
    calls = [one.calls[number] for one in rounds]
    known = [call.t for call in calls if call.t is not None]
    times = np.stack(known) if len(known) == len(calls) else None
    loss = np.stack([one.loss for one in rounds])
    gradients = [call.gradient for call in calls if call.gradient is not None]
    return Draws(
        np.stack([one.x for one in rounds]),
        np.stack([call.z for call in calls]),
        times,
        loss[:, 0] if loss.shape[1] == 1 else loss,
        gradient=np.stack(gradients) if gradients else None,
    )


def _check_earlier(rounds: list[Round], tests: Tests) -> None:
    """Self-conditioning: the earlier passes see what the last one sees, and no gradient flows through them."""
    another = sum(any((call.z != one.calls[-1].z).any() for call in one.calls[:-1]) for one in rounds)
    if another:
        tests.state("noise", f"the first pass is given another z than the last, in {another} of {len(rounds)} calls")
    flows = sum(any(call.gradient is not None and np.abs(call.gradient).max() > 0 for call in one.calls[:-1]) for one in rounds)
    if flows:
        tests.state("gradient", "the loss has a gradient through the first pass, which is to be detached")
