"""Learning rate over steps, the optimisers, and the moving average of the weights."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from cardioseg.networks import Network
from cardioseg.training.muon import Muon, is_matrix

NO_DECAY = ("norm", "bias", "log_rate", "step_bias", "log_step", "scale", "injection", "balance")


def learning_rate(step: int, *, peak: float, warmup: int, steps: int, final: float = 0.01) -> float:
    """Linear warm-up, then a cosine from ``peak`` to ``final`` × ``peak``."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress)))


def build_optimizers(
    network: Network, kind: str, *, rate: float, weight_decay: float
) -> tuple[torch.optim.Optimizer, ...]:
    """AdamW over all trained weights or, for "muon", Muon over matrices and AdamW over the rest.

    LoRA adapters always belong to AdamW. Matrices decay; norms, biases and the injection do not
    (Parcae, section 1.4 of its recipe).
    """
    plain: list[nn.Parameter] = []
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.ndim < 2 or any(part in name for part in NO_DECAY):
            plain.append(parameter)
        elif kind == "muon" and is_matrix(parameter) and not name.startswith("lora."):
            matrices.append(parameter)
        else:
            others.append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": others, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95))
    return (Muon(matrices, lr=rate, weight_decay=weight_decay), adamw) if matrices else (adamw,)


class MovingAverage:
    """Exponential moving average of weights; buffers are copied. Early steps count more."""

    def __init__(self, network: Network, decay: float) -> None:
        self.decay = decay
        self.weights = {
            name: value.detach().clone() for name, value in network.state_dict().items()
        }

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        """Update the average after optimiser step number ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged, current = [], []
        for name, value in network.state_dict().items():
            if value.is_floating_point() and not name.endswith("balance"):
                averaged.append(self.weights[name])
                current.append(value)
            else:
                self.weights[name].copy_(value)
        torch._foreach_lerp_(averaged, current, 1 - decay)


def gradient_norm(parameters: Iterable[nn.Parameter], limit: float) -> float:
    """Scale gradients down to a norm of ``limit``; returns the norm before."""
    return float(nn.utils.clip_grad_norm_(parameters, limit))
