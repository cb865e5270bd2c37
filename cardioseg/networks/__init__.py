"""Networks by name; a new one is one file and one line here."""

from collections.abc import Callable
from typing import Any

from cardioseg.layers.frame import FrameConfig
from cardioseg.networks.bvit import BViT, BViTConfig
from cardioseg.networks.edge_recvit import EdgeRecViT, EdgeRecViTConfig
from cardioseg.networks.network import Network
from cardioseg.networks.output import SegOutput
from cardioseg.networks.rdvit import RDViT
from cardioseg.networks.rdvit_config import RDViTConfig
from cardioseg.networks.vit import ViT, ViTConfig

ARCHITECTURES: dict[str, tuple[Callable[[Any], Network], type[FrameConfig]]] = {
    "rdvit": (RDViT, RDViTConfig),
    "vit": (ViT, ViTConfig),
    "bvit": (BViT, BViTConfig),
    "edge-recvit": (EdgeRecViT, EdgeRecViTConfig),
}

__all__ = [
    "ARCHITECTURES",
    "BViT",
    "BViTConfig",
    "EdgeRecViT",
    "EdgeRecViTConfig",
    "Network",
    "RDViT",
    "RDViTConfig",
    "SegOutput",
    "ViT",
    "ViTConfig",
]
