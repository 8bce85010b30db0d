"""Two covariances for trace.py, as files of statistics that FID's tools read.

    python prepare_trace.py OUT [--dimension 2048]

Writes OUT/a.npz and OUT/b.npz with mu (zeros) and sigma.
"""
import argparse
import pathlib

import numpy


def statistics(dimension, seed):
    """mu and sigma of features whose spectrum falls as that of Inception's does."""
    rng = numpy.random.default_rng(seed)
    x = rng.standard_normal((6000, dimension)) * (1 + numpy.arange(dimension)) ** -0.6
    x = x @ numpy.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    return {"mu": numpy.zeros(dimension), "sigma": numpy.cov(x, rowvar=False)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--dimension", type=int, default=2048)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, seed in (("a", 1), ("b", 2)):
        numpy.savez(options.out / f"{name}.npz", **statistics(options.dimension, seed))


if __name__ == "__main__":
    main()
