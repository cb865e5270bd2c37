"""A model on disk: a folder with card, settings, metadata and weights.

The weights are checked against their hash and never unpickled.

models/<name>/
├── README.md            the card, generated from the files below
├── config.toml          every setting of the training run; the sections network, preparation and
│                        windows are used again for prediction
├── metadata.json        MONAI's schema, the label names and the SHA-256 of the weights
├── metrics.json         accuracy and speed, as measured by the benchmarks
├── weights.safetensors  matrices in float16, vectors in float32
└── LICENSE
"""

from cardioseg.bundle.folders import (
    DEFAULT_MODEL,
    WEIGHTS,
    find_model,
    models_folder,
    read_metadata,
    shipped_models,
)
from cardioseg.bundle.loading import Model, build_network, load_model
from cardioseg.bundle.saving import monai_metadata, save_model

__all__ = [
    "DEFAULT_MODEL",
    "WEIGHTS",
    "Model",
    "build_network",
    "find_model",
    "load_model",
    "models_folder",
    "monai_metadata",
    "read_metadata",
    "save_model",
    "shipped_models",
]
