"""check_loss: the published formulas pass, and planted mistakes are found and named."""

import json
import math
import re
from typing import Any

import elbow_diffusion as elbow
import numpy as np
import pytest
from elbow_diffusion import _elbow, check_loss
from elbow_diffusion.losses import gaussian, toy
from elbow_diffusion.losses.counts import AnyOrderObjective
from elbow_diffusion.losses.gaussian import GaussianObjective
from elbow_diffusion.losses.genmd4 import GenMd4Objective
from elbow_diffusion.losses.masked import MaskedObjective
from published_losses import (
    LENGTH,
    Loss,
    any_order,
    cross_entropy,
    d3pm,
    edm,
    flow,
    genmd4,
    independent,
    log_softmax,
    maskgit,
    md4,
    mdlm,
    public_counts,
    uniform_counts,
    vdm,
)

PUBLISHED: list[tuple[str, Loss, dict[str, Any]]] = [
    ("md4", md4(), {}),
    ("md4", md4(draw=independent), {}),
    ("md4", md4(time=lambda u: (np.floor(u * 5) + 1) / 5, rate=lambda t: t, weight=lambda t, k: 1 / t), {"schedule": "linear", "steps": 5}),
    (
        "md4",
        md4(rate=lambda t: np.sin(np.pi / 2 * t), weight=lambda t, k: np.pi / 2 / np.tan(np.pi / 2 * t)),
        {"schedule": "cosine"},
    ),
    ("md4", md4(rate=lambda t: t, weight=lambda t, k: 1.0), {"schedule": "linear", "weighting": "simple"}),
    ("md4", md4(rate=lambda t: t, weight=lambda t, k: 1 / np.sqrt(t * (1 - t))), {"schedule": "linear", "weighting": "fm"}),
    ("mdlm", mdlm(), {}),
    ("d3pm-absorbing", d3pm, {}),
    ("genmd4", genmd4(), {}),
    ("any-order", any_order(uniform_counts), {}),
    ("maskgit", maskgit, {}),
    ("vdm", vdm(), {}),
    ("vdm", vdm(weight=lambda gamma: 0.5 * 18.3 / (1 + np.exp(-2 - gamma))), {"weighting": "sigmoid:2"}),
    ("vdm", vdm(weight=lambda gamma: 0.5 * 18.3 * np.exp(gamma / 2)), {"weighting": "fm"}),
    ("edm", edm(), {}),
    ("flow", flow, {}),
]


@pytest.mark.parametrize(("objective", "loss", "options"), PUBLISHED)
def test_published_losses_pass(objective: str, loss: Loss, options: dict[str, Any]) -> None:
    for seed in range(3):
        check = check_loss(loss, objective, seed=seed, calls=1000, **options)
        assert check.agrees, check
        # Five standard errors: the loss of one seed in a million is farther.
        assert abs(check.mean.value - check.exact) < 5 * check.mean.standard_error


def half(loss: Loss) -> Loss:
    return lambda denoiser, x, rng: 0.5 * loss(denoiser, x, rng)


MUTANTS: list[tuple[str, Loss, dict[str, Any], str]] = [
    ("md4", half(md4()), {}, "a factor of 0.5"),
    ("md4", md4(end=lambda rows: rows / LENGTH), {}, "a mean over the 4 tokens"),
    ("md4", md4(end=lambda rows: rows / math.log(2)), {}, "bits in place of nats"),
    ("md4", md4(end=lambda rows: -rows), {}, "the sign"),
    ("md4", md4(end=lambda rows: rows.mean() / len(rows)), {}, "a mean over the batch, twice"),
    ("md4", md4(weight=lambda t, k: 1.0), {}, "the weight is left out"),
    ("md4", md4(weight=lambda t, k: 1 / (1e-4 + (1 - 2e-4) * t) ** 2), {}, "the weight is applied twice"),
    ("md4", md4(weight=lambda t, k: 1 / (1e-4 + (1 - 2e-4) * (1 - t))), {}, "the time runs backwards in the weight|alpha in place of 1 - alpha"),
    ("md4", md4(weight=lambda t, k: 1 / np.maximum(k, 1)), {}, "the mean over the masked tokens"),
    ("md4", md4(cost=lambda l, x: cross_entropy(l, x, 4)), {"columns": 4}, "the mask is counted among the values"),
    ("md4", md4(seen=np.ones_like), {}, "the visible tokens are counted too"),
    ("md4", md4(seen=lambda hidden: ~hidden), {}, "the visible tokens are counted in place"),
    ("md4", md4(cost=lambda l, x: cross_entropy(l, np.roll(x, -1, -1))), {}, "shifted by one"),
    ("md4", md4(cost=lambda l, x: -np.exp(-cross_entropy(l, x))), {}, "a probability in place of its logarithm"),
    ("md4", md4(cost=lambda l, x: 0.9 * cross_entropy(l, x) - 0.1 * log_softmax(l).mean(-1)), {}, "smoothed by 0.1"),
    ("md4", md4(time=lambda u: 0.02 + 0.98 * u), {}, "an end is left out: none below"),
    ("md4", md4(time=lambda u: 0.98 * u), {}, "an end is left out: none above"),
    ("md4", md4(time=lambda u: u**2), {}, "not uniform"),
    ("md4", md4(time=lambda u: (np.floor(u * 20) + 0.5) / 20), {}, "they lie on a grid"),
    ("md4", md4(rate=lambda t: 1 - t), {}, "visible and masked tokens are exchanged"),
    ("md4", md4(rate=lambda t: np.sin(np.pi / 2 * t)), {}, "masked with the schedule cosine"),
    ("md4", md4(masks=lambda rng, x, rate: rng.uniform(size=(len(x), 1)) < rate + 0 * x), {}, "tokens are masked together"),
    (
        "md4",
        md4(masks=lambda rng, x, rate: rng.uniform(size=x.shape).argsort(-1) < np.rint(LENGTH * rate)),
        {},
        "a fixed number per time",
    ),
    (
        "md4",
        md4(masks=lambda rng, x, rate: (rng.uniform(size=x.shape) < rate) | (np.arange(LENGTH) == rng.integers(4, size=(len(x), 1)))),
        {},
        "one mask at least",
    ),
    ("md4", md4(masks=lambda rng, x, rate: (rng.uniform(size=x.shape) < rate) & (np.arange(LENGTH) > 0)), {}, "position 0"),
    ("md4", md4(told=lambda t: 1 - t), {}, "visible and masked tokens are exchanged|1 - t"),
    (
        "md4",
        md4(rate=lambda t: np.sin(np.pi / 2 * t), weight=lambda t, k: 1 / np.sin(np.pi / 2 * t)),
        {"schedule": "cosine"},
        "the schedule's derivative is left out",
    ),
    (
        "md4",
        md4(rate=lambda t: np.sin(np.pi / 2 * t), weight=lambda t, k: np.pi / 2 * np.cos(np.pi / 2 * t)),
        {"schedule": "cosine"},
        "the division by 1 - alpha is left out|sigmoid:0",
    ),
    ("md4", md4(rate=lambda t: t, weight=lambda t, k: 1 / t), {"schedule": "linear", "weighting": "simple"}, "the weighting is elbo"),
    ("mdlm", mdlm(mask_out=False), {}, "the mask is counted among the values"),
    ("mdlm", mdlm(first=0.0), {}, "lie below the first time|end"),
    ("mdlm", mdlm(weight=lambda sigma, slope: slope), {}, "sigma' in place of sigma' / \\(e\\^sigma - 1\\)"),
    ("d3pm-absorbing", half(d3pm), {}, "a factor of 0.5"),
    ("genmd4", genmd4(lambda own, cost, means: own * cost), {}, "the terms without a logarithm are left out"),
    ("genmd4", genmd4(lambda own, cost, means: own * cost + means), {}, "the term -r_x is left out"),
    ("any-order", any_order(public_counts), {}, "odd numbers of masks are drawn too seldom"),
    ("any-order", any_order(uniform_counts, lambda k: 1.0), {}, "the weight L / k is left out"),
    ("any-order", any_order(lambda rng, n: 1 + rng.integers(1, LENGTH, size=n)), {}, "number of masks has another law|odd"),
    ("maskgit", lambda denoiser, x, rng: any_order(uniform_counts, lambda k: 1 / k)(denoiser, x, rng), {}, "number of masks"),
    ("vdm", vdm(weight=lambda gamma: 18.3), {}, "a half is left out"),
    ("vdm", vdm(error=lambda eps, hat: ((eps - hat) ** 2).mean(-1)), {}, "a mean over the 4 tokens"),
    ("vdm", vdm(weight=lambda gamma: 0.5 * 18.3 * np.exp(-gamma)), {}, "the error of eps in place of that of x|in the weight"),
    ("vdm", vdm(error=lambda eps, hat: np.sqrt(((eps - hat) ** 2).sum(-1))), {}, "the square root of the squared error"),
    ("vdm", vdm(scales=lambda gamma: (1 / (1 + np.exp(gamma)), 1 / (1 + np.exp(-gamma)))), {}, "alpha\\^2 and sigma\\^2"),
    ("vdm", vdm(noise=lambda rng, x: rng.normal(size=(len(x), 1)) + 0 * x), {}, "the same noise for all coordinates"),
    ("vdm", vdm(noise=lambda rng, x: rng.uniform(-(3**0.5), 3**0.5, size=x.shape)), {}, "the noise is not normal"),
    ("vdm", vdm(time=lambda u: 0.05 + 0.95 * u), {}, "an end is left out"),
    ("edm", edm(weight=lambda s: 1 / s**2), {}, "the unweighted error of eps"),
    ("edm", edm(weight=lambda s: 1.0), {}, "the weight is left out: .x - x_hat"),
    ("edm", edm(weight=lambda s: (s**2 + 0.25) / (0.5 * s)), {}, "sigma in place of sigma\\^2|in place of"),
    ("vdm", vdm(), {"weighting": "iddpm"}, "the weighting is elbo"),
    ("edm", edm(log_sigma=lambda u: -1.2 + 1.0 * u), {}, "not uniform"),
]


@pytest.mark.parametrize(("objective", "loss", "options", "named"), MUTANTS)
def test_planted_mistakes_are_found_and_named(objective: str, loss: Loss, options: dict[str, Any], named: str) -> None:
    check = check_loss(loss, objective, seed=1, calls=1000, **options)
    assert not check.agrees

    assert re.search(named, "\n".join(check.mistakes)), check


@pytest.mark.parametrize("schedule", ["linear", "cosine", "loglinear", "poly:2"])
@pytest.mark.parametrize("weighting", ["elbo", "sigmoid:2", "iddpm", "min-snr:5"])
def test_exact_means_are_those_of_the_theory(schedule: str, weighting: str) -> None:

    ours = MaskedObjective("md4", schedule, weighting).exact()
    exact = _elbow.masked_loss(json.dumps(toy.TOY), schedule, weighting)
    # Two quadratures over different variables; measured 3e-14, and 4e-6 where the weighting has a kink.
    assert ours == pytest.approx(exact, rel=2e-5 if weighting == "min-snr:5" else 3e-13)


def test_the_other_exact_means_are_those_of_the_theory() -> None:

    bound = elbow.theory.masked(toy.TOY, schedule="linear", steps=7)
    assert AnyOrderObjective("any-order", "linear").exact() == pytest.approx(bound.any_order_ar_nll, rel=1e-12)
    steps = MaskedObjective("md4", "linear", steps=7).exact()
    assert steps == pytest.approx(bound.kl_step.sum(), rel=1e-12)
    equal = GenMd4Objective("genmd4", "linear", exponents=(1.0, 1.0, 1.0), eps=0.0)
    assert equal.exact() == pytest.approx(MaskedObjective("md4", "linear").exact(), rel=1e-6)
    for weighting in ("elbo", "sigmoid:2", "fm"):
        ours = GaussianObjective("vdm", "vdm", weighting, "vp", "eps", "gamma").exact() / gaussian.LENGTH
        assert ours == pytest.approx(_elbow.gaussian_loss(json.dumps(gaussian.TOY), "vdm", weighting), rel=3e-13)


def test_what_cannot_be_checked_is_refused_in_words() -> None:
    with pytest.raises(elbow.InputError, match="choose one of md4"):
        check_loss(md4(), "md5")
    with pytest.raises(elbow.InputError, match="the loss is nan"):
        check_loss(lambda denoiser, x, rng: md4()(denoiser, x, rng) * np.nan, "md4")
    with pytest.raises(elbow.InputError, match="called the denoiser 0 times"):
        check_loss(lambda denoiser, x: 1.0, "md4")
    with pytest.raises(elbow.InputError, match="told the denoiser no time"):
        check_loss(any_order(uniform_counts), "md4")
    with pytest.raises(elbow.InputError, match="the mask 3"):
        check_loss(lambda denoiser, x: denoiser(x + 2, np.ones(len(x))).sum(), "md4")


def test_a_loss_that_shares_a_time_in_a_batch_is_right_and_noisier() -> None:
    check = check_loss(md4(draw=lambda rng, n: np.full(n, rng.uniform())), "md4")
    assert check.agrees and any("one time for the whole batch" in finding.what for finding in check.findings)


def test_a_loss_of_a_network_that_sees_no_time_is_checked_by_its_law_and_mean() -> None:
    def blind(rate: Loss, weight: Loss) -> Loss:
        return lambda denoiser, x, rng: md4(rate=rate, weight=weight)(lambda z, t: denoiser(z), x, rng)

    right = blind(lambda t: t, lambda t, k: 1 / t)
    assert check_loss(right, "md4", schedule="linear", time=None).agrees
    wrong = check_loss(blind(lambda t: t**2, lambda t, k: 1 / t), "md4", schedule="linear", time=None)
    assert any("another law" in what for what in wrong.mistakes)


def test_results_print_and_are_json() -> None:

    check = check_loss(md4(weight=lambda t, k: 1.0), "md4", calls=300)
    assert "WRONG  value: the weight is left out" in repr(check)
    assert json.loads(check.json())["agrees"] is False and check._repr_html_().startswith("<pre>")
