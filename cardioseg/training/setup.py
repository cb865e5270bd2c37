"""The settings of a training run: defaults, a TOML file and ``--set``, checked and fitted to the prepared data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

SECTIONS = ("network", "preparation", "sampling", "augment", "training", "windows")


@dataclass(frozen=True)
class TrainingSetup:
    """All settings of a run, resolved; what ``config.toml`` of the run and of the model holds."""

    network: dict[str, Any]
    preparation: PreparationConfig
    sampling: Any
    augment: Any
    training: Any
    windows: Any

    def as_dict(self) -> dict[str, Any]:
        """Nested plain values, without the ones that are unset."""
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
    """Defaults, then the starting model's, the settings file, then ``--set``; checked, and fitted to the prepared data."""
    from cardioseg.data.augment import AugmentConfig
    from cardioseg.data.loading import SamplingConfig
    from cardioseg.training.loop import TrainingConfig

    source = str(settings or "--set")
    asked_for = merge(read_toml(settings) if settings else {}, parse_overrides(overrides))
    check_sections(asked_for, source)
    values = start.under(asked_for) if start else asked_for
    _check_preparation(values.get("preparation", {}), manifest, source)
    sampling = validate(SamplingConfig, values.get("sampling", {}), source=source)
    network = _network_settings(values.get("network", {}), manifest, sampling.window, source)
    augment = validate(AugmentConfig, values.get("augment", {}), source=source)
    training = validate(TrainingConfig, values.get("training", {}), source=source)
    if start is not None:
        start.check(network)
        if start.tune != "all":  # the router is frozen, and its balance with it
            training = training.model_copy(update={"balance_rate": 0.0})
    windows = values.get("windows", {})
    if start is not None and start.model.windows.common_storage != augment.storage:
        windows = windows | _seen(augment.storage) | asked_for.get("windows", {})
    return TrainingSetup(
        network=network,
        preparation=manifest.preparation,
        sampling=sampling,
        augment=augment,
        training=training,
        windows=validate(
            WindowConfig,
            {"size": sampling.window} | _seen(augment.storage) | windows,
            source=source,
        ),
    )


def _check_preparation(asked: Mapping[str, Any], manifest: Manifest, source: str) -> None:
    """ConfigError when the data were prepared otherwise than asked for."""
    wanted, found = (
        validate(PreparationConfig, asked, source=source).model_dump(),
        manifest.preparation.model_dump(),
    )
    differing = {key for key in asked if wanted[key] != found[key]}
    if differing:
        raise ConfigError(
            source,
            found=f"preparation.{min(differing)} unlike the data's",
            expected=str(manifest.folder),
            cure="run cardioseg prepare with these settings",
        )


def _seen(storage: bool) -> dict[str, Any]:
    """How images are seen at inference: as in training, in one storage for all where every one was drawn, else in the files'."""
    return {"common_storage": storage, "views": "all" if storage else "none"}


def check_sections(values: Mapping[str, Any], source: str) -> None:
    """ConfigError unless every key is a section and every value a table."""
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
                expected=f"settings in it, {name}.key=value",
                cure="name the setting",
            )


def _network_settings(
    values: Mapping[str, Any], manifest: Manifest, window: tuple[int, ...], source: str
) -> dict[str, Any]:
    from cardioseg.networks import ARCHITECTURES

    name = values.get("name", "rdvit")
    if name not in ARCHITECTURES:
        raise ConfigError(
            source,
            found=f"network.name = {name!r}",
            expected=f"one of {', '.join(ARCHITECTURES)}",
            cure="correct the name",
        )
    given = {key: value for key, value in values.items() if key != "name"}
    channels = 1 if len(window) == 3 else manifest.preparation.channels
    fitted = {"classes": len(manifest.labels), "channels": channels}
    config = validate(ARCHITECTURES[name][1], fitted | given, source=source)
    for key, value in fitted.items():
        if getattr(config, key) != value:
            found = f"network.{key} = {getattr(config, key)}"
            raise ConfigError(
                source,
                found=found,
                expected=f"{value}, as in the prepared data",
                cure="leave it out",
            )
    if len(config.patch_size) != len(window):
        found = f"network.patch_size {config.patch_size} and sampling.window {window}"
        raise ConfigError(
            source,
            found=found,
            expected="as many numbers in both",
            cure="set both for 2-D or both for 3-D",
        )
    return {"name": name, **config.model_dump(mode="json")}
