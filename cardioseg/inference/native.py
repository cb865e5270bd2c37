"""A model's prediction for one volume, on the volume's own grid."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from cardioseg.bundle import Model
from cardioseg.core.config import WindowConfig
from cardioseg.core.errors import ModelError
from cardioseg.core.exits import MOST_LOOPS, OWN_DEPTH, Depth
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.imaging.components import remove_specks
from cardioseg.imaging.preprocess import preprocess, resize, slice_axis, slices_back, slices_last
from cardioseg.inference.certainty import entropy_measures, halting_measures
from cardioseg.inference.predictor import Maps, predict_maps


@dataclass(frozen=True)
class Predicted:
    """A prediction, and what was removed from it.

    Attributes:
        prediction: on the volume's grid.
        removed_voxels: specks removed, by structure name; "outside the heart" counts the structures
            removed elsewhere, in voxels of the working grid.
    """

    prediction: Prediction
    removed_voxels: dict[str, int]


def predict_volume(
    model: Model,
    volume: Volume,
    *,
    depth: Depth = OWN_DEPTH,
    windows: WindowConfig | None = None,
    keep: Collection[str] = (),
    name: str = "image",
) -> Predicted:
    """Segment one volume.

    Args:
        model: from ``load_model``.
        volume: intensities on any grid; the slice axis is the one with the widest spacing.
        depth: loop budget and exit rule.
        windows: how to cut and stitch; None takes the model's own.
        keep: "probs" and "routing" keep the float maps.
        name: of the image, for errors.

    Raises:
        InputError: the volume has no contrast.
        ModelError: the network returns values that are not numbers.
    """
    image = preprocess(volume, model.preparation, name=name)
    device = next(model.network.parameters()).device
    maps = predict_maps(
        model.network,
        image,
        neighbours=model.preparation.neighbours,
        windows=windows or model.windows,
        device=device,
        depth=depth,
    )
    if not np.isfinite(maps.probabilities).all():
        cure = "use fewer --loops, or another model"
        raise ModelError(
            model.name, found="probabilities that are not numbers", expected="numbers", cure=cure
        )
    found = _native(maps, volume, model, depth.loops or model.loops, keep)
    return replace(
        found, prediction=replace(found.prediction, certainty=_certainty(maps, model, depth))
    )


def _certainty(maps: Maps, model: Model, depth: Depth) -> dict[str, float | str]:
    """Measures of certainty, taken on the working grid, before resampling."""
    rule, loops = depth.rule, depth.loops or model.loops
    fixed = rule.compute is None and not rule.among(model.exits).exits_early
    why_constant = "every token runs every loop" if fixed else ""
    if loops == 1:
        why_constant = "the budget is one loop"
    heart = maps.probabilities.argmax(0) > 0
    return {
        **entropy_measures(maps.probabilities, model.labels.names),
        **halting_measures(maps.steps, heart, why_constant=why_constant),
    }


def _native(
    maps: Maps, volume: Volume, model: Model, loops: int, keep: Collection[str]
) -> Predicted:
    axis = slice_axis(volume)
    shape = slices_last(volume.array, axis).shape

    def back(fields: np.ndarray) -> np.ndarray:
        """(C, U, V, W) to (C, X, Y, Z)."""
        return np.stack([slices_back(field, axis) for field in resize(fields, shape)])

    probabilities = back(maps.probabilities)
    routing = None if maps.routing is None else back(maps.routing)
    mask, removed = remove_specks(probabilities.argmax(0).astype(np.uint8))
    steps = np.rint(back(maps.steps[None])[0]).clip(1, min(loops, MOST_LOOPS)).astype(np.uint8)
    experts = None if routing is None else (routing.argmax(0) + 1).astype(np.uint8)
    prediction = Prediction(
        mask=volume.with_array(mask),
        halting=volume.with_array(steps),
        experts=None if experts is None else volume.with_array(experts),
        loops=loops,
        mean_steps=float(maps.steps.mean()),
        flops=maps.flops,
        expert_shares=_expert_shares(maps),
        probabilities=_classes_last(probabilities) if "probs" in keep else None,
        routing=_classes_last(routing) if routing is not None and "routing" in keep else None,
    )
    counts = {model.labels.names[value]: count for value, count in removed.items()}
    if maps.cleared:
        counts["outside the heart"] = maps.cleared
    return Predicted(prediction, counts)


def _expert_shares(maps: Maps) -> tuple[float, ...]:
    """Mean routing of each expert; empty without experts."""
    if maps.routing is None:
        return ()
    return tuple(float(share) for share in maps.routing.mean((1, 2, 3)))


def _classes_last(fields: np.ndarray) -> np.ndarray:
    """(C, X, Y, Z) to (X, Y, Z, C) float32."""
    return np.moveaxis(fields, 0, 3).astype(np.float32)
