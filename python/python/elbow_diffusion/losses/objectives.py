"""Objectives by their names."""

from __future__ import annotations

from ..errors import InputError
from .block import BlockObjective
from .counts import AnyOrderObjective, MaskGitObjective
from .gaussian import GaussianObjective
from .genmd4 import GenMd4Objective
from .laws import Objective
from .masked import MaskedObjective
from .uniform import UniformObjective

OBJECTIVES = ["md4", "mdlm", "d3pm-absorbing", "d3pm-uniform", "block", "genmd4", "any-order", "maskgit", "vdm", "edm", "flow"]

# Scale of z, schedule, weighting, output, what the denoiser is told, constant.
GAUSSIAN = {
    "vdm": ("vp", "vdm", "elbo", "eps", "gamma", 1.0),
    "edm": ("ve", "normal:2.4:2.4", "edm:0.5", "x", "sigma", 8.0),
    "flow": ("ot", "ot", "fm", "velocity", "time", 1.0),
}
PER_TOKEN = ["mdlm", "d3pm-absorbing", "d3pm-uniform", "block", "flow"]
"""Objectives whose published code takes a mean over tokens or coordinates."""


def objective(
    name: str,
    *,
    weighting: str | None,
    schedule: str | None,
    steps: int | None,
    block: int | None,
    time: str | None,
    output: str | None,
    columns: int | None,
) -> Objective:
    """The objective of this name, published settings by default; `time` is `default`, a meaning, or none."""
    if name not in OBJECTIVES:
        raise InputError(f"objective {name!r}\n  choose one of {', '.join(OBJECTIVES)}")
    if block is not None and name != "block":
        raise InputError(f"block is that of the objective 'block'\n  leave it out of {name}")
    if name in GAUSSIAN:
        scale, law, own, given, meant, constant = GAUSSIAN[name]
        if steps is not None or columns is not None:
            raise InputError(f"steps and columns are those of masked losses\n  leave them out of {name}")
        constant = constant if weighting in (None, own) else 1.0
        meaning = meant if time in ("default", None) else str(time)
        return GaussianObjective(name, schedule or law, weighting or own, scale, output or given, meaning, constant)
    if output is not None:
        raise InputError("output is that of Gaussian losses\n  leave it out")
    if name in ("genmd4", "any-order", "maskgit") and (weighting, schedule, steps) != (None, None, None):
        raise InputError(f"{name} has no weighting, schedule or steps to choose\n  leave them out")
    if name in ("any-order", "maskgit"):
        if time not in ("default", None):
            raise InputError(f"{name} has numbers of masks in place of times\n  leave time out")
        kind = AnyOrderObjective if name == "any-order" else MaskGitObjective
        return kind(name, "linear", columns=columns or 3)
    made = _of_times(name, weighting, schedule, steps, block, columns)
    made.time = ("sigma" if name == "mdlm" else "time") if time == "default" else time
    return made


def _of_times(
    name: str, weighting: str | None, schedule: str | None, steps: int | None, block: int | None, columns: int | None
) -> MaskedObjective:
    if name == "genmd4":
        return GenMd4Objective(name, "linear", first_time=1e-3, columns=columns or 3)
    if name == "d3pm-uniform":
        kind, _, number = (weighting or "elbo").partition(":")
        if kind not in ("elbo", "hybrid"):
            raise InputError(f"weighting = {weighting!r}: d3pm-uniform has elbo, or hybrid:LAMBDA with lambda times the cross-entropy")
        return UniformObjective(name, schedule or "linear", steps=steps or 10, columns=columns or 3, hybrid=float(number or 0.0))
    weighting = weighting or "elbo"
    if name == "block":
        return BlockObjective(name, schedule or "linear", weighting, steps, 1e-3, columns or 4, block=block or 2)
    if name == "mdlm":
        return MaskedObjective(name, schedule or "loglinear", weighting, steps, 1e-3, columns or 4)
    if name == "md4":
        return MaskedObjective(name, schedule or "md4:linear", weighting, steps, columns=columns or 3)
    return MaskedObjective(name, schedule or "linear", weighting, steps or 10, columns=columns or 3)
