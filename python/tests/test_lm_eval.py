"""Likelihoods given prompts, a denoiser behind a prompt, and the lm-evaluation-harness, which is not installed everywhere."""

import itertools
import json
import math
from typing import Any

import elbow_diffusion as elbow
import numpy as np
import pytest
from elbow_diffusion import _elbow
from elbow_diffusion.losses import toy
from elbow_diffusion.prompting import prompted

MASK, LENGTH = toy.MASK, toy.LENGTH
TABLE = _elbow.masked_table(json.dumps(toy.TOY)).reshape(-1, LENGTH, 3)


def table(z: Any) -> Any:
    """A network of four tokens: the logarithms of the toy's table."""
    return np.log(np.maximum(TABLE[toy.number(z)], 1e-30))


DEN = elbow.denoiser(table, values=3, length=LENGTH, mask_id=MASK, schedule="linear")


def bound(prompt: list[int], target: list[int]) -> float:
    """The any-order bound of a target behind a prompt, over all sets of masks, nats."""
    total, length = 0.0, len(target)
    for hidden in itertools.product([False, True], repeat=length):
        if not any(hidden):
            continue
        z = [*prompt, *(MASK if gone else token for token, gone in zip(target, hidden))]
        z += [MASK] * (LENGTH - len(z))
        mu = TABLE[toy.number(np.array(z))]
        costs = sum(-math.log(mu[len(prompt) + n, token]) for n, (token, gone) in enumerate(zip(target, hidden)) if gone)
        k = sum(hidden)
        total += costs / k / math.comb(length, k)
    return total


ROUNDING = 1e-5
"""Error of a bound of four tokens by the single precision of the network's answers; measured 4e-7."""

PAIRS = [([0], [0, 1, 2]), ([1, 1], [2, 0]), ([], [2, 2, 1, 0]), ([2], [2]), ([0, 0], [1])]


def test_likelihoods_given_prompts_are_the_exact_bounds() -> None:
    found = elbow.conditional_likelihood(DEN, [prompt for prompt, _ in PAIRS], [np.array(target) for _, target in PAIRS])
    for (prompt, target), value, error in zip(PAIRS, found.log_likelihoods, found.standard_errors, strict=True):
        assert value[0] == pytest.approx(-bound(prompt, target), abs=ROUNDING) and error[0] == 0.0
    bits = sum(bound(*pair) for pair in PAIRS) / sum(len(target) for _, target in PAIRS) / math.log(2)
    assert found.value == pytest.approx(bits, abs=ROUNDING) and found.bits_per_token == found.estimate
    assert found.standard_error > 0.0 and found.interval()[0] < found.value
    assert json.loads(found.json())["conditional"]["answers"] == found.answers and "bits/token" in repr(found)
    assert "prompts.jsonl" not in repr(found) and found.protocol and found.accuracy is None


def test_a_choice_is_ranked_with_its_error() -> None:
    prompts, choices = [[0, 0], [1, 1], [2]], [[[1, 2], [2, 1]], [[2, 0], [0, 0]], [[2, 1, 0], [1, 1, 1], [0, 1, 2]]]
    best = [int(np.argmin([bound(prompt, one) for one in of])) for prompt, of in zip(prompts, choices)]
    found = elbow.conditional_likelihood(DEN, prompts, choices, answers=[best[0], best[1], (best[2] + 1) % 3])
    assert found.best == best and found.accuracy is not None
    assert found.value == pytest.approx(2 / 3) and found.accuracy_range == pytest.approx((2 / 3, 2 / 3))
    assert [len(one) for one in found.log_likelihoods] == [2, 2, 3]


def test_draws_have_an_error_that_holds() -> None:
    """Eight tokens whose cost grows with what is hidden, and depends on which."""

    def network(z: Any) -> Any:
        hidden = z == 2
        logit = 3.0 * hidden.mean(-1, keepdims=True) + 1.0 * hidden[:, ::-1] * np.arange(z.shape[1]) / 8
        return np.stack([-logit * np.ones_like(z), np.zeros(z.shape)], axis=-1)

    den = elbow.denoiser(network, values=2, schedule="linear")
    sets = np.array(list(itertools.product([False, True], repeat=8))[1:])
    logits = network(np.where(sets, 2, 0))
    costs = np.where(sets, np.logaddexp(logits[..., 0], logits[..., 1]) - logits[..., 0], 0.0).sum(1)
    k = sets.sum(1)
    exact = (costs / k / np.array([math.comb(8, one) for one in k])).sum()
    found = elbow.conditional_likelihood(den, [[]], [[0] * 8], draws=128)
    # Student's law of fifteen degrees of freedom is within six errors in all but one case of ten thousand.
    assert 0.0 < found.standard_error < 0.3 and abs(found.value + exact) < 6 * found.standard_error
    assert elbow.conditional_likelihood(den, [[]], [[0] * 8], exact=True).value == pytest.approx(-exact, abs=ROUNDING)


def test_questions_that_are_none_are_refused() -> None:
    with pytest.raises(elbow.InputError, match="2 prompts, 1 targets"):
        elbow.conditional_likelihood(DEN, [[0], [1]], [[0]])
    with pytest.raises(elbow.InputError, match="names no alphabet"):
        elbow.conditional_likelihood(DEN, ["a"], ["b"])
    with pytest.raises(elbow.InputError, match="float"):
        elbow.conditional_likelihood(DEN, [[0]], [np.ones(2)])


@pytest.mark.parametrize(("prompt", "target"), PAIRS)
def test_the_likelihood_behind_a_prompt_is_the_exact_bound(prompt: list[int], target: list[int]) -> None:
    x = np.tile(target, (64, 1))
    found = elbow.likelihood(prompted(DEN, prompt, len(target)), x, draws=16).nats
    # One token behind a prompt leaves nothing to chance but rounding to single precision.
    assert abs(found.value - bound(prompt, target)) < 5 * found.standard_error + 1e-6
    other = [(one + 1) % 3 for one in prompt]
    if prompt:
        assert abs(found.value - bound(other, target)) > 5 * found.standard_error + 1e-6, "witness: another prompt"


def test_prompts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(elbow.InputError, match="the window has 4"):
        prompted(DEN, [0, 1], 3)
    with pytest.raises(elbow.InputError, match="from 0 to 2"):
        prompted(DEN, [3], 1)
    with pytest.raises(elbow.InputError, match="kind gaussian"):
        prompted(elbow.denoiser(lambda z, t: z, kind="gaussian", values=4, length=4, time="sigma"), [0], 1)


def test_frames_and_ids_of_the_model_stay_in_their_places() -> None:
    seen: list[Any] = []

    def network(z: Any) -> Any:
        seen.append(z)
        return np.zeros((*z.shape, 20))

    framed = elbow.denoiser(network, values=3, mask_id=9, value_ids=(4, 6), frame=(2, 3), schedule="linear")
    elbow.likelihood(prompted(framed, [0, 2], 3), np.zeros((4, 3), int), draws=1)
    z = np.concatenate(seen)
    assert z.shape[1] == 7 and (z[:, :3] == [2, 4, 6]).all() and (z[:, 6] == 3).all()
    assert set(z[:, 3:6].ravel()) <= {4, 9} and (z[:, 3:6] == 9).any()


class Letters:
    """a, b and c."""

    def encode(self, text: str) -> list[int]:
        return ["abc".index(one) for one in text]

    def decode(self, ids: Any) -> str:
        return "".join("abc"[one] for one in ids)


def model(**options: Any) -> Any:
    pytest.importorskip("lm_eval")
    from elbow_diffusion.lm_eval import DenoiserLM

    return DenoiserLM(DEN, Letters(), **options)


def request(kind: str, *arguments: Any) -> Any:
    from lm_eval.api.instance import Instance

    return Instance(request_type=kind, doc={}, arguments=arguments, idx=0)


def words(ids: list[int]) -> str:
    return Letters().decode(ids)


def test_log_likelihoods_are_minus_the_bound() -> None:
    lm = model()
    found = lm.loglikelihood([request("loglikelihood", words(prompt), words(target)) for prompt, target in PAIRS], disable_tqdm=True)
    for (prompt, target), (value, _) in zip(PAIRS, found, strict=True):
        assert value == pytest.approx(-bound(prompt, target), abs=ROUNDING)
    assert lm.errors == [0.0] * len(PAIRS), "all sets of hidden tokens were asked about"
    longer = model(end=None)
    (empty, _), (kept, _) = longer.loglikelihood([request("loglikelihood", "a", ""), request("loglikelihood", "abcabc", "ba")], disable_tqdm=True)
    assert empty == 0.0 and kept == pytest.approx(-bound([1, 2], [1, 0]), abs=ROUNDING), "the window holds the context's end"


def test_the_greedy_continuation_is_that_of_the_most_confident_tokens() -> None:
    lm = model()
    z = np.array([0, 0, MASK, MASK])
    while (z == MASK).any():
        mu = TABLE[toy.number(z)]
        hidden = np.flatnonzero(z == MASK)
        place = hidden[mu[hidden].max(-1).argmax()]
        z[place] = mu[place].argmax()
    best = [int(one) for one in z[2:]]
    answers = lm.loglikelihood([request("loglikelihood", "aa", words([a, b])) for a in range(3) for b in range(3)], disable_tqdm=True)
    assert [(a, b) for (a, b), (_, greedy) in zip(itertools.product(range(3), repeat=2), answers) if greedy] == [tuple(best)]


def test_rolling_windows_count_every_token_once() -> None:
    lm = model()
    text = [0, 0, 1, 2, 1, 0, 2]
    (found,) = lm.loglikelihood_rolling([request("loglikelihood_rolling", words(text))], disable_tqdm=True)
    exact = bound([], text[:4]) + bound(text[2:4], text[4:6]) + bound(text[4:6], text[6:])
    assert found == pytest.approx(-exact, abs=ROUNDING)
    assert len(lm.errors) == 3


def test_texts_are_generated_and_cut() -> None:
    lm = model()
    first, cut = lm.generate_until(
        [request("generate_until", "aa", {"max_gen_toks": 2, "until": []}), request("generate_until", "aa", {"max_gen_toks": 2, "until": ["b", "c"]})],
        disable_tqdm=True,
    )
    assert len(first) == 2 and set(first) <= set("abc") and set(cut) <= {"a"}


def test_the_harness_runs_a_task_of_multiple_choice() -> None:
    lm = model()
    task = pytest.importorskip("lm_eval.api.task")
    datasets = pytest.importorskip("datasets")
    from lm_eval import simple_evaluate

    # The answers that the exact bounds prefer.
    documents = [{"context": words(prompt), "choices": [words(one) for one in choices]} for prompt, choices in
                 [([0, 0], [[1, 2], [2, 1]]), ([1, 1], [[2, 0], [0, 0]]), ([2], [[2, 1, 0], [1, 1, 1]])]]  # fmt: skip
    for document in documents:
        costs = [bound(Letters().encode(document["context"]), Letters().encode(one)) for one in document["choices"]]
        document["answer"] = int(np.argmin(costs))
    config = {
        "task": "letters",
        "custom_dataset": lambda **_: {"test": datasets.Dataset.from_list(documents)},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{context}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "answer",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc"}],
    }
    results = simple_evaluate(lm, tasks=[task.ConfigurableTask(config=config)], bootstrap_iters=0)
    assert results["results"]["letters"]["acc,none"] == 1.0
