"""How a network is trained: steps, optimiser, weights of the losses, checkpoints, validation."""

from typing import Literal

from pydantic import Field, field_validator

from cardioseg.core.config import Settings

# Weights of the networks' own losses.
PENALTIES = {
    "ponder": 0.01,  # ACT's cost (Graves 2016; the same in Universal Transformers)
    "halting": 0.5,  # oracle loss of RD-ViT's halting head; its gradient stays in the head
    "stability": 1e-3,  # Edge-RecViT's STB, weight as released
    "depth_use": 0.1,  # Edge-RecViT's DU, weight as released
    "budget": 1.0,  # budget loss of our ranker
    "depth": 0.5,  # oracle loss of our ranker
}


class TrainingConfig(Settings):
    """How a network is trained."""

    steps: int = Field(6000, ge=1, le=1_000_000, description="optimiser steps of the whole run")
    batch: int = Field(16, ge=1, le=1024, description="windows per step")
    optimizer: Literal["muon", "adamw"] = Field(
        "muon", description="muon moves matrices and kernels, with AdamW for the rest; or adamw"
    )
    learning_rate: float = Field(
        1e-3, gt=0, description="peak learning rate of AdamW; Muon's steps have the same size"
    )
    warmup: int = Field(300, ge=1, description="steps until the learning rate peaks")
    weight_decay: float = Field(0.05, ge=0, description="decoupled weight decay of matrices")
    clip: float = Field(
        1.0, gt=0, description="largest norm of the gradient; larger ones are scaled down"
    )
    average: float = Field(
        0.999, gt=0, lt=1, description="decay of the moving average of the weights"
    )
    early_weight: float = Field(
        0.4, ge=0, description="weight of the loss after a random earlier loop"
    )
    penalties: dict[str, float] = Field(
        PENALTIES, description="weights of the networks' own losses, by name"
    )
    balance_rate: float = Field(
        0.01, ge=0, description="step of the experts' load-balancing bias, in logits"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of weights, batches and augmentation")
    workers: int = Field(1, ge=0, le=256, description="processes that load data")
    checkpoint_minutes: float = Field(3.0, gt=0, description="minutes between checkpoints")
    validate_every: int = Field(1000, ge=1, description="steps between validations")
    validate_cases: int = Field(
        8, ge=0, description="volumes scored at each validation; 0 for none"
    )

    @field_validator("penalties")
    @classmethod
    def _known(cls, penalties: dict[str, float]) -> dict[str, float]:
        unknown = set(penalties) - set(PENALTIES)
        if unknown:
            raise ValueError(f"unknown penalty {min(unknown)!r}; known are {', '.join(PENALTIES)}")
        return PENALTIES | penalties
