"""Likelihoods of targets given prompts, and multiple choice."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import to_numpy
from .commands import Command, Model
from .errors import InputError
from .results import Estimate, Estimated


class ConditionalLikelihood(Estimated):
    """log p(target | prompt) of each target, a lower bound of it under a masked model, each with its error over draws."""

    @property
    def answers(self) -> list[dict[str, Any]]:
        """One per prompt: `targets` (log_likelihood, standard_error, sweeps, calls, tokens) and, of several targets, `ranking`."""
        return list(self.data["conditional"]["answers"])

    @property
    def log_likelihoods(self) -> list[npt.NDArray[np.float64]]:
        """Nats, [targets] of each prompt."""
        return self._of_targets("log_likelihood")

    @property
    def standard_errors(self) -> list[npt.NDArray[np.float64]]:
        """Standard errors of `log_likelihoods` over sweeps of the draws, nats; 0 where all sets of hidden tokens were asked about."""
        return self._of_targets("standard_error")

    @property
    def best(self) -> list[int]:
        """The best target of each prompt, counted from 0; 0 of one alone. `answers[i]["ranking"]` has the probability that it is wrong."""
        return [answer["ranking"]["best"] if "ranking" in answer else 0 for answer in self.answers]

    @property
    def accuracy(self) -> Estimate | None:
        """Share of the prompts whose best target is the right one, over prompts; none where no right ones were given."""
        return self._summary("accuracy", "")

    @property
    def accuracy_range(self) -> tuple[float, float] | None:
        """The accuracy if every undecided ranking were wrong, and if it were right."""
        ends = self.data["conditional"]["summary"].get("accuracy_range")
        return None if ends is None else (ends[0], ends[1])

    @property
    def bits_per_token(self) -> Estimate | None:
        """All bits of the targets by all their tokens, over prompts; none for fewer than two prompts of one target."""
        return self._summary("bits_per_token", "bits/token")

    @property
    def estimate(self) -> Estimate:
        """The accuracy; without answers the bits per token; of one prompt the log-likelihood of its first target, nats, over sweeps, or
        exact over all its sets."""
        first = self.answers[0]["targets"][0]
        alone = Estimate(first["log_likelihood"], first["standard_error"], first["sweeps"] or first["calls"], "nats")
        return self.accuracy or self.bits_per_token or alone

    @property
    def protocol(self) -> dict[str, str]:
        """The choices that define the numbers."""
        return dict(self.data["conditional"]["protocol"])

    def _of_targets(self, name: str) -> list[npt.NDArray[np.float64]]:
        return [np.array([target[name] for target in answer["targets"]], dtype=np.float64) for answer in self.answers]

    def _summary(self, name: str, unit: str) -> Estimate | None:
        fields = self.data["conditional"]["summary"].get(name)
        return None if fields is None else Estimate.of(fields, unit)


def conditional_likelihood(
    model: Model,
    prompts: Sequence[Any],
    targets: Sequence[Any],
    *,
    answers: Sequence[int | None] | None = None,
    schedule: str | None = None,
    draws: int | None = None,
    target_se: float | None = None,
    max_draws: int | None = None,
    error_probability: float | None = None,
    normalisation: str | None = None,
    exact: bool = False,
    seed: int = 0,
    progress: bool = False,
) -> ConditionalLikelihood:
    """log p(target | prompt) of a model: a bound with its error, or of several targets the ranking with the probability that it is wrong.

    `model`: a `denoiser`, the folder of a run, or a model file. `prompts`: one per question, token ids from 0 to V - 1, or texts where the
    model has an alphabet. `targets`: one per prompt, or a list of several to choose from, whose right ones `answers` says, counted from 0.
    `schedule`: of a denoiser that has none of its own. `draws` of the network per target, 64 by default; `target_se`: until every standard
    error is that small, nats; `error_probability`: until every ranking is decided; both with at most `max_draws`, 1024. `normalisation` of
    what is ranked: none, per-token, per-byte or per-character. `exact`: all sets of hidden tokens, for targets of up to 16.

    >>> import numpy as np
    >>> from elbow_diffusion import conditional_likelihood, denoiser
    >>> den = denoiser(lambda z: np.zeros((*z.shape, 4)), values=4)
    >>> conditional_likelihood(den, [[0, 1]], [[2, 3, 3]], schedule="linear").log_likelihoods[0].round(3)
    array([-4.159])
    """
    if not len(prompts) == len(targets) == len(answers or prompts):
        what = f"{len(prompts)} prompts, {len(targets)} targets, {len(answers or [])} answers"
        raise InputError(f"{what}\n  give a target, or a list of targets, for each prompt, and an answer for each or none")
    lines = [_line(*one) for one in zip(prompts, targets, answers or [None] * len(prompts))]
    command = Command(["likelihood", "--seed", str(seed)])
    options = {
        "draws": draws,
        "target-se": target_se,
        "max-draws": max_draws,
        "error-probability": error_probability,
        "normalisation": normalisation,
        "exact": exact,
    }
    command.flags(options)
    with tempfile.TemporaryDirectory(prefix="elbow-") as folder:
        file = Path(folder) / "prompts.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        command.files[str(file)] = "the prompts"
        command.flag("prompts", file)
        with command.judging(model, schedule):
            return command.run(ConditionalLikelihood, progress)


def _line(prompt: Any, target: Any, answer: int | None) -> dict[str, Any]:
    """A line of a file of prompts."""
    first = target[0] if not isinstance(target, str) and len(target) else None
    several = isinstance(first, str) or (first is not None and np.ndim(first) == 1)
    fields = {"prompt": _words(prompt), **({"targets": [_words(one) for one in target]} if several else {"target": _words(target)})}
    return fields if answer is None else {**fields, "answer": int(answer)}


def _words(words: Any) -> str | list[int]:
    """A text, or ids."""
    if isinstance(words, str):
        return words
    found = to_numpy(words)
    if found.ndim != 1 or (found.size and not np.issubdtype(found.dtype, np.integer)):
        raise InputError(f"a prompt or a target of the shape {list(found.shape)} and the type {found.dtype}\n  give a text, or a list of ids")
    return [int(one) for one in found]
