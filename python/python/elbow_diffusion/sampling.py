"""Samples of denoisers, runs and model files."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .commands import Command, Model, Printed
from .results import Document
from .shards import sharded


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


@sharded
def sample(
    model: Model,
    count: int = 64,
    *,
    schedule: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    grid: str | None = None,
    step_schedule: str | None = None,
    temperature: float | None = None,
    logit_temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    greedy_tail: bool = False,
    remask: str | None = None,
    churn: float | None = None,
    class_id: int | None = None,
    guidance: float | None = None,
    length: int | None = None,
    stride: int | None = None,
    infill: str | None = None,
    judge: Model | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Samples:
    """Draws samples: tokens, or images of a run.

    `model`: a `denoiser`, the folder of a run, or a model file. `schedule`: of a denoiser that has none of its own; `grid` and
    `step_schedule`: where the steps lie. `temperature`, `top_k` and `top_p` of every draw of a token; `greedy_tail`: the last step takes
    the most probable values; `remask`: cap:PROBABILITY or rescale:SHARE of the remasking sampler. The confidence sampler chooses which
    values to keep by `temperature`, and draws them by `logit_temperature`. `judge`: a model of the same text, for `data["generative"]`.
    All are those of `elbow sample`, where each sampler takes its own: an option without effect is an error. `shard`: see `merge`.

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
        "grid": grid,
        "schedule": step_schedule,
        "temperature": temperature,
        "logit-temperature": logit_temperature,
        "top-k": top_k,
        "nucleus": top_p,
        "greedy-tail": greedy_tail,
        "remask": remask,
        "churn": churn,
        "class": class_id,
        "guidance": guidance,
        "length": length,
        "stride": stride,
        "infill": infill,
    }
    command.flags(options)
    with tempfile.TemporaryDirectory(prefix="elbow-") as name, ExitStack() as stack:
        folder = Path(name)
        command.flag("to", command.place("the folder of the samples", folder, "samples"))
        stack.enter_context(command.judging(model, schedule))
        if judge is not None:
            stack.enter_context(command.naming(judge, None, "judge"))
        return command.run(lambda printed: Samples(printed, folder), progress)
