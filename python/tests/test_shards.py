"""Parts of a call, and what they give together: the whole, to the byte but for times."""

import itertools
from pathlib import Path
from typing import Any

import elbow_diffusion as elbow
import numpy as np
import numpy.typing as npt
import pytest

VALUES, LENGTH = 3, 4
LAW = np.log(np.array([0.5, 0.3, 0.2]))
X = np.random.default_rng(0).integers(VALUES, size=(150, LENGTH))
CALLS = [0]


def law(z: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Logits of one law for every token, counted."""
    CALLS[0] += 1
    return np.broadcast_to(LAW, (*z.shape, VALUES))


def even(z: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.zeros((*z.shape, VALUES))


DEN, OTHER = (elbow.denoiser(model, values=VALUES, length=LENGTH, schedule="linear") for model in (law, even))


def timeless(document: elbow.Document) -> str:
    """A document without the second in which it was made."""
    return "\n".join(line for line in document.json().splitlines() if '"finished"' not in line)


@pytest.mark.parametrize("world", [1, 2, 7])
def test_the_parts_of_a_likelihood_give_the_whole(world: int, tmp_path: Path) -> None:
    whole = elbow.likelihood(DEN, X, draws=2, seed=5)
    # Ranks may end in any order, with folders of their own.
    parts = [elbow.likelihood(DEN, X, draws=2, seed=5, shard=(rank, world), out=tmp_path / str(rank)) for rank in reversed(range(world))]
    assert [part.file.is_file() for part in parts] == [True] * world and repr(parts[0]).startswith(f"shard {world}/{world}: ")
    asked = CALLS[0]
    merged = elbow.merge(elbow.likelihood, parts, DEN, X, draws=2, seed=5)
    assert CALLS[0] == asked, "the network is not asked"
    assert timeless(merged) == timeless(whole) and repr(merged) == repr(whole)
    assert (merged.per_sequence == whole.per_sequence).all()


def test_a_part_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    def part(model: Any, out: str) -> tuple[elbow.Shard, int]:
        """The part, and the calls that it took."""
        den = elbow.denoiser(model, values=VALUES, length=LENGTH, schedule="linear")
        den.tables["model"]["python"] = "m:law"
        asked = CALLS[0]
        return elbow.likelihood(den, X, draws=2, shard=(0, 2), out=tmp_path / out), CALLS[0] - asked

    whole, calls = part(law, "whole")
    left = itertools.count(1)

    def failing(z: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if next(left) == calls:
            raise RuntimeError("out of memory")
        return law(z)

    with pytest.raises(RuntimeError, match="out of memory"):
        part(failing, "stopped")
    again, more = part(law, "stopped")
    assert 0 < more < calls, "what was done is not done again"
    assert sorted(again.file.read_text().splitlines()[:-1]) == sorted(whole.file.read_text().splitlines()[:-1])


def test_comparisons_and_samples_have_parts(tmp_path: Path) -> None:
    def compared(**more: Any) -> Any:
        return elbow.compare(DEN, OTHER, X, draws=2, **more)

    parts = [compared(shard=(rank, 3), out=tmp_path) for rank in range(3)]
    merged = elbow.merge(elbow.compare, parts[0].folder, DEN, OTHER, X, draws=2)
    assert timeless(merged) == timeless(compared()) and merged.better == compared().better

    def drawn(**more: Any) -> Any:
        return elbow.sample(DEN, 80, sampler="first-hitting", seed=1, **more)

    parts = [drawn(shard=(rank, 2), out=tmp_path) for rank in range(2)]
    samples = elbow.merge(elbow.sample, parts, DEN, 80, sampler="first-hitting", seed=1)
    assert (samples.tokens == drawn().tokens).all() and samples.tokens.shape == (80, LENGTH)
    assert timeless(samples) == timeless(drawn())


def test_statistics_of_images_have_parts(tmp_path: Path) -> None:
    images = elbow.dataset("digits", "train").images.astype(np.uint8)[:400] * 15
    whole = elbow.frechet_statistics(images, tmp_path / "whole.npz")
    place = tmp_path / "merged.npz"
    parts = [elbow.frechet_statistics(images, place, shard=(rank, 3), out=tmp_path) for rank in range(3)]
    assert not place.exists()
    merged = elbow.merge(elbow.frechet_statistics, parts, images, place)
    assert place.read_bytes() == whole.file.read_bytes() and merged.n == 400


def test_claims_have_parts(tmp_path: Path) -> None:
    names = ["theorem-1", "theorem-2"]
    parts = [elbow.eval(names, shard=(rank, 2), out=tmp_path / "parts") for rank in range(2)]
    merged = elbow.merge(elbow.eval, parts, names, out=tmp_path / "merged")
    assert {row["id"]: row["verdict"] for row in merged.rows} == dict.fromkeys(names, "verified")
    assert len(elbow.rows(tmp_path / "merged")) == 2


def test_a_target_is_reached_by_rounds_of_the_parts(tmp_path: Path) -> None:
    x = np.random.default_rng(1).integers(VALUES, size=(1000, LENGTH))

    def part(target: float, rounds: int, rank: int) -> elbow.Shard:
        return elbow.likelihood(DEN, x, target_se=target, shard=(rank, 2), rounds=rounds, out=tmp_path)

    parts = [part(0.013, 1, rank) for rank in range(2)]
    with pytest.raises(elbow.InputError, match=r"above the target 0.013\n.*make each part again with rounds = \d"):
        elbow.merge(elbow.likelihood, parts, DEN, x, target_se=0.013)
    parts = [part(0.013, 8, rank) for rank in range(2)]
    merged = elbow.merge(elbow.likelihood, parts, DEN, x, target_se=0.013)
    assert merged.standard_error <= 0.013 and timeless(merged) == timeless(elbow.likelihood(DEN, x, target_se=0.013))


def test_parts_that_do_not_belong_together_are_refused_in_words(tmp_path: Path) -> None:
    first, second = (elbow.likelihood(DEN, X, shard=(rank, 2), out=tmp_path) for rank in range(2))
    merge, likelihood = elbow.merge, elbow.likelihood
    with pytest.raises(elbow.InputError, match="shard 2/2 is missing"):
        merge(likelihood, first, DEN, X)
    with pytest.raises(elbow.InputError, match="both shard 1/2"):
        merge(likelihood, [first, first], DEN, X)
    with pytest.raises(elbow.InputError, match="other settings: .*`--seed 0`, this call of `--seed 1`"):
        merge(likelihood, [first, second], DEN, X, seed=1)
    with pytest.raises(elbow.InputError, match="other settings: .*:law .*:even"):
        merge(likelihood, [first, second], OTHER, X)
    with pytest.raises(elbow.InputError, match="other inputs"):
        merge(likelihood, [first, second], DEN, X[::-1])
    with pytest.raises(elbow.InputError, match="no parts"):
        merge(likelihood, [], DEN, X)
    for wrong in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(elbow.InputError, match="ranks are 0 to world - 1"):
            likelihood(DEN, X, shard=wrong)
    with pytest.raises(elbow.InputError, match="those of a part"):
        elbow.likelihood(DEN, X, **{"out": tmp_path})


def test_ranks_of_a_launcher_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert elbow.likelihood(DEN, X, shard="env", out=tmp_path)["shard"] == {"number": 2, "of": 3}
