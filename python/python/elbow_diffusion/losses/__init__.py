"""The unit test of a training loss: run over a denoiser whose exact value is known, with the loss's own draws.

| module | what |
|---|---|
| `objectives` | objectives by their names |
| `masked`, `counts`, `block`, `genmd4`, `uniform`, `gaussian` | objectives over a toy: the loss of a draw, its gradient, its exact mean, and losses that are often in its place |
| `toy` | the data and the table that answers |
| `recorder`, `passes` | the denoiser that a loss is given, which records what the loss drew; which of its calls count |
| `laws` | the drawn times and noise, against the objective's |
| `values`, `gradients` | the values and their derivatives, against those that the drawn times and noise should give |
| `tests`, `result` | one probability of a false alarm for all tests; the verdict |
"""

from __future__ import annotations

import importlib
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import InputError
from ..results import Estimate
from . import gaussian, toy
from .counts import MaskGitObjective
from .genmd4 import GenMd4Objective
from .gradients import check_gradients, check_schedule
from .laws import Objective, check_laws
from .masked import MaskedObjective
from .objectives import PER_TOKEN, objective as named
from .passes import Group, groups
from .recorder import Recorder, Round, like, play
from .result import Finding, LossCheck
from .tests import Tests
from .values import check_mean, check_values, unit_of

__all__ = ["Finding", "LossCheck", "check_loss"]


def check_loss(
    loss: Callable[..., Any],
    objective: str,
    *,
    weighting: str | None = None,
    schedule: str | None = None,
    steps: int | None = None,
    block: int | None = None,
    time: str | None = "default",
    output: str | None = None,
    columns: int | None = None,
    unit: str | None = None,
    passes: str = "one",
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

    `objective`: md4, mdlm, d3pm-absorbing, d3pm-uniform (`steps`, 10 by default), block (`block` tokens per block, 2 by default), genmd4,
    any-order, maskgit; vdm, edm, flow. `weighting` and `schedule`: by their names, the published ones by default (md4: linear with the
    authors' eps, as md4:linear; d3pm-uniform: elbo, or hybrid:LAMBDA). `steps` of md4 in discrete time.
    `time`: what the loss tells the denoiser; masked: time, mask-rate, log-snr, sigma = -log alpha, or None; Gaussian: time, log-snr, gamma,
    sigma = sigma / alpha, c-noise. `output`: what the denoiser gives, eps, x, v or velocity. `columns`: 3 logits per token, or 4 with one for
    the mask, which a loss must leave out. `unit`: nats/sequence, nats/token, bits/sequence or bits/token of masked losses, of which the
    first two serve Gaussian ones too, with coordinates in place of tokens.

    A loss of `block` calls the denoiser with [noisy, clean], [16, 8], and a time per row, block or token. `passes`: what counts where a loss
    calls the network more than once, or with several rows per sequence as `torch.cat` puts them: mean, the mean over all; last, the last
    call, the earlier ones being what it was told (self-conditioning). A loss of genmd4 that has a parameter `exponents` is given those of
    its schedule, [3]; their gradient is checked, by autograd of PyTorch, or as the second of what the loss returns, (value, gradient). With
    PyTorch the gradient by the network's outputs is compared too.

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
    made = named(
        objective, weighting=weighting, schedule=schedule, steps=steps, block=block, time=time, output=output, columns=columns
    )
    later = made.again() if passes == "last" else made
    recorder = Recorder(lambda z, t, number: (made if number == 0 else later).answer(z, t), made.widths())
    sample, rng = _sample(framework), np.random.default_rng(seed)
    names = set(inspect.signature(loss).parameters)

    def give() -> dict[str, Any]:
        offered = {"rng": rng, "seed": int(rng.integers(2**31)), "exponents": _exponents(made, sample)}
        return {name: value for name, value in offered.items() if name in names}

    x = toy.batch() if isinstance(made, MaskedObjective) else gaussian.batch()
    with _seeded(seed):
        rounds = play(loss, recorder, x, calls, np.random.default_rng([seed, 1]), give, sample)
    unit = unit or ("nats/token" if objective in PER_TOKEN else "nats/sequence")
    name, size = unit_of(unit, x.shape[1], isinstance(made, MaskGitObjective))
    tests = Tests(false_alarm)
    found = groups(rounds, passes, made, later, tests)
    exact = sum(_check(group, size, tests, made) * len(group.rounds) for group in found) / sum(len(group.rounds) for group in found)
    return LossCheck(made.describe(), _mean(rounds, name), exact, tests.findings(), false_alarm, len(tests.pending))


def _check(group: Group, size: float, tests: Tests, first: Objective) -> float:
    """Everything about the calls of a group; the exact mean of the loss."""
    objective = group.objective
    for number, draws in enumerate(group.draws):
        if isinstance(objective, MaskedObjective) and objective.time is not None and draws.t is None:
            raise InputError(f"the loss told the denoiser no time\n  say so: time = None; or call denoiser(z, t) with its {objective.time}")
        group.draws[number] = objective.prepared(draws)
        check_laws(objective, group.draws[number], tests)
    if check_values(group, size, tests, first):
        check_gradients(group, size, tests)
    check_schedule(group, size, tests)
    return check_mean(group.objective, group.draws[0], size, tests)


def _mean(rounds: list[Round], unit: str) -> Estimate:
    """The mean of the loss over its calls."""
    values = np.array([one.loss.mean() for one in rounds])
    return Estimate(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))), len(values), unit)


def _exponents(objective: Objective, sample: Any) -> Any:
    """The exponents of GenMD4's schedule in the loss's framework, with a gradient where it is PyTorch."""
    if not isinstance(objective, GenMd4Objective):
        return None
    made = like(sample, np.array(objective.exponents))
    return made.requires_grad_() if hasattr(made, "requires_grad_") else made


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
