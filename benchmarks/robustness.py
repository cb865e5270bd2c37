"""Table: Dice on images changed as other scanners and protocols might change them.

Contrast, noise, voxel size, coverage, size of the heart. Images are changed on the native grid;
masks follow where voxels move. This does not replace another scanner: a model that fails here will
fail there, but not the other way round.

    python benchmarks/robustness.py ACDC/training --split split.json --every 7
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from held_out import RESULTS, keep, mean_and_spread, on_side, thinned
from scipy.ndimage import gaussian_filter, zoom

from cardioseg.bundle import Model, load_model
from cardioseg.core.case import Case
from cardioseg.core.volume import Volume
from cardioseg.data.acdc import acdc_cases
from cardioseg.evaluation.metrics import overlap_dice
from cardioseg.imaging.open import open_image, read
from cardioseg.inference.native import predict_volume

MARGIN_MM = 15.0  # around the heart in the narrowest field of view


class Seen(NamedTuple):
    """Image and reference (X, Y, Z), spacing in mm."""

    image: np.ndarray
    reference: np.ndarray
    spacing: tuple[float, float, float]


def curve(seen: Seen, exponent: float) -> Seen:
    """A gamma curve over the intensities."""
    low, high = np.percentile(seen.image, (0.5, 99.5))
    return seen._replace(image=np.clip((seen.image - low) / (high - low), 0, 1) ** exponent)


def dull(seen: Seen) -> Seen:
    """Half the contrast between blood and muscle."""
    muscle = float(np.median(seen.image[seen.reference == 2]))
    return seen._replace(
        image=np.where(seen.image > muscle, muscle + (seen.image - muscle) / 2, seen.image)
    )


def coil(seen: Seen, strength: float) -> Seen:
    """Brightness that falls off across the image, by exp(2 x ``strength``) from side to side."""
    ramp = np.linspace(-strength, strength, seen.image.shape[0])[:, None, None]
    return seen._replace(image=seen.image * np.exp(ramp))


def noise(seen: Seen, share: float) -> Seen:
    """White noise of a share of the image's standard deviation."""
    rng = np.random.default_rng(0)
    return seen._replace(
        image=seen.image + rng.normal(0, share * seen.image.std(), seen.image.shape)
    )


def coarser(seen: Seen, factor: float) -> Seen:
    """Larger in-plane voxels, after smoothing."""
    smooth = gaussian_filter(seen.image, (factor / 2.5, factor / 2.5, 0))
    image, reference = (
        zoom(a, (1 / factor, 1 / factor, 1), order=order)
        for a, order in ((smooth, 1), (seen.reference, 0))
    )
    return Seen(
        image, reference, (seen.spacing[0] * factor, seen.spacing[1] * factor, seen.spacing[2])
    )


def sized(seen: Seen, factor: float) -> Seen:
    """A smaller or larger heart: the same voxels with another in-plane size."""
    return seen._replace(
        spacing=(seen.spacing[0] * factor, seen.spacing[1] * factor, seen.spacing[2])
    )


def narrow(seen: Seen) -> Seen:
    """A field of view that ends close to the heart."""
    inside = np.argwhere(seen.reference > 0)
    margin = [int(MARGIN_MM / size) for size in seen.spacing[:2]]
    low = np.maximum(inside.min(0)[:2] - margin, 0)
    high = inside.max(0)[:2] + 1 + margin
    cut = (slice(low[0], high[0]), slice(low[1], high[1]))
    return seen._replace(image=seen.image[cut], reference=seen.reference[cut])


def sparse(seen: Seen) -> Seen:
    """Every other slice."""
    return Seen(
        seen.image[:, :, ::2], seen.reference[:, :, ::2], (*seen.spacing[:2], seen.spacing[2] * 2)
    )


def upside_down(seen: Seen) -> Seen:
    """Slices in reverse order."""
    return seen._replace(image=seen.image[:, :, ::-1], reference=seen.reference[:, :, ::-1])


WAYS: dict[str, Callable[[Seen], Seen]] = {
    "as it is": lambda seen: seen,
    "gamma 0.6": lambda seen: curve(seen, 0.6),
    "gamma 1.7": lambda seen: curve(seen, 1.7),
    "half the contrast of blood and muscle": dull,
    "5 times brighter on one side": lambda seen: coil(seen, 0.8),
    "noise of 0.3 standard deviations": lambda seen: noise(seen, 0.3),
    "voxels 1.5 times as large": lambda seen: coarser(seen, 1.5),
    "voxels twice as large": lambda seen: coarser(seen, 2.0),
    "heart 0.75 times as large": lambda seen: sized(seen, 0.75),
    "heart 1.25 times as large": lambda seen: sized(seen, 1.25),
    "field of view 15 mm around the heart": narrow,
    "every other slice": sparse,
    "slices from the other end": upside_down,
}


def dice(
    model: Model, case: Case, way: Callable[[Seen], Seen], views: str
) -> dict[str, float | None]:
    """Dice per structure of one changed volume."""
    volume, reference = open_image(case.image).frame(0), read(case.label).array
    seen = way(Seen(volume.array.astype(np.float32), reference, volume.spacing))
    image = np.ascontiguousarray(seen.image, dtype=np.float32)
    changed = Volume(image, np.diag([*seen.spacing, 1.0]), seen.spacing)
    windows = model.windows.model_copy(update={"views": views})
    mask = predict_volume(model, changed, windows=windows, name=case.name).prediction.mask.array
    structures = enumerate(model.labels.structures, start=1)
    return {
        name: overlap_dice(mask == value, seen.reference == value) for value, name in structures
    }


def main() -> None:
    """Measure the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("acdc", type=Path, help="folder with ACDC's patients")
    parser.add_argument(
        "--split", type=Path, required=True, help="JSON with train and val patients"
    )
    parser.add_argument(
        "--side", choices=("val", "train"), default="val", help="which patients to segment"
    )
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        help="use every n-th volume; odd, so that both phases occur",
    )
    parser.add_argument("--views", choices=("none", "flips", "all"), default="none")
    parser.add_argument("--model", default="rdvit-2d")
    parser.add_argument("--name", help="name of the result file; the model's by default")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, cases = load_model(options.model), acdc_cases(options.acdc)
    chosen = thinned(on_side(cases, options.split, options.side), options.every)
    table = {}
    for name, way in WAYS.items():
        rows = [dice(model, case, way, options.views) for case in chosen]
        table[name] = mean_and_spread(rows, [case.patient for case in chosen])
        print(name, table[name], flush=True)
    keep("robustness", options, model, table)


if __name__ == "__main__":
    main()
