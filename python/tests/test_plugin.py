"""The plugin of pytest, as an installed wheel brings it."""

import subprocess
import sys
from pathlib import Path

TESTS = """
import numpy as np

def loss(weight):
    def one(denoiser, x, rng):
        t = rng.uniform(size=(len(x), 1))
        hidden = rng.uniform(size=x.shape) < t
        log_mu = denoiser(np.where(hidden, 3, x), t)
        log_mu = log_mu - np.log(np.exp(log_mu).sum(-1, keepdims=True))
        costs = -np.take_along_axis(log_mu, x[..., None], -1)[..., 0] * hidden
        return (weight(t) * costs).sum(-1)
    return one

def test_right(check_loss):
    assert check_loss(loss(lambda t: 1 / t), "md4", schedule="linear", calls=300).agrees

def test_wrong(check_loss):
    check_loss(loss(lambda t: 1.0), "md4", schedule="linear", calls=300)
"""


def test_the_fixture_fails_the_test_of_a_wrong_loss_alone(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TESTS)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "WRONG  value: the weight is left out" in done.stdout and "test_wrong" in done.stdout
