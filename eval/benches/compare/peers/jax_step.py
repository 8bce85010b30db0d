"""One optimiser step of masked diffusion (MD4, continuous time) in JAX, compiled, with optax.

    python jax_step.py CASE [--threads 2] [--seconds 8]

The loss is written as google-deepmind/md4 writes it. The network is the transformer without conditioning.
A unit is a step: draw a batch on the host; in one compiled function times and masks, forward, backward, clip the
global norm, AdamW, moving average of the weights. Training starts at the case's weights with a fresh optimiser.
Check: bits/dim of the case's fixed batch under its weights. `loss` is the mean training loss of the measured steps.
"""
import functools
import math

import common
import jax
import jax.numpy as jnp
import numpy
import optax
from case import Case

EPSILON = 1e-5


def nested(weights):
    """{"blocks.0.qkv.weight": tensor} to {"blocks": [{"qkv": tensor}]}; a dense layer is its matrix, [in, out]."""
    tree = {"blocks": [{} for name in weights if name.endswith("qkv.weight")]}
    for name, tensor in weights.items():
        *path, last = name.removesuffix(".weight").removesuffix(".gamma").split(".")
        node = tree["blocks"][int(path[1])] if path[:1] == ["blocks"] else tree
        node["widen_bias" if name == "widen.bias" else last] = jnp.asarray(tensor)
    return tree


def rms_norm(x, scale):
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + EPSILON) * scale


def rotate(x):
    """Neighbouring coordinates of [batch, length, heads, size] by the position's angles."""
    length, half = x.shape[1], x.shape[3] // 2
    angles = numpy.arange(length)[:, None] * 10_000 ** (-numpy.arange(half) / half)
    cos, sin = (f(angles).astype(numpy.float32)[:, None] for f in (numpy.cos, numpy.sin))
    a, b = x[..., 0::2], x[..., 1::2]
    return jnp.stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(x.shape)


def attention(block, x, heads):
    batch, length, width = x.shape
    q, k, v = jnp.moveaxis((x @ block["qkv"]).reshape(batch, length, 3, heads, -1), 2, 0)
    if "relative" in block:
        at = numpy.arange(length)
        bias = block["relative"][:, at[:, None] - at + length - 1][None]
    else:
        q, k, bias = rotate(q), rotate(k), None
    return jax.nn.dot_product_attention(q, k, v, bias=bias).reshape(x.shape) @ block["projection"]


def perceptron(block, x, kind):
    if kind == "relu2":
        hidden = jnp.square(jax.nn.relu(x @ block["up"]))
    else:
        activation = jax.nn.sigmoid if kind == "glu" else jax.nn.silu
        hidden = activation(x @ block["gate"]) * (x @ block["up"])
    return hidden @ block["down"]


def logits(weights, z, config, shape):
    """[batch, length] to [batch, length, values]."""
    x = weights["token"][z]
    patch = config.get("patch_size")
    if patch:
        height, width, channels = shape["image"]
        cut = (len(z), height // patch, patch, width // patch, patch, -1)
        x = x.reshape(cut).swapaxes(2, 3).reshape(len(z), height * width // patch**2, -1)
    if "widen" in weights:
        x = x @ weights["widen"] + weights["widen_bias"]
    if "position" in weights:
        x = x + weights["position"]
    for block in weights["blocks"]:
        x = x + attention(block, rms_norm(x, block["attention_norm"]), config["heads"])
        x = x + perceptron(block, rms_norm(x, block["mlp_norm"]), config["perceptron"])
    x = rms_norm(x, weights["norm"]) @ weights["head"]
    if patch:
        x = x.reshape(len(z), height // patch, width // patch, patch, patch, -1).swapaxes(2, 3)
    return x.reshape(*z.shape, shape["values"])


def bits(weights, x, z, weight, config, shape):
    """Weighted cross-entropy of the masked tokens in bits, divided by the number of all tokens."""
    log_p = jax.nn.log_softmax(logits(weights, z, config, shape))
    one_hot = jax.nn.one_hot(x, shape["values"])
    negative = jnp.where(one_hot > 0, one_hot * log_p, 0).sum(-1)
    masked = (z == shape["values"]).astype(jnp.float32)
    return -(weight * (masked * negative).sum(-1)).sum() / (x.size * math.log(2))


def masked_loss(weights, x, key, config, shape):
    """The training loss of a batch: one time in each of equal strata, each token masked with the probability t."""
    times_key, mask_key = jax.random.split(key)
    t = (jnp.arange(len(x)) + jax.random.uniform(times_key, len(x), minval=1e-6)) / len(x)
    weight = 1 / t if config["weighting"] == "elbo" else jnp.ones_like(t)
    z = jnp.where(jax.random.uniform(mask_key, x.shape) < t[:, None], shape["values"], x)
    return bits(weights, x, z, weight, config, shape)


def optimiser(config):
    """AdamW with linear warm-up, then a cosine to zero, or constant; clipped by the global norm."""
    peak, warm = config["learning_rate"], config["warmup_steps"]
    if config["decay"] == "constant":
        schedule = optax.warmup_constant_schedule(0.0, peak, warm)
    else:
        schedule = optax.warmup_cosine_decay_schedule(0.0, peak, warm, max(config["steps"], warm + 1))
    adamw = optax.adamw(lambda step: schedule(step + 1), b1=config["beta_1"], b2=config["beta_2"], eps=1e-8,
                        weight_decay=config["weight_decay"])
    return optax.chain(optax.clip_by_global_norm(config["clip_norm"]), adamw) if config["clip_norm"] > 0 else adamw


def batches(data, size):
    """Epoch after epoch, each in its own random order; a batch may begin in one and end in the next."""
    rng = numpy.random.default_rng(0)
    order = numpy.empty(0, dtype=numpy.int64)
    while True:
        while len(order) < size:
            order = numpy.concatenate([order, rng.permutation(len(data))])
        yield data[order[:size]].astype(numpy.int32)
        order = order[size:]


class Training:
    """Weights in training: calling it makes a step."""

    def __init__(self, weights, config, shape, data):
        optimizer = optimiser(config)
        self.batches = batches(data, config["batch_size"])
        # The buffers of the state are donated: the two sets of weights must not share theirs.
        average = jax.tree.map(jnp.copy, weights)
        self.state = weights, average, optimizer.init(weights), jnp.zeros((), jnp.int32)
        self.losses = []

        @functools.partial(jax.jit, donate_argnums=0)
        def advance(state, x):
            weights, average, moments, step = state
            key = jax.random.fold_in(jax.random.key(0), step)
            loss, gradients = jax.value_and_grad(masked_loss)(weights, x, key, config, shape)
            updates, moments = optimizer.update(gradients, moments, weights)
            weights = optax.apply_updates(weights, updates)
            decay = jnp.minimum(config["ema_decay"], (1 + step) / (10 + step))
            average = optax.incremental_update(weights, average, 1 - decay)
            return (weights, average, moments, step + 1), loss

        self.advance = advance

    def __call__(self):
        self.state, loss = self.advance(self.state, next(self.batches))
        self.losses.append(float(loss))
        jax.block_until_ready(self.state)


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("case")
    options = parser.parse_args()
    case = Case(options.case)
    case.require_masked_training()
    config, shape = case.config, case.shape
    if config["network"] != "transformer" or config["time_conditioning"] or config["class_conditioning"]:
        raise SystemExit("only the transformer without conditioning is here")
    if config["dropout"] > 0:
        raise SystemExit("dropout is not here")
    weights = nested(case.weights("model"))
    x, z, _, weight = case.batch()
    check = float(jax.jit(lambda *batch: bits(*batch, config, shape))(weights, x, z, weight))
    training = Training(weights, config, shape, case.data())
    first = common.seconds_of(training)
    seconds = common.measure(training, options.seconds)
    losses = training.losses[-len(seconds):]
    common.answer("step", seconds, check, ["jax", "jaxlib", "optax"], "jit, CPU", loss=sum(losses) / len(losses),
                  compile_seconds=first)


if __name__ == "__main__":
    main()
