"""Samples of denoisers, runs and model files."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .commands import Command, Model, Printed
from .results import Document


class Samples(Document):
    """Samples, with what they cost."""

    def __init__(self, printed: Printed, folder: Path) -> None:
        super().__init__(printed)
        self.arrays: dict[str, npt.NDArray[Any]] = {}
        """The arrays of samples.npz: arr_0, images [n, height, width, channels] (uint8) or tokens [n, length] (int64); arr_1, the
        classes, where there are any."""
        if (folder / "samples.npz").is_file():
            with np.load(folder / "samples.npz") as file:
                self.arrays = {name: file[name] for name in file.files}
        self.lines: list[dict[str, Any]] = []
        """The lines of samples.jsonl of a text: text, ids, class."""
        if (folder / "samples.jsonl").is_file():
            self.lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]

    @property
    def tokens(self) -> npt.NDArray[Any]:
        """The tokens [n, length]; the pixels of images, channels innermost."""
        if "arr_0" in self.arrays:
            return self.arrays["arr_0"].reshape(len(self.arrays["arr_0"]), -1)
        return np.array([line["ids"] for line in self.lines], dtype=np.int64)

    @property
    def nfe(self) -> Any:
        """Number of network evaluations per sequence, as made."""
        return self.data["nfe"]


def sample(
    model: Model,
    count: int = 64,
    *,
    schedule: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    temperature: float | None = None,
    nucleus: float | None = None,
    class_id: int | None = None,
    guidance: float | None = None,
    length: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Samples:
    """Draws samples: tokens, or images of a run.

    `model`: a `denoiser`, the folder of a run, or a model file. `schedule`: of a denoiser that has none of its own. The other options
    are those of `elbow sample`, where each sampler takes its own: an option without effect is an error.

    >>> import numpy as np
    >>> from elbow_diffusion import denoiser, sample
    >>> den = denoiser(lambda z: np.eye(4)[np.full(z.shape, 2)] * 50.0, values=4, length=8)
    >>> sample(den, 3, schedule="linear", sampler="first-hitting").tokens[0]
    array([2, 2, 2, 2, 2, 2, 2, 2])
    """
    command = Command(["sample", "--count", str(count), "--seed", str(seed)])
    options = {
        "sampler": sampler,
        "steps": steps,
        "temperature": temperature,
        "nucleus": nucleus,
        "class": class_id,
        "guidance": guidance,
        "length": length,
    }
    command.flags(options)
    with tempfile.TemporaryDirectory(prefix="elbow-") as folder:
        command.flag("to", folder)
        with command.judging(model, schedule):
            return Samples(command.run(progress), Path(folder))
