"""RD-ViT (arXiv 2605.03999): prelude → one shared block, looped → coda → decoder.

The paper adapts the recurrent-depth transformer: stable linear injection of the prelude's output in
every loop, per-token halting, depth-wise LoRA, experts in the looped block. ``preset = "paper"``
keeps the published formulas, with three differences: LayerNorm for RMSNorm, a last loop that takes
the remaining halting mass, and this project's decoder. The default uses Parcae's injection (inject,
then block; the prelude's output is normalised), no loop index, and halting learned from an oracle.

Shape legend: B batch, S* spatial axes, G* token grid, N tokens, D width, K classes, E experts,
T loops.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cardioseg.core.exits import OWN, ExitRule, rules_for
from cardioseg.layers.attention import Rotary, axial_rotary
from cardioseg.layers.block import Block
from cardioseg.layers.depth import early_loop, gradient_of_last, random_loops
from cardioseg.layers.embed import Tokens, pad_to_multiple, token_map
from cardioseg.layers.exits import RuleParts, build_rule
from cardioseg.layers.experts import Experts
from cardioseg.layers.frame import build_decoder, build_stem, decode_tokens
from cardioseg.layers.halting import ACT, halting_head, settled_target
from cardioseg.layers.injection import ParcaeInjection, RDTInjection, loop_index_embedding
from cardioseg.layers.looping import Core, Looped
from cardioseg.layers.lora import depthwise_lora
from cardioseg.networks.output import SegOutput
from cardioseg.networks.rdvit_config import TRAINED_PARTS, RDViTConfig


@dataclass
class Unrolled:
    """Result of the loops in training.

    Attributes:
        state: (B, N, D) state to decode.
        steps: (B, N) loops used.
        early: (B, N, D) state after the early loop; None without one.
        early_score: (B, N) halting logit after the early loop.
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
    """Prelude, looped block, coda and decoder."""

    def __init__(self, config: RDViTConfig) -> None:
        super().__init__()
        self.config = config
        self.skips = True
        width, hidden = config.width, int(config.width * config.mlp_ratio)
        experts = _experts(config)
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
        head = config.halting_head
        self.halting = None if config.halting == "none" else halting_head(head, width)
        self.core_norm = nn.LayerNorm(width) if parcae else nn.Identity()
        self.coda = nn.ModuleList(
            Block(width, config.heads, hidden) for _ in range(config.coda_blocks)
        )
        self.coda_norm = nn.LayerNorm(width)
        self.decoder = build_decoder(config)

    @property
    def exits(self) -> tuple[str, ...]:
        """Exit rules that it can follow, its default first."""
        return rules_for(*TRAINED_PARTS[self.config.halting])

    def forward(
        self, image: Tensor, *, loops: int | None = None, exits: ExitRule = OWN
    ) -> SegOutput:
        """Segment a batch.

        Args:
            image: (B, channels, *S); any size, padded inside to whole tokens.
            loops: budget T; None takes the configured one, or a random one in training.
            exits: exit rule; used at inference only.

        Raises:
            ValueError: fewer than 1 loop, or an exit rule that the network cannot follow.
        """
        loops = self._default_loops() if loops is None else loops
        if loops < 1:
            raise ValueError(f"loops is {loops}; at least 1 is needed")
        image, undo = pad_to_multiple(image, self.config.patch_size)
        tokens, e, rotary = self._prelude(image)
        if self.training:
            return self._train(tokens, e, rotary, loops, undo)
        looped = self.loop_tokens(tokens, e, rotary, loops, exits)
        return self._predict(looped, tokens, rotary, undo)

    def _default_loops(self) -> int:
        config = self.config
        if self.training and config.random_depth:
            return random_loops(config.mean_loops, config.max_loops)
        return config.loops

    def _prelude(self, image: Tensor) -> tuple[Tokens, Tensor, Rotary]:
        tokens = self.stem(image)
        rotary = axial_rotary(
            tokens.grid, self.config.width // self.config.heads, device=image.device
        )
        e = tokens.sequence
        for block in self.prelude:
            e, _ = block(e, rotary)
        return tokens, self.prelude_norm(e), rotary

    def _train(
        self, tokens: Tokens, e: Tensor, rotary: Rotary, loops: int, undo: tuple[slice, ...]
    ) -> SegOutput:
        """Segment with everything that the losses need."""
        unrolled = self._unroll(e, rotary, loops, early_loop(loops))
        logits = self._decode(unrolled.state, tokens, rotary)
        early = None
        if unrolled.early is not None:
            share = slice(0, math.ceil(len(e) * self.config.early_share))
            early = self._decode(unrolled.early[share], tokens.first(share), rotary)
        routing = unrolled.routing
        return SegOutput(
            logits=logits[undo],
            steps=token_map(unrolled.steps, tokens.grid),
            routing=None if routing is None else token_map(routing, tokens.grid),
            penalties=self._penalties(unrolled, logits, early),
            early=None if early is None else early[undo],
        )

    def _unroll(self, e: Tensor, rotary: Rotary, loops: int, early: int | None) -> Unrolled:
        """The loops in training: under ACT tokens halt, otherwise all of them run every loop."""
        config = self.config
        h, drive = self._start(e)
        account = ACT.start(e, config.halting_threshold)
        mixture = torch.zeros_like(e) if config.halting == "act" else None
        routing = None
        unrolled = Unrolled(h, account.steps)
        for loop in range(loops):
            before, active = h, account.active[..., None]
            with gradient_of_last(config.tracked_loops, loop, loops):
                h, routed = self._one_loop(before, drive, rotary, loop)
            probability = self._act_probability(h, before, account)
            weight, account = account.step(probability, last=loop == loops - 1)
            if mixture is not None:
                h = torch.where(active, h, before)
                mixture = mixture + weight[..., None] * h
            if routed is not None:
                routing = routed * active + (0 if routing is None else routing)
            if loop + 1 == early:
                unrolled.early, unrolled.early_score = h, self._oracle_score(h, before)
            if not bool(account.active.any()):
                break
        unrolled.state = h if mixture is None else mixture
        unrolled.steps, unrolled.ponder = account.steps, account.ponder
        unrolled.routing = None if routing is None else routing / account.steps[..., None]
        return unrolled

    def _start(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """The state before the first loop and the injection of every loop, both (B, N, D)."""
        if self.config.injection == "parcae":
            return torch.zeros_like(e), self.injection.drive(e)
        return e, e

    def _act_probability(self, h: Tensor, before: Tensor, account: ACT) -> Tensor:
        """Halting probability (B, N) under ACT, else 0."""
        if self.halting is None or self.config.halting != "act":
            return torch.zeros_like(account.steps)
        logit: Tensor = self.halting(h, before)
        return logit.float().sigmoid()

    def _oracle_score(self, h: Tensor, before: Tensor) -> Tensor | None:
        """Halting logit (B, N), whose gradient stays in the head."""
        return None if self.halting is None else self.halting(h.detach(), before.detach())

    @property
    def _can_skip(self) -> bool:
        """Whether exited tokens are skipped: only where this is exact."""
        return self.skips and self.config.injection == "parcae" and not self.config.loop_index

    def loop_tokens(
        self, tokens: Tokens, e: Tensor, rotary: Rotary, loops: int, exits: ExitRule
    ) -> Looped:
        """The loops at inference."""
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
        parts = RuleParts(
            states=h.flatten(0, 1),
            decode=lambda rows: self._decode(rows.view_as(h), tokens, rotary),
            patch_size=self.config.patch_size,
            halting=self.halting,
            halting_threshold=self.config.halting_threshold,
        )
        rule = build_rule(exits, self.exits, parts)
        return core.run(h, rule, loops=loops, compute=exits.compute)

    def _predict(
        self, looped: Looped, tokens: Tokens, rotary: Rotary, undo: tuple[slice, ...]
    ) -> SegOutput:
        images = len(tokens.sequence)

        def grid(values: Tensor) -> Tensor:
            """(M) or (M, E) to a map over the token grid."""
            return token_map(values.reshape(images, -1, *values.shape[1:]), tokens.grid)

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
        seen = h
        if self.config.loop_index:
            seen = h + loop_index_embedding(loop, h.shape[-1], device=h.device)
        if isinstance(self.injection, ParcaeInjection):
            out, routed = self.block(self.injection(seen, drive), rotary)
            return out + self.lora(out, loop), routed
        assert self.inject_norm is not None
        out, routed = self.block(self.inject_norm(seen + drive), rotary)
        return self.injection(h, drive, out + self.lora(out, loop)), routed

    def _decode(self, state: Tensor, tokens: Tokens, rotary: Rotary) -> Tensor:
        x = self.core_norm(state)
        for block in self.coda:
            x, _ = block(x, rotary)
        return decode_tokens(self.decoder, self.coda_norm(x), tokens)

    def _penalties(
        self, unrolled: Unrolled, logits: Tensor, early: Tensor | None
    ) -> dict[str, Tensor]:
        """ACT's cost, or how far the halting head is from the oracle."""
        config = self.config
        if config.halting == "act" and unrolled.ponder is not None:
            return {"ponder": unrolled.ponder}
        if config.halting != "oracle" or early is None or unrolled.early_score is None:
            return {}
        share = len(early)
        settled = settled_target(early, logits[:share], config.patch_size, config.halting_tolerance)
        score = unrolled.early_score[:share].float()
        loss = nn.functional.binary_cross_entropy_with_logits(score, settled.float())
        return {"halting": loss}

    @torch.no_grad()
    def rebalance(self, routing: Tensor, weights: Tensor, *, rate: float) -> None:
        """Balance the experts on the class-weighted load of a training step.

        Args:
            routing: (B, E, *G) from ``SegOutput``.
            weights: (B, *G) weight of each token, the inverse frequency of its class.
            rate: step of the experts' bias, in logits.
        """
        if self.block.experts is not None:
            load = (routing * weights[:, None]).flatten(2).sum((0, 2))
            self.block.experts.rebalance(load / load.sum(), rate=rate)


def _experts(config: RDViTConfig) -> Experts | None:
    if not config.experts:
        return None
    return Experts(
        config.width,
        routed=config.experts,
        shared=config.shared_experts,
        top_k=config.top_k,
        hidden=config.expert_hidden,
    )
