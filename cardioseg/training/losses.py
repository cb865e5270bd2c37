"""The training loss: Dice and cross-entropy after the last and an earlier loop, plus penalties.

Shape legend: B batch, K classes, S* spatial axes, G* token grid.
"""

from typing import Any

import torch
from monai.losses.dice import DiceCELoss
from torch import Tensor
from torch.nn import functional as F

from cardioseg.networks.output import SegOutput


class SegmentationLoss:
    """Task loss after the last loop and an earlier one (deep supervision), plus penalties.

    Args:
        early_weight: weight of the loss after the earlier loop.
        penalties: weight of each penalty by name; one without a weight raises KeyError.
    """

    def __init__(self, *, early_weight: float, penalties: dict[str, float]) -> None:
        self.early_weight, self.penalties = early_weight, penalties
        self.task = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)

    def __call__(self, output: SegOutput, label: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Loss of a batch and its parts for the log.

        Args:
            output: of the network.
            label: (B, *S) int64.
        """
        target = label[:, None]
        parts = {"task": self.task(output.logits.float(), target)}
        total = parts["task"]
        if output.early is not None:
            parts["early"] = self.task(output.early.float(), target[: len(output.early)])
            total = total + self.early_weight * parts["early"]
        for name, value in output.penalties.items():
            parts[name] = value
            total = total + self.penalties[name] * value
        return total, {name: float(value.detach()) for name, value in parts.items()}


@torch.no_grad()
def batch_dice(logits: Tensor, label: Tensor) -> float:
    """Mean Dice over the structures present in a batch, for the progress bar; NaN without any.

    Args:
        logits: (B, K, *S).
        label: (B, *S) int64.
    """
    guess = logits.argmax(1)
    scores = []
    for value in range(1, logits.shape[1]):
        p, t = guess == value, label == value
        total = int(p.sum() + t.sum())
        if total:
            scores.append(2 * int((p & t).sum()) / total)
    return sum(scores) / len(scores) if scores else float("nan")


@torch.no_grad()
def token_weights(label: Tensor, grid: tuple[int, ...], classes: int) -> Tensor:
    """Weight of each token for load balancing, (B, *G): the inverse frequency of its class.

    Args:
        label: (B, *S) int64.
        grid: tokens per axis.
        classes: K.
    """
    pool: Any = F.adaptive_avg_pool3d if len(grid) == 3 else F.adaptive_avg_pool2d
    shares = pool(F.one_hot(label, classes).movedim(-1, 1).float(), grid)
    majority = shares.argmax(1)
    frequency = torch.bincount(majority.flatten(), minlength=classes).clamp(min=1)
    return (1.0 / frequency)[majority]
