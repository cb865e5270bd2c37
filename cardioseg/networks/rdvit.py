"""RD-ViT (arXiv 2605.03999): prelude → one shared block, looped → coda → decoder.

The paper adapts the recurrent-depth transformer: LTI-stable injection of the prelude's output in every loop, per-token
halting, depth-wise LoRA, experts in the looped block. ``preset = "paper"`` keeps the published formulas, with LayerNorm for
RMSNorm, a last loop that takes what is left of the halting mass, and this project's decoder; the default takes Parcae's
injection (inject, then block; the prelude's output normalised), no loop index, and halting learned from an oracle.

Knows nothing of windows, files or training.

Shape legend: B batch, S* spatial axes, G* token grid, N tokens, D width, K classes, E experts, T loops.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cardioseg.core.exits import OWN, ExitRule, Part, rules_for
from cardioseg.layers.attention import Rotary, axial_rotary
from cardioseg.layers.block import Block
from cardioseg.layers.depth import early_loop, gradient_of_last, random_loops
from cardioseg.layers.embed import Tokens, pad_to_multiple, token_map
from cardioseg.layers.exits import RuleParts, TokenRule, build_rule
from cardioseg.layers.experts import Experts
from cardioseg.layers.frame import build_decoder, build_stem, decode_tokens
from cardioseg.layers.halting import ACT, HaltingHead, Head, LinearHaltingHead, settled_target
from cardioseg.layers.injection import ParcaeInjection, RDTInjection, loop_index_embedding
from cardioseg.layers.looping import Core, Looped
from cardioseg.layers.lora import depthwise_lora
from cardioseg.networks.output import SegOutput
from cardioseg.networks.rdvit_config import RDViTConfig

TRAINED_PARTS: dict[str, tuple[Part, ...]] = {
    "oracle": ("oracle", "halting"),
    "act": ("halting",),
    "none": (),
}


@dataclass
class Trace:
    """What the loops leave behind.

    Attributes:
        state: (B, N, D) what the coda reads.
        early: (B, N, D) state after the early loop; None unless asked for.
        early_score: (B, N) halting logit after the early loop.
        steps: (B, N) loops used.
        routing: (B, N, E) mean routing over the loops used.
        ponder: ACT's cost.
    """

    state: Tensor
    steps: Tensor
    early: Tensor | None = None
    early_score: Tensor | None = None
    routing: Tensor | None = None
    ponder: Tensor | None = None


class RDViT(nn.Module):
    """The network of the module's first line."""

    def __init__(self, config: RDViTConfig) -> None:
        super().__init__()
        self.config = config
        self.skips = True
        width, hidden = config.width, int(config.width * config.mlp_ratio)
        experts = None
        if config.experts:
            experts = Experts(
                width,
                routed=config.experts,
                shared=config.shared_experts,
                top_k=config.top_k,
                hidden=config.expert_hidden,
            )
        self.stem = build_stem(config)
        self.prelude = nn.ModuleList(
            Block(width, config.heads, hidden) for _ in range(config.prelude_blocks)
        )
        parcae = config.injection == "parcae"
        self.prelude_norm = nn.LayerNorm(width) if parcae else nn.Identity()
        self.injection: Any = ParcaeInjection(width) if parcae else RDTInjection(width)
        self.inject_norm = None if parcae else nn.LayerNorm(width)
        self.block = Block(width, config.heads, hidden, experts=experts)
        self.lora = depthwise_lora(config.lora, width, config.lora_rank, config.max_loops)
        self.halting: Head | None = None
        if config.halting != "none":
            self.halting = (
                HaltingHead(width)
                if config.halting_head == "normalised"
                else LinearHaltingHead(width)
            )
        self.core_norm = nn.LayerNorm(width) if parcae else nn.Identity()
        self.coda = nn.ModuleList(
            Block(width, config.heads, hidden) for _ in range(config.coda_blocks)
        )
        self.coda_norm = nn.LayerNorm(width)
        self.decoder = build_decoder(config)

    @property
    def exits(self) -> tuple[str, ...]:
        """Exit rules this network can follow, its own first."""
        return rules_for(*TRAINED_PARTS[self.config.halting])

    def forward(
        self, image: Tensor, *, loops: int | None = None, exits: ExitRule = OWN
    ) -> SegOutput:
        """Segment a batch.

        Args:
            image: (B, channels, *S); any size, padded inside to whole tokens.
            loops: budget T; None takes the configured one, or a random one in training.
            exits: when tokens leave; at inference only.
        """
        if loops is None:
            drawn = self.training and self.config.random_depth
            loops = (
                random_loops(self.config.mean_loops, self.config.max_loops)
                if drawn
                else self.config.loops
            )
        if loops < 1:
            raise ValueError(f"loops is {loops}; at least 1 is needed")
        image, undo = pad_to_multiple(image, self.config.patch_size)
        tokens, e, rotary = self._prelude(image)
        if not self.training:
            looped = self.loop_tokens(tokens, e, rotary, loops, exits)
            return self._shown(looped, tokens, rotary, undo)
        trace = self._loop(e, rotary, loops, early_loop(loops))
        logits = self._decode(trace.state, tokens, rotary)
        share = slice(0, math.ceil(len(image) * self.config.early_share))
        early_logits = (
            None
            if trace.early is None
            else self._decode(trace.early[share], tokens.first(share), rotary)
        )
        return self._output(logits, early_logits, trace, tokens, undo)

    def _prelude(self, image: Tensor) -> tuple[Tokens, Tensor, Rotary]:
        tokens = self.stem(image)
        rotary = axial_rotary(
            tokens.grid, self.config.width // self.config.heads, device=image.device
        )
        e = tokens.sequence
        for block in self.prelude:
            e, _ = block(e, rotary)
        return tokens, self.prelude_norm(e), rotary

    def _loop(self, e: Tensor, rotary: Rotary, loops: int, early: int | None) -> Trace:
        """The core in training: the same block again and again. Under ACT tokens halt; otherwise all of them run."""
        config = self.config
        h, drive = self._start(e)
        account = ACT.start(e, config.halting_threshold)
        mixture = torch.zeros_like(e) if config.halting == "act" else None
        routing = None
        followed = None if config.halting == "act" else config.gradient_loops
        trace = Trace(h, account.steps)
        for loop in range(loops):
            before, active = h, account.active[..., None]
            with gradient_of_last(followed, loop, loops):
                h, routed = self._one_loop(before, drive, rotary, loop)
            weight, account = account.step(
                self._act_probability(h, before, account), last=loop == loops - 1
            )
            if mixture is not None:
                h = torch.where(active, h, before)
                mixture = mixture + weight[..., None] * h
            if routed is not None:
                routing = routed * active + (0 if routing is None else routing)
            if loop + 1 == early:
                trace.early = h
                trace.early_score = (
                    None if self.halting is None else self.halting(h.detach(), before.detach())
                )
            if not bool(account.active.any()):
                break
        trace.state = h if mixture is None else mixture
        trace.steps, trace.ponder = account.steps, account.ponder
        trace.routing = None if routing is None else routing / account.steps[..., None]
        return trace

    def _start(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """The state before the first loop and what is injected in each, both (B, N, D)."""
        if self.config.injection == "parcae":
            return torch.zeros_like(e), self.injection.drive(e)
        return e, e

    def _act_probability(self, h: Tensor, before: Tensor, account: ACT) -> Tensor:
        """(B, N); 0 unless ACT halts. The oracle's head is learned beside the loop, not inside it."""
        if self.halting is None or self.config.halting != "act":
            return torch.zeros_like(account.steps)
        return self.halting(h, before).float().sigmoid()

    @property
    def _can_skip(self) -> bool:
        """Halted tokens are skipped wherever that is exact; ``skips = False`` computes and masks them."""
        return self.skips and self.config.injection == "parcae" and not self.config.loop_index

    def loop_tokens(
        self, tokens: Tokens, e: Tensor, rotary: Rotary, loops: int, exits: ExitRule
    ) -> Looped:
        """The core at inference."""
        h, drive = self._start(e)
        into = drive.flatten(0, 1)
        core = Core(
            self.block,
            rotary,
            loop_all=lambda state, loop: self._one_loop(state, drive, rotary, loop),
            skips=self._can_skip,
            inject=lambda state, index: self.injection(state, into[index]),
            lora=self.lora,
        )
        rule = self._rule(exits, h, tokens, rotary)
        return core.run(h, rule, loops=loops, compute=exits.compute)

    def _rule(self, exits: ExitRule, h: Tensor, tokens: Tokens, rotary: Rotary) -> TokenRule:
        parts = RuleParts(
            states=h.flatten(0, 1),
            decode=lambda rows: self._decode(rows.view_as(h), tokens, rotary),
            patch_size=self.config.patch_size,
            halting=self.halting,
            halting_threshold=self.config.halting_threshold,
        )
        return build_rule(exits, self.exits, parts)

    def _shown(
        self, looped: Looped, tokens: Tokens, rotary: Rotary, undo: tuple[slice, ...]
    ) -> SegOutput:
        images = len(tokens.sequence)

        def grid(values: Tensor) -> Tensor:
            return token_map(values.unflatten(0, (images, -1)), tokens.grid)

        return SegOutput(
            logits=self._decode(looped.state.view_as(tokens.sequence), tokens, rotary)[undo],
            steps=grid(looped.steps),
            routing=None if looped.routing is None else grid(looped.routing),
            core_flops=looped.flops,
            dense_flops=looped.dense_flops,
        )

    def _one_loop(
        self, h: Tensor, drive: Tensor, rotary: Rotary, loop: int
    ) -> tuple[Tensor, Tensor | None]:
        told = (
            h + loop_index_embedding(loop, h.shape[-1], device=h.device)
            if self.config.loop_index
            else h
        )
        if isinstance(self.injection, ParcaeInjection):
            out, routed = self.block(self.injection(told, drive), rotary)
            return out + self.lora(out, loop), routed
        assert self.inject_norm is not None
        out, routed = self.block(self.inject_norm(told + drive), rotary)
        return self.injection(h, drive, out + self.lora(out, loop)), routed

    def _decode(self, state: Tensor, tokens: Tokens, rotary: Rotary) -> Tensor:
        x = self.core_norm(state)
        for block in self.coda:
            x, _ = block(x, rotary)
        return decode_tokens(self.decoder, self.coda_norm(x), tokens)

    def _output(
        self,
        logits: Tensor,
        early: Tensor | None,
        trace: Trace,
        tokens: Tokens,
        undo: tuple[slice, ...],
    ) -> SegOutput:
        penalties: dict[str, Tensor] = {}
        if self.config.halting == "act" and trace.ponder is not None:
            penalties["ponder"] = trace.ponder
        if self.config.halting == "oracle" and early is not None and trace.early_score is not None:
            settled = settled_target(
                early, logits[: len(early)], self.config.patch_size, self.config.halting_tolerance
            )
            score = trace.early_score[: len(early)].float()
            penalties["halting"] = nn.functional.binary_cross_entropy_with_logits(
                score, settled.float()
            )
        return SegOutput(
            logits=logits[undo],
            steps=token_map(trace.steps, tokens.grid),
            routing=None if trace.routing is None else token_map(trace.routing, tokens.grid),
            penalties=penalties,
            early=None if early is None else early[undo],
        )

    @torch.no_grad()
    def rebalance(self, routing: Tensor, weights: Tensor, *, rate: float) -> None:
        """Balance the experts on the class-weighted load of a training step.

        Args:
            routing: (B, E, *G) from ``SegOutput``.
            weights: (B, *G) weight of each token, the inverse frequency of its class.
            rate: size of a step of the bias.
        """
        if self.block.experts is not None:
            load = (routing * weights[:, None]).flatten(2).sum((0, 2))
            self.block.experts.rebalance(load / load.sum(), rate=rate)
