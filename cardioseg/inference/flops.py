"""What a prediction cost: multiplications and additions in matrix products and convolutions, counted while it runs.

Torch's own counter slows a small network by a third, so it looks at one batch of every size only. What stands around the core
costs the same for every batch of that size; the core's share, which depends on who leaves when, is told by the network.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from cardioseg.core.exits import RULES, ExitRule
from cardioseg.networks import SegOutput


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


# Missing in torch's table (2.13).
MISSING = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention}  # noqa: SLF001


@dataclass
class FlopTally:
    """Running sums over the windows of a prediction.

    Attributes:
        total: everything.
        core: of it, the looped (or stacked) blocks.
        dense: what the core would have taken with every token running every loop.
        around: (batch shape) → what one such batch costs around the core.
    """

    total: int = 0
    core: int = 0
    dense: int = 0
    around: dict[tuple[int, ...], int] = field(default_factory=dict)

    def run(
        self, forward: Callable[[], SegOutput], shape: tuple[int, ...], exits: ExitRule
    ) -> SegOutput:
        """Run a batch and take it into the sums."""
        # A rule that decodes after every loop does so as often as the slowest token needs.
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
        """By name, for the run record."""
        return {"total": self.total, "core": self.core, "core_dense": self.dense}
