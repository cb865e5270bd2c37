"""The numbers of a heart: volumes and EF of both ventricles, mass, indexed values, cardiac output, wall thickness.

Body surface area after Mosteller (New England Journal of Medicine 317, 1987): √(height in cm × weight in kg / 3600) in m².
A number that was not computed is None, and the reason stands under its dotted name; a structure that a mask does not show
never counts as 0. Knows masks and their spacing; does not know files or frames.
"""

import math
from collections.abc import Mapping
from typing import Literal

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

BSA_FORMULA = "Mosteller: sqrt(height_cm * weight_kg / 3600)"
NO_RATE = "the heart rate is not known"
DECIMALS = 2  # a hundredth of a millilitre, far below any reader's error
Reasons = dict[str, str]


class Body(Record):
    """What is known of the patient's body; None where it is not known.

    Attributes:
        height_cm: body height.
        weight_kg: body weight.
        heart_rate_bpm: heart rate in beats per minute.
    """

    height_cm: float | None = None
    weight_kg: float | None = None
    heart_rate_bpm: float | None = None

    def surface_m2(self) -> float | None:
        """Body surface area; None without height and weight."""
        if self.height_cm is None or self.weight_kg is None:
            return None
        return math.sqrt(self.height_cm * self.weight_kg / 3600)


UNKNOWN = Body()


class BodySurface(Body):
    """The body that indexed values were computed with.

    Attributes:
        surface_area_m2: body surface area.
        surface_formula: how it was computed.
    """

    surface_area_m2: float | None = None
    surface_formula: str = BSA_FORMULA


class Indexed(Record):
    """Volumes and mass per square metre of body surface."""

    lv_edv_ml_per_m2: float | None = None
    lv_esv_ml_per_m2: float | None = None
    lv_sv_ml_per_m2: float | None = None
    lv_mass_g_per_m2: float | None = None
    rv_edv_ml_per_m2: float | None = None
    rv_esv_ml_per_m2: float | None = None
    rv_sv_ml_per_m2: float | None = None


class CardiacOutput(Record):
    """Output of the left ventricle.

    Attributes:
        l_per_min: stroke volume times heart rate.
        l_per_min_per_m2: cardiac index.
    """

    l_per_min: float | None = None
    l_per_min_per_m2: float | None = None


class WallThickness(Record):
    """Thickness of the left ventricle's wall.

    Attributes:
        phase: at which it was measured; None where the phase of the volume is not known.
        segments_mm: AHA segment → thickness.
        mean_mm: over all directions and slices.
        max_mm: of the thickest segment.
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
        indexed: per square metre of body surface.
        cardiac_output: of the left ventricle.
        body: height, weight, surface, heart rate.
        wall_thickness: of the left ventricle.
        reasons: dotted name → why that number is None.
    """

    lv: LeftVentricle
    rv: Chamber
    indexed: Indexed
    cardiac_output: CardiacOutput
    body: BodySurface
    wall_thickness: WallThickness
    reasons: dict[str, str]


INDEXED = tuple(Indexed.model_fields)


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
    ventricles = _ventricles(ed, es, labels, why_none, reasons)
    return _function(ventricles, body, _wall(ed, labels, why_none, reasons), reasons)


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
    empty = _ventricles(None, None, labels, why_none, reasons)
    lv = empty.lv.model_copy(update={"mass_g": _mass(mask, labels, reasons)})
    wall = _wall(mask, labels, why_none, reasons).model_copy(update={"phase": phase or None})
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
        indexed=_indexed(ventricles, body, reasons),
        cardiac_output=_output(ventricles.lv.sv_ml, body, reasons),
        body=_body(body, reasons),
        wall_thickness=wall,
        reasons=reasons,
    )


def _mass(mask: Volume, labels: LabelTable, reasons: Reasons) -> float | None:
    """Mass of the wall that one volume shows; its reason is set or removed."""
    seen = _seen(mask, labels)
    found = function_from_volumes(seen, seen).lv.mass_g
    if found is None:
        reasons["lv.mass_g"] = _unseen("MYO", labels)
    else:
        del reasons["lv.mass_g"]
    return _rounded(found)


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
    lv = {name: _rounded(value) for name, value in chamber_numbers(found.lv).items()}
    rv = {name: _rounded(value) for name, value in chamber_numbers(found.rv).items()}
    return Ventricles(lv=LeftVentricle(**lv), rv=Chamber(**rv))


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


def _indexed(ventricles: Ventricles, body: Body, reasons: Reasons) -> Indexed:
    surface, numbers = body.surface_m2(), ventricles.numbers()
    indexed: dict[str, float | None] = {}
    for key in INDEXED:
        dotted = key.removesuffix("_per_m2").replace("_", ".", 1)
        value = numbers[dotted]
        indexed[key] = None if value is None or surface is None else _rounded(value / surface)
        if indexed[key] is None:
            reasons[f"indexed.{key}"] = reasons.get(dotted, _unknown_size(body))
    return Indexed(**indexed)


def _output(sv_ml: float | None, body: Body, reasons: Reasons) -> CardiacOutput:
    rate, surface = body.heart_rate_bpm, body.surface_m2()
    litres = None if sv_ml is None or rate is None else sv_ml * rate / 1000
    index = None if litres is None or surface is None else litres / surface
    first = reasons.get("lv.sv_ml") or NO_RATE
    if litres is None:
        reasons["cardiac_output.l_per_min"] = first
    if index is None:
        why = first if litres is None else _unknown_size(body)
        reasons["cardiac_output.l_per_min_per_m2"] = why
    return CardiacOutput(l_per_min=_rounded(litres), l_per_min_per_m2=_rounded(index))


def _unknown_size(body: Body) -> str:
    """Why there is no body surface; "" where there is one."""
    sizes = (("height", body.height_cm), ("weight", body.weight_kg))
    unknown = [name for name, value in sizes if value is None]
    verb = "are" if len(unknown) == 2 else "is"
    return f"{' and '.join(unknown)} {verb} not known" if unknown else ""


def _body(body: Body, reasons: Reasons) -> BodySurface:
    found = BodySurface(
        height_cm=body.height_cm,
        weight_kg=body.weight_kg,
        heart_rate_bpm=body.heart_rate_bpm,
        surface_area_m2=_rounded(body.surface_m2()),
    )
    size = dict.fromkeys(("height_cm", "weight_kg", "surface_area_m2"), _unknown_size(body))
    for name, reason in (size | {"heart_rate_bpm": NO_RATE}).items():
        if getattr(found, name) is None:
            reasons[f"body.{name}"] = reason
    return found


def _wall(ed: Volume | None, labels: LabelTable, why_none: str, reasons: Reasons) -> WallThickness:
    if ed is None:
        names = (*(f"segments_mm.{name}" for name in SEGMENTS), "mean_mm", "max_mm", "anterior")
        reasons.update({f"wall_thickness.{name}": why_none for name in names})
        return WallThickness()
    wall = wall_thickness(ed, labels)
    segments = dict(zip(SEGMENTS, map(_rounded, wall.segments_mm), strict=True))
    known = [value for value in segments.values() if value is not None]
    for name, reason in wall.reasons.items():
        key = "mean_mm" if name == "mean" else f"segments_mm.{name}"
        reasons[f"wall_thickness.{key}"] = reason
    if not known:
        reasons["wall_thickness.max_mm"] = wall.reasons[SEGMENTS[0]]
    return WallThickness(
        segments_mm=segments,
        mean_mm=_rounded(wall.mean_mm),
        max_mm=max(known, default=None),
        anterior=wall.anterior,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), DECIMALS)
