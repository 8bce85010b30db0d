"""JAX functions as denoisers, and losses of JAX; skipped where JAX is not installed."""

import math
from typing import Any

import elbow_diffusion as elbow
import numpy as np
import pytest

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")

VALUES, LENGTH = 3, 4
LAW = np.array([0.5, 0.3, 0.2])
X = np.random.default_rng(0).integers(VALUES, size=(40, LENGTH))


@jax.jit
def biased(z: Any, t: Any) -> Any:
    """Logits of one law for every token."""
    return jnp.broadcast_to(jnp.log(jnp.asarray(LAW)), (*z.shape, VALUES)) + 0.0 * t[:, None, None]


def test_a_jitted_function_has_the_likelihood_of_the_same_function_of_numpy() -> None:
    def same(z: Any, t: Any) -> Any:
        return np.broadcast_to(np.log(LAW), (*z.shape, VALUES))

    ours, theirs = (
        elbow.denoiser(model, values=VALUES, length=LENGTH, time="time", framework=name, schedule="linear")
        for model, name in ((biased, "jax"), (same, "numpy"))
    )
    # Single precision of the logits.
    assert elbow.likelihood(ours, X).value == pytest.approx(elbow.likelihood(theirs, X).value, abs=1e-6)
    assert elbow.likelihood(ours, jnp.asarray(X)).value == elbow.likelihood(ours, X).value


def edm(denoiser: Any, x: Any, seed: int, scale: float = 1.0) -> Any:
    """EDM's loss."""
    one, two = jax.random.split(jax.random.key(seed))
    sigma = jnp.exp(-1.2 + 1.2 * jax.random.normal(one, (len(x), 1)))
    weight = scale * (sigma**2 + 0.25) / (0.5 * sigma) ** 2
    return (weight * (denoiser(x + sigma * jax.random.normal(two, x.shape), sigma) - x) ** 2).sum(-1)


def test_a_loss_of_jax_passes_and_its_half_does_not() -> None:
    assert elbow.check_loss(edm, "edm", framework="jax", calls=300).agrees
    half = elbow.check_loss(lambda denoiser, x, seed: edm(denoiser, x, seed, 0.5), "edm", framework="jax", calls=300)
    assert any("a factor of 0.5" in what for what in half.mistakes)


def test_features_of_jax_are_features() -> None:
    a = np.random.default_rng(0).normal(size=(100, 4))
    assert elbow.frechet_distance(jnp.asarray(a), a).value == pytest.approx(0.0, abs=1e-9)
    assert math.isnan(elbow.inception_score(jnp.zeros((10, 3)), splits=1).standard_error)
