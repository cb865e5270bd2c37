"""Step-specific pruning of a looped block: which heads and hidden units matter in which loop.

After bViT (arXiv 2605.10661), whose exact measure is not public. Here a unit's importance in a loop
is the change of the loss without it, to first order: |dL/dm|, where m = 1 multiplies the unit's
output, averaged over batches (Michel et al. 2019, arXiv 1905.10650, equation 2, who average over
examples; Molchanov et al. 2019, arXiv 1906.10771). The hidden units of all experts count as one
layer.

Shape legend: B windows, C channels, S pixels, T loops, U units.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from analysis.loops import counted_passes, looped_block
from cardioseg.core.exits import ExitRule
from cardioseg.layers.block import Block

Kind = Literal["heads", "hidden"]
How = Literal["per step", "shared", "random"]


def outgoing(block: Block, kind: Kind) -> list[nn.Linear]:
    """The linear maps whose inputs are the units."""
    if kind == "heads":
        return [block.attention.out]
    if block.mlp is not None:
        return [block.mlp.down]
    assert block.experts is not None
    every: list[Any] = [
        *block.experts.routed,
        *([block.experts.shared] if block.experts.shared is not None else []),
    ]
    return [expert.down for expert in every]


def unit_count(block: Block, kind: Kind) -> list[int]:
    """Units of each outgoing map."""
    return (
        [block.attention.heads]
        if kind == "heads"
        else [linear.in_features for linear in outgoing(block, kind)]
    )


def unit_importance(
    network: nn.Module,
    kind: Kind,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    loops: int,
    loss: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Importance of each unit in each loop, (T, U), with every token in every loop.

    Args:
        network: with a looped block.
        kind: of units.
        batches: one or more, of images (B, C, *S) and labels (B, *S).
        loops: T.
        loss: of logits and label.
    """
    units, slopes = sum(unit_count(looped_block(network), kind)), []
    for image, label in batches:
        kept = torch.ones(loops, units, requires_grad=True)
        with pruned(network, kind, kept):
            value = loss(network(image, loops=loops, exits=ExitRule("fixed")).logits, label)
        slopes.append(torch.autograd.grad(value, kept)[0].abs())
    return torch.stack(slopes).mean(0)


def kept_units(importance: Tensor, share: float, how: How, *, seed: int = 0) -> Tensor:
    """Which units to keep, (T, U) of 1 (keep) and 0 (prune); the same number in every loop.

    Args:
        importance: (T, U).
        share: of the units, to prune.
        how: "per step" prunes the least important units of each loop; "shared" those with the
            smallest importance summed over loops; "random" any.
        seed: of "random".
    """
    order = importance
    if how == "shared":
        order = importance.sum(0, keepdim=True).expand_as(importance)
    elif how == "random":
        order = torch.rand(importance.shape, generator=torch.Generator().manual_seed(seed))
    gone = order.argsort(1)[:, : round(share * importance.shape[1])]
    return torch.ones_like(importance).scatter(1, gone, 0.0)


@contextmanager
def pruned(network: nn.Module, kind: Kind, kept: Tensor) -> Iterator[None]:
    """Multiply each unit's output by its factor in each loop; further loops use the last row.

    Args:
        network: with a looped block.
        kind: of units.
        kept: (T, U) factors, 0 to silence; for instance from ``kept_units``.
    """
    block = looped_block(network)
    sizes = unit_count(block, kind)
    with counted_passes(network) as passes, ExitStack() as stack:
        for linear, rows, units in zip(
            outgoing(block, kind), kept.split(sizes, 1), sizes, strict=True
        ):

            def scale(
                _: nn.Module, inputs: tuple[Tensor, ...], rows: Tensor = rows, units: int = units
            ) -> tuple[Tensor, ...]:
                row = rows[min(passes.number, len(rows) - 1)]
                return (
                    inputs[0] * row.repeat_interleave(inputs[0].shape[-1] // units).to(inputs[0]),
                )

            stack.callback(linear.register_forward_pre_hook(scale).remove)
        yield


def overlap(kept: Tensor) -> list[list[float]]:
    """Jaccard index of the units pruned in one loop and in another, (T, T)."""
    gone = kept == 0
    return [[float((a & b).sum() / (a | b).sum().clamp(min=1)) for b in gone] for a in gone]


@contextmanager
def expert_off(network: nn.Module, number: int, *, rerouted: bool) -> Iterator[None]:
    """Switch one routed expert off.

    Args:
        network: with experts in its looped block.
        number: of the expert, from 0.
        rerouted: its tokens go to the router's next choice; otherwise its output is zero.
    """
    experts = looped_block(network).experts
    assert experts is not None
    if rerouted:
        before = experts.balance.clone()
        experts.balance[number] = -1e9
        try:
            yield
        finally:
            experts.balance.copy_(before)
        return
    hook = experts.routed[number].register_forward_hook(
        lambda _, __, output: torch.zeros_like(output)
    )
    try:
        yield
    finally:
        hook.remove()
