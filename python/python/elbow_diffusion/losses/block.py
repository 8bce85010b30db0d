"""Block diffusion (BD3-LM): blocks from left to right, masked diffusion within a block given the clean blocks before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .masked import MaskedObjective
from .recorder import Array, Draws
from .toy import LENGTH, MASK, Flags, Ids, batch, masked_sets


@dataclass
class BlockObjective(MaskedObjective):
    """The masked bound of each block given the blocks before it, summed over blocks.

    A row of draws is one block: its masked tokens behind the clean blocks before it, with masks in place of the blocks after it.
    The denoiser takes two halves [noisy, clean] of 2 L tokens, and gives the logits of both.
    """

    block: int = 2
    """Tokens per block."""

    def __post_init__(self) -> None:
        if self.block not in (1, 2, LENGTH):
            raise InputError(f"block = {self.block}\n  choose 1, 2 or {LENGTH}: the toy has {LENGTH} tokens")

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return LENGTH // self.block

    @property
    def length(self) -> int:
        return self.block

    def describe(self) -> str:
        return f"{super().describe()}, blocks of {self.block}"

    def widths(self) -> tuple[int, ...]:
        return (2 * LENGTH,)

    def answer(self, z: npt.NDArray[Any], told: Array | None) -> Array:
        noisy, clean = z[:, :LENGTH], z[:, LENGTH:]
        rows = self._rows(noisy, clean)
        each = self.table.answer(rows.reshape(-1, LENGTH), self.columns).reshape(len(z), self.blocks, LENGTH, -1)
        of_noisy = np.concatenate([each[:, b, b * self.block : (b + 1) * self.block] for b in range(self.blocks)], axis=1)
        # What it says of the clean half is nobody's target.
        return np.concatenate([of_noisy, self.table.answer(np.full_like(clean, MASK), self.columns)], axis=1)

    def _rows(self, noisy: Ids, clean: Ids) -> Ids:
        """What each block sees, [..., blocks, L]."""
        of_token = np.arange(LENGTH) // self.block
        of_row = np.arange(self.blocks)[:, None]
        rows = np.where(of_token < of_row, clean[..., None, :], MASK)
        found: Ids = np.where(of_token == of_row, noisy[..., None, :], rows)
        return found

    def inside(self, z: Ids) -> Flags:
        of_row = np.arange(z.shape[-2]) % self.blocks
        found: Flags = np.arange(LENGTH) // self.block == of_row[:, None]
        return found

    def prepared(self, draws: Draws) -> Draws:
        noisy, clean = draws.z[..., :LENGTH], draws.z[..., LENGTH:]
        if (clean != draws.x).any():
            exchanged = (noisy == draws.x).all()
            what = "the halves are exchanged" if exchanged else f"the clean half differs from x in {(clean != draws.x).sum()} tokens"
            raise InputError(f"{what}\n  give the denoiser [noisy, clean]: the masked sequence, then the sequence itself")
        calls, rows = draws.z.shape[:2]
        shape = (calls, rows * self.blocks, LENGTH)
        t = None if self.time is None or draws.t is None else self.times(self._of_blocks(draws.t)).reshape(calls, -1)
        x = np.broadcast_to(draws.x[:, :, None, :], (calls, rows, self.blocks, LENGTH))
        return replace(draws, x=x.reshape(shape), z=self._rows(noisy, clean).reshape(shape), t=t, parts=self.blocks)

    def _of_blocks(self, t: Array) -> Array:
        """A time per block, of a time per row, per block or per token."""
        times = t.shape[-1]
        if times in (1, self.blocks):
            return np.broadcast_to(t, (*t.shape[:-1], self.blocks)) if times == 1 else t
        if times not in (LENGTH, 2 * LENGTH):
            raise InputError(f"the denoiser was given {times} times per row\n  give one per row, block ({self.blocks}) or token ({LENGTH})")
        tokens = t[..., :LENGTH].reshape(*t.shape[:-1], self.blocks, self.block)
        if np.ptp(tokens, axis=-1).max() > 0:
            raise InputError("the tokens of a block have different times\n  repeat each block's time for its tokens, not the row of times")
        found: Array = tokens[..., 0]
        return found

    def law_draws(self, draws: Draws) -> Draws:
        inside = np.broadcast_to(self.inside(draws.z), draws.z.shape)
        shape = (*draws.z.shape[:2], self.block)
        return replace(draws, x=draws.x[inside].reshape(shape), z=draws.z[inside].reshape(shape))

    def gradients(self, draws: Draws) -> Array | None:
        each = super().gradients(draws)
        if each is None:
            return None
        # A token is counted in the row of its block alone.
        noisy = each.reshape(len(each), -1, self.blocks, *each.shape[2:]).sum(2)
        found: Array = np.concatenate([noisy, np.zeros_like(noisy)], axis=2)
        return found

    def exact(self) -> float:
        x = batch()
        z, hidden = masked_sets(x)
        t, law = self.grid()
        masked = self.masked(t)[:, None]
        weight = law * self.weight(t)
        total = 0.0
        for b in range(self.blocks):
            own = np.arange(LENGTH) // self.block == b
            sets = ~hidden[:, ~own].any(1)
            rows = self._rows(z[:, sets], np.broadcast_to(x[:, None, :], z[:, sets].shape))[..., b, :]
            count = hidden[sets].sum(1)
            costs = (self.table.costs(rows, np.broadcast_to(x[:, None, :], rows.shape)) * hidden[sets]).sum(-1).mean(0)
            total += float((weight * ((masked**count * (1 - masked) ** (self.block - count)) @ costs)).sum())
        return total

    def mistakes(self, draws: Draws) -> list[tuple[str, Array]]:
        found = super().mistakes(draws)
        if draws.t is None:
            return found
        hidden = (draws.z == MASK) & self.inside(draws.z)
        total = (self.table.costs(draws.z, draws.x) * hidden).sum(-1)
        weight = self.weight(draws.t).reshape(len(draws.t), -1, self.blocks)
        others = [
            ("the weight of the first block is that of all", np.broadcast_to(weight[..., :1], weight.shape)),
            ("the blocks' weights are in reverse order", weight[..., ::-1]),
            ("the mean of the blocks' weights is that of all", np.broadcast_to(weight.mean(-1, keepdims=True), weight.shape)),
        ]
        found += [(what, one.reshape(total.shape) * total) for what, one in others]
        if self.block < LENGTH and self.blocks > 1:
            # The row of times repeated, in place of each time: token n has the time of the block n modulo their number.
            tiled = np.tile(weight, self.block)[:, :, None, :]
            costs = (self.table.costs(draws.z, draws.x) * hidden).reshape(*weight.shape, LENGTH)
            found.append(("the row of the blocks' weights is repeated for the tokens, in place of each weight", (costs * tiled).sum(-1).reshape(total.shape)))
        return found
