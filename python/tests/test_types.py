"""Types and examples: mypy on the package and an example, stubtest on the native half, and the examples of the docstrings."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import elbow_diffusion
import pytest

EXAMPLE = """
import numpy as np
import elbow_diffusion as elbow

den = elbow.denoiser(lambda z: np.zeros((*z.shape, 4)), values=4, length=8, schedule="linear")
bound = elbow.likelihood(den, np.zeros((4, 8), dtype=np.int64), seed=0)
value: float = bound.bits_per_dim.value
low, high = bound.interval(0.95)
distance: float = elbow.frechet_distance(np.eye(4), np.eye(4)).value
mistakes: list[str] = elbow.check_loss(lambda denoiser, x: 0.0, "md4").mistakes
of_choice: list[int] = elbow.conditional_likelihood(den, [[0]], [[[1, 2], [2, 1]]]).best
gap: float = float(elbow.theory.masked("toy.json", steps=4).gap.sum())
"""


def run(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_an_example_and_the_package_are_typed(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "example.py").write_text(EXAMPLE)
    assert run("mypy", "--strict", "--cache-dir", str(tmp_path), str(tmp_path / "example.py")) == ""
    (tmp_path / "wrong.py").write_text(EXAMPLE.replace("value: float", "value: str"))
    assert "incompatible type" in run("mypy", "--strict", "--cache-dir", str(tmp_path), str(tmp_path / "wrong.py")).lower()


def test_the_stub_is_that_of_the_native_half() -> None:
    pytest.importorskip("mypy")
    assert run("mypy.stubtest", "elbow_diffusion._elbow") == ""


@pytest.mark.parametrize("name", [one.name for one in pkgutil.walk_packages(elbow_diffusion.__path__, "elbow_diffusion.")])
def test_the_examples_of_the_docstrings_run(name: str) -> None:
    if name.endswith("__main__"):
        pytest.skip("the command line")
    if name in ("elbow_diffusion.torch", "elbow_diffusion.lm_eval"):
        pytest.importorskip(name.removeprefix("elbow_diffusion."))
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0
