"""bViT (Byra et al. 2026, arXiv 2605.10661): one block, L times, nothing else; width is the dial.

No step embedding: what a step does follows from the state alone, as the paper reads ("implicit depth multiplexing").

Shape legend: B batch, S* spatial axes, G* token grid, N tokens, D width.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from cardioseg.layers.attention import axial_rotary
from cardioseg.layers.block import Block
from cardioseg.layers.depth import random_loops
from cardioseg.layers.embed import pad_to_multiple, token_map
from cardioseg.layers.frame import FrameConfig, build_decoder, build_stem, decode_tokens
from cardioseg.networks.output import SegOutput


class BViTConfig(FrameConfig):
    """Sizes of bViT."""

    loops: int = Field(6, ge=1, description="times the block is applied")
    random_depth: bool = Field(False, description="train with 1 + Poisson loops instead of a fixed number (not in the paper)")
    mean_loops: float = Field(4.0, ge=1, description="mean of the random loop count")
    max_loops: int = Field(6, ge=1, description="longest loop count of training; more is extrapolation")


class BViT(nn.Module):
    """The network of the module's first line."""

    def __init__(self, config: BViTConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = build_stem(config)
        self.block = Block(config.width, config.heads, int(config.width * config.mlp_ratio))
        self.norm = nn.LayerNorm(config.width)
        self.decoder = build_decoder(config)

    def forward(self, image: Tensor, *, loops: int | None = None) -> SegOutput:
        """Segment a batch.

        Args:
            image: (B, channels, *S); any size, padded inside to whole tokens.
            loops: applications of the block; None takes the configured number, or a random one in training if so configured.
        """
        config = self.config
        if loops is None:
            loops = random_loops(config.mean_loops, config.max_loops) if self.training and config.random_depth else config.loops
        if loops < 1:
            raise ValueError(f"loops is {loops}; at least 1 is needed")
        image, undo = pad_to_multiple(image, config.patch_size)
        tokens = self.stem(image)
        rotary = axial_rotary(tokens.grid, config.width // config.heads, device=image.device)
        x = tokens.sequence
        for _ in range(loops):
            x, _ = self.block(x, rotary)
        steps = torch.full(x.shape[:2], float(loops), device=x.device)
        return SegOutput(decode_tokens(self.decoder, self.norm(x), tokens)[undo], token_map(steps, tokens.grid))
