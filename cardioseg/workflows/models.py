"""``cardioseg models``: what ships, whether it is what it says, and a model from a run."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cardioseg.core.config import merge, parse_overrides, read_toml
from cardioseg.core.errors import ModelError
from cardioseg.core.report import Report, Table


def list_models() -> Report:
    """Every shipped model with its size and score."""
    from cardioseg.bundle import find_model, read_metadata, shipped_models

    found = {name: read_metadata(find_model(name)) for name in shipped_models()}
    rows = tuple(
        (name, _millions(data), _dice(find_model(name)), str(data.get("description", ""))) for name, data in found.items()
    )
    return Report("models", {"models": found}, (Table("Shipped models", ("name", "parameters", "Dice", ""), rows),))


def show_model(name: str) -> Report:
    """Card, metadata and metrics of a model."""
    from cardioseg.bundle import find_model, read_metadata

    folder = find_model(name)
    data = read_metadata(folder)
    rows = tuple((key, str(value)) for key, value in data.items() if isinstance(value, str | int | float))
    table = Table(folder.name, ("", ""), rows)
    return Report("models", {"metadata": data, "metrics": read_metrics(folder)}, (table,), (), (folder / "README.md",))


def verify_models(names: list[str]) -> Report:
    """Load each model with its hash checked; all shipped ones when none is named.

    Raises:
        ModelError: of the first that fails.
    """
    from cardioseg.bundle import load_model, shipped_models

    chosen = names or shipped_models()
    if not chosen:
        raise ModelError("models", found="none shipped", expected="at least one", cure="install the package again")
    rows = tuple((name, "ok", load_model(name).sha256[:16]) for name in chosen)
    return Report("models", {"verified": list(chosen)}, (Table("Verified", ("name", "", "SHA-256"), rows),))


def export_run(run: Path, *, output: Path, overrides: Iterable[str] = (), description: str = "") -> Report:
    """The averaged weights of a run's last checkpoint as a model folder.

    Args:
        run: folder of ``cardioseg train``.
        output: model folder.
        overrides: ``section.key=value`` settings that the weights do not depend on, such as ``network.halting_threshold``.
        description: one line for list and card.

    Raises:
        ModelError: the run has no checkpoint.
        ConfigError: an override is unknown.
    """
    from safetensors.torch import load_file

    from cardioseg.bundle import load_model, save_model
    from cardioseg.core.labels import LabelTable
    from cardioseg.training.checkpoint import FILE, read_facts

    facts = read_facts(run)
    if facts is None:
        raise ModelError(run, found="no checkpoint", expected="a run folder of cardioseg train", cure="check the path")
    record: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    tensors = load_file(run / FILE)
    weights = {name.removeprefix("average."): value for name, value in tensors.items() if name.startswith("average.")}
    training = {**record["training"], "steps": facts.step, "minutes": round(facts.minutes, 1)}
    labels = LabelTable(tuple(record["labels"]))
    metadata = {"name": output.name, "description": description, "labels": list(labels.names), "training": training}
    save_model(output, weights, merge(read_toml(run / "config.toml"), parse_overrides(overrides)), metadata)
    load_model(output)
    rows = (("steps", str(facts.step)), ("minutes", f"{facts.minutes:.0f}"), ("model", str(output)))
    return Report("models", {"model": str(output), "training": training}, (Table("Exported", ("", ""), rows),), (), (output,))


def read_metrics(folder: Path) -> dict[str, Any]:
    """``metrics.json`` of a model; empty when nothing was measured yet."""
    path = folder / "metrics.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _millions(data: dict[str, Any]) -> str:
    return f"{int(data.get('parameters', 0)) / 1e6:.2f} M"


def _dice(folder: Path) -> str:
    score = read_metrics(folder).get("validation", {}).get("mean_dice")
    return "–" if score is None else f"{score:.4f}"
