"""A fixed share of the loop budget: how many tokens run in each loop, and which.

Shape legend: B images, N tokens each, M = B N in a row, A active ones.
"""

import math

import torch
from torch import Tensor


def quota(compute: float, loops: int, tokens: int, *, full_loops: int = 1) -> list[int]:
    """Tokens of an image that run in each loop, so that the mean is ``compute`` of the budget.

    All tokens run in the first ``full_loops`` loops. Each later loop keeps the same share of the
    tokens of the loop before it.

    Args:
        compute: mean share of the loops that tokens use, in (0, 1].
        loops: budget T.
        tokens: N.
        full_loops: loops that every token runs.

    Raises:
        ValueError: ``full_loops`` alone exceed the share.
    """
    if compute * loops < full_loops - 1e-9:
        raise ValueError(
            f"a share of {compute:g} of {loops} loops is less than the {full_loops} "
            "that every token runs"
        )
    falls = [max(0, loop - full_loops + 1) for loop in range(loops)]
    low, high = 0.0, 1.0
    for _ in range(50):
        ratio = (low + high) / 2
        if sum(ratio**fall for fall in falls) < compute * loops:
            low = ratio
        else:
            high = ratio
    return [round(tokens * high**fall) for fall in falls]


def least_settled(answer: Tensor, active: Tensor, count: int, tokens: int) -> Tensor:
    """Choose the ``count`` largest answers of every image, or all where fewer are active.

    Args:
        answer: (A,) larger for less settled.
        active: (A,) indices of the tokens, ascending.
        count: tokens per image that continue.
        tokens: N.

    Returns:
        (A,) bool.
    """
    images = int(active[-1]) // tokens + 1
    table = torch.full((images * tokens,), -math.inf, device=answer.device)
    table[active] = answer.clamp(min=-1e30).to(table.dtype)
    chosen = torch.zeros_like(table, dtype=torch.bool).view(images, tokens)
    best = table.view(images, tokens).topk(min(count, tokens), dim=1).indices
    chosen.scatter_(1, best, value=True)
    return chosen.flatten()[active]
