"""Theory, metrics and results."""

import json
import math
import subprocess
import sys
import threading
import time
from pathlib import Path

import elbow_diffusion as elbow
import numpy as np
import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"
TOY = {"states": 2, "length": 2, "data": {"00": 0.5, "11": 0.5}, "denoiser": {"kind": "exact"}}


def command_line(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "elbow_diffusion", *words], capture_output=True, text=True)


def test_the_cascade_of_two_equal_tokens_costs_their_mutual_information() -> None:
    cascade = elbow.theory.masked(TOY, steps=4)
    assert np.allclose(cascade.gap, math.log(2) / 16, atol=1e-15)
    assert cascade.entropy == pytest.approx(math.log(2), abs=1e-15)
    assert cascade.theorem1_residual < 1e-15 and cascade.theorem2_residual < 1e-14
    assert cascade.elbo.shape == (5,) and math.isnan(elbow.theory.uniform(TOY).any_order_ar_nll)


def test_documents_are_those_of_the_command_line() -> None:
    toy = str(FIXTURES / "toys" / "example-a.json")
    ours = elbow.theory.masked(toy, schedule="cosine", steps=5, weighting="sigmoid:1")
    words = ["theory", "masked", "--toy", toy, "--schedule", "cosine", "--steps", "5", "--weighting", "sigmoid:1"]
    assert command_line(*words, "--json").stdout == ours.json() + "\n"
    assert command_line(*words).stdout == repr(ours) + "\n"
    assert ours["steps"] == 5 and ours._repr_html_().startswith("<pre>")


def test_the_command_line_has_its_exit_codes() -> None:
    assert command_line("theory", "masked", "--toy", "missing.json").returncode == 2
    assert command_line("--version").stdout.startswith("elbow ")
    wrong = command_line("theroy")
    assert wrong.returncode == 2 and "theory" in wrong.stderr


def test_errors_are_exceptions_of_their_kind() -> None:
    with pytest.raises(elbow.InputError, match="choose one of linear, cosine"):
        elbow.theory.masked(TOY, schedule="cosin")
    with pytest.raises(ValueError):
        elbow.theory.masked({**TOY, "data": {"00": 0.4}})


def test_a_shift_along_every_axis_is_the_whole_frechet_distance() -> None:
    a = np.random.default_rng(0).normal(size=(400, 8))
    distance = elbow.frechet_distance(a, a + 1.0)
    # Features are rounded to single precision: 7e-8 of the means, measured.
    assert distance.value == pytest.approx(8.0, abs=1e-6)
    assert 0.1 < distance.standard_error < 0.5 and distance.n == [400, 400]
    assert float(elbow.frechet_distance(a, a)) == pytest.approx(0.0, abs=1e-9)
    low, high = distance.interval()
    assert low < 8.0 < high


def test_metrics_are_those_of_the_command_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(60, 4)).astype(np.float32), rng.normal(1.0, size=(50, 4)).astype(np.float32)
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    printed = command_line("fid", "calc", str(tmp_path / "a.npy"), str(tmp_path / "b.npy"), "--json")
    measures = {one["metric"]: one for one in json.loads(printed.stdout)["measures"]}
    ours = [elbow.frechet_distance(a, b), elbow.kid(a, b), elbow.mind(a, b), *elbow.precision_recall(a, b).values()]
    assert {one.metric: json.loads(one.json()) for one in ours} == measures


def test_images_are_measured_as_on_the_command_line(tmp_path: Path) -> None:
    test = elbow.dataset("digits", "test").images
    # Of 17 grey values; the command line reads the same images by their name.
    grey = (test.astype(np.uint32) * 255 + 8) // 16
    ours = elbow.frechet_distance(grey.astype(np.uint8), "digits:train", blocks=5)
    named = elbow.frechet_distance("digits:test", "digits:train", blocks=5)
    printed = command_line("fid", "calc", "digits:test", "digits:train", "--metrics", "fd", "--blocks", "5", "--no-cache", "--json", "--out", str(tmp_path))
    assert json.loads(named.json()) == json.loads(printed.stdout)["measures"][0]
    assert ours.metric == named.metric != "fd.given" and ours.value == pytest.approx(named.value, rel=0.05)
    statistics = elbow.frechet_statistics("digits:train", tmp_path / "train.npz")
    assert elbow.frechet_distance("digits:test", statistics.file, blocks=5).value == pytest.approx(named.value, rel=1e-9)
    planes = np.moveaxis(grey, 3, 1) / 255.0
    floats = elbow.frechet_distance(planes, "digits:train", range="0,1", layout="nchw", blocks=5)
    assert floats.value == pytest.approx(ours.value, rel=1e-6)
    assert 0.0 <= elbow.precision_recall(grey.astype(np.uint8), "digits:train")["precision"].value <= 1.0
    with pytest.raises(elbow.InputError, match="network of features"):
        elbow.frechet_distance(np.eye(4), np.eye(4), network="lite0")


def test_metrics_refuse_what_is_no_matrix_of_numbers() -> None:
    a = np.zeros((10, 3))
    with pytest.raises(elbow.InputError, match="matrix"):
        elbow.kid(a[0], a)
    a[2, 1] = np.nan
    with pytest.raises(elbow.InputError, match="feature 1 of row 2"):
        elbow.frechet_distance(a, np.ones((10, 3)))
    with pytest.raises(elbow.InputError, match="dimensions"):
        elbow.frechet_distance(np.ones((10, 3)), np.ones((10, 4)))


def test_the_inception_score_of_certain_and_different_classes_is_their_number() -> None:
    assert elbow.inception_score(50.0 * np.eye(4), splits=1).value == pytest.approx(4.0, abs=1e-6)


def test_other_threads_run_while_rust_works() -> None:
    a = np.random.default_rng(0).normal(size=(1500, 300))
    steps, done = 0, threading.Event()

    def count() -> None:
        nonlocal steps
        while not done.is_set():
            steps += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    began = time.monotonic()
    elbow.frechet_distance(a, a + 1.0, blocks=4)
    took, reached = time.monotonic() - began, steps
    done.set()
    thread.join()
    # A thread that is alone makes 900 steps per second here; one that waits for the GIL makes none.
    assert reached > 100 * took


def test_progress_is_a_bar_of_tqdm(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    a = np.random.default_rng(0).normal(size=(60, 3))
    elbow.kid(a, a, progress=True)
    assert "KID" in capsys.readouterr().err
    elbow.kid(a, a)
    assert capsys.readouterr().err == ""
