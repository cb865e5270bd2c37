"""Write a model folder."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
import torch
from safetensors.torch import save
from torch import Tensor

from cardioseg.bundle.folders import WEIGHTS
from cardioseg.bundle.loading import build_network
from cardioseg.bundle.values import check_values
from cardioseg.core.atomic import write_bytes, write_json, write_text
from cardioseg.core.version import __version__


def save_model(
    folder: Path,
    weights: Mapping[str, Tensor],
    settings: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> None:
    """Write a model folder. ``metadata.json`` is written last: a folder that has it is complete.

    Args:
        folder: created if needed; existing files are replaced.
        weights: state dictionary of the network.
        settings: sections of config.toml, including network, preparation and windows.
        metadata: further entries of metadata.json, including ``labels`` (background first).

    Raises:
        ModelError: the weights are not finite, or too large for float16; nothing is written.
    """
    held = {name: _compact(value) for name, value in weights.items()}
    network = build_network(dict(settings)["network"], source=folder / "config.toml")
    check_values(held, network, folder / WEIGHTS)
    content = save(held)
    write_bytes(folder / WEIGHTS, content)
    write_text(folder / "config.toml", tomli_w.dumps(dict(settings)))
    facts = monai_metadata(network.config.model_dump(), tuple(metadata["labels"])) | dict(metadata)
    parameters = sum(p.numel() for p in network.parameters())
    facts |= {"weights_sha256": hashlib.sha256(content).hexdigest(), "parameters": parameters}
    write_json(folder / "metadata.json", facts)


def _compact(value: Tensor) -> Tensor:
    """Matrices in float16 (half the file, relative error 5e-4), everything else as it is."""
    plain = value.detach().cpu()
    return (plain.half() if plain.is_floating_point() and plain.ndim >= 2 else plain).contiguous()


def monai_metadata(network: Mapping[str, Any], labels: tuple[str, ...]) -> dict[str, Any]:
    """The entries of MONAI's bundle schema that follow from the settings."""
    channels = {
        str(index): f"slice {index - int(network['channels']) // 2:+d}"
        for index in range(int(network["channels"]))
    }
    solid = len(network["patch_size"]) == 3
    seen = "patches of slices" if solid else "one slice with its neighbours as channels"
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "dtype": "float32",
        "is_patch_data": True,
    }
    return {
        "version": __version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "task": "Segmentation of short-axis cardiac MRI",
        "intended_use": "Research only; not a medical device.",
        "image_classes": f"{seen}, standardised per volume",
        "label_classes": ", ".join(f"{value} {name}" for value, name in enumerate(labels)),
        "network_data_format": {
            "inputs": {
                "image": {
                    **image,
                    "num_channels": int(network["channels"]),
                    "channel_def": {"0": "intensity"} if solid else channels,
                }
            },
            "outputs": {
                "pred": {
                    "type": "probabilities",
                    "format": "segmentation",
                    "num_channels": len(labels),
                    "channel_def": {str(value): name for value, name in enumerate(labels)},
                }
            },
        },
    }
