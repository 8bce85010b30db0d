"""The fixture `check_loss` of pytest: a loss that is not its objective fails its test, in the words of the check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .losses import LossCheck
from .losses import check_loss as check


@pytest.fixture
def check_loss() -> Callable[..., LossCheck]:
    """`elbow_diffusion.check_loss` as an assertion: `check_loss(my_loss, "mdlm", framework="torch")` fails the test where the loss is wrong."""

    def checked(loss: Callable[..., Any], objective: str, **options: Any) -> LossCheck:
        found = check(loss, objective, **options)
        if not found.agrees:
            pytest.fail(repr(found), pytrace=False)
        return found

    return checked
