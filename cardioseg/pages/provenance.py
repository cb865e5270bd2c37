"""How a case was made, as names and values for a page."""

from datetime import datetime

from cardioseg.pages.numbers import Terms
from cardioseg.results.records import RunRecord

HASH_LETTERS = 16


def provenance(record: RunRecord) -> Terms:
    """How the case was made, as names and values."""
    recipe, windows = record.recipe, record.recipe.windows
    removed = ", ".join(f"{name} {count}" for name, count in record.removed_voxels.items() if count)
    spacing = " × ".join(f"{size:.4g}" for size in record.spacing_mm)
    size = " × ".join(map(str, windows.size))
    made = datetime.fromisoformat(record.times.made)
    return [
        ("Model", _model(record)),
        ("Image", f"SHA-256 {_short(recipe.input_sha256)}"),
        ("Software", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
        ("Loops", _loops(record)),
        ("Exits", _exits(record)),
        ("Windows", f"{size}, {100 * windows.overlap:.0f} % overlap, {windows.views} views"),
        ("Spacing", f"{spacing} mm, from the {recipe.trust}"),
        ("Voxels removed", removed or "none"),
        ("Time", f"{record.times.predicting_seconds:.1f} s on {record.device}"),
        ("Made", f"{made:%Y-%m-%d %H:%M:%S} UTC"),
    ]


def _model(record: RunRecord) -> str:
    recipe = record.recipe
    weights, settings = _short(recipe.model_sha256), _short(recipe.config_sha256)
    return f"{record.model}, SHA-256 {weights}, settings {settings}"


def _loops(record: RunRecord) -> str:
    beyond = " (more than in training)" if record.extrapolated else ""
    return f"at most {record.recipe.loops}, {record.mean_steps:.2f} used on average{beyond}"


def _exits(record: RunRecord) -> str:
    found = record.recipe.exit.model_dump()
    return ", ".join(f"{key} {value}" for key, value in found.items() if value is not None)


def _short(digest: str) -> str:
    return f"{digest[:HASH_LETTERS]}…"
