"""The notebooks of `examples/` run, and their outputs are those that are committed."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
TOLERANCE = 1e-3
"""Relative difference of decimal numbers: other processors round otherwise."""


def outputs(notebook: Any) -> list[str]:
    """What each cell of code prints."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return ["".join(one.get("text") or one["data"]["text/plain"] for one in cell.outputs) for cell in cells]


def same(ours: str, committed: str) -> bool:
    numbers = [[float(one) for one in NUMBER.findall(text)] for text in (ours, committed)]
    return NUMBER.sub("#", ours) == NUMBER.sub("#", committed) and numbers[0] == pytest.approx(numbers[1], rel=TOLERANCE, abs=1e-6)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_run_and_print_what_is_committed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ELBOW_UPDATE_DOCUMENTS=1` writes the outputs into the notebooks."""
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(file, as_version=4)
    committed = outputs(notebook)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    if "ELBOW_UPDATE_DOCUMENTS" in os.environ:
        for cell in notebook.cells:
            # When a cell ran is of no use to a reader.
            cell.metadata.pop("execution", None)
        nbformat.write(notebook, file)
        return
    assert any(committed), "no outputs: run the test with ELBOW_UPDATE_DOCUMENTS=1"
    for ours, before in zip(outputs(notebook), committed, strict=True):
        assert same(ours, before), f"{ours}\nis committed as\n{before}"


def test_there_are_notebooks_and_other_numbers_are_seen() -> None:
    assert len(NOTEBOOKS) == 3
    assert same("a 1.00001 b", "a 1.00002 b")
    assert not same("a 1.0 b", "a 1.1 b") and not same("a 1.0 b", "a 1.0 c"), "witness: other numbers, other words"
