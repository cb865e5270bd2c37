"""The training loss: Dice and cross-entropy after the last and an earlier loop, plus penalties.

Voxels labelled ``IGNORED`` take no part in it.

Shape legend: B batch, K classes, S* spatial axes, G* token grid.
"""

from typing import Any

import torch
from monai.losses.dice import DiceCELoss, DiceLoss
from torch import Tensor
from torch.nn import functional as F

from cardioseg.core.labels import IGNORED
from cardioseg.networks.output import SegOutput


class TaskLoss:
    """Dice, without the background and over the whole batch, plus cross-entropy."""

    def __init__(self) -> None:
        self.complete = DiceCELoss(
            include_background=False, to_onehot_y=True, softmax=True, batch=True
        )
        self.dice = DiceLoss(include_background=False, batch=True)

    def __call__(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of a batch: zero where every voxel is ignored.

        Args:
            logits: (B, K, *S).
            label: (B, *S) int64, with ``IGNORED`` for voxels without a label.
        """
        logits, used = logits.float(), label != IGNORED
        if bool(used.all()):
            loss: Tensor = self.complete(logits, label[:, None])
            return loss
        classes, mask = logits.shape[1], used[:, None]
        target = F.one_hot(label.where(used, 0), classes).movedim(-1, 1) * mask
        entropy = F.cross_entropy(logits, label, ignore_index=IGNORED, reduction="sum")
        dice: Tensor = self.dice(logits.softmax(1) * mask, target)
        return (dice + entropy / used.sum().clamp(min=1)) * used.any()


class SegmentationLoss:
    """Task loss after the last loop and an earlier one (deep supervision), plus penalties.

    Args:
        early_weight: weight of the loss after the earlier loop.
        penalties: weight of each penalty by name; one without a weight raises KeyError.
    """

    def __init__(self, *, early_weight: float, penalties: dict[str, float]) -> None:
        self.early_weight, self.penalties = early_weight, penalties
        self.task = TaskLoss()

    def __call__(self, output: SegOutput, label: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Loss of a batch and its parts for the log.

        Args:
            output: of the network.
            label: (B, *S) int64.
        """
        parts = {"task": self.task(output.logits, label)}
        total = parts["task"]
        if output.early is not None:
            parts["early"] = self.task(output.early, label[: len(output.early)])
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
    guess = logits.argmax(1).where(label != IGNORED, IGNORED)
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

    A token whose voxels are mostly ignored weighs nothing.

    Args:
        label: (B, *S) int64.
        grid: tokens per axis.
        classes: K.
    """
    pool: Any = F.adaptive_avg_pool3d if len(grid) == 3 else F.adaptive_avg_pool2d
    # Ignored voxels count as a class after the last.
    one_hot = F.one_hot(label.clamp(max=classes), classes + 1)
    majority = pool(one_hot.movedim(-1, 1).float(), grid).argmax(1)
    frequency = torch.bincount(majority.flatten(), minlength=classes + 1).clamp(min=1)
    weights = 1.0 / frequency
    weights[classes] = 0
    return weights[majority]
