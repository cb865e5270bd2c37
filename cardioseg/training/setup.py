"""Settings of a training run: defaults, TOML file and ``--set``, checked against the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg.core.config import (
    PreparationConfig,
    Settings,
    WindowConfig,
    merge,
    parse_overrides,
    read_toml,
    validate,
)
from cardioseg.core.errors import ConfigError
from cardioseg.data.manifest import Manifest
from cardioseg.training.starting import StartingModel

if TYPE_CHECKING:
    from cardioseg.data.augment import AugmentConfig
    from cardioseg.data.loading import SamplingConfig
    from cardioseg.training.config import TrainingConfig

SECTIONS = ("network", "preparation", "sampling", "augment", "training", "windows")


@dataclass(frozen=True)
class TrainingSetup:
    """All settings of a run, resolved, as written to ``config.toml`` of the run and the model."""

    network: dict[str, Any]
    preparation: PreparationConfig
    sampling: "SamplingConfig"
    augment: "AugmentConfig"
    training: "TrainingConfig"
    windows: WindowConfig

    def as_dict(self) -> dict[str, Any]:
        """Nested plain values, without those that are None."""
        sections = {name: getattr(self, name) for name in SECTIONS}
        plain = {
            name: value.model_dump(mode="json") if isinstance(value, Settings) else value
            for name, value in sections.items()
        }
        return {
            name: {k: v for k, v in section.items() if v is not None}
            for name, section in plain.items()
        }


def resolve(
    settings: Path | None,
    overrides: Sequence[str],
    manifest: Manifest,
    *,
    start: StartingModel | None = None,
) -> TrainingSetup:
    """Resolve all settings and check them against the prepared data.

    Later sources override earlier ones: defaults, the starting model, the file, ``--set``.

    Args:
        settings: TOML file; None without one.
        overrides: ``section.key=value``.
        manifest: of the prepared data.
        start: model that the run starts from.

    Raises:
        ConfigError: an unknown or invalid setting, or one that the data or the model contradict.
    """
    from cardioseg.data.augment import AugmentConfig
    from cardioseg.data.loading import SamplingConfig
    from cardioseg.training.config import TrainingConfig

    source = str(settings or "--set")
    given = merge(read_toml(settings) if settings else {}, parse_overrides(overrides))
    check_sections(given, source)
    values = start.with_settings(given) if start else given
    _check_preparation(values.get("preparation", {}), manifest, source)
    sampling = validate(SamplingConfig, values.get("sampling", {}), source=source)
    network = _network_settings(values.get("network", {}), manifest, sampling.window, source)
    augment = validate(AugmentConfig, values.get("augment", {}), source=source)
    training = validate(TrainingConfig, values.get("training", {}), source=source)
    if start is not None:
        start.check(network)
        if start.tune != "all":  # the router is frozen, and so is its balance
            training = training.model_copy(update={"balance_rate": 0.0})
    windows = values.get("windows", {})
    if start is not None and start.model.windows.common_storage != augment.storage:
        windows = windows | _seen(augment.storage) | given.get("windows", {})
    windows = {"size": sampling.window} | _seen(augment.storage) | windows
    return TrainingSetup(
        network=network,
        preparation=manifest.preparation,
        sampling=sampling,
        augment=augment,
        training=training,
        windows=validate(WindowConfig, windows, source=source),
    )


def _check_preparation(asked: Mapping[str, Any], manifest: Manifest, source: str) -> None:
    """Raise ConfigError where the data were prepared with other settings."""
    wanted = validate(PreparationConfig, asked, source=source).model_dump()
    found = manifest.preparation.model_dump()
    differing = {key for key in asked if wanted[key] != found[key]}
    if differing:
        raise ConfigError(
            source,
            found=f"preparation.{min(differing)} differs from the prepared data",
            expected=f"the value used for {manifest.folder}",
            cure="run cardioseg prepare with these settings",
        )


def _seen(storage: bool) -> dict[str, Any]:
    """Orientations at inference as in training: all in a common one, or as the files store them."""
    return {"common_storage": storage, "views": "all" if storage else "none"}


def check_sections(values: Mapping[str, Any], source: str) -> None:
    """Raise ConfigError unless every key is a known section and every value a table."""
    unknown = set(values) - set(SECTIONS)
    if unknown:
        raise ConfigError(
            source,
            found=f"unknown section {min(unknown)!r}",
            expected=f"one of {', '.join(SECTIONS)}",
            cure="correct the name",
        )
    for name, section in values.items():
        if not isinstance(section, Mapping):
            raise ConfigError(
                source,
                found=f"{name} = {section!r}",
                expected=f"a section with settings: {name}.key=value",
                cure="name the setting",
            )


def _network_settings(
    values: Mapping[str, Any], manifest: Manifest, window: tuple[int, ...], source: str
) -> dict[str, Any]:
    """The settings of the network, with classes and channels from the prepared data.

    Raises:
        ConfigError: a setting is unknown or invalid, or does not fit the data or the window.
    """
    from cardioseg.networks import ARCHITECTURES

    name = values.get("name", "rdvit")
    if name not in ARCHITECTURES:
        found, expected = f"network.name = {name!r}", f"one of {', '.join(ARCHITECTURES)}"
        raise ConfigError(source, found=found, expected=expected, cure="correct the name")
    settings = {key: value for key, value in values.items() if key != "name"}
    channels = 1 if len(window) == 3 else manifest.preparation.channels
    fitted = {"classes": len(manifest.labels), "channels": channels}
    config = validate(ARCHITECTURES[name][1], fitted | settings, source=source)
    plain = config.model_dump(mode="json")
    _check_fit(plain, fitted, window, source)
    return {"name": name, **plain}


def _check_fit(
    network: Mapping[str, Any], fitted: Mapping[str, int], window: tuple[int, ...], source: str
) -> None:
    for key, value in fitted.items():
        if network[key] != value:
            found, expected = f"network.{key} = {network[key]}", f"{value}, as in the prepared data"
            raise ConfigError(source, found=found, expected=expected, cure="leave it out")
    patch = tuple(network["patch_size"])
    if len(patch) != len(window):
        found = f"network.patch_size {patch} and sampling.window {window}"
        cure = "set both for 2-D or both for 3-D"
        raise ConfigError(
            source, found=found, expected="the same number of axes in both", cure=cure
        )
