"""The transformer of the bundled digits (impls/src/network/transformer.rs, patches of 2 x 2 pixels) in PyTorch, and safetensors files."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

VALUES, SIDE, PATCH, HEADS, LAYERS, EPSILON = 17, 8, 2, 4, 2, 1e-5
ACROSS, INSIDE = SIDE // PATCH, PATCH * PATCH
PLACES = ACROSS * ACROSS


def read_tensors(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors of a safetensors file in single precision."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    fields = {name: one for name, one in json.loads(data[8:end]).items() if name != "__metadata__"}
    assert all(one["dtype"] == "F32" for one in fields.values())
    return {
        name: np.frombuffer(data, "<f4", math.prod(one["shape"]), end + one["data_offsets"][0]).reshape(one["shape"])
        for name, one in fields.items()
    }


def write_tensors(path: Path, tensors: dict[str, npt.NDArray[np.float32]]) -> None:
    """The same with other tensors of the same names and shapes."""
    data = bytearray(path.read_bytes())
    end = 8 + int.from_bytes(data[:8], "little")
    for name, one in json.loads(data[8:end]).items():
        if name != "__metadata__":
            start, stop = (end + offset for offset in one["data_offsets"])
            assert list(tensors[name].shape) == one["shape"], name
            data[start:stop] = np.ascontiguousarray(tensors[name], "<f4").tobytes()
    path.write_bytes(data)


class Digits(torch.nn.Module):  # type: ignore[misc,unused-ignore]
    """Logits of the 17 grey values of 8 x 8 pixels; weights by the names of elbow's file, dense ones [in, out]."""

    def __init__(self, weights: dict[str, npt.NDArray[np.float32]]) -> None:
        super().__init__()
        self.weights = torch.nn.ParameterDict(
            {name.replace(".", "_"): torch.nn.Parameter(torch.from_numpy(value.copy())) for name, value in weights.items()}
        )
        offset = np.arange(PLACES)[:, None] - np.arange(PLACES)[None] + PLACES - 1
        self.register_buffer("offset", torch.from_numpy(offset))

    def w(self, name: str) -> Any:
        return self.weights[name.replace(".", "_")]

    def norm(self, x: Any, gamma: str) -> Any:
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + EPSILON) * self.w(gamma)

    def attention(self, x: Any, block: str) -> Any:
        width = x.shape[-1]
        size = width // HEADS
        qkv = (x @ self.w(f"{block}.qkv.weight")).reshape(-1, PLACES, 3, HEADS, size).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        scores = q @ k.transpose(-1, -2) * size**-0.5 + self.w(f"{block}.relative")[:, self.offset]
        return (scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, PLACES, width) @ self.w(f"{block}.projection.weight")

    def forward(self, z: Any) -> Any:
        width = self.w("token.weight").shape[1]
        x = self.w("token.weight")[z].reshape(-1, ACROSS, PATCH, ACROSS, PATCH, width).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(-1, PLACES, INSIDE * width) @ self.w("widen.weight") + self.w("widen.bias") + self.w("position")
        for layer in range(LAYERS):
            block = f"blocks.{layer}"
            x = x + self.attention(self.norm(x, f"{block}.attention_norm.gamma"), block)
            up = (self.norm(x, f"{block}.mlp_norm.gamma") @ self.w(f"{block}.up.weight")).relu()
            x = x + (up * up) @ self.w(f"{block}.down.weight")
        x = self.norm(x, "norm.gamma") @ self.w("head.weight")
        return x.reshape(-1, ACROSS, ACROSS, PATCH, PATCH, VALUES).permute(0, 1, 3, 2, 4, 5).reshape(-1, SIDE * SIDE, VALUES)
