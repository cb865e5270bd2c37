"""Exit rules: after every loop, each scores how unsettled the active tokens are.

A token continues while its score exceeds the rule's threshold or, with a compute share, while it is
among the least settled of its image. A rule object lives for one forward pass; rules that compare
loops keep the earlier ones. A new rule is one class here and one line in ``core.exits.RULES``.

Sources: ``act``: Graves 2016; ``ranker``: Edge-RecViT (CVPR 2026); ``accel``: Pappone et al. 2025
(arXiv 2509.23314); ``entropy``: LoopViT (arXiv 2602.02156). ``act`` and ``learned`` read a halting
head (``layers.halting``). ``entropy`` and ``argmax`` decode after every loop, which costs about as
much as one loop over all tokens.

Shape legend: B images, N tokens each, M = B N in a row, A active ones, D width, K classes,
S* spatial axes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from cardioseg.core.exits import RULES, ExitRule, RuleSpec
from cardioseg.layers.halting import Head

Decode = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Loop:
    """What a rule sees after a loop.

    Attributes:
        number: of the loop, from 1.
        rows: (M, D) states of all tokens after the loop.
        before: (A, D) states of the active tokens before the loop.
        active: (A,) indices of the active tokens in ``rows``, ascending.
    """

    number: int
    rows: Tensor
    before: Tensor
    active: Tensor


@dataclass(frozen=True)
class RuleParts:
    """What a network offers its exit rules.

    Attributes:
        states: (M, D) states before the first loop.
        decode: states (M, D) to logits (B, K, *S).
        patch_size: voxels per token along each axis.
        halting: halting head; None without one.
        halting_threshold: probability at which the head's tokens exit; None without a head.
        depth: (M,) loops that the ranker gives each token; None without a ranker.
    """

    states: Tensor
    decode: Decode
    patch_size: tuple[int, ...]
    halting: Head | None = None
    halting_threshold: float | None = None
    depth: Tensor | None = None


class TokenRule:
    """An exit rule at work on the tokens of one forward pass.

    Attributes:
        spec: the rule's facts.
        threshold: tokens continue while their score exceeds it.
        flops_per_token: multiplications and additions of a score; decoding is not included.

    Args:
        parts: what the network offers.
        threshold: in the rule's own unit.
    """

    spec: ClassVar[RuleSpec]
    flops_per_token: int = 0

    def __init__(self, parts: RuleParts, threshold: float) -> None:
        self.threshold = threshold

    def unsettled(self, loop: Loop) -> Tensor:
        """Scores (A,) after a loop, larger for less settled."""
        raise NotImplementedError

    def weigh(self, loop: Loop, continues: Tensor) -> None:
        """Update the rule after a loop, given which active tokens continue, (A,) bool."""

    def result(self, rows: Tensor) -> Tensor:
        """The states (M, D) to decode, given those after the last loop."""
        return rows


RULE_CLASSES: dict[str, type[TokenRule]] = {}


def exit_rule(name: str) -> Callable[[type[TokenRule]], type[TokenRule]]:
    """Register a class as the code of the rule ``name``."""

    def register(rule: type[TokenRule]) -> type[TokenRule]:
        rule.spec = RULES[name]
        RULE_CLASSES[name] = rule
        return rule

    return register


def build_rule(exits: ExitRule, known: tuple[str, ...], parts: RuleParts) -> TokenRule:
    """The rule that a caller asks for, ready for one forward pass.

    Args:
        exits: what the caller asks for.
        known: names of the rules that the network can follow, its default first.
        parts: what the network offers.

    Raises:
        ValueError: the network cannot follow it.
    """
    spec = exits.among(known)
    default = parts.halting_threshold if spec.threshold is None else spec.threshold
    threshold = default if exits.threshold is None else exits.threshold
    assert threshold is not None
    return RULE_CLASSES[spec.name](parts, threshold)


@exit_rule("fixed")
class Fixed(TokenRule):
    """No token exits before the budget is spent."""

    def unsettled(self, loop: Loop) -> Tensor:
        return torch.ones(len(loop.active), device=loop.rows.device)


class HeadRule(TokenRule):
    """Base of rules that read a halting head; tokens exit at a probability of ``threshold``."""

    def __init__(self, parts: RuleParts, threshold: float) -> None:
        super().__init__(parts, 1 - threshold)
        assert parts.halting is not None
        self.head, self.flops_per_token = parts.halting, parts.halting.flops_per_token

    def probability(self, loop: Loop) -> Tensor:
        """The head's probability (A,) that a token is settled."""
        logit: Tensor = self.head(loop.rows[loop.active][None], loop.before[None])[0]
        return logit.float().sigmoid()


@exit_rule("learned")
class Learned(HeadRule):
    """One minus the head's probability that the token is settled."""

    def unsettled(self, loop: Loop) -> Tensor:
        return 1 - self.probability(loop)


@exit_rule("act")
class Adaptive(HeadRule):
    """Adaptive computation time: the halting mass that is left; decodes the mixture over loops."""

    def __init__(self, parts: RuleParts, threshold: float) -> None:
        super().__init__(parts, threshold)
        self.left = torch.ones(len(parts.states), device=parts.states.device)
        self.mixture = torch.zeros_like(parts.states)

    def unsettled(self, loop: Loop) -> Tensor:
        self.mass = self.probability(loop)
        return self.left[loop.active] - self.mass

    def weigh(self, loop: Loop, continues: Tensor) -> None:
        """Add the states to the mixture; tokens that exit give all the mass they have left."""
        weight = torch.where(continues, self.mass, self.left[loop.active])
        self.mixture[loop.active] += weight[:, None] * loop.rows[loop.active]
        self.left[loop.active] -= weight

    def result(self, rows: Tensor) -> Tensor:
        return self.mixture


@exit_rule("ranker")
class Ranked(TokenRule):
    """Loops left of the depth that the ranker gave; the caller's threshold is not used."""

    def __init__(self, parts: RuleParts, threshold: float) -> None:
        super().__init__(parts, 0.0)
        assert parts.depth is not None
        self.depth = parts.depth

    def unsettled(self, loop: Loop) -> Tensor:
        return self.depth[loop.active] - loop.number


@exit_rule("accel")
class Acceleration(TokenRule):
    """Difference between the state's changes in two successive loops, relative to the state."""

    def __init__(self, parts: RuleParts, threshold: float) -> None:
        super().__init__(parts, threshold)
        self.change: Tensor | None = None

    def unsettled(self, loop: Loop) -> Tensor:
        now = loop.rows[loop.active]
        change = now - loop.before
        if self.change is None:
            self.change = torch.zeros_like(loop.rows)
            score = torch.full((len(now),), math.inf, device=now.device)
        else:
            turn = (change - self.change[loop.active]).float().norm(dim=-1)
            score = turn / now.float().norm(dim=-1).clamp(min=1e-6)
        self.change[loop.active] = change
        return score


@exit_rule("entropy")
class Entropy(TokenRule):
    """Largest entropy of the decoded classes in the token's patch, as a share of log K."""

    def __init__(self, parts: RuleParts, threshold: float) -> None:
        super().__init__(parts, threshold)
        self.decode, self.patch_size = parts.decode, parts.patch_size

    def unsettled(self, loop: Loop) -> Tensor:
        logits = self.decode(loop.rows).float()
        entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1, keepdim=True)
        pool: Any = F.max_pool3d if len(self.patch_size) == 3 else F.max_pool2d
        share = entropy / math.log(logits.shape[1])
        worst: Tensor = pool(share, kernel_size=self.patch_size, stride=self.patch_size)
        return worst.flatten()[loop.active]


@exit_rule("argmax")
class StableClass(TokenRule):
    """Share of voxels in the token's patch whose class changed in the last loop."""

    def __init__(self, parts: RuleParts, threshold: float) -> None:
        super().__init__(parts, threshold)
        self.decode, self.patch_size = parts.decode, parts.patch_size
        self.classes: Tensor | None = None

    def unsettled(self, loop: Loop) -> Tensor:
        classes = self.decode(loop.rows).argmax(1, keepdim=True)
        earlier, self.classes = self.classes, classes
        if earlier is None:
            return torch.full((len(loop.active),), math.inf, device=classes.device)
        pool: Any = F.avg_pool3d if len(self.patch_size) == 3 else F.avg_pool2d
        changed: Tensor = pool((classes != earlier).float(), self.patch_size, self.patch_size)
        return changed.flatten()[loop.active]
