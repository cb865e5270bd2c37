"""Loops of a training step: how many run, how many carry a gradient, which earlier one has a loss.

Random loop counts keep a recurrent network sound at counts that it never saw (Geiping et al. 2025,
arXiv 2502.05171; Kuo et al. 2026, arXiv 2606.29983): 1 + Poisson, up to a maximum.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def random_loops(mean: float, maximum: int) -> int:
    """1 + Poisson(mean - 1), at most ``maximum``.

    Drawn from torch's global generator, so that a resumed run draws the same counts.
    """
    return int(min(1 + torch.poisson(torch.tensor(float(mean - 1))).item(), maximum))


def early_loop(loops: int) -> int | None:
    """A loop before the last, drawn uniformly; None when there is no earlier one."""
    return int(torch.randint(1, loops, ()).item()) if loops > 1 else None


@contextmanager
def gradient_of_last(count: int | None, loop: int, loops: int) -> Iterator[None]:
    """Run a loop with a gradient only if it is one of the last ``count`` of its training step.

    Truncated backpropagation (Geiping et al. 2025, section 3.3).

    A loop without a gradient takes a third of the time, so that large loop counts, at which the
    state approaches its fixed point, can be drawn often.

    Args:
        count: loops that carry a gradient; None for all.
        loop: number of the current loop, from 0.
        loops: loops of the training step.
    """
    if not torch.is_grad_enabled() or count is None or loop >= loops - count:
        yield
        return
    with torch.no_grad():
        yield
    # Autocast would reuse weights that were cast without a gradient (pytorch#48049).
    torch.clear_autocast_cache()
