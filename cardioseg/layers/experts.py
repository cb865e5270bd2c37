"""A feed-forward layer of experts: some always on, the others chosen per token.

Sources: Shazeer et al. 2017 and Fedus et al. 2021 (top-k routing); DeepSeek-V3 (a bias that
balances the load without a loss). In training the load is weighted by class: most tokens of a
cardiac slice are background, and an even split of tokens would make every expert a background
expert.

The bias is added to the logits, for both choice and gate. Added for the choice only, as published,
it could not stop one expert's score from rising towards 1 for every token: the gate rewards a
larger score, and a bias of 0.5 cannot outweigh it. All tokens then went to one expert within 4,000
steps.

Shape legend: M tokens of a batch in one row, D width, E routed experts, K chosen per token.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cardioseg.layers.mlp import SwiGLU


class Experts(nn.Module):
    """Shared plus routed SwiGLU experts.

    Tokens are sorted by expert, and each expert runs once on its contiguous group: E products
    instead of E × K masks.

    Args:
        width: D.
        routed: E.
        shared: experts that are always on.
        top_k: K.
        hidden: hidden width of one expert.

    Raises:
        ValueError: ``top_k`` is not between 1 and ``routed``.
    """

    balance: Tensor

    def __init__(self, width: int, *, routed: int, shared: int, top_k: int, hidden: int) -> None:
        super().__init__()
        if not 1 <= top_k <= routed:
            raise ValueError(
                f"top_k {top_k} is not between 1 and the number of routed experts {routed}"
            )
        self.top_k = top_k
        self.router = nn.Linear(width, routed, bias=False)
        self.routed = nn.ModuleList(SwiGLU(width, hidden) for _ in range(routed))
        self.shared = SwiGLU(width, hidden * shared) if shared else None
        self.register_buffer("balance", torch.zeros(routed))
        self.flops_per_token = 2 * width * routed + SwiGLU.flops(width, hidden) * (top_k + shared)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Output (…, D) and routing (…, E), the share of each routed expert, summing to 1."""
        tokens = x.flatten(0, -2)
        scores = (self.router(tokens).float() + self.balance).softmax(-1)
        gates, chosen = scores.topk(self.top_k, dim=-1)
        shares = gates / gates.sum(-1, keepdim=True)
        # With one expert per token the renormalised gate is 1 and gives the router no gradient.
        out = self._dispatch(tokens, chosen, gates if self.top_k == 1 else shares)
        if self.shared is not None:
            out = out + self.shared(tokens)
        routing = torch.zeros_like(scores).scatter(-1, chosen, shares.detach())
        return out.view_as(x), routing.view(*x.shape[:-1], -1)

    def _dispatch(self, tokens: Tensor, chosen: Tensor, gates: Tensor) -> Tensor:
        """Gated sum over the chosen experts, (M, D)."""
        order = chosen.flatten().argsort(stable=True)
        sizes = torch.bincount(chosen.flatten(), minlength=len(self.routed)).tolist()
        source = order // self.top_k
        groups = torch.split(tokens[source], sizes)
        worked = torch.cat(
            [_in_blocks(expert, group) for expert, group in zip(self.routed, groups, strict=True)]
        )
        worked = worked * gates.flatten()[order, None].to(worked.dtype)
        return torch.zeros_like(tokens, dtype=worked.dtype).index_add(0, source, worked)

    @torch.no_grad()
    def rebalance(self, load: Tensor, *, rate: float = 0.01, limit: float = 4.0) -> None:
        """Raise the bias of experts with less than the mean load and lower that of the others.

        Args:
            load: (E,) share of each expert in the class-weighted work, summing to 1.
            rate: size of the step, in logits; the load decides its sign only.
            limit: bound on the bias, in logits.
        """
        self.balance += rate * torch.sign(load.mean() - load)
        self.balance.clamp_(-limit, limit)


def _in_blocks(expert: nn.Module, tokens: Tensor) -> Tensor:
    """Run an expert on its tokens (M, D), padded to blocks of 128, or of 32 for at most 96 tokens.

    Group sizes change with every batch, and the CPU library compiles a kernel for each new size.
    """
    rows = len(tokens)
    if rows == 0:
        return tokens
    padded = F.pad(tokens, (0, 0, 0, -rows % (128 if rows > 96 else 32)))
    out: Tensor = expert(padded)
    return out[:rows]
