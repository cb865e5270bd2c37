"""Depth-wise LoRA: a small low-rank difference between the loops of a shared block.

``scale``, as published for the recurrent-depth transformer: down (D → r) and up (r → D) are shared,
and each loop has an r-vector. ``full`` (Bae et al. 2024, arXiv 2410.20672): each loop has its own
pair. Both act on the block's output, not on keys and values, so that exited tokens can be skipped
exactly. Loops beyond the table use its last row.
"""

import torch
from torch import Tensor, nn


class LoRA(nn.Module):
    """Base of all adapters.

    Attributes:
        flops_per_token: multiplications and additions per loop.
    """

    flops_per_token: int


class ScaleLoRA(LoRA):
    """((W_down x) ⊙ s_t) W_up; 2 D r + T r parameters, zero at the start."""

    def __init__(self, width: int, rank: int, loops: int) -> None:
        super().__init__()
        self.flops_per_token = 4 * width * rank
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=False)
        self.scale = nn.Parameter(torch.zeros(loops, rank))
        nn.init.normal_(self.up.weight, std=0.02)

    def forward(self, x: Tensor, loop: int) -> Tensor:
        """What loop number ``loop`` (from 0) adds to x (B, N, D)."""
        out: Tensor = self.up(self.down(x) * self.scale[min(loop, len(self.scale) - 1)])
        return out


class FullLoRA(LoRA):
    """B_t A_t x; 2 D r T parameters, zero at the start."""

    def __init__(self, width: int, rank: int, loops: int) -> None:
        super().__init__()
        self.flops_per_token = 4 * width * rank
        self.down = nn.Parameter(torch.randn(loops, width, rank) * width**-0.5)
        self.up = nn.Parameter(torch.zeros(loops, rank, width))

    def forward(self, x: Tensor, loop: int) -> Tensor:
        """What loop number ``loop`` (from 0) adds to x (B, N, D)."""
        index = min(loop, len(self.down) - 1)
        return (x @ self.down[index].to(x.dtype)) @ self.up[index].to(x.dtype)


class NoLoRA(LoRA):
    """Rank 0: all loops are the same."""

    flops_per_token = 0

    def forward(self, x: Tensor, loop: int) -> Tensor:
        """Zero, (B, N, D)."""
        return torch.zeros_like(x)


def depthwise_lora(kind: str, width: int, rank: int, loops: int) -> LoRA:
    """The adapter of a kind ("scale" or "full"), or none at rank 0."""
    if rank == 0:
        return NoLoRA()
    kinds: dict[str, type[ScaleLoRA | FullLoRA]] = {"scale": ScaleLoRA, "full": FullLoRA}
    return kinds[kind](width, rank, loops)
