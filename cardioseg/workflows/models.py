"""``cardioseg models``: list, show, verify and export models."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from cardioseg.core.config import merge, parse_overrides, read_toml
from cardioseg.core.errors import ConfigError, ModelError
from cardioseg.core.json_text import read_json
from cardioseg.core.record import Record
from cardioseg.core.report import Report, Table

if TYPE_CHECKING:
    from torch import Tensor

Json = dict[str, JsonValue]


class ModelList(Record):
    """``cardioseg models list --json``: the shipped models.

    Attributes:
        models: name → metadata.json.
    """

    models: dict[str, Json]


class ModelDetails(Record):
    """``cardioseg models show --json``: one model.

    Attributes:
        metadata: metadata.json.
        metrics: metrics.json; empty if nothing was measured.
    """

    metadata: Json
    metrics: Json


class ModelsVerified(Record):
    """``cardioseg models verify --json``: models whose weights match their hash.

    Attributes:
        verified: names, or folders.
    """

    verified: tuple[str, ...]


class ModelExported(Record):
    """``cardioseg models export --json``: a model made from a run.

    Attributes:
        model: folder of the model.
        training: what its metadata say about the training.
    """

    model: str
    training: Json


def list_models() -> Report:
    """Every shipped model with its size and Dice."""
    from cardioseg.bundle import find_model, read_metadata, shipped_models

    folders = {name: find_model(name) for name in shipped_models()}
    found = {name: read_metadata(folder) for name, folder in folders.items()}
    rows = tuple(
        (name, _millions(data), _dice(folders[name]), str(data.get("description", "")))
        for name, data in found.items()
    )
    table = Table("Shipped models", ("name", "parameters", "Dice", ""), rows)
    return Report("models", ModelList(models=found), (table,))


def show_model(name: str) -> Report:
    """Metadata and metrics of a model, and its card."""
    from cardioseg.bundle import find_model, read_metadata

    folder = find_model(name)
    data = ModelDetails(metadata=read_metadata(folder), metrics=read_metrics(folder))
    shown = data.metadata.items()
    rows = tuple((key, str(value)) for key, value in shown if isinstance(value, str | int | float))
    files = tuple(path for path in (folder / "README.md",) if path.is_file())
    return Report("models", data, (Table(folder.name, ("", ""), rows),), (), files)


def verify_models(names: list[str]) -> Report:
    """Load models with their hashes checked; all shipped ones if ``names`` is empty.

    Raises:
        ModelError: the first that fails.
    """
    from cardioseg.bundle import load_model, shipped_models

    chosen = names or shipped_models()
    if not chosen:
        found, cure = "none shipped", "install the package again"
        raise ModelError("models", found=found, expected="at least one", cure=cure)
    rows = tuple((name, "ok", load_model(name, device="cpu").sha256[:16]) for name in chosen)
    table = Table("Verified", ("name", "", "SHA-256"), rows)
    return Report("models", ModelsVerified(verified=tuple(chosen)), (table,))


def export_run(
    run: Path, *, output: Path, overrides: Iterable[str] = (), description: str = ""
) -> Report:
    """Write the averaged weights of a run's last checkpoint as a model folder.

    Args:
        run: folder of ``cardioseg train``.
        output: model folder.
        overrides: ``section.key=value`` settings that the weights do not depend on, such as
            ``network.halting_threshold``.
        description: one line for list and card.

    Raises:
        ModelError: the run has no checkpoint, or its run.json is missing.
        ConfigError: an override is unknown, or the weights depend on it.
    """
    from cardioseg.bundle import save_model
    from cardioseg.training.checkpoint import read_facts
    from cardioseg.training.facts import RunFacts

    state = read_facts(run)
    if state is None:
        cure, expected = "check the path", "a run folder of cardioseg train"
        raise ModelError(run, found="no checkpoint", expected=expected, cure=cure)
    facts = RunFacts.read(run)
    training = facts.training.model_dump(exclude_none=True)
    training |= {"steps": state.step, "minutes": round(state.minutes, 1)}
    labels = list(facts.labels)
    metadata = {"name": output.name, "description": description, "labels": labels}
    weights = _averaged_weights(run)
    settings = _fitting(merge(read_toml(run / "config.toml"), parse_overrides(overrides)), weights)
    save_model(output, weights, settings, metadata | {"training": training})
    minutes = f"{state.minutes:.0f}"
    rows = (("steps", str(state.step)), ("minutes", minutes), ("model", str(output)))
    data = ModelExported(model=str(output), training=training)
    return Report("models", data, (Table("Exported", ("", ""), rows),), (), (output,))


def _averaged_weights(run: Path) -> "dict[str, Tensor]":
    from cardioseg.training.checkpoint import read_tensors

    prefix = "average."
    tensors = read_tensors(run).items()
    return {name.removeprefix(prefix): value for name, value in tensors if name.startswith(prefix)}


def _fitting(settings: dict[str, Any], weights: Mapping[str, "Tensor"]) -> dict[str, Any]:
    """``settings``, checked before anything is written.

    Raises:
        ConfigError: a setting is unknown, or the weights do not fit the network.
    """
    from cardioseg.bundle import build_network
    from cardioseg.core.config import PreparationConfig, WindowConfig, validate
    from cardioseg.training.setup import check_sections

    check_sections(settings, "--set")
    validate(PreparationConfig, settings.get("preparation", {}), source="--set")
    validate(WindowConfig, settings.get("windows", {}), source="--set")
    network = build_network(settings.get("network", {}), source="--set")
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        found = " ".join(str(error).split())[:160]
        expected, cure = "the network of the run", "drop the setting that the weights depend on"
        raise ConfigError("--set", found=found, expected=expected, cure=cure) from None
    return settings


def read_metrics(folder: Path) -> Json:
    """``metrics.json`` of a model; empty if nothing was measured.

    Raises:
        ModelError: the file is broken.
    """
    path, expected, cure = folder / "metrics.json", "a JSON object", "restore the file"
    if not path.is_file():
        return {}
    try:
        data = read_json(path)
    except (OSError, ValueError) as error:
        found = f"unreadable data ({error})"
        raise ModelError(path, found=found, expected=expected, cure=cure) from None
    if not isinstance(data, dict):
        raise ModelError(path, found=type(data).__name__, expected=expected, cure=cure)
    return data


def _millions(metadata: Mapping[str, Any]) -> str:
    return f"{int(metadata.get('parameters', 0)) / 1e6:.2f} M"


def _dice(folder: Path) -> str:
    validation = read_metrics(folder).get("validation")
    score = validation.get("mean_dice") if isinstance(validation, dict) else None
    return f"{score:.4f}" if isinstance(score, float) else "–"
