"""Settings of RD-ViT: its sizes, its switches, and the preset with the published form."""

from typing import Any, Literal

from pydantic import Field, model_validator

from cardioseg.core.exits import Part
from cardioseg.layers.frame import FrameConfig

# Trained parts that exit rules can read (``core.exits``), by ``halting``.
TRAINED_PARTS: dict[str, tuple[Part, ...]] = {
    "oracle": ("oracle", "halting"),
    "act": ("halting",),
    "none": (),
}
PRESETS: dict[str, dict[str, Any]] = {
    "cardioseg": {},
    "paper": {
        "stem": "patch",
        "injection": "rdt",
        "halting": "act",
        "halting_head": "linear",
        "loop_index": True,
        "random_depth": False,
        "gradient_loops": None,
        "coda_blocks": 1,
    },
}


class RDViTConfig(FrameConfig):
    """Sizes and switches of RD-ViT; the preset supplies what is not set."""

    preset: Literal["cardioseg", "paper"] = Field(
        "cardioseg", description="defaults of this project, or the published form"
    )
    prelude_blocks: int = Field(1, ge=0, description="blocks before the loops")
    coda_blocks: int = Field(
        0,
        ge=0,
        description="blocks after the loops; 0 leaves norm and decoder only. With a block there, "
        "it takes over the looped block's work",
    )
    loops: int = Field(8, ge=1, description="loop budget when the caller names none")
    random_depth: bool = Field(
        True, description="train with 1 + Poisson loops instead of a fixed number"
    )
    mean_loops: float = Field(4.0, ge=1, description="mean of the random loop count")
    max_loops: int = Field(
        8, ge=1, description="largest random loop count, and rows of the LoRA table"
    )
    gradient_loops: int | None = Field(
        3,
        ge=1,
        description="last loops that carry a gradient in training. ACT always uses all loops, as "
        "its last loop is not known in advance",
    )
    early_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="share of a training batch with a second loss after an earlier loop",
    )
    injection: Literal["parcae", "rdt"] = Field(
        "parcae", description="parcae: inject, then block; rdt: block, then inject (published)"
    )
    loop_index: bool = Field(
        False,
        description="add a sinusoidal loop index to the block's input (published); exited tokens "
        "are then computed, not skipped",
    )
    halting: Literal["oracle", "act", "none"] = Field(
        "oracle",
        description="oracle: a head learns whether a token's patch still changes; act: adaptive "
        "computation time (published); none: every token uses the budget",
    )
    halting_head: Literal["normalised", "linear"] = Field(
        "normalised",
        description="input of the head. normalised: the normalised state and its last change; "
        "linear: the state (published)",
    )
    halting_threshold: float = Field(
        0.99,
        gt=0,
        lt=1,
        description="probability at which a token exits; under act, the cumulative one",
    )
    halting_tolerance: float = Field(
        0.05, gt=0, lt=1, description="oracle: change of probability that counts as settled"
    )
    lora: Literal["scale", "full"] = Field(
        "scale", description="scale: one vector per loop (published); full: one pair per loop"
    )
    lora_rank: int = Field(0, ge=0, description="rank of the adapters; 0 for none")
    experts: int = Field(
        4, ge=0, description="routed experts of the looped block; 0: a plain feed-forward layer"
    )
    shared_experts: int = Field(1, ge=0, description="experts that every token uses")
    top_k: int = Field(1, ge=1, description="routed experts per token")
    expert_hidden: int = Field(256, ge=1, description="hidden width of one expert")

    @property
    def trained_loops(self) -> int:
        """Largest loop count in training; more extrapolates."""
        return self.max_loops if self.random_depth else self.loops

    @property
    def tracked_loops(self) -> int | None:
        """Last loops that carry a gradient in training; None for all, as always under ACT."""
        return None if self.halting == "act" else self.gradient_loops

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("preset", "cardioseg") in PRESETS:
            return PRESETS[values.get("preset", "cardioseg")] | values
        return values
