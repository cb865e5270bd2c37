"""``cardioseg models``: what ships, whether it is what it says, and a model from a run."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg.core.config import merge, parse_overrides, read_toml
from cardioseg.core.errors import ConfigError, ModelError
from cardioseg.core.report import Report, Table

if TYPE_CHECKING:
    from torch import Tensor


def list_models() -> Report:
    """Every shipped model with its size and score."""
    from cardioseg.bundle import find_model, read_metadata, shipped_models

    found = {name: read_metadata(find_model(name)) for name in shipped_models()}
    rows = tuple(
        (name, _millions(data), _dice(find_model(name)), str(data.get("description", "")))
        for name, data in found.items()
    )
    return Report(
        "models",
        {"models": found},
        (Table("Shipped models", ("name", "parameters", "Dice", ""), rows),),
    )


def show_model(name: str) -> Report:
    """Card, metadata and metrics of a model."""
    from cardioseg.bundle import find_model, read_metadata

    folder = find_model(name)
    data = read_metadata(folder)
    rows = tuple(
        (key, str(value)) for key, value in data.items() if isinstance(value, str | int | float)
    )
    table = Table(folder.name, ("", ""), rows)
    files = tuple(path for path in (folder / "README.md",) if path.is_file())
    return Report(
        "models", {"metadata": data, "metrics": read_metrics(folder)}, (table,), (), files
    )


def verify_models(names: list[str]) -> Report:
    """Load each model with its hash checked; all shipped ones when none is named.

    Raises:
        ModelError: of the first that fails.
    """
    from cardioseg.bundle import load_model, shipped_models

    chosen = names or shipped_models()
    if not chosen:
        raise ModelError(
            "models",
            found="none shipped",
            expected="at least one",
            cure="install the package again",
        )
    rows = tuple((name, "ok", load_model(name, device="cpu").sha256[:16]) for name in chosen)
    return Report(
        "models", {"verified": list(chosen)}, (Table("Verified", ("name", "", "SHA-256"), rows),)
    )


def export_run(
    run: Path, *, output: Path, overrides: Iterable[str] = (), description: str = ""
) -> Report:
    """The averaged weights of a run's last checkpoint as a model folder.

    Args:
        run: folder of ``cardioseg train``.
        output: model folder.
        overrides: ``section.key=value`` settings that the weights do not depend on, such as ``network.halting_threshold``.
        description: one line for list and card.

    Raises:
        ModelError: the run has no checkpoint, or its record is gone.
        ConfigError: an override is unknown, or the weights depend on it.
    """
    from safetensors.torch import load_file

    from cardioseg.bundle import save_model
    from cardioseg.core.labels import LabelTable
    from cardioseg.training.checkpoint import FILE, read_facts

    facts = read_facts(run)
    if facts is None:
        raise ModelError(
            run,
            found="no checkpoint",
            expected="a run folder of cardioseg train",
            cure="check the path",
        )
    record = _read_object(run / "run.json", keys=("labels", "training"))
    tensors = load_file(run / FILE)
    weights = {
        name.removeprefix("average."): value
        for name, value in tensors.items()
        if name.startswith("average.")
    }
    training = {**record["training"], "steps": facts.step, "minutes": round(facts.minutes, 1)}
    labels = LabelTable(tuple(record["labels"]))
    metadata = {
        "name": output.name,
        "description": description,
        "labels": list(labels.names),
        "training": training,
    }
    settings = _fitting(merge(read_toml(run / "config.toml"), parse_overrides(overrides)), weights)
    save_model(output, weights, settings, metadata)
    rows = (("steps", str(facts.step)), ("minutes", f"{facts.minutes:.0f}"), ("model", str(output)))
    return Report(
        "models",
        {"model": str(output), "training": training},
        (Table("Exported", ("", ""), rows),),
        (),
        (output,),
    )


def _fitting(settings: dict[str, Any], weights: Mapping[str, "Tensor"]) -> dict[str, Any]:
    """``settings`` as they are; ConfigError, before anything is written, when no model can come of them."""
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
        found, cure = (
            " ".join(str(error).split())[:160],
            "drop the setting that the weights depend on",
        )
        raise ConfigError(
            "--set", found=found, expected="the network of the run", cure=cure
        ) from None
    return settings


def read_metrics(folder: Path) -> dict[str, Any]:
    """``metrics.json`` of a model; empty when nothing was measured yet."""
    path = folder / "metrics.json"
    return _read_object(path) if path.is_file() else {}


def _read_object(path: Path, *, keys: Iterable[str] = ()) -> dict[str, Any]:
    """A JSON object; ModelError when it is none, or lacks one of ``keys``."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            path, found=f"no readable JSON ({error})", expected="JSON", cure="restore the file"
        ) from None
    lost = sorted(set(keys) - set(data)) if isinstance(data, dict) else ["an object"]
    if lost:
        raise ModelError(
            path, found=f"no {lost[0]}", expected="what cardioseg wrote", cure="restore the file"
        )
    return dict(data)


def _millions(data: dict[str, Any]) -> str:
    return f"{int(data.get('parameters', 0)) / 1e6:.2f} M"


def _dice(folder: Path) -> str:
    score = read_metrics(folder).get("validation", {}).get("mean_dice")
    return "–" if score is None else f"{score:.4f}"
