"""What surrounds the blocks of every network: the stem (image to tokens) and the decoder.

All networks are compared with the same stem and decoder, so that differences between them come from
their cores.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from cardioseg.core.config import Settings
from cardioseg.layers.decode import PatchDecoder, SkipDecoder
from cardioseg.layers.embed import ConvStem, PatchStem, Tokens, token_map


class FrameConfig(Settings):
    """Sizes that every network shares."""

    channels: int = Field(3, ge=1, description="input channels")
    classes: int = Field(4, ge=2, description="output classes, background included")
    patch_size: tuple[int, ...] = Field(
        (8, 8), description="voxels per token; its length makes the network 2-D or 3-D"
    )
    width: int = Field(256, ge=8, description="channels of a token")
    heads: int = Field(
        4, ge=1, description="attention heads; 64 channels per head are fastest on CPU"
    )
    stem: Literal["conv", "patch"] = Field(
        "conv", description="conv: convolutions with skips for the decoder; patch: one linear map"
    )
    stem_channels: tuple[int, ...] = Field(
        (32, 64), description="features of the conv stem at strides 2, 4, …"
    )
    mlp_ratio: float = Field(
        4.0, gt=0, description="hidden width of the plain feed-forward layers, relative to width"
    )


def build_stem(config: FrameConfig) -> nn.Module:
    """Image (B, channels, *S) to ``Tokens``."""
    if config.stem == "conv":
        return ConvStem(config.channels, config.width, config.patch_size, config.stem_channels)
    return PatchStem(config.channels, config.width, config.patch_size)


def build_decoder(config: FrameConfig) -> nn.Module:
    """Features (B, D, *G) and the stem's skips to logits (B, classes, *S)."""
    if config.stem == "conv":
        return SkipDecoder(config.width, config.classes, config.patch_size, config.stem_channels)
    return PatchDecoder(config.width, config.classes, config.patch_size)


def decode_tokens(decoder: nn.Module, states: Tensor, tokens: Tokens) -> Tensor:
    """Logits (B, classes, *S) of token states (B, N, D) on the grid of ``tokens``."""
    logits: Tensor = decoder(token_map(states, tokens.grid), tokens.skips)
    return logits
