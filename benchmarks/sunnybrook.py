"""Table: Dice of the LV against expert contours on DICOM of another scanner, slice by slice.

    python benchmarks/sunnybrook.py STUDY CONTOURS

STUDY is the folder of a Sunnybrook cine as DICOM. CONTOURS is the folder with its
``*-icontour-manual.txt`` (Radau et al., The MIDAS Journal, 2009; public domain). The name of a
contour holds the number of its image file: IM-0001-0047 belongs to 47.dcm.

It is not documented whether the contours count pixels from 0 or, as MATLAB does, from 1. The images
decide, not the model: counted from 1, the intensity step from blood to muscle across the contours
is clearly larger. The result holds both steps and both Dice scores.
"""

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from held_out import RESULTS
from scipy.ndimage import map_coordinates
from skimage.draw import polygon2mask

from cardioseg.bundle import DEFAULT_MODEL, Model, load_model
from cardioseg.core.atomic import write_json
from cardioseg.evaluation.metrics import overlap_dice
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.open import open_image
from cardioseg.inference.native import predict_volume

CONTOUR = re.compile(r"IM-\d+-0*(\d+)-icontour-manual\.txt")
THIRDS = ("base", "mid", "apex")
FIRST_PIXELS = (0, 1)


@dataclass(frozen=True)
class Contour:
    """An expert's contour of the LV cavity on one image.

    Attributes:
        phase: from 0.
        slice: from 0.
        points: (N, 2) in pixels, column then row.
    """

    phase: int
    slice: int
    points: np.ndarray

    def cavity(self, shape: tuple[int, ...], first: int) -> np.ndarray:
        """Mask (X, Y) of the contour, whose pixels are counted from ``first``."""
        return polygon2mask(shape[:2], self.points - first)


def main() -> None:
    """Measure the table."""
    options = arguments()
    torch.set_num_threads(options.threads)
    image, model = open_image(options.study), load_model(options.model)
    contours = read_contours(options.contours, image)
    phases = sorted({one.phase for one in contours})
    cavities = {phase: cavity_of(image, phase, model, options.views) for phase in phases}
    steps = {first: step_across(contours, image, first) for first in FIRST_PIXELS}
    by_first = {first: scored(contours, cavities, image, first) for first in FIRST_PIXELS}
    taken = max(steps, key=steps.__getitem__)
    result = {
        "model": model.name,
        "model_sha256": model.sha256,
        "views": options.views,
        "shape": list(image.shape),
        "spacing_mm": [round(value, 4) for value in image.spacing],
        **summaries(by_first[taken]),
        "first_pixel": {
            "taken": taken,
            "step_across_contours": steps,
            "dice": {first: mean(rows) for first, rows in by_first.items()},
        },
        "slices": by_first[taken],
    }
    write_json(RESULTS / "sunnybrook" / f"{model.name}.json", result)
    print(json.dumps(result, indent=1))
    if options.masks:
        keep_masks(options.masks, image, cavities, contours, taken)


def arguments() -> argparse.Namespace:
    """The command-line options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("contours", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--views", choices=("none", "flips", "all"), default="none")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--masks", type=Path, help="folder for images, masks and contours, one .npz per phase"
    )
    return parser.parse_args()


def summaries(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Dice by phase and by third of the ventricle."""
    thirds = {third: [row for row in rows if row["third"] == third] for third in THIRDS}
    phases = {row["phase"]: [r for r in rows if r["phase"] == row["phase"]] for row in rows}
    return {
        "phases": {f"{phase}": summary(found) for phase, found in phases.items()},
        "dice": {"mean": mean(rows), **{third: mean(found) for third, found in thirds.items()}},
    }


def read_contours(folder: Path, image: ImageFile) -> list[Contour]:
    """The endocardial contours below a folder, with the phase and slice of their images."""
    places = {
        plane.path.stem: (t, z)
        for t, slices in enumerate(image.planes)
        for z, plane in enumerate(slices)
    }
    named = [(CONTOUR.fullmatch(path.name), path) for path in sorted(folder.rglob("*.txt"))]
    found = [Contour(*places[name[1]], np.loadtxt(path)) for name, path in named if name]
    return sorted(found, key=lambda one: (one.phase, one.slice))


def step_across(contours: list[Contour], image: ImageFile, first: int) -> float:
    """Mean intensity one pixel inside minus one pixel outside, relative to the maximum."""
    steps = []
    for one in contours:
        pixels = image.frame(one.phase).array[:, :, one.slice].astype(float)
        line = one.points - first
        outwards = line - line.mean(0)
        outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
        inside, outside = (
            map_coordinates(pixels, (line + way * outwards).T, order=1) for way in (-1, 1)
        )
        steps.append(float((inside - outside).mean() / pixels.max()))
    return round(float(np.mean(steps)), 4)


def cavity_of(image: ImageFile, phase: int, model: Model, views: str) -> np.ndarray:
    """The model's LV at a phase, (X, Y, Z)."""
    windows = model.windows.model_copy(update={"views": views})
    predicted = predict_volume(model, image.frame(phase), windows=windows)
    return predicted.prediction.mask.array == model.labels.value("LV")


def scored(
    contours: list[Contour], cavities: dict[int, np.ndarray], image: ImageFile, first: int
) -> list[dict[str, Any]]:
    """One row per slice and phase, from base (the end with the wider cavity) to apex."""
    slice_ml = float(np.prod(image.spacing)) / 1000
    rows = []
    for phase, lv in cavities.items():
        pairs = [
            (one.slice, one.cavity(image.shape, first)) for one in contours if one.phase == phase
        ]
        from_base = pairs if pairs[0][1].sum() > pairs[-1][1].sum() else pairs[::-1]
        rows += [
            {
                "phase": phase + 1,
                "slice": z + 1,
                "third": THIRDS[3 * index // len(from_base)],
                "dice": round(float(overlap_dice(lv[:, :, z], cavity) or 0.0), 4),
                "model_ml": round(float(lv[:, :, z].sum()) * slice_ml, 2),
                "expert_ml": round(float(cavity.sum()) * slice_ml, 2),
            }
            for index, (z, cavity) in enumerate(from_base)
        ]
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Mean Dice over slices, and the volumes of model and expert on the annotated slices."""
    model_ml, expert_ml = (
        round(sum(row[key] for row in rows), 1) for key in ("model_ml", "expert_ml")
    )
    return {"dice": mean(rows), "model_ml": model_ml, "expert_ml": expert_ml}


def mean(rows: list[dict[str, Any]]) -> float:
    """Mean Dice."""
    return round(float(np.mean([row["dice"] for row in rows])), 4)


def keep_masks(
    folder: Path,
    image: ImageFile,
    cavities: dict[int, np.ndarray],
    contours: list[Contour],
    first: int,
) -> None:
    """Write what an overlay picture needs."""
    folder.mkdir(parents=True, exist_ok=True)
    for phase, lv in cavities.items():
        expert = {
            f"expert_{one.slice}": one.cavity(image.shape, first)
            for one in contours
            if one.phase == phase
        }
        np.savez_compressed(
            folder / f"phase{phase + 1:02d}.npz", image=image.frame(phase).array, lv=lv, **expert
        )


if __name__ == "__main__":
    main()
