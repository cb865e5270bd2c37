"""Read a model folder into a network with weights."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from cardioseg.bundle.folders import DEFAULT_MODEL, WEIGHTS, find_model, read_metadata
from cardioseg.bundle.values import check_values
from cardioseg.core.config import PreparationConfig, WindowConfig, read_toml, validate
from cardioseg.core.errors import ConfigError, ModelError
from cardioseg.core.labels import LabelTable
from cardioseg.layers.devices import choose_device
from cardioseg.networks import ARCHITECTURES, Network


@dataclass(frozen=True)
class Model:
    """A trained network, ready to predict.

    Attributes:
        name: folder name.
        network: in eval mode.
        preparation: how a volume becomes its input.
        windows: how a volume is cut into windows by default.
        labels: class names.
        sha256: of the weights file.
        config_sha256: of config.toml.
        trained_loops: largest loop count in training; more extrapolates.
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
        """Loop budget when the caller names none."""
        return self.network.config.loops

    @property
    def exits(self) -> tuple[str, ...]:
        """Exit rules that its network can follow, its default first."""
        return self.network.exits


def build_network(settings: Mapping[str, Any], *, source: Path | str) -> Network:
    """Build the network that ``name`` and its settings describe, with random weights.

    Args:
        settings: the section [network] of a configuration.
        source: where the settings come from, for errors.

    Raises:
        ConfigError: unknown network or setting, or settings that contradict each other.
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
        expected = "network settings that agree with each other"
        raise ConfigError(
            source, found=str(error), expected=expected, cure="correct one of them"
        ) from None


def load_model(name: str | Path = DEFAULT_MODEL, *, device: str = "auto") -> Model:
    """Read a model; its weights are checked against the hash in its metadata and never unpickled.

    Args:
        name: name of a shipped model, or a model folder.
        device: "auto" (CUDA if there is one), "cpu", "cuda" or "cuda:N".

    Raises:
        ModelError: missing, changed, not safetensors, or weights that no training leaves (NaN,
            zeros, a wrong type).
        UsageError: there is no such device, or an argument has a wrong type.

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
    """The model that ``config.toml`` describes, with random weights.

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
            path, found=f"not a safetensors file ({error})", expected="safetensors", cure=cure
        ) from None


def _fill(network: Network, weights: dict[str, Tensor], folder: Path) -> None:
    check_values(weights, network, folder / WEIGHTS)
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
