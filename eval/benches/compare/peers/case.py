"""A case: a run folder and a batch that elbow wrote, so that all contestants are given the same problem.

    CASE/run/config.toml              the settings of the run
    CASE/run/checkpoint/              state.json, model.safetensors (trained weights), ema.safetensors (averaged ones)
    CASE/batch.npz                    x, z: uint32 [batch, length], clean and corrupted tokens (the mask is V);
                                      t: float64 [batch], the time that the network is told; weight: float64 [batch]
    CASE/data.npz                     x: uint8 or uint32 [n, length], the training tokens
"""
import json
import math
import pathlib
import tomllib

import numpy
import safetensors.numpy


class Case:
    """The settings of a case, its weights, batch and data as arrays of NumPy."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        run = self.folder / "run"
        self.config = tomllib.loads((run / "config.toml").read_text())
        self.shape = json.loads((run / "checkpoint" / "state.json").read_text())["data"]
        self.checkpoint = run / "checkpoint"

    def weights(self, name):
        """The tensors of `model` or `ema` by the names of the transformer's parts; dense layers are [in, out]."""
        tensors = safetensors.numpy.load_file(self.checkpoint / f"{name}.safetensors")
        return {path.removeprefix("network.Transformer."): tensor for path, tensor in tensors.items()}

    def batch(self):
        """x and z as int32, t and weight as float32."""
        arrays = numpy.load(self.folder / "batch.npz")
        return (*(arrays[name].astype(numpy.int32) for name in ("x", "z")),
                *(arrays[name].astype(numpy.float32) for name in ("t", "weight")))

    def data(self):
        """The training tokens, as uint8 or int32."""
        x = numpy.load(self.folder / "data.npz")["x"]
        return x if x.dtype == numpy.uint8 else x.astype(numpy.int32)

    def require_masked_training(self):
        """Stops where the training is another than what the peers have: MD4, linear schedule, continuous time."""
        known = {"implementation": ["md4"], "schedule": ["linear"], "weighting": ["simple", "elbo"], "timesteps": [0],
                 "time_sampling": ["stratified"], "accumulation": [1]}
        for key, values in known.items():
            if self.config.get(key) not in values:
                raise SystemExit(f"{key} = {self.config.get(key)!r}: the peers have {values}")


def learning_rate(config, step):
    """Linear warm-up, then a cosine to zero, or constant; as a share of the peak. `step` counts from 0."""
    now, warm, total = step + 1, config["warmup_steps"], config["steps"]
    if now <= warm:
        return now / warm
    if config["decay"] == "constant":
        return 1.0
    return 0.5 * (1.0 + math.cos(math.pi * min((now - warm) / max(total - warm, 1), 1.0)))


def average_decay(config, step):
    """The decay of the weights' moving average, warmed up. `step` counts from 0."""
    return min(config["ema_decay"], (1 + step) / (10 + step))
