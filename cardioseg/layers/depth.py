"""How many loops a training step runs, how many of them carry a gradient, and after which one it is also supervised.

Random loop counts are what keeps a recurrent network sound at counts it never saw (Geiping et al. 2025, arXiv 2502.05171;
Kuo et al. 2026, arXiv 2606.29983): 1 + Poisson, cut at a maximum.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def random_loops(mean: float, maximum: int) -> int:
    """1 + Poisson(mean - 1), at most ``maximum``; drawn from torch's global generator, so that resuming repeats it."""
    return int(min(1 + torch.poisson(torch.tensor(float(mean - 1))).item(), maximum))


def early_loop(loops: int) -> int | None:
    """A loop before the last, uniformly; None when there is none."""
    return int(torch.randint(1, loops, ()).item()) if loops > 1 else None


@contextmanager
def gradient_of_last(count: int | None, loop: int, loops: int) -> Iterator[None]:
    """Truncated backpropagation (Geiping et al. 2025, section 3.3): all but the last loops of a step run without a gradient.

    They take a third of the time then, so that long counts, whose end is the state's fixed point, can be drawn often.

    Args:
        count: loops that carry a gradient; None for all.
        loop: this one, from 0.
        loops: of the step.
    """
    if not torch.is_grad_enabled() or count is None or loop >= loops - count:
        yield
        return
    with torch.no_grad():
        yield
    torch.clear_autocast_cache()  # releases of torch hand on weights cast without a gradient (pytorch#48049)
