"""A model on disk: a folder with card, settings, metadata and weights; read with its hash checked, never unpickled.

models/<name>/
├── README.md            the card, generated from the files below
├── config.toml          every setting of the run that made it; network, preparation and windows are used again
├── metadata.json        MONAI's schema, the label names and the SHA-256 of the weights
├── metrics.json         what was measured, by whatever measured it
├── weights.safetensors  matrices in float16, vectors in float32
└── LICENSE
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from cardioseg.core.atomic import write_bytes, write_json, write_text
from cardioseg.core.config import PreparationConfig, WindowConfig, read_toml, validate
from cardioseg.core.errors import ConfigError, ModelError, UsageError
from cardioseg.core.labels import LabelTable
from cardioseg.core.version import __version__
from cardioseg.networks import ARCHITECTURES, Network

WEIGHTS = "weights.safetensors"
DEFAULT_MODEL = "rdvit-2d"


@dataclass(frozen=True)
class Model:
    """A trained network, ready to predict.

    Attributes:
        name: folder name.
        network: in eval mode.
        preparation: how a volume becomes its input.
        windows: how slices are cut by default.
        labels: class names.
        sha256: of the weights file.
        config_sha256: of config.toml.
        trained_loops: longest loop count of its training; more is extrapolation.
    """

    name: str
    network: Network
    preparation: PreparationConfig
    windows: WindowConfig
    labels: LabelTable
    sha256: str
    config_sha256: str
    trained_loops: int

    @property
    def loops(self) -> int:
        """Loop budget when none is asked for."""
        return self.network.config.loops

    @property
    def exits(self) -> tuple[str, ...]:
        """Exit rules its network can follow, its own first."""
        return self.network.exits


def build_network(settings: Mapping[str, Any], *, source: Path | str) -> Network:
    """The network that ``name`` and its settings describe, freshly initialised.

    Raises:
        ConfigError: no such network, an unknown setting, or settings that do not go together.
    """
    values = dict(settings)
    name = values.pop("name", None)
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ConfigError(
            source,
            found=f"network.name = {name!r}",
            expected=f"one of {known}",
            cure="correct the name",
        )
    network, config = ARCHITECTURES[name]
    checked = validate(config, values, source=source)
    try:
        return network(checked)
    except ValueError as error:
        expected = "network settings that go together"
        raise ConfigError(
            source, found=str(error), expected=expected, cure="correct one of them"
        ) from None


def models_folder() -> Path:
    """Where shipped models lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    return package / "models" if (package / "models").is_dir() else package.parent / "models"


def shipped_models() -> list[str]:
    """Names of the models that came with the package."""
    folder = models_folder()
    return (
        sorted(path.parent.name for path in folder.glob("*/metadata.json"))
        if folder.is_dir()
        else []
    )


def find_model(name: str | Path) -> Path:
    """The folder of a shipped model's name, or of a path.

    Raises:
        ModelError: neither is there.
    """
    for folder in (models_folder() / str(name), Path(name)):
        if (folder / "metadata.json").is_file():
            return folder
    known = ", ".join(shipped_models()) or "none shipped"
    expected = f"a shipped model ({known}) or a folder with metadata.json"
    raise ModelError(name, found="no such model", expected=expected, cure="check --model")


def choose_device(name: str) -> torch.device:
    """A torch device by name; "auto" takes CUDA where it is.

    Raises:
        UsageError: the device named is not there.
    """
    kind, _, number = name.partition(":")
    if name not in ("auto", "cpu") and (
        kind != "cuda" or not (number.isdecimal() or name == "cuda")
    ):
        raise UsageError(
            "--device", found=repr(name), expected="auto, cpu or cuda", cure="choose one of them"
        )
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UsageError(
            "--device",
            found=name,
            expected="a CUDA device on this machine",
            cure="use --device cpu",
        )
    return torch.device(name)


def load_model(name: str | Path = DEFAULT_MODEL, *, device: str = "auto") -> Model:
    """Read a model; its weights are checked against the hash in its metadata and never unpickled.

    Args:
        name: name of a shipped model, or a model folder.
        device: "auto" (CUDA if there is one), "cpu", "cuda" or "cuda:N".

    Raises:
        ModelError: missing, changed, or not safetensors.
        UsageError: there is no such device.

    Examples:
        >>> import cardioseg
        >>> model = cardioseg.load_model("rdvit-2d", device="cpu")
        >>> model.labels.structures
        ('RV', 'MYO', 'LV')
    """
    chosen = choose_device(device)
    folder = find_model(name)
    metadata = read_metadata(folder)
    weights, digest = _read_weights(folder, metadata)
    try:
        model = _described(folder, tuple(metadata["labels"]), digest)
    except ConfigError as error:
        cure = "install the model again"
        raise ModelError(
            error.file, found=error.found, expected=error.expected, cure=cure
        ) from None
    _fill(model.network, weights, folder)
    model.network.to(chosen).eval()
    return model


def _described(folder: Path, labels: tuple[str, ...], digest: str) -> Model:
    """The model of ``config.toml``, its weights still random.

    Raises:
        ConfigError: the file is missing, or its settings or the labels contradict each other.
    """
    path = folder / "config.toml"
    settings = read_toml(path)
    for name in ("network", "preparation", "windows"):
        if not isinstance(settings.get(name, {}), Mapping):
            raise ConfigError(
                path,
                found=f"{name} = {settings[name]!r}",
                expected=f"a section [{name}]",
                cure="correct it",
            )
    network = build_network(settings.get("network", {}), source=path)
    config = network.config
    preparation = validate(PreparationConfig, settings.get("preparation", {}), source=path)
    windows = validate(WindowConfig, settings.get("windows", {}), source=path)
    channels = preparation.channels if len(config.patch_size) == 2 else 1
    wanted = (config.channels, config.classes, len(config.patch_size))
    given = (channels, len(labels), len(windows.size))
    if wanted != given:
        found = "preparation, labels and windows for {} channels, {} classes, {} dimensions".format(
            *given
        )
        raise ConfigError(
            path,
            found=found,
            expected="the network's {}, {}, {}".format(*wanted),
            cure="correct them",
        )
    return Model(
        name=folder.resolve().name,
        network=network,
        preparation=preparation,
        windows=windows,
        labels=LabelTable(labels),
        sha256=digest,
        config_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        trained_loops=config.trained_loops,
    )


def read_metadata(folder: Path) -> dict[str, Any]:
    """``metadata.json``; ModelError when it is unreadable or says too little."""
    path, cure = folder / "metadata.json", "install the model again"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            path, found=f"unreadable metadata ({error})", expected="JSON", cure=cure
        ) from None
    labels = data.get("labels") if isinstance(data, dict) else None
    if (
        not isinstance(labels, list)
        or len(labels) < 2
        or not all(isinstance(label, str) for label in labels)
    ):
        raise ModelError(
            path, found="no list of label names", expected="labels, background first", cure=cure
        )
    if not isinstance(data.get("weights_sha256"), str):
        raise ModelError(
            path, found="no 'weights_sha256'", expected="the SHA-256 of the weights", cure=cure
        )
    return dict(data)


def _read_weights(folder: Path, metadata: Mapping[str, Any]) -> tuple[dict[str, Tensor], str]:
    path = folder / WEIGHTS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            path,
            found=error.strerror or "no file",
            expected="the weights",
            cure="install the model again",
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != metadata["weights_sha256"]:
        expected = f"SHA-256 {str(metadata['weights_sha256'])[:16]}… as metadata.json says"
        raise ModelError(
            path,
            found=f"SHA-256 {digest[:16]}…",
            expected=expected,
            cure="install the model again; do not use this file",
        )
    try:
        return load(content), digest
    except SafetensorError as error:
        cure = "convert the weights to safetensors; other formats can run code and are never opened"
        raise ModelError(
            path, found=f"no safetensors ({error})", expected="safetensors", cure=cure
        ) from None


def _fill(network: Network, weights: dict[str, Tensor], folder: Path) -> None:
    try:
        network.load_state_dict({name: value.float() for name, value in weights.items()})
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            folder / WEIGHTS,
            found=reason,
            expected="the network of config.toml",
            cure="install the model again",
        ) from None


def save_model(
    folder: Path,
    weights: Mapping[str, Tensor],
    settings: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> None:
    """Write a model folder; metadata.json comes last, so that a folder with one is whole.

    Args:
        folder: created if needed; files of the same names are replaced.
        weights: state dictionary of the network.
        settings: sections of config.toml, network, preparation and windows among them.
        metadata: further entries of metadata.json; ``labels`` (names, background first) is required.
    """
    import tomli_w

    held = {name: _compact(value) for name, value in weights.items()}
    content = save(held)
    write_bytes(folder / WEIGHTS, content)
    write_text(folder / "config.toml", tomli_w.dumps(dict(settings)))
    network = build_network(dict(settings)["network"], source=folder / "config.toml")
    facts = monai_metadata(network.config.model_dump(), tuple(metadata["labels"])) | dict(metadata)
    parameters = sum(p.numel() for p in network.parameters())
    facts |= {"weights_sha256": hashlib.sha256(content).hexdigest(), "parameters": parameters}
    write_json(folder / "metadata.json", facts)


def _compact(value: Tensor) -> Tensor:
    """float16 costs 5e-4 of a matrix entry and half the file; norms, biases and decays keep their precision."""
    plain = value.detach().cpu()
    return (plain.half() if plain.is_floating_point() and plain.ndim >= 2 else plain).contiguous()


def monai_metadata(network: Mapping[str, Any], labels: tuple[str, ...]) -> dict[str, Any]:
    """What MONAI's bundle schema asks for, as far as the settings know it."""
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
