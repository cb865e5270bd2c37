"""Where model folders are, and what their metadata say."""

from pathlib import Path
from typing import Any

from cardioseg.core.errors import ModelError
from cardioseg.core.json_text import read_json
from cardioseg.core.paths import as_path

DEFAULT_MODEL = "rdvit-2d"
WEIGHTS = "weights.safetensors"


def models_folder() -> Path:
    """Folder of the shipped models: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return package / "models" if (package / "models").is_dir() else package.parent / "models"


def shipped_models() -> list[str]:
    """Names of the models that come with the package."""
    folder = models_folder()
    return sorted(path.parent.name for path in folder.glob("*/metadata.json"))


def find_model(name: str | Path) -> Path:
    """The folder of a model, given the name of a shipped one or a path.

    Raises:
        ModelError: there is no such model.
        UsageError: neither a name nor a path.
    """
    cure = "pass a shipped model's name or a model folder"
    path = (
        Path(name)
        if isinstance(name, str)
        else as_path(name, "model", expected="a model", cure=cure)
    )
    for folder in (models_folder() / path, path):
        if (folder / "metadata.json").is_file():
            return folder
    known = ", ".join(shipped_models()) or "none shipped"
    expected = f"a shipped model ({known}) or a folder with metadata.json"
    raise ModelError(name, found="no such model", expected=expected, cure="check --model")


def read_metadata(folder: Path) -> dict[str, Any]:
    """Read ``metadata.json``.

    Raises:
        ModelError: it is unreadable, or label names or the hash are missing.
    """
    path, cure = folder / "metadata.json", "install the model again"
    try:
        data = read_json(path)
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
