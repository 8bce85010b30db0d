"""Makes the files that the claims read: python3 files.py (numpy). Replace them by your own."""

import json
import math
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "claims"


def losses():
    """Stands for your program: the loss of each sequence, by averaging over both orders of two tokens."""
    toy = json.loads((HERE / "toy.json").read_text())
    mu = {pattern: dict(enumerate(rows)) for pattern, rows in toy["denoiser"]["entries"].items()}
    found = {}
    for word in toy["data"]:
        nats = 0.0
        for first in (0, 1):
            second = 1 - first
            seen = "".join(word[i] if i == first else "?" for i in (0, 1))
            nats -= 0.5 * (math.log(mu["??"][first][int(word[first])]) + math.log(mu[seen][second][int(word[second])]))
        found[word] = nats
    (HERE / "losses.json").write_text(json.dumps({"unit": "nats", "losses": found}, indent=1) + "\n")


def pairs():
    """2000 sequences of two tokens with the shares of the toy's data, and their tokenizer."""
    toy = json.loads((HERE / "toy.json").read_text())
    words = [word for word, share in toy["data"].items() for _ in range(round(2000 * share))]
    letters = " ".join("ab"[int(digit)] for word in words for digit in word)
    (HERE / "pairs.txt").write_text(letters)
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "a"},
    }
    (HERE / "tokenizer.json").write_text(json.dumps(tokenizer, indent=1) + "\n")


def images():
    """Two sets of 96 grey images of 8x8, discs of random place and size; the generated ones are a little blurred."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:8, 0:8]

    def discs(softness):
        centre, radius = rng.uniform(2.5, 4.5, (96, 2)), rng.uniform(1.5, 3.0, 96)
        distance = np.hypot(y - centre[:, 0, None, None], x - centre[:, 1, None, None])
        grey = 1 / (1 + np.exp((distance - radius[:, None, None]) / softness))
        return np.round(255 * grey).astype(np.uint8)[..., None]

    np.savez_compressed(HERE / "reference.npz", arr_0=discs(0.2))
    np.savez_compressed(HERE / "generated.npz", arr_0=discs(0.25))


def other():
    """The denoiser at four times the temperature, as another model (needs the package onnx)."""
    import onnx

    model = onnx.load(HERE / "denoiser.onnx")
    table = next(constant for constant in model.graph.initializer if constant.name == "table")
    table.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(table) / np.float32(4), "table"))
    onnx.save(model, HERE / "other.onnx")
    text = (HERE / "denoiser.toml").read_text()
    (HERE / "other.toml").write_text(text.replace("denoiser.onnx", "other.onnx"))


if __name__ == "__main__":
    losses()
    pairs()
    images()
    other()
