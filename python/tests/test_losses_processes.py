"""check_loss of D3PM's uniform process and of block diffusion: exact values, published formulas, planted mistakes."""

import itertools
import re
from typing import Any

import elbow_diffusion as elbow
import numpy as np
import pytest
from elbow_diffusion import check_loss
from elbow_diffusion.losses import toy
from elbow_diffusion.losses.block import BlockObjective
from elbow_diffusion.losses.masked import MaskedObjective
from elbow_diffusion.losses.uniform import UniformObjective
from published_losses import LENGTH, MASK, Loss, cross_entropy, log_softmax


def d3pm_uniform(
    steps: int = 10,
    first: str = "kernel",
    mixture: bool = False,
    counted: Loss = lambda changed: True,
    end: Loss = lambda kl, entropy: kl,
    lowest: int = 1,
    replace: Loss = lambda rng, x: rng.integers(3, size=x.shape),
    rate: Loss = lambda t: t,
    kl: Loss = lambda q, p: np.where(q > 0, q * np.log(np.where(q > 0, q, 1) / p), 0).sum(-1),
) -> Loss:
    """D3PM's loss with the uniform transition matrices of ten steps, alpha = 1 - t, one part of which may be another."""
    alpha = 1 - np.arange(steps + 1) / steps
    one = [np.eye(3)] + [b * np.eye(3) + (1 - b) / 3 for b in alpha[1:] / alpha[:-1]]
    cumulative = [a * np.eye(3) + (1 - a) / 3 for a in alpha]

    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        i = rng.integers(lowest, steps + 1, size=len(x))
        t = i / steps
        z = np.where(rng.uniform(size=x.shape) < rate(t)[:, None], replace(rng, x), x)
        logits = denoiser(z, t)
        mu = np.exp(log_softmax(logits))
        back = np.stack([one[k] for k in i])[:, None].transpose(0, 1, 3, 2)
        likelihood = np.take_along_axis(back, z[:, :, None, None], 2)[:, :, 0]
        before = np.stack([cumulative[k - 1] for k in i])[:, None]

        def posterior(law: Any) -> Any:
            weights = likelihood * (law[:, :, None, :] @ before)[:, :, 0]
            return weights / weights.sum(-1, keepdims=True)

        truth = np.eye(3)[x]
        p = posterior(mu) if not mixture else sum(mu[..., v, None] * posterior(np.broadcast_to(np.eye(3)[v], mu.shape)) for v in range(3))
        entropy = cross_entropy(logits, x)
        costs = kl(posterior(truth), p)
        if first == "softmax":
            costs = np.where(i[:, None] == 1, entropy, costs)
        return (end(steps * costs, entropy) * counted(z != x)).mean()

    return loss


UNIFORM: list[tuple[Loss, dict[str, Any]]] = [
    (d3pm_uniform(), {}),
    (d3pm_uniform(steps=4), {"steps": 4}),
    (d3pm_uniform(end=lambda kl, entropy: kl + 0.01 * entropy), {"weighting": "hybrid:0.01"}),
]


@pytest.mark.parametrize(("loss", "options"), UNIFORM)
def test_uniform_losses_pass(loss: Loss, options: dict[str, Any]) -> None:
    for seed in range(3):
        check = check_loss(loss, "d3pm-uniform", seed=seed, calls=1000, **options)
        assert check.agrees and not check.findings, check
        assert abs(check.mean.value - check.exact) < 5 * check.mean.standard_error


def test_the_first_step_of_the_authors_code_is_right_and_named() -> None:
    check = check_loss(d3pm_uniform(first="softmax"), "d3pm-uniform", calls=1000)
    assert check.agrees and "as in the authors' code" in check.findings[0].what
    kernel = check_loss(d3pm_uniform(), "d3pm-uniform", calls=1000)
    assert abs(check.exact - kernel.exact) > 1e-3, "witness: the two differ"


UNIFORM_MUTANTS: list[tuple[Loss, dict[str, Any], str]] = [
    (d3pm_uniform(end=lambda kl, entropy: kl / 10), {}, "T is left out"),
    (d3pm_uniform(counted=lambda changed: changed), {}, "only the tokens that were replaced are counted"),
    (d3pm_uniform(end=lambda kl, entropy: entropy), {}, "the cross-entropy of x in place of the step's KL"),
    (d3pm_uniform(kl=lambda q, p: (p * np.log(p / np.maximum(q, 1e-30))).sum(-1)), {}, "the other way round"),
    (d3pm_uniform(kl=lambda q, p: -(q * np.log(p)).sum(-1)), {}, "the entropy of q is left out"),
    (d3pm_uniform(mixture=True), {}, "the mixture of the posteriors"),
    (d3pm_uniform(end=lambda kl, entropy: kl + 0.01 * entropy), {}, "0.01 times the cross-entropy is added"),
    (d3pm_uniform(), {"weighting": "hybrid:0.1"}, "the cross-entropy is left out"),
    (d3pm_uniform(), {"schedule": "cosine"}, "the step is that of the schedule linear|differ from x"),
    (d3pm_uniform(lowest=2), {}, "t = 1/10 is never drawn"),
    (d3pm_uniform(replace=lambda rng, x: (x + rng.integers(1, 3, size=x.shape)) % 3), {}, "a replaced token never keeps its value"),
    (d3pm_uniform(rate=lambda t: 1 - t), {}, "alpha and 1 - alpha are exchanged"),
    (d3pm_uniform(replace=lambda rng, x: np.minimum(rng.integers(4, size=x.shape), 2)), {}, "differ from x|not replaced by the others equally"),
    (d3pm_uniform(replace=lambda rng, x: np.broadcast_to(rng.integers(3, size=(len(x), 1)), x.shape)), {}, "varies otherwise"),
]


@pytest.mark.parametrize(("loss", "options", "named"), UNIFORM_MUTANTS)
def test_mistakes_of_uniform_losses_are_found_and_named(loss: Loss, options: dict[str, Any], named: str) -> None:
    check = check_loss(loss, "d3pm-uniform", seed=1, calls=1000, **options)
    assert not check.agrees and re.search(named, "\n".join(check.mistakes)), check


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_exact_mean_of_the_uniform_process_is_that_of_the_theory(schedule: str) -> None:
    mu = toy.Table().mu(np.array(list(itertools.product(range(3), repeat=LENGTH))))
    words = ["".join(map(str, word)) for word in itertools.product(range(3), repeat=LENGTH)]
    entries = dict(zip(words, mu.tolist()))
    bound = elbow.theory.uniform({**toy.TOY, "denoiser": {"kind": "table", "entries": entries}}, schedule=schedule, steps=5)
    ours = UniformObjective("d3pm-uniform", schedule, steps=5).exact()
    # Of L^(1), whose sum of steps ends at s = 0 and so holds the decoder's term.
    assert ours == pytest.approx(bound.kl_step.sum(), rel=1e-12)


def block_loss(
    block: int = 2,
    halves: Loss = lambda noisy, clean: np.concatenate([noisy, clean], axis=1),
    repeat: Loss = np.repeat,
    weight: Loss = lambda t: 1 / t,
    first: float = 1e-3,
    end: Loss = lambda costs: costs.mean(),
    told: Loss = lambda t, of_token: t,
    mask_out: bool = True,
) -> Loss:
    """BD3-LM's loss: a time per block, the denoiser's two halves [noisy, clean], CE / t, a mean over tokens."""

    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        t = first + (1 - first) * rng.uniform(size=(len(x), LENGTH // block))
        of_token = np.repeat(t, block, axis=1)
        hidden = rng.uniform(size=x.shape) < of_token
        logits = denoiser(halves(np.where(hidden, MASK, x), x), told(t, of_token))[:, :LENGTH]
        if mask_out:
            logits[..., MASK] -= 1e6
        return end(cross_entropy(logits, x, 4) * hidden * repeat(weight(t), block, axis=1))

    return loss


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (block_loss(), {}),
        (block_loss(1), {"block": 1}),
        (block_loss(4), {"block": 4}),
        (block_loss(told=lambda t, of_token: of_token), {}),
        (lambda denoiser, x, rng: block_loss()(lambda z, t: denoiser(z), x, rng), {"time": None}),
    ],
)
def test_block_losses_pass(loss: Loss, options: dict[str, Any]) -> None:
    for seed in range(3):
        check = check_loss(loss, "block", seed=seed, calls=1000, **options)
        assert check.agrees, check
        assert abs(check.mean.value - check.exact) < 5 * check.mean.standard_error


def tile(weight: Any, block: int, axis: int) -> Any:
    return np.tile(weight, (1, block))


BLOCK_MUTANTS: list[tuple[Loss, str]] = [
    (block_loss(weight=lambda t: np.ones_like(t)), "the weight is left out"),
    (block_loss(weight=lambda t: 1 / t**2), "the weight is applied twice"),
    (block_loss(weight=lambda t: 1 / t[:, :1] + 0 * t), "the weight of the first block is that of all"),
    (block_loss(weight=lambda t: (1 / t)[:, ::-1]), "the blocks' weights are in reverse order"),
    (block_loss(weight=lambda t: (1 / t).mean(1, keepdims=True) + 0 * t), "the mean of the blocks' weights is that of all"),
    (block_loss(repeat=tile), "the row of the blocks' weights is repeated"),
    (block_loss(end=lambda costs: costs.mean() / 2), "a mean over the blocks|a half"),
    (block_loss(first=0.3), "an end is left out"),
    (block_loss(mask_out=False), "the mask is counted among the values"),
]


@pytest.mark.parametrize(("loss", "named"), BLOCK_MUTANTS)
def test_mistakes_of_block_losses_are_found_and_named(loss: Loss, named: str) -> None:
    check = check_loss(loss, "block", seed=1, calls=1000)
    assert not check.agrees and re.search(named, "\n".join(check.mistakes)), check


def test_halves_that_are_exchanged_or_both_noisy_are_refused() -> None:
    with pytest.raises(elbow.InputError, match="the halves are exchanged"):
        check_loss(block_loss(halves=lambda noisy, clean: np.concatenate([clean, noisy], axis=1)), "block", calls=50)
    with pytest.raises(elbow.InputError, match="the clean half differs"):
        check_loss(block_loss(halves=lambda noisy, clean: np.concatenate([noisy, noisy], axis=1)), "block", calls=50)
    with pytest.raises(elbow.InputError, match="repeat each block's time"):
        check_loss(block_loss(told=lambda t, of_token: np.tile(t, (1, 2))), "block", calls=50)


@pytest.mark.parametrize("weighting", ["elbo", "sigmoid:2"])
@pytest.mark.parametrize("block", [1, 2, 4])
def test_the_exact_means_of_blocks_are_those_of_the_theory(block: int, weighting: str) -> None:
    ours = BlockObjective("block", "linear", weighting, block=block).exact()
    bound = elbow.theory.masked(toy.TOY, schedule="linear", block=block, weighting=weighting)
    # Two quadratures over different variables.
    assert ours == pytest.approx(bound.weighted_continuous, rel=1e-10)


def test_the_exact_means_of_blocks_are_those_of_their_ends() -> None:
    x = toy.batch()
    before = np.arange(LENGTH) < np.arange(LENGTH)[:, None]
    rows = np.where(before, x[:, None, :], MASK)
    each = toy.Table().costs(rows, np.broadcast_to(x[:, None, :], rows.shape))
    left_to_right = np.einsum("rnn->r", each).mean()
    single = BlockObjective("block", "linear", block=1).exact()
    assert single == pytest.approx(left_to_right, rel=1e-12)
    whole = BlockObjective("block", "linear", block=LENGTH).exact()
    assert whole == pytest.approx(MaskedObjective("md4", "linear").exact(), rel=1e-12)
    assert abs(BlockObjective("block", "linear").exact() - whole) > 1e-3, "witness: blocks of two have another bound"
