"""The plain vision transformer (Dosovitskiy et al. 2021), the baseline: L blocks, each run once.

It has the stem, positions and decoder of the looped networks. Blocks are not shared, tokens do not
exit, and there are no experts.

Shape legend: B batch, S* spatial axes, G* token grid, N tokens, D width.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from cardioseg.core.exits import OWN, ExitRule
from cardioseg.layers.attention import axial_rotary
from cardioseg.layers.block import Block
from cardioseg.layers.embed import pad_to_multiple, token_map
from cardioseg.layers.frame import FrameConfig, build_decoder, build_stem, decode_tokens
from cardioseg.networks.output import SegOutput


class ViTConfig(FrameConfig):
    """Sizes of the plain transformer."""

    loops: int = Field(6, ge=1, description="number of blocks")

    @property
    def trained_loops(self) -> int:
        """All blocks."""
        return self.loops


class ViT(nn.Module):
    """A stack of blocks between stem and decoder."""

    exits = ("fixed",)  # tokens pass each block once

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.skips = False  # no token can exit
        hidden = int(config.width * config.mlp_ratio)
        self.stem = build_stem(config)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, hidden) for _ in range(config.loops)
        )
        self.norm = nn.LayerNorm(config.width)
        self.decoder = build_decoder(config)

    def forward(
        self, image: Tensor, *, loops: int | None = None, exits: ExitRule = OWN
    ) -> SegOutput:
        """Segment a batch.

        Args:
            image: (B, channels, *S); any size, padded inside to whole tokens.
            loops: blocks to run, counted from the first; None, or more than there are, runs all.
            exits: only "fixed".

        Raises:
            ValueError: fewer than 1 block, or another exit rule.
        """
        loops = self.config.loops if loops is None else min(loops, self.config.loops)
        if loops < 1:
            raise ValueError(f"loops is {loops}; at least 1 is needed")
        exits.among(self.exits)
        image, undo = pad_to_multiple(image, self.config.patch_size)
        tokens = self.stem(image)
        rotary = axial_rotary(
            tokens.grid, self.config.width // self.config.heads, device=image.device
        )
        x = tokens.sequence
        for block in self.blocks[:loops]:
            x, _ = block(x, rotary)
        steps = torch.full(x.shape[:2], float(loops), device=x.device)
        every = x.shape[0] * x.shape[1]
        first = self.blocks[0]
        assert isinstance(first, Block)
        flops = loops * first.flops(refreshed=every, active=every, keys=x.shape[1])
        return SegOutput(
            decode_tokens(self.decoder, self.norm(x), tokens)[undo],
            token_map(steps, tokens.grid),
            core_flops=flops,
            dense_flops=flops,
        )

    def rebalance(self, routing: Tensor, weights: Tensor, *, rate: float) -> None:
        """Do nothing: the network has no experts."""
