"""Settings of RD-ViT: its sizes, its switches, and the preset that turns them to the published form.

Knows what may be asked for, not what it computes: that is ``networks.rdvit``.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from cardioseg.layers.frame import FrameConfig

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
    """Sizes and switches of RD-ViT; a preset fills in what is not set."""

    preset: Literal["cardioseg", "paper"] = "cardioseg"
    prelude_blocks: int = Field(1, ge=0)
    coda_blocks: int = Field(
        0,
        ge=0,
        description="0: norm and decoder alone; a block there does the core's work in one loop",
    )
    loops: int = Field(8, ge=1, description="loop budget when none is asked for")
    random_depth: bool = Field(
        True, description="train with 1 + Poisson loops instead of a fixed number"
    )
    mean_loops: float = Field(4.0, ge=1, description="mean of the random loop count")
    max_loops: int = Field(
        8, ge=1, description="longest of the random loop counts, and rows of the adapters' table"
    )
    gradient_loops: int | None = Field(
        3,
        ge=1,
        description="training follows the gradient through that many last loops; max_loops: all. ACT, whose last loop is not "
        "known before, follows it through all",
    )
    early_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="share of a training batch also supervised after an earlier loop",
    )
    injection: Literal["parcae", "rdt"] = "parcae"
    loop_index: bool = Field(
        False,
        description="add a sinusoidal loop index to what the block sees (published; rules out exact skipping)",
    )
    halting: Literal["oracle", "act", "none"] = "oracle"
    halting_head: Literal["normalised", "linear"] = Field(
        "normalised",
        description="normalised: of the normed state and its last step; linear: of the state (published)",
    )
    halting_threshold: float = Field(
        0.99,
        gt=0,
        lt=1,
        description="ACT: cumulative probability; oracle: score at which a token stops",
    )
    halting_tolerance: float = Field(
        0.05, gt=0, lt=1, description="oracle: probability change that counts as settled"
    )
    lora: Literal["scale", "full"] = "scale"
    lora_rank: int = Field(0, ge=0)
    experts: int = Field(
        4, ge=0, description="routed experts; 0 makes the looped block's feed-forward layer plain"
    )
    shared_experts: int = Field(1, ge=0)
    top_k: int = Field(1, ge=1)
    expert_hidden: int = Field(256, ge=1)

    @property
    def trained_loops(self) -> int:
        """Longest loop count of training; more is extrapolation."""
        return self.max_loops if self.random_depth else self.loops

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("preset", "cardioseg") in PRESETS:
            return PRESETS[values.get("preset", "cardioseg")] | values
        return values
