"""Rules by which a token leaves the loops, all behind one question: how unsettled is it?

A token goes on while its answer exceeds the rule's threshold, or, under a quota, while it is among the least settled of its
image. A rule lives for one pass; those that compare loops keep what they saw before.

``act``: Graves 2016, also over the probabilities of a head that the oracle taught; ``learned``: such a head's last answer alone
(``layers.halting``); ``ranker``: Edge-RecViT (CVPR 2026);
``accel``: change of the change between loops (Pappone et al. 2025, arXiv 2509.23314); ``entropy``: of the decoded classes
(LoopViT, arXiv 2602.02156); ``argmax``: classes that stay the same. The last two decode after every loop, which costs about as
much as a loop of every token.

Shape legend: B images, N tokens each, M = B N in a row, A active ones, D width, K classes, S* spatial axes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from cardioseg.layers.halting import Head

Decode = Callable[[Tensor], Tensor]
THRESHOLDS = {"fixed": 0.0, "argmax": 0.0, "accel": 0.1, "entropy": 0.05}


@dataclass(frozen=True)
class Loop:
    """What a rule may look at after a loop.

    Attributes:
        number: of the loop, from 1.
        rows: (M, D) states of all tokens after it.
        before: (A, D) states before it of the tokens that ran.
        active: (A,) their indices in ``rows``, ascending.
    """

    number: int
    rows: Tensor
    before: Tensor
    active: Tensor


class Rule(Protocol):
    """Answers (A,), larger for less settled; a token goes on while it exceeds ``threshold``.

    Attributes:
        threshold: see above.
        flops_per_token: multiplications and additions of an answer; readouts of the whole image are not in it.
    """

    threshold: float
    flops_per_token: int

    def unsettled(self, loop: Loop) -> Tensor:
        """After a loop."""


class Fixed:
    """Nobody leaves."""

    threshold = 0.0
    flops_per_token = 0

    def unsettled(self, loop: Loop) -> Tensor:
        return torch.ones(len(loop.active), device=loop.rows.device)


class Learned:
    """One minus the head's probability that the token is settled.

    Args:
        head: of halting.
        threshold: probability at which a token leaves.
    """

    def __init__(self, head: Head, threshold: float) -> None:
        self.head, self.threshold, self.flops_per_token = head, 1 - threshold, head.flops_per_token

    def unsettled(self, loop: Loop) -> Tensor:
        return 1 - self.head(loop.rows[loop.active][None], loop.before[None])[0].float().sigmoid()


class Adaptive:
    """Adaptive computation time: what is left of the halting mass. The state that counts is the mixture over the loops.

    Args:
        head: gives the halting logit.
        threshold: cumulative probability at which a token leaves (Graves' 1 - epsilon).
        tokens: M.
    """

    def __init__(self, head: Head, threshold: float, tokens: Tensor) -> None:
        self.head, self.threshold, self.flops_per_token = head, 1 - threshold, head.flops_per_token
        self.left = torch.ones(len(tokens), device=tokens.device)
        self.mixture = torch.zeros_like(tokens)

    def unsettled(self, loop: Loop) -> Tensor:
        self.probability = (
            self.head(loop.rows[loop.active][None], loop.before[None])[0].float().sigmoid()
        )
        return self.left[loop.active] - self.probability

    def weigh(self, loop: Loop, goes_on: Tensor) -> None:
        """Take this loop's states into the mixture: with their probability, or with all that is left of those that leave."""
        weight = torch.where(goes_on, self.probability, self.left[loop.active])
        self.mixture[loop.active] += weight[:, None] * loop.rows[loop.active]
        self.left[loop.active] -= weight


class Ranked:
    """Loops still to go by a depth (M,) given before the first."""

    threshold = 0.0
    flops_per_token = 0

    def __init__(self, depth: Tensor) -> None:
        self.depth = depth

    def unsettled(self, loop: Loop) -> Tensor:
        return self.depth[loop.active] - loop.number


class Acceleration:
    """Change of the state's change between two loops, relative to the state."""

    flops_per_token = 0

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.change: Tensor | None = None

    def unsettled(self, loop: Loop) -> Tensor:
        now = loop.rows[loop.active]
        change = now - loop.before
        if self.change is None:
            self.change = torch.zeros_like(loop.rows)
            answer = torch.full((len(now),), math.inf, device=now.device)
        else:
            answer = (change - self.change[loop.active]).float().norm(dim=-1) / now.float().norm(
                dim=-1
            ).clamp(min=1e-6)
        self.change[loop.active] = change
        return answer


class Entropy:
    """Largest entropy of the decoded classes in the token's patch, as a share of log K.

    Args:
        decode: (M, D) to logits (B, K, *S).
        patch_size: voxels per token along each axis.
        threshold: share of log K at which a token leaves.
    """

    flops_per_token = 0

    def __init__(self, decode: Decode, patch_size: tuple[int, ...], threshold: float) -> None:
        self.decode, self.patch_size, self.threshold = decode, patch_size, threshold

    def unsettled(self, loop: Loop) -> Tensor:
        logits = self.decode(loop.rows).float()
        entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1, keepdim=True) / math.log(
            logits.shape[1]
        )
        return worst(entropy, self.patch_size)[loop.active]


class StableClass:
    """Share of voxels in the token's patch whose class changed in the last loop."""

    flops_per_token = 0

    def __init__(self, decode: Decode, patch_size: tuple[int, ...], threshold: float) -> None:
        self.decode, self.patch_size, self.threshold = decode, patch_size, threshold
        self.classes: Tensor | None = None

    def unsettled(self, loop: Loop) -> Tensor:
        classes = self.decode(loop.rows).argmax(1, keepdim=True)
        earlier, self.classes = self.classes, classes
        if earlier is None:
            return torch.full((len(loop.active),), math.inf, device=classes.device)
        pool: Any = F.avg_pool3d if len(self.patch_size) == 3 else F.avg_pool2d
        return pool((classes != earlier).float(), self.patch_size, self.patch_size).flatten()[
            loop.active
        ]


def worst(values: Tensor, patch_size: tuple[int, ...]) -> Tensor:
    """Largest value in each token's patch: (B, 1, *S) to (M,)."""
    pool: Any = F.max_pool3d if len(patch_size) == 3 else F.max_pool2d
    return pool(values, kernel_size=patch_size, stride=patch_size).flatten()


def readout_rule(
    name: str, threshold: float | None, decode: Decode, patch_size: tuple[int, ...]
) -> Rule:
    """The rules that need no part of the network trained for them.

    Args:
        name: "fixed", "argmax", "accel" or "entropy".
        threshold: None takes the one of ``THRESHOLDS``.
        decode: (M, D) to logits (B, K, *S).
        patch_size: voxels per token along each axis.

    Raises:
        ValueError: another name.
    """
    if name not in THRESHOLDS:
        raise ValueError(f"exit {name!r} needs a network trained for it")
    limit = THRESHOLDS[name] if threshold is None else threshold
    if name == "fixed":
        return Fixed()
    if name == "accel":
        return Acceleration(limit)
    return (Entropy if name == "entropy" else StableClass)(decode, patch_size, limit)


def quota(compute: float, loops: int, tokens: int, *, everybody: int = 1) -> list[int]:
    """How many of an image's tokens run in each loop so that the mean is a share ``compute`` of the loops.

    All run in the first ``everybody`` loops; after that each keeps the same share of those before it.

    Raises:
        ValueError: the share is spent before.
    """
    if compute * loops < everybody - 1e-9:
        raise ValueError(
            f"a share of {compute:g} of {loops} loops is spent in the {everybody} that every token runs"
        )
    falls = [max(0, loop - everybody + 1) for loop in range(loops)]
    low, high = 0.0, 1.0
    for _ in range(50):
        ratio = (low + high) / 2
        if sum(ratio**fall for fall in falls) < compute * loops:
            low = ratio
        else:
            high = ratio
    return [round(tokens * high**fall) for fall in falls]


def least_settled(answer: Tensor, active: Tensor, count: int, tokens: int) -> Tensor:
    """(A,) bool: the ``count`` largest answers of every image; fewer where fewer are active."""
    images = int(active[-1]) // tokens + 1
    table = torch.full((images * tokens,), -math.inf, device=answer.device)
    table[active] = answer.clamp(min=-1e30).to(table.dtype)
    chosen = torch.zeros_like(table, dtype=torch.bool).view(images, tokens)
    best = table.view(images, tokens).topk(min(count, tokens), dim=1).indices
    chosen.scatter_(1, best, value=True)
    return chosen.flatten()[active]
