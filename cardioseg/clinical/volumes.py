"""Volumes, ejection fraction and mass of both ventricles from an end-diastolic and an end-systolic mask.

Sums of voxels times voxel volume (Simpson's rule over the slices); mass is the myocardium at ED times 1.05 g/ml.
What cannot be computed is None with a reason, never 0. Structures are found by name. Knows no files and no frames.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cardioseg.core.labels import MYOCARDIAL_DENSITY_G_PER_ML, LabelTable
from cardioseg.core.volume import Volume

# The second spellings are those of nnU-Net's own ACDC converter (Dataset027_ACDC).
SPELLINGS = {"LV": ("lv", "lvc"), "MYO": ("myo", "mlv"), "RV": ("rv", "rvc")}
LV_QUANTITIES = ("edv_ml", "esv_ml", "sv_ml", "ef_percent", "mass_g")
RV_QUANTITIES = ("edv_ml", "esv_ml", "sv_ml", "ef_percent")


def structure_value(structure: str, labels: LabelTable) -> int | None:
    """The mask's value of "LV", "MYO" or "RV" in any spelling; None when the table has no such structure."""
    return next(
        (
            value
            for value, name in enumerate(labels.names)
            if name.casefold() in SPELLINGS[structure]
        ),
        None,
    )


def volume_ml(mask: np.ndarray, label: int, spacing_mm: Sequence[float]) -> float:
    """Volume in ml of the voxels of ``mask`` that equal ``label``."""
    return int(np.count_nonzero(mask == label)) * float(np.prod(spacing_mm)) / 1000.0


def ejection_fraction(edv_ml: float, esv_ml: float) -> float | None:
    """(EDV - ESV) / EDV in percent; None when there is no EDV to divide by."""
    return 100.0 * (edv_ml - esv_ml) / edv_ml if edv_ml > 0 else None


def mass_g(volume_ml: float) -> float:
    """Myocardial mass in g from its volume in ml."""
    return MYOCARDIAL_DENSITY_G_PER_ML * volume_ml


def structure_volumes_ml(volume: Volume, labels: LabelTable) -> dict[str, float]:
    """Volume in ml of every structure of the table, by name."""
    return {
        name: volume_ml(volume.array, labels.value(name), volume.spacing)
        for name in labels.structures
    }


def ventricular_function(ed: Volume, es: Volume, labels: LabelTable) -> dict[str, dict[str, Any]]:
    """Function of both ventricles from two masks, each with its own spacing.

    Args:
        ed: (X, Y, Z) label values at end-diastole.
        es: (X, Y, Z) label values at end-systole.
        labels: names of the values.

    Returns:
        "lv" with edv_ml, esv_ml, sv_ml, ef_percent and mass_g (at ED), "rv" with the first four; each also holds
        "reasons": quantity → why it is None.
    """
    return function_from_volumes(structure_volumes_ml(ed, labels), structure_volumes_ml(es, labels))


def function_from_volumes(
    ed_ml: Mapping[str, float], es_ml: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """As ``ventricular_function``, from volumes in ml by structure name at ED and at ES."""
    lv = _chamber("LV", ed_ml, es_ml)
    myocardium = _find("MYO", ed_ml)
    lv["mass_g"] = None if myocardium is None else mass_g(myocardium)
    if myocardium is None:
        lv["reasons"]["mass_g"] = _absent("MYO", ed_ml)
    return {"lv": lv, "rv": _chamber("RV", ed_ml, es_ml)}


def _chamber(
    structure: str, ed_ml: Mapping[str, float], es_ml: Mapping[str, float]
) -> dict[str, Any]:
    edv, esv = _find(structure, ed_ml), _find(structure, es_ml)
    if edv is None or esv is None:
        return dict.fromkeys(RV_QUANTITIES) | {
            "reasons": dict.fromkeys(RV_QUANTITIES, _absent(structure, ed_ml))
        }
    fraction = ejection_fraction(edv, esv)
    reasons = {} if fraction is not None else {"ef_percent": f"EDV is {edv:g} ml"}
    return {
        "edv_ml": edv,
        "esv_ml": esv,
        "sv_ml": edv - esv,
        "ef_percent": fraction,
        "reasons": reasons,
    }


def _find(structure: str, volumes_ml: Mapping[str, float]) -> float | None:
    return next(
        (ml for name, ml in volumes_ml.items() if name.casefold() in SPELLINGS[structure]), None
    )


def _absent(structure: str, volumes_ml: Mapping[str, float]) -> str:
    return f"no structure {structure} among {', '.join(volumes_ml) or 'none'}"
