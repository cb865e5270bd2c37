"""Architectures by name; a new network is one file and one line here."""

from cardioseg.networks.output import SegOutput
from cardioseg.networks.rdvit import RDViT, RDViTConfig

ARCHITECTURES = {"rdvit": (RDViT, RDViTConfig)}

__all__ = ["ARCHITECTURES", "RDViT", "RDViTConfig", "SegOutput"]
