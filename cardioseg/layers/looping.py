"""Apply one block to tokens until they exit: the looped core of every network, at inference.

The tokens of all images lie in one row. Tokens that have exited keep their state, and the others
still attend to them. They are either skipped (``SkippingStep``) or computed and discarded
(``MaskedStep``); the result is the same.

Shape legend: B images, N tokens each, M = B N in a row, A active ones, D width, E experts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cardioseg.layers.attention import Rotary
from cardioseg.layers.block import Block
from cardioseg.layers.exits import Loop, TokenRule
from cardioseg.layers.lora import LoRA
from cardioseg.layers.quota import least_settled, quota
from cardioseg.layers.skipping import KeyValueStore

Inject = Callable[[Tensor, Tensor], Tensor]
LoopAll = Callable[[Tensor, int], tuple[Tensor, Tensor | None]]


@dataclass
class Looped:
    """Result of the loops.

    Attributes:
        state: (M, D) states to decode.
        steps: (M,) loops each token used.
        routing: (M, E) mean routing over the loops used; None without experts.
        flops: multiplications and additions of the loops that ran.
        dense_flops: the same with every token in every loop, without the rule's scores.
    """

    state: Tensor
    steps: Tensor
    routing: Tensor | None = None
    flops: int = 0
    dense_flops: int = 0


class Step(Protocol):
    """One loop for the active tokens."""

    def __call__(
        self, rows: Tensor, active: Tensor, loop: int
    ) -> tuple[Tensor, Tensor | None, int]:
        """Run loop number ``loop`` (from 0).

        Args:
            rows: (M, D) states of all tokens.
            active: (A,) indices of the active ones.
            loop: number of the loop, from 0.

        Returns:
            New states (A, D), routing (A, E) or None, and FLOPs.
        """


@dataclass(frozen=True)
class Core:
    """A looped block and what the network adds to it.

    Attributes:
        block: the block.
        rotary: positions of an image's tokens.
        loop_all: one loop of every token: states (B, N, D) and loop number from 0 to states and
            routing (B, N, E).
        skips: whether exited tokens are skipped, which must be exact, or computed and discarded.
        inject: states (A, D) and indices (A,) to the block's input; None: the states themselves.
        lora: added to the block's output, by loop.
    """

    block: Block
    rotary: Rotary
    loop_all: LoopAll
    skips: bool = True
    inject: Inject | None = None
    lora: LoRA | None = None

    def run(
        self, start: Tensor, rule: TokenRule, *, loops: int, compute: float | None = None
    ) -> Looped:
        """Loop the states (B, N, D).

        Args:
            start: states before the first loop.
            rule: decides which tokens exit.
            loops: budget T.
            compute: mean share of the loops that tokens use; None leaves it to the rule.

        Raises:
            ValueError: the rule cannot keep that share.
        """
        images, tokens, _ = start.shape
        kept = None
        if compute is not None:
            if not rule.spec.exits_early:
                raise ValueError(
                    f"a share of the loops needs an exit rule other than {rule.spec.name}"
                )
            kept = quota(compute, loops, tokens, full_loops=rule.spec.first_loop)
        looped = run_loops(
            start.flatten(0, 1), self._step(images), rule, loops=loops, tokens=tokens, kept=kept
        )
        looped.dense_flops = loops * self._dense_flops(images)
        return looped

    def _step(self, images: int) -> Step:
        if self.skips:
            return SkippingStep(self.block, self.rotary, images, inject=self.inject, lora=self.lora)
        return MaskedStep(self.loop_all, images, self._dense_flops(images))

    def _dense_flops(self, images: int) -> int:
        tokens = len(self.rotary.cos)
        every = images * tokens
        adapters = 0 if self.lora is None else every * self.lora.flops_per_token
        return self.block.flops(refreshed=every, active=every, keys=tokens) + adapters


def run_loops(
    rows: Tensor,
    step: Step,
    rule: TokenRule,
    *,
    loops: int,
    tokens: int,
    kept: list[int] | None = None,
) -> Looped:
    """Loop until the budget is spent or every token has exited.

    Args:
        rows: (M, D) states before the first loop.
        step: computes a loop.
        rule: decides which tokens exit.
        loops: budget T.
        tokens: N.
        kept: tokens of an image that run in each loop; None leaves it to the rule's threshold.
    """
    rows = rows.clone()
    active = torch.arange(len(rows), device=rows.device)
    looped = Looped(rows, torch.zeros(len(rows), device=rows.device))
    for number in range(loops):
        before = rows[active]
        out, routed, flops = step(rows, active, number)
        rows[active] = out.to(rows.dtype)
        looped.steps[active] += 1
        looped.flops += flops + len(active) * rule.flops_per_token
        if routed is not None:
            if looped.routing is None:
                looped.routing = rows.new_zeros(len(rows), routed.shape[-1])
            looped.routing[active] += routed.to(rows.dtype)
        loop = Loop(number + 1, rows, before, active)
        count = None if kept is None else kept[min(number + 1, loops - 1)]
        continues = _continues(rule, loop, count, tokens) & (number + 1 < loops)
        rule.weigh(loop, continues)
        active = active[continues]
        if not len(active):
            break
    looped.state = rule.result(rows)
    if looped.routing is not None:
        looped.routing = looped.routing / looped.steps[:, None]
    return looped


def _continues(rule: TokenRule, loop: Loop, count: int | None, tokens: int) -> Tensor:
    """Whether each active token runs another loop, (A,) bool."""
    score = rule.unsettled(loop)
    if count is None:
        return score > rule.threshold
    return least_settled(score, loop.active, count, tokens)


class SkippingStep:
    """The block on active tokens only, attending to the stored keys and values of all.

    Args:
        block: its keys and values must depend on the token's state alone.
        rotary: positions of an image's tokens.
        images: B.
        inject: states (A, D) and indices (A,) to the block's input; None: the states themselves.
        lora: added to the block's output, by loop.
    """

    def __init__(
        self,
        block: Block,
        rotary: Rotary,
        images: int,
        *,
        inject: Inject | None = None,
        lora: LoRA | None = None,
    ) -> None:
        self.block, self.inject, self.lora = block, inject, lora
        self.store = KeyValueStore(block.attention, rotary, images)
        self.changed: Tensor | None = None

    def __call__(
        self, rows: Tensor, active: Tensor, loop: int
    ) -> tuple[Tensor, Tensor | None, int]:
        """As ``Step``.

        Keys and values are refreshed for all tokens that ran in the previous loop, including those
        that exited after it.
        """
        changed = (
            torch.arange(len(rows), device=rows.device) if self.changed is None else self.changed
        )
        self.changed = active
        flops = self.block.flops(refreshed=len(changed), active=len(active), keys=self.store.tokens)
        refreshed, run = whole_blocks(changed, len(rows)), whole_blocks(active, len(rows))
        seen = self._seen(rows, refreshed)
        self.store.refresh(self.block.norm_attention(seen), refreshed)
        x = seen if len(active) == len(changed) else self._seen(rows, run)
        out, routed = self.block.feed_forward(
            x + self.store.attend(self.block.norm_attention(x), run)
        )
        if self.lora is not None:
            out = out + self.lora(out, loop)
            flops += len(active) * self.lora.flops_per_token
        return out[: len(active)], None if routed is None else routed[: len(active)], flops

    def _seen(self, rows: Tensor, index: Tensor) -> Tensor:
        return rows[index] if self.inject is None else self.inject(rows[index], index)


def whole_blocks(index: Tensor, rows: int, size: int = 64) -> Tensor:
    """Pad some of ``rows`` indices to a multiple of ``size`` by repeating the last one.

    Only where products run in bf16 on a CPU. The number of active tokens changes with every loop
    and window, and the CPU library compiles a kernel for each new size: unpadded, on whole slices,
    a core with 42 % of the FLOPs took 69 % of the time.
    """
    if len(index) == rows or index.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return index
    return torch.cat((index, index[-1:].expand(-len(index) % size)))


class MaskedStep:
    """Every token computed; the results of exited tokens are discarded.

    Args:
        loop_all: states (B, N, D) and loop number from 0 to states and routing (B, N, E).
        images: B.
        flops: of a loop over all tokens.
    """

    def __init__(self, loop_all: LoopAll, images: int, flops: int) -> None:
        self.loop_all, self.images, self.flops = loop_all, images, flops

    def __call__(
        self, rows: Tensor, active: Tensor, loop: int
    ) -> tuple[Tensor, Tensor | None, int]:
        """As ``Step``."""
        # A copy, because the rows are overwritten and a gradient may need them as they were.
        states = rows.view(self.images, -1, rows.shape[-1]).clone()
        out, routed = self.loop_all(states, loop)
        chosen = None if routed is None else routed.flatten(0, 1)[active]
        return out.flatten(0, 1)[active], chosen, self.flops
