"""Frontiers of denoisers: their numbers, judges of every kind, and the command line's document."""

import base64
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import elbow_diffusion as elbow
import numpy as np
import numpy.typing as npt
import pytest

VALUES, LENGTH = 4, 8
LAW = np.array([0.5, 0.3, 0.1, 0.1])
X = np.random.default_rng(0).choice(VALUES, p=LAW, size=(300, LENGTH))


def law(z: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Logits of one law for every token."""
    return np.broadcast_to(np.log(LAW), (*z.shape, VALUES))


def even(z: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.zeros((*z.shape, VALUES))


def log_p(tokens: npt.NDArray[np.int64]) -> Any:
    return np.log(LAW)[tokens].sum(axis=1)


DEN, EVEN = (elbow.denoiser(model, values=VALUES, length=LENGTH, schedule="linear") for model in (law, even))


def test_points_have_the_law_of_the_tempered_denoiser() -> None:
    temperatures = [0.5, 1.0, 2.0]
    f = elbow.frontier(DEN, log_p, X, temperatures=temperatures, samples=400, seed=1)
    assert [point.temperature for point in f.curves[0].points] == temperatures
    for point, temperature in zip(f.curves[0].points, temperatures):
        p = LAW ** (1 / temperature) / (LAW ** (1 / temperature)).sum()
        exact = -(p * np.log(LAW)).sum()
        # Five standard errors: one in a million.
        assert abs(point.cross_entropy.value - exact) < 5 * point.cross_entropy.standard_error
        untempered = -(LAW * np.log(LAW)).sum()
        if temperature != 1.0:
            assert abs(point.cross_entropy.value - untempered) > 5 * point.cross_entropy.standard_error, "witness"
        assert point.perplexity.value == pytest.approx(math.exp(point.cross_entropy.value), rel=1e-12)
        assert point.difference.value == pytest.approx(point.cross_entropy.value - point.entropy.value, abs=1e-12)
    assert f.held_out is not None
    # Single precision of log p.
    assert f.held_out.cross_entropy.value == pytest.approx(-log_p(X).mean() / LENGTH, rel=1e-6)
    assert f["at_most"] is False and f["judge"] == {"python": "judge:log_p"}
    assert f.cross_entropies.shape == f.entropies.shape == (1, 3, 400)
    assert np.allclose(f.cross_entropies.mean(2)[0], [point.cross_entropy.value for point in f.curves[0].points])


def test_a_denoiser_judges_by_its_bound_and_models_are_compared_at_equal_entropy() -> None:
    f = elbow.frontier([DEN, EVEN], DEN, temperatures=[0.4, 1.0], samples=200)
    assert f["at_most"] is True and f.held_out is None, "no data were given"
    assert [curve.name for curve in f.curves] == ["test_frontier-law", "test_frontier-even"]
    assert len(f.comparisons) == 1 and len(f.rows) == 4
    exact = elbow.frontier(DEN, log_p, temperatures=[0.4, 1.0], samples=200)
    for bound, known in zip(f.curves[0].points, exact.curves[0].points):
        # The same samples; the bound of independent tokens is tight, but for the draws' choice of positions.
        assert bound.entropy == known.entropy
        assert bound.cross_entropy.value == pytest.approx(known.cross_entropy.value, abs=5 * known.cross_entropy.standard_error)


def test_results_print_and_are_a_table_and_a_picture(tmp_path: Path) -> None:
    f = elbow.frontier(DEN, log_p, X, temperatures=[1.0], samples=50, top_p=[0.5, 1.0], to=tmp_path)
    assert f.png == (tmp_path / "frontier.png").read_bytes() and f.png.startswith(b"\x89PNG")
    assert base64.b64encode(f.png).decode() in f._repr_html_() and "held-out data" in repr(f)
    assert "elbow-" not in repr(f) + f.json()
    frame = pytest.importorskip("pandas")
    table = f.to_pandas()
    assert isinstance(table, frame.DataFrame) and list(table["temperature"]) == [1.0, 1.0] and table["perplexity"][0] < table["perplexity"][1]


def test_the_document_is_that_of_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nLAW = np.log([0.5, 0.3, 0.1, 0.1])\n"
        "def model(z):\n    return np.broadcast_to(LAW, (*z.shape, 4))\n"
        "def log_p(tokens):\n    return LAW[tokens].sum(axis=1)\n"
    )
    (tmp_path / "model.toml").write_text(
        '[model]\npython = "mine:model"\nkind = "masked"\nvalues = 4\nlength = 8\nmask_id = 4\n[inputs]\ntokens = "z"\n'
        '[output]\nname = "logits"\nmeans = "logits"\n[process]\nschedule = "linear"\n'
    )
    words = ["frontier", "model.toml", "--judge", "mine:log_p", "--samples", "20", "--temperatures", "0.5,1", "--json"]
    done = subprocess.run([sys.executable, "-m", "elbow_diffusion", *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    ours = elbow.frontier(DEN, log_p, temperatures=[0.5, 1], samples=20)
    assert [curve["points"] for curve in theirs["curves"]] == [curve["points"] for curve in ours["curves"]]
    assert list(theirs) == list(ours.data) and theirs["judge"] == {"python": "mine:log_p"}


def test_what_cannot_be_judged_is_refused_in_words() -> None:
    def frontier(judge: Any, **more: Any) -> Any:
        return elbow.frontier(DEN, judge, temperatures=[1.0], samples=10, **more)

    with pytest.raises(elbow.InputError, match=r"shape \[10, 8\] of float64 for 10 rows\n.*log p of each row"):
        frontier(lambda tokens: np.log(LAW)[tokens])
    with pytest.raises(elbow.InputError, match="nan"):
        frontier(lambda tokens: np.full(len(tokens), np.nan))
    with pytest.raises(KeyError, match="no such judge"):
        frontier(lambda tokens: {}["no such judge"])
    with pytest.raises(elbow.InputError, match="is no judge"):
        frontier(3)
    with pytest.raises(elbow.InputError, match="all models have their own"):
        frontier(log_p, schedule="cosine")
    points = elbow.denoiser(lambda z, t: z, kind="gaussian", values=4, length=LENGTH, time="log-snr", schedule="vdm")
    with pytest.raises(elbow.InputError, match="no temperature"):
        elbow.frontier(points, log_p, temperatures=[1.0], samples=10)
