"""Denoisers from callables, and their likelihoods."""

import gc
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import elbow_diffusion as elbow
import numpy as np
import numpy.typing as npt
import pytest

VALUES, LENGTH = 3, 4
X = np.random.default_rng(0).integers(VALUES, size=(40, LENGTH))
BIASED = np.log(np.array([0.5, 0.3, 0.2]))


def biased(z: npt.NDArray[Any], *_: Any) -> npt.NDArray[Any]:
    """Logits of one law for every token."""
    return np.broadcast_to(BIASED, (*z.shape, VALUES))


def of(function: Any, **more: Any) -> elbow.Denoiser:
    return elbow.denoiser(function, values=VALUES, length=LENGTH, **more)


def test_independent_tokens_cost_their_entropy_code() -> None:
    b = elbow.likelihood(of(biased), X, schedule="linear", draws=64)
    nats = -BIASED[X].sum(axis=1)
    # k-DCE spreads no noise over tokens whose costs are equal; the rest is the draws' choice of positions.
    assert b.nats.value == pytest.approx(nats.mean(), abs=4 * b.nats.standard_error)
    assert np.allclose(b.per_sequence, nats, atol=1.0) and b.per_sequence.shape == (40,)
    assert b.value == pytest.approx(b.nats.value / LENGTH / math.log(2), rel=1e-12)
    assert b.protocol["estimator"] == "k-dce" and b.data["model"]["model"]["python"].endswith(":biased")
    exact = elbow.likelihood(of(lambda z: np.zeros((*z.shape, VALUES))), X, schedule="cosine")
    assert exact.value == pytest.approx(math.log2(3), abs=1e-6) and exact.standard_error < 1e-6


def test_a_number_does_not_depend_on_what_else_is_drawn_and_repeats_bit_for_bit() -> None:
    one, two = (elbow.likelihood(of(biased), X, schedule="linear", seed=3).json() for _ in range(2))
    end = one.index('"provenance"')
    assert one[:end] == two[:end]
    assert elbow.likelihood(of(biased), X, schedule="linear", seed=4).value != elbow.likelihood(
        of(biased), X, schedule="linear", seed=3
    ).value


def test_a_comparison_is_paired_and_says_which_is_better() -> None:
    other = np.log(np.array([0.48, 0.31, 0.21]))
    close = of(lambda z: np.broadcast_to(other, (*z.shape, VALUES)))
    x = np.random.default_rng(1).choice(VALUES, p=np.exp(BIASED), size=(2000, LENGTH))
    c = elbow.compare(of(biased), close, x, schedule="linear", draws=4)
    exact = (-BIASED[x] + other[x]).sum(axis=1)
    assert c.per_sequence.shape == (2000,)
    assert c.bits_per_dim.value == pytest.approx(exact.mean() / LENGTH / math.log(2), abs=5 * c.standard_error)
    apart = [elbow.likelihood(den, x, schedule="linear", draws=4).standard_error for den in (of(biased), close)]
    assert c.standard_error < 0.2 * math.hypot(*apart), "paired"
    assert "elbow-" not in repr(c) + c.json()
    lambdas = [of(lambda z, law=law: np.broadcast_to(law, (*z.shape, VALUES))) for law in (BIASED, np.zeros(3))]
    assert elbow.compare(*lambdas, x, schedule="linear").better == "A", "two functions of one name"
    assert elbow.compare(*lambdas[::-1], x, schedule="linear").better == "B"
    assert elbow.compare(of(biased), of(biased), x[:20], schedule="linear").better == "neither"


def test_the_callable_sees_what_was_agreed() -> None:
    seen: list[tuple[Any, ...]] = []

    def model(z: npt.NDArray[np.int64], t: npt.NDArray[np.float32], c: npt.NDArray[np.int64]) -> Any:
        seen.append((z, t, c, threading.get_ident()))
        return np.zeros((*z.shape, 9), dtype=np.float16)

    den = of(model, time="mask-rate", classes=5, mask_id=8, value_ids=(2, 4), frame=(0, 1))
    elbow.likelihood(den, X, schedule="cosine", classes=np.arange(40) % 5)
    z, t, c = (np.concatenate([call[i] for call in seen]) for i in range(3))
    assert z.dtype == np.int64 and t.dtype == np.float32 and c.dtype == np.int64
    assert (z[:, 0] == 0).all() and (z[:, -1] == 1).all() and z.shape[1] == LENGTH + 2
    assert set(np.unique(z[:, 1:-1])) == {2, 3, 4, 8} and ((0 < t) & (t < 1)).all() and set(c) == {0, 1, 2, 3, 4}
    rates = (z[:, 1:-1] == 8).mean(axis=1)
    assert np.corrcoef(rates, t)[0, 1] > 0.7
    assert {call[3] for call in seen} == {threading.get_ident()}


def test_exceptions_come_out_with_their_traceback() -> None:
    def model(z: npt.NDArray[Any]) -> Any:
        raise KeyError("lost weights")

    with pytest.raises(KeyError, match="lost weights") as caught:
        elbow.likelihood(of(model), X, schedule="linear")
    assert caught.traceback[-1].name == "model"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda z: np.zeros((*z.shape, 2)), "2 columns"),
        (lambda z: np.zeros(z.shape), r"shape \[\d+, 4\]"),
        (lambda z: np.zeros((1, LENGTH, VALUES)), r"shape \[1, 4, 3\]"),
        (lambda z: np.zeros((*z.shape, VALUES), dtype=int), "int64"),
        (lambda z: np.full((*z.shape, VALUES), np.nan), "nan"),
        (lambda z: np.full((*z.shape, VALUES), np.inf), "inf"),
        (lambda z: None, "object"),
    ],
)
def test_wrong_outputs_are_refused_in_words(output: Any, message: str) -> None:
    with pytest.raises(elbow.InputError, match=message):
        elbow.likelihood(of(output), X, schedule="linear")


def test_wrong_usage_is_refused_in_words() -> None:
    with pytest.raises(elbow.InputError, match="no schedule"):
        elbow.likelihood(of(biased), X)
    with pytest.raises(elbow.InputError, match="ids from 1 to 3"):
        elbow.likelihood(of(biased), X + 1, schedule="linear")
    with pytest.raises(elbow.InputError, match="float64"):
        elbow.likelihood(of(biased), X / 2, schedule="linear")
    with pytest.raises(elbow.InputError, match="standard error needs two"):
        elbow.likelihood(of(biased), X[:1], schedule="linear")
    with pytest.raises(elbow.InputError, match="one of the data's ids"):
        elbow.likelihood(of(biased, mask_id=1), X, schedule="linear")
    with pytest.raises(elbow.InputError, match="cannot be called"):
        of(3)


def test_the_bounds_of_a_callable_are_exact_on_a_toy() -> None:
    """The exact cascade of a network, against its likelihood over the same law."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4**2, 2, VALUES))

    def model(z: npt.NDArray[np.int64]) -> Any:
        return logits[4 * z[:, 0] + z[:, 1]]

    words = ["00", "01", "12", "20"]
    toy = {"states": 3, "length": 2, "data": {word: 0.25 for word in words}, "denoiser": {"kind": "exact"}}
    den = elbow.denoiser(model, values=VALUES, length=2)
    exact = elbow.theory.masked(toy, model=den)
    assert "Denoiser" not in repr(exact) and "elbow-" not in repr(exact)
    x = np.array([[int(digit) for digit in word] for word in words] * 200)
    b = elbow.likelihood(den, x, schedule="linear", draws=8)
    # The data are the law itself: the noise of the draws is left, which the error over sequences bounds.
    assert abs(b.nats.value - exact.any_order_ar_nll) < 5 * b.nats.standard_error
    assert abs(b.nats.value - elbow.theory.masked(toy).any_order_ar_nll) > 5 * b.nats.standard_error, "witness"


def test_gaussian_denoisers_are_judged_too() -> None:
    """The data are one value: x_hat is that value, eps_hat follows, and the diffusion term is zero."""
    point = 2.0 * (1 + 0.5) / 4 - 1.0

    def eps(z: npt.NDArray[np.float32], log_snr: npt.NDArray[np.float32]) -> Any:
        alpha, sigma = (np.sqrt(1 / (1 + np.exp(sign * log_snr.astype(float))))[:, None] for sign in (-1, 1))
        return (z - alpha * point) / sigma

    den = elbow.denoiser(eps, kind="gaussian", values=4, length=5, time="log-snr", schedule="vdm")
    b = elbow.likelihood(den, np.ones((8, 5), int))
    assert b.terms["diffusion"] == pytest.approx(0.0, abs=1e-5) and b.terms["reconstruction"] >= 0.0


def test_a_model_file_may_name_a_function(tmp_path: Path) -> None:
    (tmp_path / "my_model.py").write_text(
        "import numpy as np\ndef denoiser(z, t):\n    return np.zeros((*z.shape, 27))\n"
    )
    file = tmp_path / "model.toml"
    file.write_text(
        '[model]\npython = "my_model:denoiser"\nkind = "masked"\nvalues = 27\nmask_id = 27\n'
        '[inputs]\ntokens = "z"\ntime = { name = "t", means = "time" }\n'
        '[output]\nname = "logits"\nmeans = "logits"\n[process]\nschedule = "loglinear"\n'
        '[data]\ndataset = "text.txt"\nalphabet = "text8"\n'
    )
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over the lazy dog " * 20)
    words = ["likelihood", "--model", str(file), "--split", "all", "--length", "16"]
    printed = subprocess.run([sys.executable, "-m", "elbow_diffusion", *words], capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    ours = elbow.likelihood(file, split="all", length=16)
    assert printed.stdout == repr(ours) + "\n"
    assert ours.value == pytest.approx(math.log2(27), abs=5 * ours.standard_error)


def test_an_interrupt_ends_the_work_within_a_second() -> None:
    program = (
        "import signal, time, numpy as np, elbow_diffusion as elbow\n"
        # A job in the background ignores interrupts, and its children do.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def slow(z):\n    print('called', flush=True); time.sleep(0.05); return np.zeros((*z.shape, 3))\n"
        "den = elbow.denoiser(slow, values=3, length=4)\n"
        "try:\n    elbow.likelihood(den, np.zeros((4000, 4), int), schedule='linear', draws=100)\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "called\n"
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        rest = process.stdout.read()
        assert time.monotonic() - began < 1.0
        assert rest.endswith("interrupted\n") and process.wait() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_computes_the_same() -> None:
    program = (
        "import os, numpy as np, elbow_diffusion as elbow\n"
        "a = np.random.default_rng(0).normal(size=(200, 16))\n"
        "den = elbow.denoiser(lambda z: np.zeros((*z.shape, 3)), values=3, length=4)\n"
        "def work():\n"
        "    b = elbow.likelihood(den, np.zeros((40, 4), int), schedule='linear')\n"
        "    return elbow.frechet_distance(a, a + 1).value, b.value\n"
        "before = work()\n"
        "child = os.fork()\n"
        "if child == 0:\n    os._exit(0 if work() == before else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_memory_is_flat_over_a_thousand_calls() -> None:
    den, x = of(biased), X[:4]

    def resident() -> int:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(100):
        elbow.likelihood(den, x, schedule="linear", draws=1)
    before = resident()
    for _ in range(1000):
        elbow.likelihood(den, x, schedule="linear", draws=1)
    # 1 kB per call would be 1 MB.
    assert resident() - before < 4 << 20
