"""What elbow adds to the time of a network of PyTorch, and its Frechet distance beside SciPy's, on this machine's CPU.

    python door.py [likelihood] [sample] [frechet] [--rounds 5]

likelihood, sample: a transformer of 5 million parameters. The calls of a run are recorded; then elbow and the bare network on the same
inputs take turns. frechet: two arrays of 10,000 x 2048; mean, covariance and `scipy.linalg.sqrtm`, as pytorch-fid computes them, take turns
with `frechet_distance` without its error (blocks=0) and with it. Each ratio is a mean over rounds with its standard error.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import elbow_diffusion as elbow
import numpy as np

VALUES, LENGTH, WIDTH, LAYERS = 256, 64, 256, 6


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compared(name: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int, inverse: bool = False) -> None:
    """Prints the ratio of two works' times, ours / theirs or, for a speed, its inverse."""
    ours(), theirs()
    pairs = []
    for turn in range(rounds):
        # Who begins changes, so that a machine that slows down favours neither.
        order = [ours, theirs] if turn % 2 == 0 else [theirs, ours]
        times = {id(work): seconds(work) for work in order}
        pairs.append((times[id(ours)], times[id(theirs)]))
    ratios = [b / a if inverse else a / b for a, b in pairs]
    error = statistics.stdev(ratios) / rounds**0.5
    means = [statistics.mean(column) for column in zip(*pairs)]
    print(f"{name}: ratio {statistics.mean(ratios):.4f} +- {error:.4f} over {rounds} rounds ({means[0]:.3f} s elbow, {means[1]:.3f} s other)", flush=True)


def network() -> tuple[Any, list[Any]]:
    """A transformer of 5 million parameters, and the list to which it adds its inputs while `recording`."""
    import torch

    class Transformer(torch.nn.Module):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.token, self.place = torch.nn.Embedding(VALUES + 1, WIDTH), torch.nn.Parameter(torch.randn(LENGTH, WIDTH) / 16)
            layer = torch.nn.TransformerEncoderLayer(WIDTH, 8, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
            self.layers = torch.nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
            self.out = torch.nn.Linear(WIDTH, VALUES)
            self.recording = False

        def forward(self, z: Any) -> Any:
            if self.recording:
                calls.append(z.clone())
            return self.out(self.layers(self.token(z) + self.place))

    calls: list[Any] = []
    torch.manual_seed(0)
    return Transformer().eval(), calls


def of_calls(name: str, run: Callable[[Any], object], rounds: int) -> None:
    """Compares a run with the bare calls that it makes."""
    import torch

    model, calls = network()
    den = elbow.denoiser(model, values=VALUES, length=LENGTH, mask_id=VALUES, schedule="cosine")
    model.recording = True
    run(den)
    model.recording = False
    parameters = sum(one.numel() for one in model.parameters())
    print(f"{name}: {parameters:,} parameters, {len(calls)} calls of {sum(map(len, calls))} rows, torch {torch.__version__}, {torch.get_num_threads()} threads")

    def bare() -> None:
        with torch.no_grad():
            for z in calls:
                model(z)

    compared(name, lambda: run(den), bare, rounds)


def frechet(rounds: int) -> None:
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    # Features are correlated, and not negative.
    mixing = rng.normal(size=(2048, 2048)) / 2048**0.5
    a, b = (np.maximum(rng.normal(size=(10_000, 2048)) @ mixing + shift, 0).astype(np.float32) for shift in (0.3, 0.35))
    found: dict[str, float] = {}

    def theirs() -> None:
        means, covariances = zip(*[(x.mean(0, dtype=np.float64), np.cov(x.astype(np.float64), rowvar=False)) for x in (a, b)])
        root = sqrtm(covariances[0] @ covariances[1]).real
        found["scipy"] = ((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)

    def ours(blocks: int) -> Callable[[], None]:
        def work() -> None:
            found["elbow"] = elbow.frechet_distance(a, b, blocks=blocks).value

        return work

    compared("frechet_distance, times as fast as SciPy", ours(0), theirs, rounds, inverse=True)
    assert abs(found["elbow"] - found["scipy"]) < 1e-4 * abs(found["scipy"]), found
    compared("the same with its standard error (10 blocks)", ours(10), theirs, rounds, inverse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["likelihood", "sample", "frechet"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    x = np.random.default_rng(0).integers(VALUES, size=(128, LENGTH))
    for what in arguments.what:
        if what == "frechet":
            frechet(arguments.rounds)
        elif what == "likelihood":
            of_calls(what, lambda den: elbow.likelihood(den, x, draws=4), arguments.rounds)
        else:
            of_calls(what, lambda den: elbow.sample(den, 64, sampler="ancestral", steps=16), arguments.rounds)


if __name__ == "__main__":
    main()
