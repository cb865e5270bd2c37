"""Muon: momentum made orthogonal before it moves a matrix, so that weak directions move as well.

Sources: Jordan et al. 2024 (kellerjordan.github.io/posts/muon: momentum, Newton-Schulz iteration
and its coefficients); Liu et al. 2025 (arXiv 2502.16982, equation 4: step size as large as
AdamW's, so that one learning rate serves both).

torch's own version takes matrices only, and uses bf16 even where that is slow. Here the kernel of a
convolution is a matrix too, (first axis, all others), or for a transposed one (inputs, outputs ×
extent); this is where the gain lies (lab log, 2026-11-21). The last layer and the first layer of a
patch stem are included, which the first source leaves to AdamW.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from cardioseg.layers.devices import fast_bf16

SMALLEST = 16  # rows and columns; orthogonalising smaller matrices gains little
ROUNDS = 5


class Muon(torch.optim.Optimizer):
    """Orthogonal Nesterov momentum with decoupled weight decay.

    Args:
        params: matrices and kernels.
        lr: learning rate that AdamW would have for the same weights.
        weight_decay: a step removes this share of a weight, times ``lr``.
        momentum: share of the running mean that is kept.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(
            [{"params": list(params)}],
            {"lr": lr, "weight_decay": weight_decay, "momentum": momentum},
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Move every weight that has a gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        mean = state["momentum"]
        mean.lerp_(gradient, 1 - group["momentum"])
        ahead = torch.lerp(gradient, mean, group["momentum"])
        direction = orthogonal(ahead.flatten(1))
        size = 0.2 * max(direction.shape) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(direction.view_as(parameter), alpha=-group["lr"] * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """Approximate the nearest orthogonal matrix to one (M, N); zeros stay zeros.

    Singular values above a thousandth of the norm end between about 0.7 and 1.2; five rounds of a
    fifth-degree polynomial raise smaller ones up to 485-fold. Runs in bf16 where that is fast, else
    in fp32.
    """
    x = matrix.to(torch.bfloat16 if fast_bf16(matrix.device) else torch.float32)
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(ROUNDS):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    result: Tensor = x.T if tall else x
    return result.to(matrix.dtype)


def is_matrix(parameter: Tensor) -> bool:
    """Whether a weight is a matrix or kernel large enough for Muon; stacks (3 axes) are not."""
    if parameter.ndim < 2 or parameter.ndim == 3:
        return False
    return min(parameter.shape[0], parameter[0].numel()) >= SMALLEST
