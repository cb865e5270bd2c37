"""Step-specific pruning of a looped block: which heads and hidden units each loop rests on, and what is left without the others.

After bViT (arXiv 2605.10661), whose exact measure is not public. Here a unit's importance in a loop is the summed length of what
it adds to the tokens' states: |activation| times the length of its outgoing weights (a head: the length of its part of the
output). Hidden units of all experts count as units of one layer.

Shape legend: T loops, U units, H heads, C channels a head.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cardioseg.analysis.loops import counted_passes, looped_block
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
    every: list[Any] = [*block.experts.routed, *([block.experts.shared] if block.experts.shared is not None else [])]
    return [expert.down for expert in every]


def unit_count(block: Block, kind: Kind) -> list[int]:
    """Units of each outgoing map."""
    return [block.attention.heads] if kind == "heads" else [linear.in_features for linear in outgoing(block, kind)]


@contextmanager
def _before_outgoing(
    network: nn.Module, kind: Kind, act: Callable[[int, nn.Linear, Tensor, int], Tensor | None]
) -> Iterator[None]:
    """Call ``act(map's number, map, its input, loop)`` before each outgoing map; what it returns takes the input's place."""
    with counted_passes(network) as passes, ExitStack() as stack:

        def hooked(number: int) -> Callable[[nn.Module, Any], Any]:
            def before(linear: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
                assert isinstance(linear, nn.Linear)
                changed = act(number, linear, inputs[0], passes.number)
                return None if changed is None else (changed,)

            return before

        for number, linear in enumerate(outgoing(passes.block, kind)):
            stack.callback(linear.register_forward_pre_hook(hooked(number)).remove)
        yield


@contextmanager
def recorded_importance(network: nn.Module, kind: Kind) -> Iterator[list[Tensor]]:
    """One (U,) tensor per loop, summed over everything that passes meanwhile."""
    sizes = unit_count(looped_block(network), kind)
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    sums: list[Tensor] = []

    def add(number: int, linear: nn.Linear, value: Tensor, loop: int) -> None:
        while len(sums) <= loop:
            sums.append(torch.zeros(sum(sizes), dtype=torch.float64))
        unit = sums[loop][starts[number] : starts[number] + sizes[number]]
        unit += _contribution(linear, value.detach().flatten(0, -2).float(), sizes[number]).double().cpu()

    with _before_outgoing(network, kind, add):
        yield sums


def _contribution(linear: nn.Linear, value: Tensor, units: int) -> Tensor:
    """(U,): length of what each unit of the inputs (tokens, U C) adds, summed over tokens."""
    channels = value.shape[1] // units
    if channels == 1:
        return value.abs().sum(0) * linear.weight.detach().float().norm(dim=0)
    parts = zip(value.split(channels, 1), linear.weight.detach().float().split(channels, 1), strict=True)
    return torch.stack([(part @ weight.T).norm(dim=1).sum() for part, weight in parts])


def kept_units(importance: Tensor, share: float, how: How, *, seed: int = 0) -> Tensor:
    """(T, U) of 1 for units that stay and 0 for those that go, the same number in every loop.

    Args:
        importance: (T, U).
        share: part of the units that goes.
        how: "per step": the least important of each loop; "shared": those of all loops together, the same in each; "random".
        seed: of "random".
    """
    order = importance
    if how == "shared":
        order = (importance / importance.sum(1, keepdim=True).clamp(min=1e-12)).sum(0, keepdim=True).expand_as(importance)
    elif how == "random":
        order = torch.rand(importance.shape, generator=torch.Generator().manual_seed(seed))
    gone = order.argsort(1)[:, : round(share * importance.shape[1])]
    return torch.ones_like(importance).scatter(1, gone, 0.0)


@contextmanager
def pruned(network: nn.Module, kind: Kind, kept: Tensor) -> Iterator[None]:
    """Silence units loop by loop; loops past the table take its last row.

    Args:
        network: with a looped block.
        kind: of units.
        kept: (T, U) from ``kept_units``.
    """
    sizes = unit_count(looped_block(network), kind)
    rows = kept.split(sizes, 1)

    def silence(number: int, _: nn.Linear, value: Tensor, loop: int) -> Tensor:
        row = rows[number][min(loop, len(kept) - 1)]
        return value * row.repeat_interleave(value.shape[-1] // sizes[number]).to(value)

    with _before_outgoing(network, kind, silence):
        yield


def overlap(kept: Tensor) -> list[list[float]]:
    """(T, T): share of the units that go in one loop and in another, of those that go in either (Jaccard)."""
    gone = kept == 0
    return [[float((a & b).sum() / (a | b).sum().clamp(min=1)) for b in gone] for a in gone]


@contextmanager
def expert_off(network: nn.Module, number: int, *, rerouted: bool) -> Iterator[None]:
    """Do without one routed expert.

    Args:
        network: with experts in its looped block.
        number: of the expert, from 0.
        rerouted: its tokens go to the router's next choice; otherwise they get nothing from a routed expert.
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
    hook = experts.routed[number].register_forward_hook(lambda _, __, output: torch.zeros_like(output))
    try:
        yield
    finally:
        hook.remove()
