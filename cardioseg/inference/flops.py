"""Cost of a prediction: multiplications and additions in matrix products and convolutions.

Torch's counter slows a small network by a third, so it runs on one batch of each shape only. What
surrounds the core costs the same for every batch of a shape; the network reports the core's share,
which depends on when tokens exit.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from cardioseg.core.exits import RULES, ExitRule
from cardioseg.networks import SegOutput

Shape = Sequence[int]


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """Of softmax(q kᵀ) v, given the shapes (B, H, M, C), (B, H, N, C), (B, H, N, C)."""
    return 2 * math.prod(query[:3]) * key[2] * (query[3] + value[3])


# Missing in torch's table (2.13), which lists operators under private names.
MISSING = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention}  # noqa: SLF001


@dataclass
class FlopTally:
    """Running sums over the windows of a prediction.

    Attributes:
        total: all of it.
        core: the looped (or stacked) blocks.
        dense: the core with every token in every loop.
        around: batch shape → cost of one such batch outside the core.
    """

    total: int = 0
    core: int = 0
    dense: int = 0
    around: dict[tuple[int, ...], int] = field(default_factory=dict)

    def run(
        self, forward: Callable[[], SegOutput], shape: tuple[int, ...], exits: ExitRule
    ) -> SegOutput:
        """Run a batch and add its cost."""
        # How often such a rule decodes depends on the batch, so its cost is counted every time.
        decodes = exits.name is not None and RULES[exits.name].decodes
        if shape in self.around and not decodes:
            output = forward()
        else:
            with FlopCounterMode(display=False, custom_mapping=MISSING) as counter:
                output = forward()
            self.around[shape] = counter.get_total_flops() - output.core_flops
        self.total += self.around[shape] + output.core_flops
        self.core += output.core_flops
        self.dense += output.dense_flops
        return output

    @property
    def sums(self) -> dict[str, int]:
        """The sums by name, for the run record."""
        return {"total": self.total, "core": self.core, "core_dense": self.dense}
