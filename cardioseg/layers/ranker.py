"""A ranker that gives each token its depth before the loops begin.

Source: Edge-RecViT (CVPR 2026): H = GELU(W1 X), Z = W2 H without biases, p = softmax(Z),
depth = argmax p, confidence = max p; losses that keep the scores small (STB) and all depths in use
(DU). As published, nothing ties depth to usefulness: the ranker's only gradient from the task comes
through the confidence. ``depth_gate`` adds a straight-through gradient, ``oracle_loss`` a teacher.

Shape legend: B batch, N tokens, D features, L depths (1 to L loops), S* spatial axes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Ranker(nn.Module):
    """Two layers, no biases: features (B, N, D) to depth scores (B, N, L)."""

    def __init__(self, features: int, depths: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, 2 * features, bias=False)
        self.score = nn.Linear(2 * features, depths, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        scores: Tensor = self.score(F.gelu(self.hidden(features)))
        return scores


def chosen_depth(scores: Tensor) -> Tensor:
    """Depth of each token, 1 to L, by argmax: (B, N)."""
    return scores.argmax(-1) + 1


def depth_gate(scores: Tensor, *, temperature: float = 1.0) -> Tensor:
    """(B, N, L) of 1 while a token loops, else 0: a Gumbel sample with its softmax's gradient."""
    # Drawn on the CPU, because checkpoints hold the state of its generator.
    noise = -torch.empty(scores.shape).exponential_().log()
    soft = ((scores.float() + noise.to(scores.device)) / temperature).softmax(-1)
    hard = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
    return running(hard - soft.detach() + soft)


def running(depth: Tensor) -> Tensor:
    """P(depth >= l) for l = 1 to L from P(depth = l): (B, N, L)."""
    return 1 - depth.cumsum(-1) + depth


def expected_depth(scores: Tensor) -> Tensor:
    """Mean of the depth distribution, (B, N)."""
    return running(scores.float().softmax(-1)).sum(-1)


def stability_loss(scores: Tensor) -> Tensor:
    """STB, the router z-loss: mean squared log-sum-exp of the scores."""
    return scores.float().logsumexp(-1).square().mean()


def use_loss(scores: Tensor) -> Tensor:
    """DU: L Σ_l E_l A_l, for mean probability E_l and share A_l of the tokens at depth l.

    It is 1 when all depths are used equally.
    """
    probability = scores.float().softmax(-1)
    share = F.one_hot(scores.argmax(-1), scores.shape[-1]).float().mean((0, 1))
    return scores.shape[-1] * (probability.mean((0, 1)) * share).sum()


def budget_loss(scores: Tensor, budget: float) -> Tensor:
    """Squared difference between the mean expected depth, as a share of L, and ``budget``."""
    return (expected_depth(scores).mean() / scores.shape[-1] - budget).square()


def oracle_loss(scores: Tensor, settled: Tensor, loop: int) -> Tensor:
    """Ordinal cross-entropy of P(depth <= ``loop``) against whether the patch is settled then.

    Args:
        scores: (B, N, L).
        settled: (B, N) of 0 and 1, from ``halting.settled_target``.
        loop: 1 to L.
    """
    enough = scores.float().softmax(-1)[..., :loop].sum(-1).clamp(1e-6, 1 - 1e-6)
    return F.binary_cross_entropy(enough, settled.float())


def edge_energy(image: Tensor, patch_size: tuple[int, ...]) -> Tensor:
    """Mean in-plane Sobel magnitude of the middle channel in each patch, (B, N, 1).

    Args:
        image: (B, channels, U, V) or (B, channels, U, V, W), filtered slice by slice.
        patch_size: voxels per token along each axis.
    """
    middle = image[:, image.shape[1] // 2]
    planes = middle if middle.dim() == 3 else middle.movedim(-1, 1).flatten(0, 1)
    kernel = (
        torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]], device=image.device)
        / 8
    )
    padded = F.pad(planes[:, None].float(), (1, 1, 1, 1), mode="replicate")
    both = F.conv2d(padded, torch.stack((kernel, kernel.T))[:, None])
    magnitude = both.square().sum(1).sqrt()
    if middle.dim() == 4:
        magnitude = magnitude.reshape(len(image), -1, *magnitude.shape[1:]).movedim(1, -1)
    pool = F.avg_pool2d if len(patch_size) == 2 else F.avg_pool3d
    return pool(magnitude[:, None], patch_size, patch_size).flatten(2).transpose(1, 2)
