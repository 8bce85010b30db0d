"""A random transformer of PyTorch, its ONNX export and the same weights in elbow's own network have one bound; skipped without PyTorch."""

import hashlib
import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import elbow_diffusion as elbow
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_networks import SIDE, VALUES, Digits, read_tensors, write_tensors  # noqa: E402

RUN = Path(__file__).parents[2] / "fixtures" / "digits-denoiser" / "run"
PREFIX = "network.Transformer."


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of the digits' transformer with random weights."""
    folder = tmp_path / "run"
    shutil.copytree(RUN, folder)
    rng = np.random.default_rng(7)
    weights = read_tensors(folder / "checkpoint" / "ema.safetensors")
    # As large as trained ones, so that the logits spread; the gains of the norms stay about 1.
    drawn = {
        name: (1.0 + 0.1 * rng.normal(size=value.shape) if name.endswith("gamma") else rng.normal(size=value.shape) * max(value.std(), 0.05)).astype(np.float32)
        for name, value in weights.items()
    }
    state = folder / "checkpoint" / "state.json"
    hashes = json.loads(state.read_text())["files"]
    for name in ("ema.safetensors", "model.safetensors"):
        write_tensors(folder / "checkpoint" / name, drawn)
        new = hashlib.sha256((folder / "checkpoint" / name).read_bytes()).hexdigest()
        state.write_text(state.read_text().replace(hashes[name], new))
    return folder


def export(model: Any, path: Path) -> None:
    """The ONNX file, as PyTorch's exporter of traces writes it."""
    names: dict[str, Any] = {"input_names": ["tokens"], "output_names": ["logits"], "dynamic_axes": {"tokens": {0: "batch"}, "logits": {0: "batch"}}}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        names["dynamo"] = False
    torch.onnx.export(model, torch.zeros(2, SIDE * SIDE, dtype=torch.int64), str(path), opset_version=13, **names)


def test_three_forms_of_one_random_transformer_have_one_bound(run: Path, tmp_path: Path) -> None:
    weights = {name.removeprefix(PREFIX): value for name, value in read_tensors(run / "checkpoint" / "ema.safetensors").items()}
    model = Digits(weights).eval()
    export(model, tmp_path / "digits.onnx")
    (tmp_path / "digits.toml").write_text((RUN.parent / "digits.toml").read_text())
    den = elbow.denoiser(model, values=VALUES, length=SIDE * SIDE, schedule="linear")

    own = elbow.likelihood(run, "digits", draws=4)
    outside = elbow.likelihood(tmp_path / "digits.toml", "digits", draws=4)
    torched = elbow.likelihood(den, elbow.dataset("digits").tokens, draws=4)
    for other in (outside, torched):
        # Bits/dim; measured 1.8e-8.
        assert abs(other.value - own.value) < 1.8e-7 and np.allclose(other.per_sequence, own.per_sequence, rtol=1e-5)
    assert own.value > np.log2(VALUES), "random"

    with torch.no_grad():
        model.w("blocks.1.up.weight").mul_(1.05)
    moved = elbow.likelihood(den, elbow.dataset("digits").tokens, draws=4)
    assert abs(moved.value - own.value) > 1e-4, "witness: other weights"
