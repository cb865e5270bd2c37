"""What ``segment`` leaves behind for a case: maps, picture, run record."""

import platform
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg import __version__
from cardioseg.clinical.volumes import structure_value
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.figures.contact_sheet import write_contact_sheet
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.nifti import write
from cardioseg.results.viewer_tables import VIEWER_TABLES, write_viewer_table

if TYPE_CHECKING:
    from cardioseg.bundle import Model

LIBRARIES = ("torch", "monai", "numpy", "nibabel")  # whose versions a result may depend on


class Cine:
    """Results of the frames so far: small integer maps of all, voxels and prediction only of the frame with most blood."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.maps: dict[str, list[np.ndarray]] = {"mask": [], "halting": [], "experts": []}
        self.facts: list[dict[str, Any]] = []
        self.shown: tuple[Volume, Prediction] | None = None
        self.largest = -1

    def add(
        self, volume: Volume, prediction: Prediction, removed: dict[str, int], model: "Model"
    ) -> None:
        """Take in a frame."""
        for name, found in (
            ("mask", prediction.mask),
            ("halting", prediction.halting),
            ("experts", prediction.experts),
        ):
            if found is not None:
                self.maps[name].append(found.array)
        steps, shares = prediction.mean_steps, prediction.expert_shares
        cost, certainty = dict(prediction.flops), dict(prediction.certainty)
        self.facts.append(
            {
                "mean_steps": steps,
                "expert_shares": shares,
                "removed_voxels": removed,
                "flops": cost,
                "certainty": certainty,
            }
        )
        cavity, mask = structure_value("LV", model.labels), prediction.mask.array
        size = int((mask > 0 if cavity is None else mask == cavity).sum())
        if size > self.largest:
            self.largest, self.shown = size, (volume, prediction)

    @property
    def removed(self) -> dict[str, int]:
        """Voxels cleaned away in all frames, by structure name."""
        names = dict.fromkeys(name for frame in self.facts for name in frame["removed_voxels"])
        return {
            name: sum(frame["removed_voxels"].get(name, 0) for frame in self.facts)
            for name in names
        }

    @property
    def flops(self) -> dict[str, int]:
        """Of all frames, by what they were spent on."""
        return {
            name: sum(frame["flops"][name] for frame in self.facts)
            for name in self.facts[0]["flops"]
        }

    def stacked(self, name: str) -> np.ndarray | None:
        """(X, Y, Z) of a single volume, (X, Y, Z, T) of a cine; None when the network makes no such map."""
        frames = self.maps[name]
        if not frames:
            return None
        return frames[0] if self.frames == 1 else np.stack(frames, axis=-1)


def write_maps(output: Path, name: str, cine: Cine, model: "Model") -> None:
    """Mask, halting and expert maps of all frames, the picture of one, and names and colours for viewers."""
    assert cine.shown is not None
    volume, prediction = cine.shown
    for kind in cine.maps:
        array = cine.stacked(kind)
        if array is not None:
            frames = cine.frames if cine.frames > 1 else None
            write(output / f"{name}_{kind}.nii.gz", replace(volume, array=array), frames=frames)
    preview = output / f"{name}_preview.png"
    write_contact_sheet(preview, volume, prediction, model.labels, title=name)
    for viewer_table in VIEWER_TABLES:
        write_viewer_table(output / viewer_table, model.labels)


def write_float_maps(
    output: Path, name: str, volume: Volume, prediction: Prediction, *, frame: int | None = None
) -> None:
    """The 4-D float maps that were kept, classes or experts last; of one frame, counted from 1, of a cine."""
    ending = "" if frame is None else f"_frame{frame:02d}"
    for kind, array in (("probs", prediction.probabilities), ("routing", prediction.routing)):
        if array is not None:
            write(output / f"{name}_{kind}{ending}.nii.gz", replace(volume, array=array))


def run_facts(
    name: str,
    image: ImageFile,
    model: "Model",
    *,
    recipe: dict[str, Any],
    cine: Cine,
    seconds: float,
) -> dict[str, Any]:
    """The run record: what was used, what came out, what to be wary of; no path and no identity beyond the case name."""
    extrapolated = recipe["loops"] > model.trained_loops
    shares = np.mean([frame["expert_shares"] for frame in cine.facts], axis=0)
    warnings = list(image.notes)
    if extrapolated:
        warnings.append(
            f"{recipe['loops']} loops are more than the {model.trained_loops} of training"
        )
    if not any((mask > 0).any() for mask in cine.maps["mask"]):
        warnings.append("no structure found: the mask is empty")
    return {
        "case": name,
        "research_use_only": "Not a medical device.",
        "recipe": recipe,
        "model": model.name,
        "versions": software_versions(),
        "device": next(model.network.parameters()).device.type,
        "frames": image.frames,
        "spacing_mm": list(image.spacing),
        "spacing_rule": recipe["trust"],
        "labels": {label: value for value, label in enumerate(model.labels.names)},
        "loops": recipe["loops"],
        "exit": recipe["exit"],
        "extrapolated": extrapolated,
        "mean_steps": round(float(np.mean([frame["mean_steps"] for frame in cine.facts])), 4),
        "expert_shares": [round(float(share), 4) for share in shares],
        "flops": cine.flops,
        "removed_voxels": cine.removed,
        "seconds": round(seconds, 2),
        "times": times(seconds),
        "warnings": warnings,
    }


def software_versions() -> dict[str, str]:
    """Of Python, cardioseg and the libraries that read and compute."""
    return {
        "python": platform.python_version(),
        "cardioseg": __version__,
        **{name: metadata.version(name) for name in LIBRARIES},
    }


def times(predicting_seconds: float) -> dict[str, Any]:
    """How long reading and predicting took, the whole case (not known before its last file), and when that was, in UTC."""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return {"predicting_seconds": round(predicting_seconds, 2), "total_seconds": None, "made": made}
