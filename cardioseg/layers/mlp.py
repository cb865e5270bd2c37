"""Feed-forward layers: the plain one of ViT, and the gated one of experts (Shazeer 2020)."""

from torch import Tensor, nn
from torch.nn import functional as F


class MLP(nn.Module):
    """Linear, GELU, linear: (…, D) to (…, D)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.flops_per_token = 4 * width * hidden
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down(F.gelu(self.up(x)))
        return out


class SwiGLU(nn.Module):
    """down(silu(gate x) * up x), without biases: (…, D) to (…, D)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * up)
        return out

    @staticmethod
    def flops(width: int, hidden: int) -> int:
        """Multiplications and additions for one token."""
        return 6 * width * hidden
