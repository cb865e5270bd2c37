"""When a token stops looping: adaptive computation time (ACT), and halting taught by an oracle.

Sources: Graves 2016 (ACT); Dehghani et al. 2019 (per-token ACT in a universal transformer). In
published recurrent-depth code a token that never reaches the threshold gets no remainder: its
weights sum to less than 1, and its state shrinks when loops are few. Here the last loop always
takes the remainder.

``ACT`` mixes the states of the loops that a token used. ``HaltingHead`` scores how settled a token
is: under ACT the score is the halting probability; under oracle halting it learns whether the
token's patch still changes (``settled_target``).

Shape legend: B batch, N tokens, D width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class HaltingHead(nn.Module):
    """Score of a token from its normalised state and the size of its last change.

    The state is normalised because its scale drifts over loops. The relative change is the cheapest
    sign of convergence.
    """

    def __init__(self, width: int, hidden: int = 64, bias: float = 0.0) -> None:
        super().__init__()
        self.flops_per_token = 2 * (width + 1) * hidden + 2 * hidden
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width + 1, hidden)
        self.score = nn.Linear(hidden, 1)
        nn.init.constant_(self.score.bias, bias)

    def forward(self, state: Tensor, previous: Tensor) -> Tensor:
        """Halting logit (B, N) after the loop from ``previous`` to ``state``, both (B, N, D)."""
        change = (state - previous).float().norm(dim=-1, keepdim=True)
        size = state.float().norm(dim=-1, keepdim=True)
        step = torch.log((change + 1e-6) / (size + 1e-6))
        features = torch.cat((self.norm(state), step.to(state.dtype)), dim=-1)
        logit: Tensor = self.score(F.gelu(self.hidden(features)))
        return logit.squeeze(-1)


class LinearHaltingHead(nn.Module):
    """As published for the recurrent-depth transformer: a linear map of the state itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.flops_per_token = 2 * width
        self.score = nn.Linear(width, 1)

    def forward(self, state: Tensor, previous: Tensor) -> Tensor:
        """Halting logit (B, N) of ``state`` (B, N, D); ``previous`` is not used."""
        logit: Tensor = self.score(state)
        return logit.squeeze(-1)


Head = HaltingHead | LinearHaltingHead


def halting_head(kind: str, width: int) -> Head:
    """The head of a kind: "normalised" or "linear"."""
    kinds: dict[str, type[Head]] = {"normalised": HaltingHead, "linear": LinearHaltingHead}
    return kinds[kind](width)


@dataclass(frozen=True)
class ACT:
    """State of a batch of tokens under adaptive computation time.

    Attributes:
        threshold: cumulative probability at which a token halts (Graves' 1 - epsilon).
        cumulative: (B, N) halting mass spent so far.
        steps: (B, N) loops used so far.
        remainder: (B, N) weight of the last loop; the differentiable part of the ponder cost.
        active: (B, N) bool, not halted yet.
    """

    threshold: float
    cumulative: Tensor
    steps: Tensor
    remainder: Tensor
    active: Tensor

    @classmethod
    def start(cls, tokens: Tensor, threshold: float) -> "ACT":
        """Before the first loop; ``tokens`` (B, N, …) gives shape and device."""
        zeros = torch.zeros(tokens.shape[:2], device=tokens.device)
        return cls(threshold, zeros, zeros, zeros, torch.ones_like(zeros, dtype=torch.bool))

    def step(self, probability: Tensor, *, last: bool) -> tuple[Tensor, "ACT"]:
        """Weight (B, N) of this loop's state, and the next ``ACT``; the weights sum to 1."""
        halts = self.active & ((self.cumulative + probability >= self.threshold) | last)
        rest = 1 - self.cumulative
        active = self.active.to(probability.dtype)
        weight = active * torch.where(halts, rest, probability)
        after = ACT(
            self.threshold,
            self.cumulative + weight,
            self.steps + active,
            torch.where(halts, rest, self.remainder),
            self.active & ~halts,
        )
        return weight, after

    @property
    def ponder(self) -> Tensor:
        """Mean N + R over tokens (Graves' ponder cost), a scalar whose gradient flows through R."""
        return (self.steps + self.remainder).mean()


def settled_target(
    early: Tensor, final: Tensor, patch_size: tuple[int, ...], tolerance: float
) -> Tensor:
    """Whether each token's patch already looks as after the last loop, (B, N) of 0 and 1.

    Args:
        early: (B, classes, *S) logits decoded after an early loop.
        final: the same after the last loop.
        patch_size: voxels per token along each axis.
        tolerance: largest change of a class probability in the patch that counts as settled.
    """
    change = (
        (early.detach().float().softmax(1) - final.detach().float().softmax(1))
        .abs()
        .amax(1, keepdim=True)
    )
    pool = F.max_pool3d if len(patch_size) == 3 else F.max_pool2d
    worst = pool(change, kernel_size=patch_size, stride=patch_size)
    return (worst <= tolerance).to(early.dtype).flatten(1)
