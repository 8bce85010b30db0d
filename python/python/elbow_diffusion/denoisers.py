"""Denoisers: a callable with what it means."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import InputError
from .functions import Function, function


@dataclass(frozen=True)
class Denoiser:
    """A callable with what it means: the fields of a model file."""

    function: Function = field(repr=False)
    tables: dict[str, dict[str, Any]]
    """The tables `model`, `inputs`, `output`, `process` of a model file."""

    @property
    def name(self) -> str:
        """The name under which results speak of the callable."""
        return str(self.tables["model"]["python"])

    @property
    def values(self) -> int:
        """Number of data values V."""
        return int(self.tables["model"]["values"])

    @property
    def schedule(self) -> str | None:
        """Its own schedule, where it has one."""
        own: str | None = self.tables["process"].get("schedule")
        return own

    def toml(self, schedule: str | None = None, name: str | None = None) -> str:
        """The model file, under this schedule where the denoiser has none of its own, with the callable under this name."""
        own = self.schedule
        if own is not None and schedule is not None and own != schedule:
            raise InputError(f"schedule = {schedule!r}: the denoiser says {own!r}\n  name it in one place")
        if own is None and schedule is None:
            raise InputError("no schedule\n  name it: schedule = 'linear', 'cosine', 'loglinear', ...")
        model = {**self.tables["model"], "python": name or self.name}
        tables = {**self.tables, "model": model, "process": {**self.tables["process"], "schedule": own or schedule}}
        return "".join(f"[{name}]\n{_lines(fields)}" for name, fields in tables.items())


def denoiser(
    model: Callable[..., Any],
    *,
    kind: str = "masked",
    values: int,
    length: int | None = None,
    mask_id: int | None = None,
    value_ids: tuple[int, int] | None = None,
    frame: tuple[int | None, int | None] | None = None,
    time: str | None = None,
    classes: int | None = None,
    no_class: int | None = None,
    output: str | None = None,
    schedule: str | None = None,
    sigma_data: float | None = None,
    framework: str = "auto",
    device: Any = None,
) -> Denoiser:
    """A denoiser of a callable: `model(z)`, `model(z, t)` or `model(z, t, class)`, with `time` and `classes` where it takes them.

    `z`: tokens [rows, length] of the model's own ids, or points [rows, length] of a Gaussian diffusion, whose data values 0
    to V - 1 lie on the line from -1 to 1. `t` [rows]: what `time` says, one of time (0 data, 1 noise), mask-rate, log-snr, sigma
    or c-noise. `class` [rows]. The output: logits [rows, length, columns] with a column per data value or per id; of a Gaussian
    diffusion a number per point, whose meaning is `output` (eps, x, v, velocity, or f with `sigma_data`).

    `kind`: masked, uniform or gaussian. `mask_id`: the model's id of the mask, V by default. `value_ids`: first and last of the
    ids that are data, by default 0 and V - 1. `frame`: ids that stand visible around a sequence. `no_class`: the id that means "no
    class". `schedule`: here, or where the denoiser is used. `framework`: numpy, torch, jax, or auto, which takes
    `torch.nn.Module`s for torch and everything else for NumPy; `device` of a torch function that has no parameters.

    >>> import numpy as np
    >>> den = denoiser(lambda z: np.zeros((*z.shape, 4)), values=4, length=8, schedule="linear")
    >>> den.values
    4
    """
    masked = kind == "masked"
    if value_ids is None and masked:
        mask_id = values if mask_id is None else mask_id
    gaussian = kind == "gaussian"
    if output is None:
        output = "eps" if gaussian else "logits"
    if no_class is not None and classes is None:
        raise InputError("no_class without classes\n  say how many there are")
    name = f"{getattr(model, '__module__', '')}:{getattr(model, '__qualname__', type(model).__qualname__)}"
    first, last = frame or (None, None)
    tables: dict[str, dict[str, Any]] = {
        "model": {
            "python": name,
            "kind": kind,
            "values": values,
            "length": length,
            "mask_id": mask_id,
            "value_ids": list(value_ids) if value_ids else None,
            "frame": {"first": first, "last": last} if frame else None,
        },
        "inputs": {
            "tokens": "z",
            "time": {"name": "t", "means": time} if time else None,
            "class": {"name": "class", "classes": classes, "none": no_class} if classes else None,
        },
        "output": {"name": output, "means": output},
        "process": {"schedule": schedule, "sigma_data": sigma_data},
    }
    called = function(model, framework=framework, device=device, points=gaussian, name=name)
    return Denoiser(called, tables)


def _lines(fields: dict[str, Any]) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in fields.items() if value is not None)


def _toml(value: Any) -> str:
    """A string, number, list or table in TOML, which writes the first three as JSON does."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items() if one is not None) + " }"
    return json.dumps(value)
