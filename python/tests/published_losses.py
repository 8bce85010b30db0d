"""Published training losses in NumPy, parts of which may be others."""

from collections.abc import Callable
from typing import Any

import numpy as np

Loss = Callable[..., Any]
MASK, LENGTH = 3, 4


def log_softmax(logits: Any) -> Any:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def cross_entropy(logits: Any, x: Any, values: int = 3) -> Any:
    return -np.take_along_axis(log_softmax(logits[..., :values]), x[..., None], -1)[..., 0]


def md4(
    time: Loss = lambda u: u,
    rate: Loss = lambda t: 1e-4 + (1 - 2e-4) * t,
    weight: Loss = lambda t, count: (1 - 2e-4) / (1e-4 + (1 - 2e-4) * t),
    masks: Loss = lambda rng, x, rate: rng.uniform(size=x.shape) < rate,
    cost: Loss = cross_entropy,
    seen: Loss = lambda hidden: hidden,
    told: Loss = lambda t: t,
    draw: Loss = lambda rng, n: (rng.uniform() + rng.permutation(n) / n) % 1,
    end: Loss = lambda rows: rows,
) -> Loss:
    """MD4's loss with the linear schedule of its authors' code, one part of which may be another."""

    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        t = time(draw(rng, len(x)))[:, None]
        hidden = masks(rng, x, rate(t))
        costs = cost(denoiser(np.where(hidden, MASK, x), told(t[:, 0])), x)
        return end((weight(t[:, 0], hidden.sum(-1)) * (costs * seen(hidden)).sum(-1)))

    return loss


def mdlm(first: float = 1e-3, mask_out: bool = True, weight: Loss | None = None) -> Loss:
    """MDLM's loss in continuous time: loglinear noise, SUBS, stratified times in [1e-3, 1], a mean over tokens."""

    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        t = (rng.uniform(size=len(x)) + np.arange(len(x))) / len(x)
        t = (first + (1 - first) * t)[:, None]
        sigma, slope = -np.log1p(-(1 - 1e-3) * t), (1 - 1e-3) / (1 - (1 - 1e-3) * t)
        hidden = rng.uniform(size=x.shape) < 1 - np.exp(-sigma)
        logits = denoiser(np.where(hidden, MASK, x), sigma[:, 0])
        if mask_out:
            logits[..., MASK] -= 1e6
        costs = cross_entropy(logits, x, 4) * hidden
        return (costs * (slope / np.expm1(sigma) if weight is None else weight(sigma, slope))).mean()

    return loss


def vdm(
    weight: Loss = lambda gamma: 0.5 * 18.3,
    scales: Loss = lambda gamma: (np.sqrt(1 / (1 + np.exp(gamma))), np.sqrt(1 / (1 + np.exp(-gamma)))),
    time: Loss = lambda u: u,
    noise: Loss = lambda rng, x: rng.normal(size=x.shape),
    error: Loss = lambda eps, eps_hat: ((eps - eps_hat) ** 2).sum(-1),
) -> Loss:
    """VDM's diffusion loss with gamma from -13.3 to 5."""

    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        gamma = -13.3 + 18.3 * time((rng.uniform() + rng.permutation(len(x)) / len(x)) % 1)
        alpha, sigma = (one[:, None] for one in scales(gamma))
        eps = noise(rng, x)
        return weight(gamma) * error(eps, denoiser(alpha * x + sigma * eps, gamma))

    return loss


def edm(weight: Loss = lambda s: (s**2 + 0.25) / (0.5 * s) ** 2, log_sigma: Loss = lambda u: -1.2 + 1.2 * u) -> Loss:
    """EDM's loss: ln sigma ~ N(-1.2, 1.2^2), D(x + n; sigma)."""

    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        sigma = np.exp(log_sigma(rng.normal(size=(len(x), 1))))
        return (weight(sigma) * (denoiser(x + sigma * rng.normal(size=x.shape), sigma) - x) ** 2).sum(-1)

    return loss


def flow(denoiser: Any, x: Any, rng: Any) -> Any:
    """Flow matching on straight paths: the mean square error of the velocity."""
    t = rng.uniform(size=(len(x), 1))
    eps = rng.normal(size=x.shape)
    return ((denoiser((1 - t) * x + t * eps, t) - (eps - x)) ** 2).mean(-1)


def d3pm(denoiser: Any, x: Any, rng: Any) -> Any:
    """D3PM's absorbing loss in ten steps: T times the step's KL, CE / i."""
    i = rng.integers(1, 11, size=(len(x), 1))
    hidden = rng.uniform(size=x.shape) < i / 10
    return (10 / i * cross_entropy(denoiser(np.where(hidden, MASK, x), i / 10), x) * hidden).mean()


def any_order(counts: Loss, weight: Loss = lambda k: LENGTH / k) -> Loss:
    """The any-order bound with these numbers of masked tokens."""

    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        k = counts(rng, len(x))[:, None]
        hidden = rng.uniform(size=x.shape).argsort(-1) < k
        costs = cross_entropy(denoiser(np.where(hidden, MASK, x)), x) * hidden
        return weight(k[:, 0]) * costs.sum(-1)

    return loss


def uniform_counts(rng: Any, n: int) -> Any:
    return rng.integers(1, LENGTH + 1, size=n)


def public_counts(rng: Any, n: int) -> Any:
    """The numbers of masks of a public estimator: rounded half to even (LLaDA's get_log_likelihood.py, read here with n = 2 L)."""
    k = rng.integers(1, LENGTH + 1)
    counts = np.rint(np.linspace(k, k + (n - 1) * (LENGTH / n), n)).astype(int)
    return (counts - 1) % LENGTH + 1


def maskgit(denoiser: Any, x: Any, rng: Any) -> Any:
    """MaskGIT: ceil(L cos(pi u / 2)) tokens, their mean."""
    k = np.ceil(LENGTH * np.cos(np.pi / 2 * rng.uniform(size=(len(x), 1)))).clip(1)
    hidden = rng.uniform(size=x.shape).argsort(-1) < k
    return (cross_entropy(denoiser(np.where(hidden, MASK, x)), x) * hidden).sum(-1) / k[:, 0]


def genmd4(terms: Loss = lambda own, cost, means: own * cost - own + means) -> Loss:
    """GenMD4's NELBO with fixed exponents."""

    def loss(denoiser: Any, x: Any, rng: Any) -> Any:
        w = np.array([0.8, 1.0, 1.3])
        t = 1e-3 + (1 - 1e-3) * rng.uniform(size=(len(x), 1))
        hidden = rng.uniform(size=x.shape) < (1 - 1e-4) * t ** w[x]
        logits = denoiser(np.where(hidden, MASK, x), t)
        means = np.exp(log_softmax(logits)) @ w
        return (terms(w[x], cross_entropy(logits, x), means) * hidden).sum(-1) / t[:, 0]

    return loss


def independent(rng: Any, n: int) -> Any:
    return rng.uniform(size=n)
