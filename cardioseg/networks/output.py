"""What every network returns.

Shape legend: B batch, K classes, E experts, S* spatial axes, G* token grid.
"""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class SegOutput:
    """Logits, and what they cost; not frozen, because Lightning Fabric casts tensors in place.

    Attributes:
        logits: (B, K, *S) class scores after the last loop.
        steps: (B, *G) loops each token used, 1 to the budget.
        routing: (B, E, *G) share of each routed expert, summing to 1; None without experts.
        penalties: scalar losses of the network's own parts, unweighted, by name.
        early: (b, K, *S) logits of the first b images after an earlier loop; in training only.
        core_flops: multiplications and additions in the matrix products of the looped (or
            stacked) blocks; at inference only.
        dense_flops: the same with every token in every loop.
    """

    logits: Tensor
    steps: Tensor
    routing: Tensor | None = None
    penalties: dict[str, Tensor] = field(default_factory=dict)
    early: Tensor | None = None
    core_flops: int = 0
    dense_flops: int = 0
