"""check_loss of losses that call the network more than once, and of GenMD4's learned schedule."""

import re
from typing import Any

import elbow_diffusion as elbow
import numpy as np
import pytest
from elbow_diffusion import check_loss
from elbow_diffusion.losses.genmd4 import GenMd4Objective
from published_losses import MASK, Loss, cross_entropy, log_softmax, md4, vdm


def conditioned(
    counted: Loss = lambda first, last: last,
    share: float = 0.5,
    again: Loss = lambda rng, x, t, z: z,
    weight: Loss = lambda t: 1 / t,
) -> Loss:
    """Self-conditioning: in half of the calls the network is told its own first answer; the last answer counts."""

    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        t = rng.uniform(size=len(x))
        z = np.where(rng.uniform(size=x.shape) < t[:, None], MASK, x)
        logits = denoiser(z, t)
        if rng.uniform() < share:
            z = again(rng, x, t, z)
            logits = counted(logits, denoiser(z, t, logits))
        return weight(t) * (cross_entropy(logits, x) * (z == MASK)).sum(-1)

    return loss


def resampled(rng: Any, x: Any, t: Any, z: Any) -> Any:
    return np.where(rng.uniform(size=x.shape) < t[:, None], MASK, x)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_self_conditioning_passes(share: float) -> None:
    for seed in range(3):
        check = check_loss(conditioned(share=share), "md4", schedule="linear", passes="last", calls=1000, seed=seed)
        assert check.agrees, check
        assert abs(check.mean.value - check.exact) < 5 * check.mean.standard_error


@pytest.mark.parametrize(
    ("loss", "named"),
    [
        (conditioned(lambda first, last: first), "the first pass is counted in place of the last"),
        (conditioned(again=resampled), "the first pass is given another z than the last"),
        (conditioned(weight=lambda t: 1.0), "the weight is left out"),
    ],
)
def test_mistakes_of_self_conditioning_are_found_and_named(loss: Loss, named: str) -> None:
    check = check_loss(loss, "md4", schedule="linear", passes="last", calls=1000)
    assert not check.agrees and re.search(named, "\n".join(check.mistakes)), check


def test_self_conditioning_of_gaussian_losses_passes() -> None:
    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        def twice(z: Any, t: Any) -> Any:
            return denoiser(z, t, denoiser(z, t))

        return vdm()(twice, x, rng)

    assert check_loss(loss, "vdm", passes="last", calls=1000).agrees
    first = check_loss(lambda denoiser, x, rng: vdm()(lambda z, t: (denoiser(z, t), denoiser(z, t))[0], x, rng), "vdm", passes="last", calls=1000)
    assert any("the first pass is counted" in what for what in first.mistakes), first


def antithetic(counted: Loss = lambda a, b: (a + b) / 2, joined: bool = False) -> Loss:
    """Two draws per row, at u and 1 - u and with uniform numbers u and 1 - u for the masks."""

    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        u, v = rng.uniform(size=len(x)), rng.uniform(size=x.shape)
        hidden = [v < u[:, None], 1 - v < (1 - u)[:, None]]
        z, t = [np.where(one, MASK, x) for one in hidden], [u, 1 - u]
        if joined:
            logits = np.split(denoiser(np.concatenate(z), np.concatenate(t)), 2)
        else:
            logits = [denoiser(one, told) for one, told in zip(z, t)]
        rows = [(cross_entropy(one, x) * at).sum(-1) / told for one, at, told in zip(logits, hidden, t)]
        return counted(*rows).mean()

    return loss


@pytest.mark.parametrize("joined", [False, True])
def test_the_mean_of_two_passes_passes(joined: bool) -> None:
    for seed in range(3):
        check = check_loss(antithetic(joined=joined), "md4", schedule="linear", passes="mean", calls=1000, seed=seed)
        assert check.agrees, check


@pytest.mark.parametrize(
    ("loss", "named"),
    [
        (antithetic(lambda a, b: a + b), "a sum over the passes"),
        (antithetic(lambda a, b: a), "pass 1 of 2 alone is counted"),
        (antithetic(lambda a, b: b, joined=True), "pass 2 of 2 alone is counted"),
    ],
)
def test_mistakes_of_two_passes_are_found_and_named(loss: Loss, named: str) -> None:
    check = check_loss(loss, "md4", schedule="linear", passes="mean", calls=1000)
    assert not check.agrees and re.search(named, "\n".join(check.mistakes)), check


def test_several_passes_are_refused_where_none_is_named() -> None:
    with pytest.raises(elbow.InputError, match="2 rows per sequence"):
        check_loss(antithetic(), "md4", schedule="linear")
    with pytest.raises(elbow.InputError, match="choose one of one, mean, last"):
        check_loss(md4(), "md4", passes="first")
    with pytest.raises(elbow.InputError, match="needs the same number"):
        check_loss(conditioned(), "md4", schedule="linear", passes="mean")


EPS = 1e-4


def learned(score: float = 1.0, direct: float = 1.0, scale: float = 1.0) -> Loss:
    """GenMD4's loss with its leave-one-out gradient by the exponents: two draws of z at one t."""

    def loss(denoiser: Any, x: Any, rng: Any, exponents: Any) -> Any:
        t = 1e-3 + (1 - 1e-3) * rng.uniform(size=(len(x), 1))
        rate = (1 - EPS) * t ** exponents[x]
        of_value = np.eye(3)[x]
        values, slopes, scores = [], [], []
        for _ in range(2):
            hidden = rng.uniform(size=x.shape) < rate
            logits = denoiser(np.where(hidden, MASK, x), t)
            mu, costs = np.exp(log_softmax(logits)), cross_entropy(logits, x)
            own = exponents[x]
            values.append(((own * costs - own + mu @ exponents) * hidden).sum(-1) / t[:, 0])
            by_w = ((costs - 1)[..., None] * of_value + mu) * hidden[..., None]
            slopes.append(by_w.sum(1) / t)
            log_slope = np.where(hidden, np.log(t), -rate * np.log(t) / (1 - rate))
            scores.append((log_slope[..., None] * of_value).sum(1))
        reinforce = (values[0] - values[1])[:, None] / 2 * (scores[0] - scores[1])
        gradient = direct * (slopes[0] + slopes[1]) / 2 + score * reinforce
        return (values[0] + values[1]).mean() / 2, scale * gradient.mean(0)

    return loss


def test_the_learned_schedule_of_genmd4_passes_with_its_gradient() -> None:
    for seed in range(3):
        check = check_loss(learned(), "genmd4", passes="mean", calls=2000, seed=seed)
        assert check.agrees, check


@pytest.mark.parametrize(
    ("loss", "named"),
    [
        (learned(score=0.0), "the score-function term is left out"),
        (learned(score=-1.0), "by the exponent of the value"),
        (learned(direct=0.0), "by the exponent of the value"),
        (learned(scale=2.0), "by the exponent of the value"),
    ],
)
def test_wrong_gradients_of_the_schedule_are_found(loss: Loss, named: str) -> None:
    check = check_loss(loss, "genmd4", passes="mean", calls=2000)
    assert not check.agrees and re.search(named, "\n".join(check.mistakes)), check


def test_the_exact_gradient_is_the_slope_of_the_exact_mean() -> None:
    objective = GenMd4Objective("genmd4", "linear", first_time=1e-3)
    for value, slope in enumerate(objective.slope()):
        h = 1e-4
        ends = []
        for sign in (1, -1):
            moved = list(objective.exponents)
            moved[value] += sign * h
            ends.append(GenMd4Objective("genmd4", "linear", first_time=1e-3, exponents=tuple(moved)).exact())
        # The second differences leave 1e-8.
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-6)
    assert np.abs(objective.slope() - objective.slope(with_law=False)).max() > 0.05, "witness: the law depends on the exponents"
