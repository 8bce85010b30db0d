"""The unit test of a training loss: run over a denoiser whose exact value is known, with the loss's own draws.

| module | what |
|---|---|
| `masked`, `gaussian` | objectives over toys: the loss of a draw, its exact mean, and losses that are often in its place |
| `recorder` | the denoiser that a loss is given, which records what the loss drew |
| `laws` | the drawn times and noise, against the objective's |
| `values` | the values, against those that the drawn times and noise should give |
| `tests`, `result` | one probability of a false alarm for all tests; the verdict |
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import InputError
from . import gaussian, masked
from .gaussian import GaussianObjective
from .laws import Objective, check_masks, check_noise, check_times
from .masked import AnyOrderObjective, GenMd4Objective, MaskedObjective, MaskGitObjective
from .recorder import Recorder, draw
from .result import Finding, LossCheck
from .tests import Tests
from .values import check_mean, check_values, unit_of

__all__ = ["Finding", "LossCheck", "check_loss"]

OBJECTIVES = ["md4", "mdlm", "d3pm-absorbing", "genmd4", "any-order", "maskgit", "vdm", "edm", "flow"]


def check_loss(
    loss: Callable[..., Any],
    objective: str,
    *,
    weighting: str | None = None,
    schedule: str | None = None,
    steps: int | None = None,
    time: str | None = "default",
    output: str | None = None,
    columns: int | None = None,
    unit: str | None = None,
    framework: str = "numpy",
    calls: int = 2000,
    seed: int = 0,
    false_alarm: float = 1e-6,
) -> LossCheck:
    """Whether a training loss is the objective that it should be, and where it is not, what is wrong with it.

    `loss(denoiser, x)` is the loss as it trains: it draws times and noise itself, calls `denoiser(z, t)` once with a row per row of `x`,
    and returns the mean over the batch, or a number per row, or one per token. Parameters of it that are called `rng` (a NumPy generator)
    or `seed` (an int, another one at each call) are given. `x`: token ids [16, 4] of three values, the mask's id is 3; or points
    [16, 4] from -0.8 to 0.9 of vdm, edm and flow. Arrays and tensors are those of `framework`: numpy, torch or jax. The denoiser's answers
    are a table that knows every z, so that the exact value of the objective is known.

    `objective`: md4, mdlm, d3pm-absorbing (`steps`, 10 by default), genmd4, any-order, maskgit; vdm, edm, flow. `weighting` and `schedule`:
    by their names, the published ones by default (md4: linear with the authors' eps, as md4:linear). `steps` of md4 in discrete time.
    `time`: what the loss tells the denoiser; masked: time, mask-rate, log-snr, sigma = -log alpha, or None; Gaussian: time, log-snr, gamma,
    sigma = sigma / alpha, c-noise. `output`: what the denoiser gives, eps, x, v or velocity. `columns`: 3 logits per token, or 4 with one for
    the mask, which a loss must leave out. `unit`: nats/sequence, nats/token, bits/sequence or bits/token of masked losses, of which the
    first two serve Gaussian ones too, with coordinates in place of tokens.

    Every test of chance is made at a level such that a right loss is called wrong with a probability below `false_alarm` in all. The
    random states of NumPy and PyTorch are set from `seed` in the meantime, and are as before afterwards.

    >>> import numpy as np
    >>> from elbow_diffusion import check_loss
    >>> def mine(denoiser, x, rng):                                   # the weight 1 / t is left out
    ...     t = rng.uniform(size=(len(x), 1))
    ...     hidden = rng.uniform(size=x.shape) < t
    ...     logits = denoiser(np.where(hidden, 3, x), t)
    ...     log_mu = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    ...     return -(np.take_along_axis(log_mu, x[..., None], -1)[..., 0] * hidden).sum(-1)
    >>> "the weight is left out" in check_loss(mine, "md4", schedule="linear", calls=200).mistakes[0]
    True
    """
    made = _objective(objective, weighting, schedule, steps, time, output, columns)
    x = masked.batch() if isinstance(made, MaskedObjective) else gaussian.batch()
    recorder = Recorder(_answer(made), x.shape[1])
    rng = np.random.default_rng(seed)
    names = set(inspect.signature(loss).parameters)

    def give() -> dict[str, Any]:
        offered = {"rng": rng, "seed": int(rng.integers(2**31))}
        return {name: value for name, value in offered.items() if name in names}

    with _seeded(seed):
        draws = draw(loss, recorder, x, calls, np.random.default_rng([seed, 1]), give, _sample(framework))
    if isinstance(made, AnyOrderObjective) and not isinstance(made, MaskGitObjective):
        default = "nats/sequence"
    else:
        default = {"mdlm": "nats/token", "d3pm-absorbing": "nats/token", "flow": "nats/token"}.get(objective, "nats/sequence")
    name, size = unit_of(unit or default, x.shape[1], isinstance(made, MaskGitObjective))
    tests = Tests(false_alarm)
    if draws.t is None and isinstance(made, MaskedObjective) and made.time is not None:
        raise InputError(f"the loss told the denoiser no time\n  say so: time = None; or call denoiser(z, t) with its {made.time}")
    if draws.t is not None and made.time is not None:
        draws.t = made.times(draws.t) if isinstance(made, MaskedObjective) else draws.t
        check_times(made, draws.t if isinstance(made, MaskedObjective) else made.times(draws.t), tests)
    elif isinstance(made, MaskedObjective):
        draws.t = None
    if isinstance(made, MaskedObjective):
        check_masks(made, draws, draws.t, tests)
    else:
        check_noise(made, draws, tests)
    check_values(made, draws, size, tests)
    mean, exact = check_mean(made, draws, size, name, tests)
    return LossCheck(made.describe(), mean, exact, tests.findings(), false_alarm, len(tests.pending))


def _objective(
    name: str,
    weighting: str | None,
    schedule: str | None,
    steps: int | None,
    time: str | None,
    output: str | None,
    columns: int | None,
) -> Objective:
    if name in ("vdm", "edm", "flow"):
        scale, law, own, given, meant, constant = {
            "vdm": ("vp", "vdm", "elbo", "eps", "gamma", 1.0),
            "edm": ("ve", "normal:2.4:2.4", "edm:0.5", "x", "sigma", 8.0),
            "flow": ("ot", "ot", "fm", "velocity", "time", 1.0),
        }[name]
        if steps is not None or columns is not None:
            raise InputError(f"steps and columns are those of masked losses\n  leave them out of {name}")
        constant = constant if weighting in (None, own) else 1.0
        meaning = meant if time in ("default", None) else str(time)
        return GaussianObjective(name, schedule or law, weighting or own, scale, output or given, meaning, constant)
    if output is not None:
        raise InputError("output is that of Gaussian losses\n  leave it out")
    told: str | None = time
    made: MaskedObjective
    if name == "md4":
        made = MaskedObjective(name, schedule or "md4:linear", weighting or "elbo", steps, columns=columns or 3)
    elif name == "mdlm":
        made = MaskedObjective(name, schedule or "loglinear", weighting or "elbo", steps, 1e-3, columns or 4)
        told = "sigma" if time == "default" else time
    elif name == "d3pm-absorbing":
        made = MaskedObjective(name, schedule or "linear", weighting or "elbo", steps or 10, columns=columns or 3)
    elif name in ("genmd4", "any-order", "maskgit"):
        if weighting is not None or schedule is not None or steps is not None:
            raise InputError(f"{name} has no weighting, schedule or steps to choose\n  leave them out")
        if name == "genmd4":
            made = GenMd4Objective(name, "linear", first_time=1e-3, columns=columns or 3)
        else:
            kind = AnyOrderObjective if name == "any-order" else MaskGitObjective
            made = kind(name, "linear", columns=columns or 3)
            told = None if time == "default" else time
            if told is not None:
                raise InputError(f"{name} has numbers of masks in place of times\n  leave time out")
    else:
        raise InputError(f"objective {name!r}\n  choose one of {', '.join(OBJECTIVES)}")
    if not isinstance(made, AnyOrderObjective):
        made.time = "time" if told == "default" else told
    return made


def _answer(objective: Objective) -> Callable[..., Any]:
    if isinstance(objective, GaussianObjective):
        return objective.answer
    return lambda z, _: objective.table.answer(z, objective.columns)


def _sample(framework: str) -> Any:
    """An array of the framework."""
    if framework == "numpy":
        return None
    if framework == "torch":
        import torch

        return torch.zeros(())
    if framework == "jax":
        return importlib.import_module("jax.numpy").zeros(())
    raise InputError(f"framework = {framework!r}\n  choose one of numpy, torch, jax")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Random states of NumPy and, where it is loaded, PyTorch that come from `seed`; as before afterwards."""
    torch = sys.modules.get("torch")
    before = np.random.get_state(), torch.get_rng_state() if torch else None
    np.random.seed(seed)
    if torch:
        torch.manual_seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before[0])
        if torch:
            torch.set_rng_state(before[1])
