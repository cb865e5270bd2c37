"""Learning rate over steps, weight groups, and the moving average of the weights that is kept in the end."""

import math
from collections.abc import Iterable

import torch
from torch import nn

NO_DECAY = ("norm", "bias", "log_rate", "step_bias", "log_step", "scale", "injection", "balance")


def learning_rate(step: int, *, peak: float, warmup: int, steps: int, final: float = 0.01) -> float:
    """Linear warm-up, then a cosine from ``peak`` to ``final`` × ``peak``."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress)))


def weight_groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """AdamW groups: matrices decay, norms, biases and the injection do not (Parcae, section 1.4 of its recipe)."""
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    plain = [p for name, p in named if p.ndim < 2 or any(part in name for part in NO_DECAY)]
    kept = {id(p) for p in plain}
    return [
        {"params": [p for _, p in named if id(p) not in kept], "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]


class MovingAverage:
    """Exponential moving average of parameters; buffers are copied. It starts fast, so that short runs get a sound one."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the weights after optimiser step ``step`` (from 0)."""
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
    """Clip gradients to ``limit`` and return their norm before that."""
    return float(nn.utils.clip_grad_norm_(parameters, limit))
