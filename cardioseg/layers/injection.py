"""Injection of the prelude's output into every loop, without the state diverging.

Two forms of a linear time-invariant update whose per-channel decay lies in (0, 1) for any weights:

- ``ParcaeInjection`` (Prairie et al. 2026, arXiv 2604.12946): inject, then block.
  h_{t+1} = Block(Ā ⊙ h_t + B̄ e), Ā = exp(-softplus(dt) exp(log A)), B̄ = softplus(dt) ⊙ B with a
  full matrix B.
- ``RDTInjection`` (the recurrent-depth transformer that RD-ViT, arXiv 2605.03999, adapts): block,
  then inject.
  h_{t+1} = A ⊙ h_t + B ⊙ e + Block(norm(h_t + e)), A = exp(-exp(log_dt + log_A)), scalar log_dt.

A decay below 1 bounds the linear part only; it does not make the whole loop a contraction.

Shape legend: B batch, N tokens, D width.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ParcaeInjection(nn.Module):
    """Per-channel step size; starts with decay sqrt(1/5) and B = identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        step = -math.log(math.sqrt(1 / 5))
        self.log_rate = nn.Parameter(torch.zeros(width))
        self.step_bias = nn.Parameter(torch.full((width,), math.log(math.expm1(step))))
        self.input = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.input.weight)

    @property
    def decay(self) -> Tensor:
        """Ā, (D,), each in (0, 1)."""
        return _open_unit(
            torch.exp(-F.softplus(self.step_bias) * self.log_rate.clamp(-20, 20).exp())
        )

    def drive(self, e: Tensor) -> Tensor:
        """B̄ e, the same in every loop: (B, N, D)."""
        injected: Tensor = self.input(e)
        return F.softplus(self.step_bias) * injected

    def forward(self, h: Tensor, drive: Tensor) -> Tensor:
        """Ā h + B̄ e, what the block sees: (B, N, D)."""
        return self.decay * h + drive


class RDTInjection(nn.Module):
    """As published: scalar step and diagonal B; the block's output is added to the linear part."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.log_rate = nn.Parameter(torch.zeros(width))
        self.log_step = nn.Parameter(torch.zeros(()))
        self.input = nn.Parameter(torch.full((width,), 0.1))

    @property
    def decay(self) -> Tensor:
        """A, (D,), each in (0, 1)."""
        return _open_unit(torch.exp(-torch.exp((self.log_step + self.log_rate).clamp(-20, 20))))

    def forward(self, h: Tensor, e: Tensor, block_output: Tensor) -> Tensor:
        """A h + B e + block_output: (B, N, D)."""
        return self.decay * h + self.input * e + block_output


def _open_unit(decay: Tensor) -> Tensor:
    """Keep rounding from reaching 0 or 1, where the state would forget everything or nothing."""
    return decay.clamp(1e-6, 1 - 1e-6)


def loop_index_embedding(loop: int, width: int, *, device: torch.device) -> Tensor:
    """Sine and cosine of the loop index in the first eighth of the channels, else zero: (D,)."""
    channels = max(width // 8 // 2, 1)
    frequency = 10000.0 ** (-torch.arange(channels, device=device) / channels)
    wave = torch.cat((torch.sin(loop * frequency), torch.cos(loop * frequency)))
    return F.pad(wave, (0, width - 2 * channels))
