"""The transformer block that every network here repeats, looped or stacked.

Pre-norm attention and feed-forward layer with residuals (Xiong et al. 2020). LayerNorm, because it
is fused on CPUs and RMSNorm is not.
"""

from torch import Tensor, nn

from cardioseg.layers.attention import Attention, Rotary
from cardioseg.layers.experts import Experts
from cardioseg.layers.mlp import MLP


class Block(nn.Module):
    """Attention, then a feed-forward layer, or experts in its place.

    Args:
        width: D.
        heads: attention heads.
        hidden: width of the feed-forward layer; unused with experts.
        experts: replaces the feed-forward layer.
    """

    def __init__(
        self, width: int, heads: int, hidden: int, *, experts: Experts | None = None
    ) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_mlp = nn.LayerNorm(width)
        self.experts = experts
        self.mlp = MLP(width, hidden) if experts is None else None

    def forward(self, x: Tensor, rotary: Rotary) -> tuple[Tensor, Tensor | None]:
        """Tokens (B, N, D) after the block, and routing (B, N, E) if it has experts."""
        return self.feed_forward(x + self.attention(self.norm_attention(x), rotary))

    def feed_forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The second half of the block, which acts on each token alone."""
        normed = self.norm_mlp(x)
        if self.experts is None:
            assert self.mlp is not None
            return x + self.mlp(normed), None
        worked, routing = self.experts(normed)
        return x + worked, routing

    def flops(self, *, refreshed: int, active: int, keys: int) -> int:
        """Multiplications and additions in the matrix products of one pass.

        Args:
            refreshed: tokens whose keys and values are computed.
            active: tokens that attend and pass through the feed-forward layer.
            keys: tokens that each active token attends to.
        """
        width = self.norm_mlp.normalized_shape[0]
        feed_forward = self.mlp or self.experts
        assert feed_forward is not None
        per_active = 4 * width * width + 4 * keys * width + feed_forward.flops_per_token
        return 4 * width * width * refreshed + per_active * active
