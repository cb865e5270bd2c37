"""Edge-RecViT (CVPR 2026): head block, one looped block whose depth a ranker chooses, tail block.

Adapted to dense prediction: there is no class token; head and tail run for every token, because
each token has an output; depth counts loops of the shared block; the confidence weighs each patch's
own scores instead of the image's (CCE).

``preset = "paper"``: the ranker reads the stem's tokens, depth is the argmax, losses STB, DU and
CCE. ``preset = "cardioseg"``: the ranker reads the head's output and the patch's edge energy. It
learns from the oracle on steps in which every token runs all loops, and on the other steps from the
task, through a straight-through gate and under a budget.

Shape legend: B batch, S* spatial axes, G* token grid, N tokens, D width, L depths.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cardioseg.core.exits import OWN, ExitRule, rules_for
from cardioseg.layers import ranker
from cardioseg.layers.attention import Rotary, axial_rotary
from cardioseg.layers.block import Block
from cardioseg.layers.depth import early_loop
from cardioseg.layers.embed import Tokens, pad_to_multiple, token_map
from cardioseg.layers.exits import Decode, RuleParts, TokenRule, build_rule
from cardioseg.layers.frame import FrameConfig, build_decoder, build_stem, decode_tokens
from cardioseg.layers.halting import settled_target
from cardioseg.layers.looping import Core
from cardioseg.networks.output import SegOutput


class EdgeRecViTConfig(FrameConfig):
    """Sizes and switches of Edge-RecViT."""

    preset: Literal["cardioseg", "paper"] = Field(
        "cardioseg", description="ranker and losses of this project, or as published"
    )
    loops: int = Field(8, ge=2, description="largest depth L, and the loop budget")
    budget: float = Field(
        0.4, gt=0, le=1, description="mean share of the loops that the budget loss aims at"
    )
    free_share: float = Field(
        0.5, ge=0, le=1, description="share of training steps in which every token runs all loops"
    )
    halting_tolerance: float = Field(
        0.05, gt=0, lt=1, description="oracle: change of probability that counts as settled"
    )
    early_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="share of a training batch with a second loss after an earlier loop",
    )

    @property
    def trained_loops(self) -> int:
        """Largest loop count in training; more extrapolates."""
        return self.loops


@dataclass
class Gated:
    """Result of the loops in training.

    Attributes:
        state: (B, N, D) state after the last loop.
        steps: (B, N) loops used.
        early: (B, N, D) state after the early loop; None without one.
    """

    state: Tensor
    steps: Tensor
    early: Tensor | None = None


class EdgeRecViT(nn.Module):
    """Head, ranker, looped block, tail and decoder."""

    exits = rules_for("ranker")

    def __init__(self, config: EdgeRecViTConfig) -> None:
        super().__init__()
        self.config = config
        self.skips = True
        width, hidden = config.width, int(config.width * config.mlp_ratio)
        self.stem = build_stem(config)
        self.ranker = ranker.Ranker(width if config.preset == "paper" else width + 1, config.loops)
        self.head = Block(width, config.heads, hidden)
        self.ranker_norm = nn.LayerNorm(width) if config.preset == "cardioseg" else nn.Identity()
        self.block = Block(width, config.heads, hidden)
        self.tail = Block(width, config.heads, hidden)
        self.norm = nn.LayerNorm(width)
        self.decoder = build_decoder(config)

    def forward(
        self, image: Tensor, *, loops: int | None = None, exits: ExitRule = OWN
    ) -> SegOutput:
        """Segment a batch.

        Args:
            image: (B, channels, *S); any size, padded inside to whole tokens.
            loops: budget. Below L it limits deeper tokens; above L, tokens of depth L use it all.
            exits: exit rule; used at inference only.

        Raises:
            ValueError: fewer than 1 loop, or an exit rule that the network cannot follow.
        """
        loops = self.config.loops if loops is None else loops
        if loops < 1:
            raise ValueError(f"loops is {loops}; at least 1 is needed")
        image, undo = pad_to_multiple(image, self.config.patch_size)
        tokens = self.stem(image)
        rotary = axial_rotary(
            tokens.grid, self.config.width // self.config.heads, device=image.device
        )
        h, _ = self.head(tokens.sequence, rotary)
        scores = self._scores(tokens, h, image)
        if self.training:
            return self._train(h, scores, tokens, rotary, loops, undo)
        core = Core(self.block, rotary, lambda state, _: self.block(state, rotary), self.skips)

        def decode(rows: Tensor) -> Tensor:
            return self._decode(rows.view_as(h), tokens, rotary)

        rule = self._rule(exits, h, scores, decode, loops)
        looped = core.run(h, rule, loops=loops, compute=exits.compute)
        return SegOutput(
            decode(looped.state)[undo],
            token_map(looped.steps.view(h.shape[:2]), tokens.grid),
            core_flops=looped.flops,
            dense_flops=looped.dense_flops,
        )

    def _scores(self, tokens: Tokens, h: Tensor, image: Tensor) -> Tensor:
        """Depth scores (B, N, L)."""
        features = tokens.sequence
        if self.config.preset == "cardioseg":
            # Detached: the ranker reads the head's output and does not shape it.
            edges = ranker.edge_energy(image, self.config.patch_size).to(h.dtype)
            features = torch.cat((self.ranker_norm(h.detach()), edges), dim=-1)
        scores: Tensor = self.ranker(features)
        return scores

    def _depths(self, scores: Tensor, loops: int) -> Tensor:
        """Loops of each token under a budget, (B, N)."""
        depth = ranker.chosen_depth(scores)
        deepest = depth == self.config.loops
        return torch.where(deepest, torch.full_like(depth, loops), depth.clamp(max=loops))

    def _train(
        self,
        h: Tensor,
        scores: Tensor,
        tokens: Tokens,
        rotary: Rotary,
        loops: int,
        undo: tuple[slice, ...],
    ) -> SegOutput:
        """Segment with everything that the losses need."""
        if self.config.preset == "paper":
            output = self._train_paper(h, scores, tokens, rotary, loops)
        elif bool(torch.rand(()) < self.config.free_share):
            output = self._train_free(h, scores, tokens, rotary, loops)
        else:
            output = self._train_gated(h, scores, tokens, rotary, loops)
        output.logits = output.logits[undo]
        output.early = None if output.early is None else output.early[undo]
        return output

    def _train_paper(
        self, h: Tensor, scores: Tensor, tokens: Tokens, rotary: Rotary, loops: int
    ) -> SegOutput:
        """As published: depth by argmax, and logits weighed by the ranker's confidence."""
        chosen = nn.functional.one_hot(scores.argmax(-1), self.config.loops).to(scores.dtype)
        gated = self._gated(h, ranker.running(chosen), rotary, loops)
        logits = self._decode(gated.state, tokens, rotary)
        penalties = {
            "stability": ranker.stability_loss(scores),
            "depth_use": ranker.use_loss(scores),
        }
        confidence = token_map(scores.float().softmax(-1).amax(-1, keepdim=True), tokens.grid)
        weight = nn.functional.interpolate(confidence, size=logits.shape[2:], mode="nearest-exact")
        return SegOutput(logits * weight, token_map(gated.steps, tokens.grid), penalties=penalties)

    def _train_free(
        self, h: Tensor, scores: Tensor, tokens: Tokens, rotary: Rotary, loops: int
    ) -> SegOutput:
        """Every token in every loop; the oracle teaches the ranker after a random earlier loop."""
        config = self.config
        early = early_loop(min(loops, config.loops))
        gated = self._gated(h, torch.ones_like(scores), rotary, loops, early=early)
        logits = self._decode(gated.state, tokens, rotary)
        output = SegOutput(logits, token_map(gated.steps, tokens.grid))
        if early is not None and gated.early is not None:
            share = slice(0, math.ceil(len(h) * config.early_share))
            output.early = self._decode(gated.early[share], tokens.first(share), rotary)
            settled = settled_target(
                output.early, logits[share], config.patch_size, config.halting_tolerance
            )
            output.penalties = {"depth": ranker.oracle_loss(scores[share], settled, early)}
        return output

    def _train_gated(
        self, h: Tensor, scores: Tensor, tokens: Tokens, rotary: Rotary, loops: int
    ) -> SegOutput:
        """Depth by a straight-through sample, under the budget loss."""
        gated = self._gated(h, ranker.depth_gate(scores), rotary, loops)
        return SegOutput(
            self._decode(gated.state, tokens, rotary),
            token_map(gated.steps, tokens.grid),
            penalties={"budget": ranker.budget_loss(scores, self.config.budget)},
        )

    def _gated(
        self, h: Tensor, gate: Tensor, rotary: Rotary, loops: int, *, early: int | None = None
    ) -> Gated:
        """Compute every token in every loop, keeping the share ``gate`` (B, N, L) of the change."""
        gated = Gated(h, torch.zeros(h.shape[:2], device=h.device))
        for loop in range(loops):
            keep = gate[..., min(loop, gate.shape[-1] - 1), None]
            out, _ = self.block(h, rotary)
            h = h + keep * (out - h)
            gated.steps = gated.steps + keep[..., 0].detach().round()
            if loop + 1 == early:
                gated.early = h
        gated.state = h
        return gated

    def _rule(
        self, exits: ExitRule, h: Tensor, scores: Tensor, decode: Decode, loops: int
    ) -> TokenRule:
        """The exit rule; under a compute share the ranker's expected depth orders the tokens."""
        shared = exits.compute is not None
        depth = ranker.expected_depth(scores) if shared else self._depths(scores, loops).float()
        parts = RuleParts(
            states=h.flatten(0, 1),
            decode=decode,
            patch_size=self.config.patch_size,
            depth=depth.flatten(),
        )
        return build_rule(exits, self.exits, parts)

    def _decode(self, state: Tensor, tokens: Tokens, rotary: Rotary) -> Tensor:
        x, _ = self.tail(state, rotary)
        return decode_tokens(self.decoder, self.norm(x), tokens)

    def rebalance(self, routing: Tensor, weights: Tensor, *, rate: float) -> None:
        """Do nothing: the network has no experts."""
