"""Runs of this project: their likelihoods and samples, data sets, claims."""

import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

import elbow_diffusion as elbow
import numpy as np
import pytest


def command_line(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "elbow_diffusion", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MD4 on the bundled digits, a few steps."""
    out = tmp_path_factory.mktemp("out")
    small = ["--set", "steps=20", "--set", "batch_size=16"]
    command_line("train", "md4-digits", *small, "--out", str(out), "--quiet")
    return out / "runs" / "md4-digits"


def timeless(document: str) -> str:
    """A document without the second in which it was made."""
    return "\n".join(line for line in document.splitlines() if '"finished"' not in line)


def test_the_likelihood_of_a_run_has_the_bytes_of_the_command_line(run: Path) -> None:
    ours = elbow.likelihood(run, split="test", draws=2, sequences=64, seed=5)
    words = ["likelihood", "--checkpoint", str(run), "--split", "test", "--draws", "2", "--sequences", "64", "--seed", "5"]
    assert timeless(command_line(*words, "--json")) == timeless(ours.json())
    assert command_line(*words) == repr(ours) + "\n"
    assert ours.per_sequence.shape == (64,)
    assert ours.per_sequence.mean() / 64 / math.log(2) == pytest.approx(ours.value, rel=1e-12)


def test_results_name_the_library_that_made_them(run: Path) -> None:
    library = Path(elbow._elbow.__file__).read_bytes()
    found = elbow.likelihood(run, draws=1, sequences=4)["provenance"]["program_hash"]
    assert found == hashlib.sha256(library).hexdigest()


def test_arrays_are_judged_as_the_data_set_that_they_are(run: Path) -> None:
    digits = elbow.dataset("digits", "test")
    named = elbow.likelihood(run, "digits", draws=2, sequences=32)
    given = elbow.likelihood(run, digits.tokens[:32], draws=2)
    assert (given.per_sequence == named.per_sequence).all()
    assert named["nelbo"]["dataset"] == "digits:test" and given["nelbo"]["dataset"] == "x"


def test_samples_of_runs_and_denoisers(run: Path) -> None:
    images = elbow.sample(run, 4, steps=4)
    assert images.arrays["arr_0"].shape == (4, 8, 8, 1) and images.tokens.shape == (4, 64)
    first = elbow.denoiser(lambda z: 50.0 * np.eye(3)[np.full(z.shape, 1)], values=3, length=6, schedule="linear")
    drawn = elbow.sample(first, 5, sampler="first-hitting", seed=1)
    assert (drawn.tokens == 1).all() and drawn.tokens.shape == (5, 6) and drawn["sampler"] == "first-hitting"


def test_samples_have_the_law_of_the_denoiser() -> None:
    law = np.array([0.6, 0.3, 0.1])
    den = elbow.denoiser(lambda z: np.broadcast_to(np.log(law), (*z.shape, 3)), values=3, length=4, schedule="cosine")
    tokens = elbow.sample(den, 2000, sampler="first-hitting").tokens
    seen = np.bincount(tokens.ravel(), minlength=3)
    chi_square = ((seen - 8000 * law) ** 2 / (8000 * law)).sum()
    # Beyond 27.6 with a probability of one in a million.
    assert chi_square < 27.6
    uniform = np.full(3, 8000 / 3)
    assert ((seen - uniform) ** 2 / uniform).sum() > 27.6, "witness: another law"


@pytest.mark.parametrize(
    ("options", "law"),
    [
        ({"temperature": 0.5}, [0.36, 0.09, 0.01]),
        ({"temperature": 0.0}, [1.0, 0.0, 0.0]),
        ({"top_k": 2}, [0.6, 0.3, 0.0]),
        ({"top_p": 0.5}, [1.0, 0.0, 0.0]),
        ({"top_k": 2, "top_p": 0.6}, [1.0, 0.0, 0.0]),
    ],
)
@pytest.mark.parametrize("sampler", ["first-hitting", "ancestral", "remasking"])
def test_samples_have_the_tempered_law(sampler: str, options: dict[str, float], law: list[float]) -> None:
    own = np.log([0.6, 0.3, 0.1])
    den = elbow.denoiser(lambda z: np.broadcast_to(own, (*z.shape, 3)), values=3, length=4, schedule="linear")
    more = {} if sampler == "first-hitting" else {"steps": 4}
    if sampler == "remasking":
        more["remask"] = "cap:0.1"
    tokens = elbow.sample(den, 1000, sampler=sampler, **more, **options).tokens
    expected = 4000 * np.array(law) / sum(law)
    seen = np.bincount(tokens.ravel(), minlength=3)
    possible = expected > 0
    assert seen[~possible].sum() == 0
    # Beyond 27.6 with a probability of one in a million.
    assert ((seen - expected)[possible] ** 2 / expected[possible]).sum() < 27.6


def test_the_greedy_tail_and_options_without_effect() -> None:
    den = elbow.denoiser(lambda z: np.broadcast_to(np.log([0.6, 0.4]), (*z.shape, 2)), values=2, length=16, schedule="linear")
    greedy = elbow.sample(den, 20, sampler="ancestral", steps=1, greedy_tail=True)
    assert (greedy.tokens == 0).all() and greedy["greedy_tail"] is True
    assert (elbow.sample(den, 20, sampler="ancestral", steps=1).tokens != 0).any(), "witness: draws in the last step"
    with pytest.raises(elbow.InputError, match="remask"):
        elbow.sample(den, 2, sampler="ancestral", remask="cap:0.1")
    with pytest.raises(elbow.InputError, match="steps"):
        elbow.sample(den, 2, sampler="first-hitting", steps=4)
    assert elbow.sample(den, 3, sampler="ancestral", steps=4, grid="cosine", step_schedule="cosine").tokens.shape == (3, 16)


def test_the_bundled_digits_have_the_bytes_of_the_command_line() -> None:
    checkpoint = Path(__file__).parents[2] / "fixtures" / "digits-denoiser" / "run"
    ours = elbow.likelihood(checkpoint, draws=2, seed=3)
    words = ["likelihood", "--checkpoint", str(checkpoint), "--draws", "2", "--seed", "3", "--json"]
    assert timeless(command_line(*words)) == timeless(ours.json())


def test_data_sets_are_arrays() -> None:
    digits = elbow.dataset("digits", "train")
    assert digits.images.shape[1:] == (8, 8, 1) and digits.tokens.max() == 16 and digits.labels is not None
    assert set(np.unique(digits.labels)) == set(range(10))
    with pytest.raises(elbow.InputError, match="digitz"):
        elbow.dataset("digitz")


def test_claims_are_rows_and_a_report(tmp_path: Path) -> None:
    claims = elbow.eval("theorem-1", out=tmp_path)
    assert [row["verdict"] for row in claims.rows] == ["verified"] and claims.refuted == []
    assert elbow.rows(tmp_path)[0]["claim"]["id"] == "theorem-1"
    page = elbow.report(tmp_path)
    assert page.is_file() and json.loads(claims.json())["report"] == str(page)
    pandas = pytest.importorskip("pandas")
    assert isinstance(claims.to_pandas(), pandas.DataFrame)
