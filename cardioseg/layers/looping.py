"""Looping one block over tokens until a rule lets them go: the core of every recurrent network here, at inference.

Tokens of all images lie in one row. Those that have left keep their state; the others still attend to them. Whether they are
skipped (``SkippingStep``) or computed and thrown away (``MaskedStep``) makes no difference to the result.

Shape legend: B images, N tokens each, M = B N in a row, A active ones, D width, E experts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cardioseg.core.exits import FIRST_ANSWER, ExitRule
from cardioseg.layers.attention import Rotary
from cardioseg.layers.block import Block
from cardioseg.layers.exits import Adaptive, Fixed, Loop, Rule, least_settled, quota
from cardioseg.layers.lora import LoRA
from cardioseg.layers.skipping import KeyValueStore

Inject = Callable[[Tensor, Tensor], Tensor]
LoopAll = Callable[[Tensor, int], tuple[Tensor, Tensor | None]]


@dataclass
class Looped:
    """What the loops leave behind.

    Attributes:
        state: (M, D) what is decoded.
        steps: (M,) loops each token used.
        routing: (M, E) mean routing over the loops used; None without experts.
        flops: multiplications and additions of the loops that were run.
        dense_flops: what every token in every loop would have taken, without the rule's own answers.
    """

    state: Tensor
    steps: Tensor
    routing: Tensor | None = None
    flops: int = 0
    dense_flops: int = 0


class Step(Protocol):
    """One loop for the active tokens: their new states (A, D), their routing (A, E) if any, and the FLOPs it took."""

    def __call__(
        self, rows: Tensor, active: Tensor, loop: int
    ) -> tuple[Tensor, Tensor | None, int]:
        """Loop number ``loop`` (from 0) for the tokens ``active`` of ``rows`` (M, D)."""


@dataclass(frozen=True)
class Core:
    """A looped block and what a network hangs on it.

    Attributes:
        block: the looped one.
        rotary: positions of an image's tokens.
        loop_all: one loop of every token, states (B, N, D) and loop from 0 to states and routing (B, N, E).
        skips: whether tokens that left are skipped, which must be exact, or computed and thrown away.
        inject: what the block sees of some tokens; see ``SkippingStep``.
        lora: adds to the block's output by loop.
    """

    block: Block
    rotary: Rotary
    loop_all: LoopAll
    skips: bool = True
    inject: Inject | None = None
    lora: LoRA | None = None

    def run(self, start: Tensor, rule: Rule, exits: ExitRule, loops: int) -> Looped:
        """Loop the states (B, N, D) under a rule and, if ``exits`` asks for one, a quota.

        Raises:
            ValueError: a quota for a rule that lets nobody leave, or one that is spent before the rule can tell tokens apart.
        """
        images, tokens, _ = start.shape
        if exits.compute is not None and isinstance(rule, Fixed):
            raise ValueError("under fixed nobody leaves; a share of the loops needs another exit")
        first = FIRST_ANSWER.get(exits.name or "", 1)
        kept = (
            None if exits.compute is None else quota(exits.compute, loops, tokens, everybody=first)
        )
        dense = self._dense_flops(images, tokens)
        if self.skips:
            step: Step = SkippingStep(
                self.block, self.rotary, images, inject=self.inject, lora=self.lora
            )
        else:
            step = MaskedStep(self.loop_all, images, dense)
        looped = run_loops(start.flatten(0, 1), step, rule, loops=loops, tokens=tokens, kept=kept)
        looped.dense_flops = loops * dense
        return looped

    def _dense_flops(self, images: int, tokens: int) -> int:
        every = images * tokens
        adapters = 0 if self.lora is None else every * self.lora.flops_per_token
        return self.block.flops(refreshed=every, active=every, keys=tokens) + adapters


def run_loops(
    rows: Tensor, step: Step, rule: Rule, *, loops: int, tokens: int, kept: list[int] | None = None
) -> Looped:
    """Loop until the budget is spent or every token has left.

    Args:
        rows: (M, D) states before the first loop.
        step: computes a loop.
        rule: says who leaves.
        loops: budget T.
        tokens: N.
        kept: tokens of an image that run in each loop; None leaves that to the rule's threshold.
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
            looped.routing = (
                rows.new_zeros(len(rows), routed.shape[-1])
                if looped.routing is None
                else looped.routing
            )
            looped.routing[active] += routed.to(rows.dtype)
        loop = Loop(number + 1, rows, before, active)
        goes_on = _going_on(
            rule, loop, None if kept is None else kept[min(number + 1, loops - 1)], tokens
        )
        goes_on &= number + 1 < loops
        if isinstance(rule, Adaptive):
            rule.weigh(loop, goes_on)
        active = active[goes_on]
        if not len(active):
            break
    looped.state = rule.mixture if isinstance(rule, Adaptive) else rows
    looped.routing = None if looped.routing is None else looped.routing / looped.steps[:, None]
    return looped


def _going_on(rule: Rule, loop: Loop, count: int | None, tokens: int) -> Tensor:
    answer = rule.unsettled(loop)
    return (
        answer > rule.threshold
        if count is None
        else least_settled(answer, loop.active, count, tokens)
    )


class SkippingStep:
    """The block on active tokens alone, against the kept keys and values of all.

    Args:
        block: the looped one; its keys and values must depend on the token's state alone.
        rotary: positions of an image's tokens.
        images: B.
        inject: (states (A, D), their indices (A,)) to what the block sees; the states themselves when None.
        lora: adds to the block's output by loop.
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
        """Tokens that ran in the loop before refresh their keys and values, also those that have left since."""
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
    """Some of ``rows`` indices, the last one repeated to a multiple of ``size`` where products run in bf16 on a CPU.

    The number of active tokens is another one in every loop of every window, and the library compiles a kernel for every size
    it has not seen: on whole slices a core with 42 % of the FLOPs took 69 % of the time.
    """
    if len(index) == rows or index.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return index
    return torch.cat((index, index[-1:].expand(-len(index) % size)))


class MaskedStep:
    """Every token computed, and the results of those that have left thrown away.

    Args:
        loop_all: (states (B, N, D), loop from 0) to the new states and the routing (B, N, E).
        images: B.
        flops: of a loop over all tokens.
    """

    def __init__(self, loop_all: LoopAll, images: int, flops: int) -> None:
        self.loop_all, self.images, self.flops = loop_all, images, flops

    def __call__(
        self, rows: Tensor, active: Tensor, loop: int
    ) -> tuple[Tensor, Tensor | None, int]:
        """As any step."""
        states = rows.view(
            self.images, -1, rows.shape[-1]
        ).clone()  # the rows are written over, also under a gradient
        out, routed = self.loop_all(states, loop)
        chosen = None if routed is None else routed.flatten(0, 1)[active]
        return out.flatten(0, 1)[active], chosen, self.flops
