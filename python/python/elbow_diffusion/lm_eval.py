"""A masked denoiser as a model of the lm-evaluation-harness: `lm_eval.simple_evaluate(DenoiserLM(den, tokenizer), tasks=[...])`.

A masked denoiser has no log-likelihood of a text, but a bound: `loglikelihood` is the bound of the continuation given its context (minus an
upper bound on -log p, so a lower bound on log p), a mean over draws of the masks. `errors` holds the standard error of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from lm_eval.api.instance import Instance  # type: ignore[import-untyped,import-not-found,unused-ignore]
from lm_eval.api.model import TemplateLM  # type: ignore[import-untyped,import-not-found,unused-ignore]
from tqdm import tqdm  # type: ignore[import-untyped,import-not-found,unused-ignore]

from .conditional import conditional_likelihood
from .denoisers import Denoiser
from .errors import InputError
from .prompting import prompted
from .sampling import sample

class Tokenizer(Protocol):
    """Text to data ids 0 to V - 1 and back; one of `tokenizers` or `transformers` does."""

    def encode(self, text: str) -> Any:
        """The ids, or an object with them as `ids`."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text."""


class DenoiserLM(TemplateLM):  # type: ignore[misc,unused-ignore]
    """A masked denoiser under the interface of the lm-evaluation-harness.

    `draws`: calls of the network per bound, or with `target_se` twice as many at a time until each has this standard error, nats. `window`: tokens that the network takes, of context and
    continuation together; that of the denoiser by default. Longer contexts lose their beginning. `schedule`: of a denoiser that is told a
    time and has none of its own. `greedy`: whether to find out if the continuation is what the most confident tokens, one after another, say;
    it costs a call per token, and without it the answer is False. `tokens`: how many are generated where a task does not say. `end`: the id of
    the end of a text, at which a generated one is cut.
    """

    def __init__(
        self,
        den: Denoiser,
        tokenizer: Tokenizer,
        *,
        draws: int = 64,
        target_se: float | None = None,
        window: int | None = None,
        schedule: str | None = None,
        greedy: bool = True,
        tokens: int = 64,
        end: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.den, self.seed = den, seed
        # Without a time, the bound is that of any order: every schedule gives it.
        timeless = den.schedule is None and den.tables["inputs"]["time"] is None
        self.schedule = schedule or ("linear" if timeless else None)
        self._tokenizer = tokenizer
        self.draws, self.target_se = draws, target_se
        self.window = window or den.tables["model"]["length"] or 1024
        self.greedy, self.tokens, self.end = greedy, tokens, end
        self.errors: list[float] = []
        """Standard errors of the log-likelihoods so far, nats, in the order of the requests."""

    @property
    def eot_token_id(self) -> int | None:
        """The id of the end of a text."""
        return self.end

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """The ids of a text."""
        del add_special_tokens
        found = self._tokenizer.encode(string)
        return [int(one) for one in getattr(found, "ids", found)]

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """The bound on log p(continuation | context), nats, and whether the continuation is the most confident one."""
        pairs = []
        for context, continuation in (request.args for request in requests):
            ids = self._encode_pair(context, continuation) if context else ([], self.tok_encode(continuation))
            pairs.append(((context, continuation), *ids))
        return self._loglikelihood_tokens(pairs, disable_tqdm=disable_tqdm)

    def _loglikelihood_tokens(
        self, requests: list[tuple[tuple[str, str], list[int], list[int]]], disable_tqdm: bool = False, **_: Any
    ) -> list[tuple[float, bool]]:
        bounds = self._bounds([(context, target) for _, context, target in requests], disable_tqdm)
        found = []
        for (words, context, target), bound in zip(tqdm(requests, desc="greedy continuations", disable=disable_tqdm or not self.greedy), bounds):
            answer = bound, self.greedy and self._is_greedy(context, target)
            self.cache_hook.add_partial("loglikelihood", words, answer)
            found.append(answer)
        return found

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """The bound on log p of a whole text, nats: windows one after the other, each given the half window before it."""
        texts = [self._windows(self.tok_encode(request.args[0])) for request in requests]
        bounds = iter(self._bounds([pair for pairs in texts for pair in pairs], disable_tqdm))
        found = [sum(next(bounds) for _ in pairs) for pairs in texts]
        for request, value in zip(requests, found):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, value)
        return found

    def _windows(self, ids: list[int]) -> list[tuple[list[int], list[int]]]:
        """Parts of a text, each with the half window before it."""
        half = max(1, self.window // 2)
        starts = [0, *range(self.window, len(ids), self.window - half)]
        ends = [*starts[1:], len(ids)]
        return [(ids[max(0, start - half) : start], ids[start:end]) for start, end in zip(starts, ends)]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Texts behind their contexts, drawn in one window and cut at the first of `until`."""
        found = []
        for number, request in enumerate(tqdm(requests, desc="texts", disable=disable_tqdm)):
            context, options = request.args
            count = min(int(options.get("max_gen_toks", self.tokens)), self.window)
            law = _law(options) if options.get("do_sample") else None
            drawn = self._drawn(self.tok_encode(context), count, law, number)
            text = self._tokenizer.decode(drawn[: drawn.index(self.end)] if self.end in drawn else drawn)
            stops = options.get("until", [])
            for stop in [stops] if isinstance(stops, str) else stops:
                text = text.split(stop)[0] if stop else text
            self.cache_hook.add_partial("generate_until", request.args, text)
            found.append(text)
        return found

    def _kept(self, context: list[int], count: int) -> list[int]:
        """The end of a context that the window has room for, before `count` tokens."""
        if count > self.window:
            raise InputError(f"a continuation of {count} tokens where the window has {self.window}\n  choose a task of shorter ones")
        return context[max(0, len(context) + count - self.window) :]

    def _bounds(self, pairs: list[tuple[list[int], list[int]]], quiet: bool) -> list[float]:
        """Minus the upper bounds on -log p(target | context), nats; their errors are kept. No token has the log-likelihood 0."""
        asked = [(self._kept(context, len(target)), target) for context, target in pairs if target]
        if not asked:
            self.errors += [0.0] * len(pairs)
            return [0.0] * len(pairs)
        found = conditional_likelihood(
            self.den,
            *zip(*asked),
            schedule=self.schedule,
            draws=self.draws,
            target_se=self.target_se,
            seed=self.seed,
            progress=not quiet,
        )
        numbers, errors = (iter([float(one[0]) for one in of]) for of in (found.log_likelihoods, found.standard_errors))
        self.errors += [next(errors) if target else 0.0 for _, target in pairs]
        return [next(numbers) if target else 0.0 for _, target in pairs]

    def _is_greedy(self, context: list[int], target: list[int]) -> bool:
        return not target or self._drawn(context, len(target)) == target

    def _drawn(self, context: list[int], count: int, law: dict[str, Any] | None = None, number: int = 0) -> list[int]:
        """Tokens behind a context: the most confident one after another, or at random by the tempered `law` of the model."""
        den = prompted(self.den, self._kept(context, count), count)
        if law is not None:
            drawn = sample(den, 1, schedule=self.schedule, sampler="first-hitting", seed=self.seed + number, **law)
        else:
            # Four rounds per token reveal one at a time.
            options: dict[str, Any] = {"steps": 4 * count, "temperature": 0.0, "logit_temperature": 0.0}
            drawn = sample(den, 1, schedule=self.schedule, sampler="confidence", seed=self.seed, **options)
        return [int(one) for one in drawn.tokens[0]]


def _law(options: dict[str, Any]) -> dict[str, Any]:
    """Temperature, top-k and top-p of a task's options, as `sample` takes them."""
    names = ("temperature", "top_k", "top_p")
    return {name: options[name] for name in names if options.get(name) is not None}
