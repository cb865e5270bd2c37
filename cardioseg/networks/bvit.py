"""bViT (Byra et al. 2026, arXiv 2605.10661): one block, applied L times; its width sets the size.

There is no loop embedding: each loop depends on the state alone, as in the paper ("implicit depth
multiplexing").

Shape legend: B batch, S* spatial axes, G* token grid, N tokens, D width.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from cardioseg.core.exits import OWN, ExitRule, rules_for
from cardioseg.layers.attention import Rotary, axial_rotary
from cardioseg.layers.block import Block
from cardioseg.layers.depth import random_loops
from cardioseg.layers.embed import Tokens, pad_to_multiple, token_map
from cardioseg.layers.exits import RuleParts, build_rule
from cardioseg.layers.frame import FrameConfig, build_decoder, build_stem, decode_tokens
from cardioseg.layers.looping import Core, Looped
from cardioseg.networks.output import SegOutput


class BViTConfig(FrameConfig):
    """Sizes of bViT."""

    loops: int = Field(6, ge=1, description="loop budget: times the block is applied")
    random_depth: bool = Field(
        False,
        description="train with 1 + Poisson loops instead of a fixed number (not in the paper)",
    )
    mean_loops: float = Field(4.0, ge=1, description="mean of the random loop count")
    max_loops: int = Field(6, ge=1, description="largest random loop count")

    @property
    def trained_loops(self) -> int:
        """Largest loop count in training; more extrapolates."""
        return self.max_loops if self.random_depth else self.loops


class BViT(nn.Module):
    """One looped block between stem and decoder."""

    exits = rules_for()

    def __init__(self, config: BViTConfig) -> None:
        super().__init__()
        self.config = config
        self.skips = True
        self.stem = build_stem(config)
        self.block = Block(config.width, config.heads, int(config.width * config.mlp_ratio))
        self.norm = nn.LayerNorm(config.width)
        self.decoder = build_decoder(config)

    def forward(
        self, image: Tensor, *, loops: int | None = None, exits: ExitRule = OWN
    ) -> SegOutput:
        """Segment a batch.

        Args:
            image: (B, channels, *S); any size, padded inside to whole tokens.
            loops: loop budget; None takes the configured one, or a random one in training where
                ``random_depth`` is set.
            exits: exit rule, which the paper does not have; used at inference only.

        Raises:
            ValueError: fewer than 1 loop, or an exit rule that the network cannot follow.
        """
        config = self.config
        if loops is None:
            drawn = self.training and config.random_depth
            loops = random_loops(config.mean_loops, config.max_loops) if drawn else config.loops
        if loops < 1:
            raise ValueError(f"loops is {loops}; at least 1 is needed")
        image, undo = pad_to_multiple(image, config.patch_size)
        tokens = self.stem(image)
        rotary = axial_rotary(tokens.grid, config.width // config.heads, device=image.device)
        if not self.training:
            return self._predict(tokens, rotary, loops, exits, undo)
        x = tokens.sequence
        for _ in range(loops):
            x, _ = self.block(x, rotary)
        steps = torch.full(x.shape[:2], float(loops), device=x.device)
        return SegOutput(self._decode(x, tokens)[undo], token_map(steps, tokens.grid))

    def _predict(
        self, tokens: Tokens, rotary: Rotary, loops: int, exits: ExitRule, undo: tuple[slice, ...]
    ) -> SegOutput:
        x = tokens.sequence
        looped = self._loop(x, tokens, rotary, loops, exits)
        return SegOutput(
            self._decode(looped.state.view_as(x), tokens)[undo],
            token_map(looped.steps.view(x.shape[:2]), tokens.grid),
            core_flops=looped.flops,
            dense_flops=looped.dense_flops,
        )

    def _loop(
        self, x: Tensor, tokens: Tokens, rotary: Rotary, loops: int, exits: ExitRule
    ) -> Looped:
        parts = RuleParts(
            states=x.flatten(0, 1),
            decode=lambda rows: self._decode(rows.view_as(x), tokens),
            patch_size=self.config.patch_size,
        )
        rule = build_rule(exits, self.exits, parts)
        core = Core(self.block, rotary, lambda state, _: self.block(state, rotary), self.skips)
        return core.run(x, rule, loops=loops, compute=exits.compute)

    def _decode(self, x: Tensor, tokens: Tokens) -> Tensor:
        return decode_tokens(self.decoder, self.norm(x), tokens)

    def rebalance(self, routing: Tensor, weights: Tensor, *, rate: float) -> None:
        """Do nothing: the network has no experts."""
