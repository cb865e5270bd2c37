"""Which weights train when a run starts from a model: all, the decoder, or small adapters.

``head``: the decoder and the norms before it. ``lora``: the looped block's depth-wise adapters, the
scale and shift of every norm, and the decoder's last layer.

Sources: Hu et al. 2022 (LoRA) and Bae et al. 2024 (arXiv 2410.20672, LoRA per loop of a shared
block); Karani et al., MICCAI 2018 (a segmentation network adapts to a new MR scanner through its
norms alone, from four subjects); Zhang and Liu 2023 (arXiv 2304.13785, adapters and decoder
together for medical segmentation). Which combination is best for these networks is not known.
"""

from typing import Literal, get_args

from torch import nn

from cardioseg.networks import Network

Tune = Literal["all", "head", "lora"]
TUNES: tuple[str, ...] = get_args(Tune)
NORMS = (nn.LayerNorm, nn.GroupNorm)
HEAD = ("core_norm", "coda_norm", "norm", "decoder")


def trained_names(network: Network, tune: Tune) -> frozenset[str]:
    """Names of the parameters that train.

    Raises:
        ValueError: "lora" for a network without adapters.
    """
    names = [name for name, _ in network.named_parameters()]
    if tune == "all":
        return frozenset(names)
    if tune == "head":
        return frozenset(name for name in names if name.partition(".")[0] in HEAD)
    if not any(name.startswith("lora.") for name in names):
        raise ValueError("the network has no adapters")
    parts = ("lora.", _last_layer(network), *_norms(network))
    return frozenset(name for name in names if name.startswith(parts))


def _norms(network: Network) -> tuple[str, ...]:
    """Prefixes of the parameters of every norm."""
    return tuple(
        f"{name}." for name, module in network.named_modules() if isinstance(module, NORMS)
    )


def _last_layer(network: Network) -> str:
    """Prefix of the parameters of the decoder's last layer."""
    layers = [name for name, _ in network.get_submodule("decoder").named_children()]
    return f"decoder.{layers[-1]}."


def freeze(network: Network, tune: Tune) -> int:
    """Freeze all other parameters; returns the number of values that train."""
    chosen = trained_names(network, tune)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in chosen)
    return trained_parameters(network)


def trained_parameters(network: Network) -> int:
    """Number of values that train."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
