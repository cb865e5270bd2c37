"""How a volume is cut into windows and put together again."""

from typing import Literal

from pydantic import Field

from cardioseg.core.config import Settings


class WindowConfig(Settings):
    """Sliding windows over a slice."""

    size: tuple[int, int] = Field((128, 128), description="voxels on the working grid")
    overlap: float = Field(0.5, ge=0, lt=1, description="share of a window that the next one covers again")
    views: Literal["none", "flips", "all"] = Field("all", description="reflections and rotations averaged: 1, 4 or 8")
    batch: int = Field(8, ge=1, description="windows per forward pass")
