"""Similarity of token states from loop to loop, after bViT (arXiv 2605.10661).

Linear CKA: Kornblith et al. 2019, features centred over tokens. Cosine and relative change are per
token.

Shape legend: T loops, n sampled tokens, D width.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from cardioseg.core.errors import UsageError
from cardioseg.layers.block import Block


@dataclass
class Passes:
    """Passes through the looped block within one forward pass.

    Attributes:
        block: the looped block.
        number: number of the latest pass, from 0; -1 before the first.
    """

    block: Block
    number: int = -1


def looped_block(network: nn.Module) -> Block:
    """The block that a network repeats.

    Raises:
        UsageError: the network has none.
    """
    block = getattr(network, "block", None)
    if not isinstance(block, Block):
        found = f"{type(network).__name__}, which has no looped block"
        raise UsageError(
            "--model",
            found=found,
            expected="a network with a looped block",
            cure="choose rdvit or bvit",
        )
    return block


@contextmanager
def counted_passes(network: nn.Module) -> Iterator[Passes]:
    """Count the loops of every forward pass; no token is skipped, so each pass has all tokens."""
    passes, looped = Passes(looped_block(network)), cast("Any", network)

    def restart(*_: Any) -> None:
        passes.number = -1

    def advance(*_: Any) -> None:
        passes.number += 1

    hooks = (
        network.register_forward_pre_hook(restart),
        passes.block.register_forward_pre_hook(advance),
    )
    skips, looped.skips = looped.skips, False
    try:
        yield passes
    finally:
        looped.skips = skips
        for hook in hooks:
            hook.remove()


@dataclass
class States:
    """Token states after each loop, for a random sample of tokens.

    Attributes:
        kept: by loop, one (n, D) piece per batch of windows.
    """

    kept: dict[int, list[Tensor]] = field(default_factory=dict)

    def of(self, loop: int) -> Tensor:
        """(n, D) after loop number ``loop``, from 0."""
        return torch.cat(self.kept[loop])

    @property
    def loops(self) -> int:
        """T."""
        return len(self.kept)


@contextmanager
def recorded_states(network: nn.Module, *, per_pass: int, seed: int = 0) -> Iterator[States]:
    """Record the states after each loop, of the same tokens in every loop.

    Args:
        network: with a looped block.
        per_pass: tokens sampled from each batch of windows.
        seed: of the sample.
    """
    states, generator = States(), torch.Generator().manual_seed(seed)
    chosen = torch.zeros(0, dtype=torch.long)
    with counted_passes(network) as passes:

        def keep(_: nn.Module, __: Any, output: Any) -> None:
            nonlocal chosen
            rows = output[0].detach().flatten(0, 1)
            if passes.number == 0:
                chosen = torch.randperm(len(rows), generator=generator)[:per_pass]
            states.kept.setdefault(passes.number, []).append(rows[chosen].float().cpu())

        hook = passes.block.register_forward_hook(keep)
        try:
            yield states
        finally:
            hook.remove()


def linear_cka(x: Tensor, y: Tensor) -> float:
    """Similarity of features (n, D) of the same tokens, 0 to 1; invariant to rotation and scale."""
    x, y = (features.double() - features.double().mean(0) for features in (x, y))
    shared = (y.T @ x).square().sum()
    return float(shared / ((x.T @ x).norm() * (y.T @ y).norm()).clamp(min=1e-12))


def mean_cosine(x: Tensor, y: Tensor) -> float:
    """Mean over tokens of the cosine between their states, both (n, D)."""
    return float(nn.functional.cosine_similarity(x, y, dim=1).mean())


def relative_change(x: Tensor, y: Tensor) -> float:
    """Mean over tokens of the norm of y - x relative to that of y, both (n, D)."""
    return float(((y - x).norm(dim=1) / y.norm(dim=1).clamp(min=1e-12)).mean())


def between_loops(states: States, measure: Callable[[Tensor, Tensor], float]) -> list[list[float]]:
    """Measure the states of every loop against those of every other, (T, T)."""
    loops = [states.of(loop) for loop in range(states.loops)]
    return [[measure(x, y) for y in loops] for x in loops]
