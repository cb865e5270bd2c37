"""The numbers of a heart: volumes and ejection fraction of both ventricles, mass, per body surface, output, wall thickness.

Body surface by Mosteller (New England Journal of Medicine 317, 1987): √(height in cm × weight in kg / 3600) in m².
What was not computed is None, and the reason stands under the number's dotted name: never 0 for a structure that a mask
does not show. Knows masks and their spacing; no files, no frames.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cardioseg.clinical.volumes import (
    LV_QUANTITIES,
    RV_QUANTITIES,
    function_from_volumes,
    structure_value,
    structure_volumes_ml,
)
from cardioseg.clinical.wall import SEGMENTS, wall_thickness
from cardioseg.core.labels import LabelTable
from cardioseg.core.volume import Volume

BSA_FORMULA = "Mosteller: sqrt(height_cm * weight_kg / 3600)"
INDEXED = ("lv_edv_ml", "lv_esv_ml", "lv_sv_ml", "lv_mass_g", "rv_edv_ml", "rv_esv_ml", "rv_sv_ml")
NO_RATE = "the heart rate is not known"
DECIMALS = 2
Numbers = dict[str, Any]
Reasons = dict[str, str]


@dataclass(frozen=True)
class Body:
    """What is known of the patient's body; None where it is not."""

    height_cm: float | None = None
    weight_kg: float | None = None
    heart_rate_bpm: float | None = None

    @property
    def surface_m2(self) -> float | None:
        """Body surface area; None without height and weight."""
        if self.height_cm is None or self.weight_kg is None:
            return None
        return math.sqrt(self.height_cm * self.weight_kg / 3600)


UNKNOWN = Body()


def heart_function(
    ed: Volume | None, es: Volume | None, labels: LabelTable, body: Body, *, why_none: str = ""
) -> Numbers:
    """Everything that two masks and a body say.

    Args:
        ed: (X, Y, Z) label values at end-diastole; None where there is no such frame.
        es: likewise at end-systole.
        labels: names of the values.
        body: of the patient.
        why_none: why there is no ED or no ES.

    Returns:
        "lv" and "rv" (ml, percent, g), "indexed" (per m²), "cardiac_output" of the LV, "body", "wall_thickness" at ED in mm,
        and "reasons": dotted name → why that number is None.
    """
    reasons: Reasons = {}
    ventricles = _ventricles(ed, es, labels, why_none, reasons)
    found = ventricles | _of_the_body(ventricles, body, reasons)
    return {**found, "wall_thickness": _wall(ed, labels, why_none, reasons), "reasons": reasons}


def volume_function(
    mask: Volume, labels: LabelTable, body: Body, *, phase: str, why_none: str
) -> Numbers:
    """What one volume says: the LV's mass and the wall's thickness at its phase.

    Args:
        mask: (X, Y, Z) label values.
        labels: names of the values.
        body: of the patient.
        phase: "ED", "ES", or "" where nobody knows it.
        why_none: why there is no EDV, and nothing that follows from it.

    Returns:
        As ``heart_function``; the phase of "wall_thickness" is None where it is not known.
    """
    reasons: Reasons = {}
    ventricles = _ventricles(None, None, labels, why_none, reasons)
    ventricles["lv"]["mass_g"] = _mass(mask, labels, reasons)
    found = ventricles | _of_the_body(ventricles, body, reasons)
    wall = _wall(mask, labels, why_none, reasons) | {"phase": phase or None}
    if not phase:
        reasons["wall_thickness.phase"] = "nothing tells the phase of the volume"
    return {**found, "wall_thickness": wall, "reasons": reasons}


def _mass(mask: Volume, labels: LabelTable, reasons: Reasons) -> float | None:
    """Of the wall that one volume shows, with the reason set right."""
    seen = _seen(mask, labels)
    found = function_from_volumes(seen, seen)["lv"]["mass_g"]
    if found is None:
        reasons["lv.mass_g"] = _unseen("MYO", labels)
    else:
        del reasons["lv.mass_g"]
    return _rounded(found)


def _ventricles(
    ed: Volume | None, es: Volume | None, labels: LabelTable, why_none: str, reasons: Reasons
) -> dict[str, Numbers]:
    quantities = {"lv": LV_QUANTITIES, "rv": RV_QUANTITIES}
    if ed is None or es is None:
        reasons.update(
            {f"{side}.{name}": why_none for side, names in quantities.items() for name in names}
        )
        return {side: dict.fromkeys(names) for side, names in quantities.items()}
    at_ed, at_es = (_seen(mask, labels) for mask in (ed, es))
    found = function_from_volumes(at_ed, at_es)
    for side, numbers in found.items():
        del numbers["reasons"]
        for name in quantities[side]:
            if numbers[name] is None:
                structure = "MYO" if name == "mass_g" else side.upper()
                reasons[f"{side}.{name}"] = _unseen(
                    structure, labels, "ES" if _shows(structure, at_ed, labels) else "ED"
                )
    return {
        side: {name: _rounded(numbers[name]) for name in quantities[side]}
        for side, numbers in found.items()
    }


def _seen(mask: Volume, labels: LabelTable) -> dict[str, float]:
    return {name: ml for name, ml in structure_volumes_ml(mask, labels).items() if ml > 0}


def _shows(structure: str, volumes_ml: Mapping[str, float], labels: LabelTable) -> bool:
    value = structure_value(structure, labels)
    return value is not None and labels.names[value] in volumes_ml


def _unseen(structure: str, labels: LabelTable, phase: str = "") -> str:
    if structure_value(structure, labels) is None:
        return f"no structure {structure} among {', '.join(labels.structures)}"
    return f"the mask shows no {structure}" + (f" at {phase}" if phase else "")


def _of_the_body(ventricles: Mapping[str, Numbers], body: Body, reasons: Reasons) -> Numbers:
    return {
        "indexed": _indexed(ventricles, body, reasons),
        "cardiac_output": _output(ventricles["lv"]["sv_ml"], body, reasons),
        "body": _body(body, reasons),
    }


def _indexed(ventricles: Mapping[str, Numbers], body: Body, reasons: Reasons) -> Numbers:
    surface = body.surface_m2
    indexed: Numbers = {}
    for quantity in INDEXED:
        side, name = quantity.split("_", 1)
        value, key = ventricles[side][name], f"{quantity}_per_m2"
        indexed[key] = None if value is None or surface is None else _rounded(value / surface)
        if indexed[key] is None:
            reasons[f"indexed.{key}"] = reasons.get(f"{side}.{name}", _unknown_size(body))
    return indexed


def _output(sv_ml: float | None, body: Body, reasons: Reasons) -> Numbers:
    rate, surface = body.heart_rate_bpm, body.surface_m2
    litres = None if sv_ml is None or rate is None else sv_ml * rate / 1000
    index = None if litres is None or surface is None else litres / surface
    found = {"l_per_min": _rounded(litres), "l_per_min_per_m2": _rounded(index)}
    first = reasons.get("lv.sv_ml") or NO_RATE
    if litres is None:
        reasons["cardiac_output.l_per_min"] = first
    if index is None:
        reasons["cardiac_output.l_per_min_per_m2"] = (
            first if litres is None else _unknown_size(body)
        )
    return found


def _unknown_size(body: Body) -> str:
    """Why there is no body surface; "" where there is one."""
    unknown = [
        name
        for name, value in (("height", body.height_cm), ("weight", body.weight_kg))
        if value is None
    ]
    return (
        f"{' and '.join(unknown)} {'are' if len(unknown) == 2 else 'is'} not known"
        if unknown
        else ""
    )


def _body(body: Body, reasons: Reasons) -> Numbers:
    found = {
        "height_cm": body.height_cm,
        "weight_kg": body.weight_kg,
        "surface_m2": _rounded(body.surface_m2),
        "surface_formula": BSA_FORMULA,
        "heart_rate_bpm": body.heart_rate_bpm,
    }
    why = dict.fromkeys(("height_cm", "weight_kg", "surface_m2"), _unknown_size(body)) | {
        "heart_rate_bpm": NO_RATE
    }
    reasons.update({f"body.{name}": reason for name, reason in why.items() if found[name] is None})
    return found


def _wall(ed: Volume | None, labels: LabelTable, why_none: str, reasons: Reasons) -> Numbers:
    if ed is None:
        names = (*(f"segments_mm.{name}" for name in SEGMENTS), "mean_mm", "max_mm", "anterior")
        reasons.update({f"wall_thickness.{name}": why_none for name in names})
        return {
            "phase": "ED",
            "segments_mm": dict.fromkeys(SEGMENTS),
            "mean_mm": None,
            "max_mm": None,
            "anterior": None,
        }
    wall = wall_thickness(ed, labels)
    segments = dict(zip(SEGMENTS, map(_rounded, wall.segments_mm), strict=True))
    known = [value for value in segments.values() if value is not None]
    for name, reason in wall.reasons.items():
        reasons[f"wall_thickness.{'mean_mm' if name == 'mean' else f'segments_mm.{name}'}"] = reason
    if not known:
        reasons["wall_thickness.max_mm"] = wall.reasons[SEGMENTS[0]]
    mean, largest = _rounded(wall.mean_mm), max(known, default=None)
    return {
        "phase": "ED",
        "segments_mm": segments,
        "mean_mm": mean,
        "max_mm": largest,
        "anterior": wall.anterior,
    }


def _rounded(value: float | None) -> float | None:
    """Two decimals: a hundredth of a millilitre, far below any reader's error."""
    return None if value is None else round(float(value), DECIMALS)
