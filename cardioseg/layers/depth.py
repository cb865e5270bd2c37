"""How many loops a training step runs, and after which earlier loop it is also supervised.

Random loop counts are what keeps a recurrent network sound at counts it never saw (Geiping et al. 2025, arXiv 2502.05171;
Kuo et al. 2026, arXiv 2606.29983): 1 + Poisson, cut at a maximum.
"""

import torch


def random_loops(mean: float, maximum: int) -> int:
    """1 + Poisson(mean - 1), at most ``maximum``; drawn from torch's global generator, so that resuming repeats it."""
    return int(min(1 + torch.poisson(torch.tensor(float(mean - 1))).item(), maximum))


def early_loop(loops: int) -> int | None:
    """A loop before the last, uniformly; None when there is none."""
    return int(torch.randint(1, loops, ()).item()) if loops > 1 else None
