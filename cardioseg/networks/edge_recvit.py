"""Edge-RecViT (CVPR 2026): a ranker gives each token its depth; head block, one shared block looped, tail block.

Adapted to dense prediction: no class token; head and tail run for every token, as each has an output; depth counts the loops
of the shared block; the confidence weighs each patch's own scores instead of the image's (CCE).

``preset = "paper"``: the ranker sees the stem's tokens, depth is the argmax, losses STB, DU and CCE. ``preset = "cardioseg"``: it
sees the head's output and the patch's edge energy, and is taught twice: by the oracle, on steps where every token runs freely,
and by the task through a straight-through gate under a budget, on the others.

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

    preset: Literal["cardioseg", "paper"] = "cardioseg"
    loops: int = Field(8, ge=2, description="largest depth L: loops of the shared block")
    budget: float = Field(
        0.4, gt=0, le=1, description="mean share of the loops that the budget loss asks for"
    )
    free_share: float = Field(
        0.5, ge=0, le=1, description="share of training steps on which every token runs all loops"
    )
    halting_tolerance: float = Field(
        0.05, gt=0, lt=1, description="probability change that counts as settled"
    )
    early_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="share of a training batch also supervised after an earlier loop",
    )

    @property
    def trained_loops(self) -> int:
        """Longest loop count of training; more is extrapolation."""
        return self.loops


@dataclass
class Trace:
    """What the loops leave behind: the state (B, N, D), the state after the early loop, the steps (B, N)."""

    state: Tensor
    steps: Tensor
    early: Tensor | None = None


class EdgeRecViT(nn.Module):
    """The network of the module's first line."""

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

    exits = rules_for("ranker")

    def forward(
        self, image: Tensor, *, loops: int | None = None, exits: ExitRule = OWN
    ) -> SegOutput:
        """Segment a batch.

        Args:
            image: (B, channels, *S); any size, padded inside to whole tokens.
            loops: budget; fewer than L cut the deepest tokens short, more let the tokens of depth L go on.
            exits: when tokens leave; at inference only.
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
            return self._train_forward(h, scores, tokens, rotary, loops, undo)
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
        if self.config.preset == "paper":
            return self.ranker(tokens.sequence)
        edges = ranker.edge_energy(image, self.config.patch_size)
        # The ranker reads the head, it does not steer it: the task alone decides what the head makes.
        return self.ranker(torch.cat((self.ranker_norm(h.detach()), edges.to(h.dtype)), dim=-1))

    def _depths(self, scores: Tensor, loops: int) -> Tensor:
        """Loops of each token under a budget, (B, N)."""
        depth = ranker.chosen_depth(scores)
        deepest = depth == self.config.loops
        return torch.where(deepest, torch.full_like(depth, loops), depth.clamp(max=loops))

    def _train_forward(
        self,
        h: Tensor,
        scores: Tensor,
        tokens: Tokens,
        rotary: Rotary,
        loops: int,
        undo: tuple[slice, ...],
    ) -> SegOutput:
        config = self.config
        paper = config.preset == "paper"
        free = not paper and bool(torch.rand(()) < config.free_share)
        early = early_loop(min(loops, config.loops)) if free else None
        gate = torch.ones_like(scores) if free else self._gate(scores)
        trace = self._gated(h, gate, rotary, loops, early)
        logits = self._decode(trace.state, tokens, rotary)
        penalties: dict[str, Tensor] = {}
        early_logits = None
        if paper:
            penalties = {
                "stability": ranker.stability_loss(scores),
                "depth_use": ranker.use_loss(scores),
            }
            confidence = token_map(scores.float().softmax(-1).amax(-1, keepdim=True), tokens.grid)
            logits = logits * nn.functional.interpolate(
                confidence, size=logits.shape[2:], mode="nearest-exact"
            )
        elif not free:
            penalties = {"budget": ranker.budget_loss(scores, config.budget)}
        elif early is not None and trace.early is not None:
            share = slice(0, math.ceil(len(h) * config.early_share))
            early_logits = self._decode(trace.early[share], tokens.first(share), rotary)
            settled = settled_target(
                early_logits, logits[share], config.patch_size, config.halting_tolerance
            )
            penalties = {"depth": ranker.oracle_loss(scores[share], settled, early)}
        steps = token_map(trace.steps, tokens.grid)
        shown = None if early_logits is None else early_logits[undo]
        return SegOutput(logits[undo], steps, penalties=penalties, early=shown)

    def _gate(self, scores: Tensor) -> Tensor:
        """(B, N, L) of 1 while a token loops: by argmax as published, by a straight-through sample in ours."""
        if self.config.preset == "paper":
            return ranker.running(
                nn.functional.one_hot(scores.argmax(-1), self.config.loops).to(scores.dtype)
            )
        return ranker.depth_gate(scores)

    def _gated(
        self, h: Tensor, gate: Tensor, rotary: Rotary, loops: int, early: int | None
    ) -> Trace:
        """Every token computed, gates deciding what is kept; the form that has gradients."""
        trace = Trace(h, torch.zeros(h.shape[:2], device=h.device))
        for loop in range(loops):
            keep = gate[..., min(loop, gate.shape[-1] - 1), None]
            out, _ = self.block(h, rotary)
            h = h + keep * (out - h)
            trace.steps = trace.steps + keep[..., 0].detach().round()
            if loop + 1 == early:
                trace.early = h
        trace.state = h
        return trace

    def _rule(
        self, exits: ExitRule, h: Tensor, scores: Tensor, decode: Decode, loops: int
    ) -> TokenRule:
        """The exit rule asked for; with a compute share the ranker's expected depth ranks tokens."""
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
