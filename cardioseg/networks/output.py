"""What every network returns.

Shape legend: B batch, K classes, E experts, S* spatial axes, G* token grid.
"""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class SegOutput:
    """Scores and the account of how they came about; not frozen, as Lightning Fabric casts its tensors in place.

    Attributes:
        logits: (B, K, *S) class scores after the last loop.
        steps: (B, *G) loops each token used, 1 to the budget.
        routing: (B, E, *G) share of each expert in the token's routed work, summing to 1; None without experts.
        penalties: scalar losses that the network's own parts ask for, unweighted, by name.
        early: (b, K, *S) scores of the batch's first b images after a random earlier loop, in training only.
        core_flops: multiplications and additions in matrix products that the looped (or stacked) blocks took, at inference.
        dense_flops: what they would have taken with every token running every loop.
    """

    logits: Tensor
    steps: Tensor
    routing: Tensor | None = None
    penalties: dict[str, Tensor] = field(default_factory=dict)
    early: Tensor | None = None
    core_flops: int = 0
    dense_flops: int = 0
