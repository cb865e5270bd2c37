"""The numbers of a heart: volumes, EF, mass, indexed values, cardiac output, wall thickness.

A number that was not computed is None, and the reason stands under its dotted name; a structure
that a mask does not show never counts as 0. Knows masks and their spacing; does not know files or
frames.
"""

from collections.abc import Mapping
from typing import Literal

from cardioseg.clinical.body import (
    Body,
    BodySurface,
    CardiacOutput,
    Indexed,
    Reasons,
    body_surface,
    cardiac_output,
    indexed_values,
    rounded,
)
from cardioseg.clinical.plausible import impossible, why_no_ventricle
from cardioseg.clinical.volumes import (
    Chamber,
    LeftVentricle,
    Ventricles,
    chamber_numbers,
    function_from_volumes,
    structure_value,
    structure_volumes_ml,
)
from cardioseg.clinical.wall import SEGMENTS, wall_thickness
from cardioseg.core.labels import LabelTable
from cardioseg.core.record import Record
from cardioseg.core.volume import Volume


class WallThickness(Record):
    """Thickness of the left ventricle's wall.

    Attributes:
        phase: phase at which the wall was measured; None if it is not known.
        segments_mm: AHA segment → thickness.
        mean_mm: mean thickness over all directions and slices.
        max_mm: thickness of the thickest segment.
        anterior: how the anterior side was found: "from the affine" or "as displayed".
    """

    phase: Literal["ED", "ES"] | None = "ED"
    segments_mm: dict[str, float | None] = dict.fromkeys(SEGMENTS)
    mean_mm: float | None = None
    max_mm: float | None = None
    anterior: str | None = None


class Function(Record):
    """Everything that the masks of one heart say.

    Attributes:
        lv: left ventricle.
        rv: right ventricle.
        indexed: volumes and mass per square metre of body surface.
        cardiac_output: output of the left ventricle.
        body: height, weight, body surface, heart rate.
        wall_thickness: thickness of the left ventricle's wall.
        reasons: dotted name → why that number is None.
    """

    lv: LeftVentricle
    rv: Chamber
    indexed: Indexed
    cardiac_output: CardiacOutput
    body: BodySurface
    wall_thickness: WallThickness
    reasons: dict[str, str]


def heart_function(
    ed: Volume | None, es: Volume | None, labels: LabelTable, body: Body, *, why_none: str = ""
) -> Function:
    """Everything that two masks and a body say.

    Args:
        ed: (X, Y, Z) label values at end-diastole; None where there is no such frame.
        es: likewise at end-systole.
        labels: names of the values.
        body: of the patient.
        why_none: why there is no ED or no ES.
    """
    reasons: Reasons = {}
    if ed is not None and es is not None:
        why_none = why_none_of(ed, es, labels)
        ed, es = (None, None) if why_none else (ed, es)
    ventricles = _ventricles(ed, es, labels, why_none, reasons)
    return _function(ventricles, body, _wall(ed, labels, why_none, reasons), reasons)


def why_none_of(ed: Volume, es: Volume, labels: LabelTable) -> str:
    """Why nothing is measured in two masks; "" if they can be measured."""
    for phase, mask in (("ED", ed), ("ES", es)):
        why = why_no_ventricle(mask, labels)
        if why:
            return f"{why} ({phase})"
    return ""


def volume_function(
    mask: Volume, labels: LabelTable, body: Body, *, phase: str, why_none: str
) -> Function:
    """What one volume says: mass of the LV and thickness of its wall at the volume's phase.

    Args:
        mask: (X, Y, Z) label values.
        labels: names of the values.
        body: of the patient.
        phase: "ED", "ES", or "" where it is not known.
        why_none: why there is no EDV, and nothing that follows from it.
    """
    reasons: Reasons = {}
    why_not_held = why_no_ventricle(mask, labels)
    empty = _ventricles(None, None, labels, why_none, reasons)
    mass = _mass(mask, labels, why_not_held, reasons)
    lv = empty.lv.model_copy(update={"mass_g": mass})
    measured = None if why_not_held else mask
    wall = _wall(measured, labels, why_not_held, reasons)
    wall = wall.model_copy(update={"phase": phase or None})
    if not phase:
        reasons["wall_thickness.phase"] = "the phase of the volume is not known"
    return _function(empty.model_copy(update={"lv": lv}), body, wall, reasons)


def _function(
    ventricles: Ventricles, body: Body, wall: WallThickness, reasons: Reasons
) -> Function:
    """Put together; what follows from ventricles and body is computed here."""
    return Function(
        lv=ventricles.lv,
        rv=ventricles.rv,
        indexed=indexed_values(ventricles, body, reasons),
        cardiac_output=cardiac_output(ventricles.lv.sv_ml, body, reasons),
        body=body_surface(body, reasons),
        wall_thickness=wall,
        reasons=reasons,
    )


def _mass(mask: Volume, labels: LabelTable, why_not_held: str, reasons: Reasons) -> float | None:
    """Mass of the wall that one volume shows; its reason is set or removed."""
    if why_not_held:
        reasons["lv.mass_g"] = why_not_held
        return None
    seen = _seen(mask, labels)
    found = function_from_volumes(seen, seen).lv.mass_g
    if found is None:
        reasons["lv.mass_g"] = _unseen("MYO", labels)
    else:
        del reasons["lv.mass_g"]
    return rounded(found)


def _ventricles(
    ed: Volume | None, es: Volume | None, labels: LabelTable, why_none: str, reasons: Reasons
) -> Ventricles:
    """Both ventricles, rounded; why numbers are missing is added to ``reasons``."""
    if ed is None or es is None:
        reasons.update(dict.fromkeys(Ventricles().numbers(), why_none))
        return Ventricles()
    at_ed, at_es = (_seen(mask, labels) for mask in (ed, es))
    found = function_from_volumes(at_ed, at_es)
    for dotted, value in found.numbers().items():
        if value is None:
            side, name = dotted.split(".")
            structure = "MYO" if name == "mass_g" else side.upper()
            phase = "ES" if _shows(structure, at_ed, labels) else "ED"
            reasons[dotted] = _unseen(structure, labels, phase)
    lv = _possible("lv", chamber_numbers(found.lv), reasons)
    rv = _possible("rv", chamber_numbers(found.rv), reasons)
    return Ventricles(lv=LeftVentricle(**lv), rv=Chamber(**rv))


def _possible(
    side: str, numbers: dict[str, float | None], reasons: Reasons
) -> dict[str, float | None]:
    """The numbers, rounded, without those that no heart has; the reason is added to ``reasons``."""
    why = impossible(numbers)
    reasons.update({f"{side}.{name}": reason for name, reason in why.items()})
    return {name: None if name in why else rounded(value) for name, value in numbers.items()}


def _seen(mask: Volume, labels: LabelTable) -> dict[str, float]:
    """Volumes of the structures that the mask shows."""
    return {name: ml for name, ml in structure_volumes_ml(mask, labels).items() if ml > 0}


def _shows(structure: str, volumes_ml: Mapping[str, float], labels: LabelTable) -> bool:
    value = structure_value(structure, labels)
    return value is not None and labels.names[value] in volumes_ml


def _unseen(structure: str, labels: LabelTable, phase: str = "") -> str:
    if structure_value(structure, labels) is None:
        return f"no structure {structure} among {', '.join(labels.structures)}"
    return f"the mask shows no {structure}" + (f" at {phase}" if phase else "")


def _wall(ed: Volume | None, labels: LabelTable, why_none: str, reasons: Reasons) -> WallThickness:
    if ed is None:
        names = (*(f"segments_mm.{name}" for name in SEGMENTS), "mean_mm", "max_mm", "anterior")
        reasons.update({f"wall_thickness.{name}": why_none for name in names})
        return WallThickness()
    wall = wall_thickness(ed, labels)
    segments = dict(zip(SEGMENTS, map(rounded, wall.segments_mm), strict=True))
    known = [value for value in segments.values() if value is not None]
    for name, reason in wall.reasons.items():
        key = "mean_mm" if name == "mean" else f"segments_mm.{name}"
        reasons[f"wall_thickness.{key}"] = reason
    if not known:
        reasons["wall_thickness.max_mm"] = wall.reasons[SEGMENTS[0]]
    return WallThickness(
        segments_mm=segments,
        mean_mm=rounded(wall.mean_mm),
        max_mm=max(known, default=None),
        anterior=wall.anterior,
    )
