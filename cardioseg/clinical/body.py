"""The patient's body, and what is computed with it: body surface, indexed values, cardiac output.

Body surface area after Mosteller (New England Journal of Medicine 317, 1987): √(height in cm ×
weight in kg / 3600) in m². A number that was not computed is None, and the reason stands under
its dotted name.
"""

import math

from cardioseg.clinical.volumes import Ventricles
from cardioseg.core.record import Record

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
        surface_formula: how the body surface was computed.
    """

    surface_area_m2: float | None = None
    surface_formula: str = BSA_FORMULA


class Indexed(Record):
    """Volumes and mass per square metre of body surface.

    Attributes:
        lv_edv_ml_per_m2: end-diastolic volume of the LV.
        lv_esv_ml_per_m2: end-systolic volume of the LV.
        lv_sv_ml_per_m2: stroke volume of the LV.
        lv_mass_g_per_m2: myocardial mass of the LV.
        rv_edv_ml_per_m2: end-diastolic volume of the RV.
        rv_esv_ml_per_m2: end-systolic volume of the RV.
        rv_sv_ml_per_m2: stroke volume of the RV.
    """

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


INDEXED = tuple(Indexed.model_fields)


def indexed_values(ventricles: Ventricles, body: Body, reasons: Reasons) -> Indexed:
    """Volumes and mass per m²; why some are missing is added to ``reasons``."""
    surface, numbers = body.surface_m2(), ventricles.numbers()
    indexed: dict[str, float | None] = {}
    for key in INDEXED:
        dotted = key.removesuffix("_per_m2").replace("_", ".", 1)
        value = numbers[dotted]
        indexed[key] = None if value is None or surface is None else rounded(value / surface)
        if indexed[key] is None:
            reasons[f"indexed.{key}"] = reasons.get(dotted, _unknown_size(body))
    return Indexed(**indexed)


def cardiac_output(sv_ml: float | None, body: Body, reasons: Reasons) -> CardiacOutput:
    """Output and index of the LV; why they are missing is added to ``reasons``."""
    rate, surface = body.heart_rate_bpm, body.surface_m2()
    litres = None if sv_ml is None or rate is None else sv_ml * rate / 1000
    index = None if litres is None or surface is None else litres / surface
    first = reasons.get("lv.sv_ml") or NO_RATE
    if litres is None:
        reasons["cardiac_output.l_per_min"] = first
    if index is None:
        why = first if litres is None else _unknown_size(body)
        reasons["cardiac_output.l_per_min_per_m2"] = why
    return CardiacOutput(l_per_min=rounded(litres), l_per_min_per_m2=rounded(index))


def _unknown_size(body: Body) -> str:
    """Why there is no body surface; "" where there is one."""
    sizes = (("height", body.height_cm), ("weight", body.weight_kg))
    unknown = [name for name, value in sizes if value is None]
    verb = "are" if len(unknown) == 2 else "is"
    return f"{' and '.join(unknown)} {verb} not known" if unknown else ""


def body_surface(body: Body, reasons: Reasons) -> BodySurface:
    """The body with its surface; why something is missing is added to ``reasons``."""
    found = BodySurface(
        height_cm=body.height_cm,
        weight_kg=body.weight_kg,
        heart_rate_bpm=body.heart_rate_bpm,
        surface_area_m2=rounded(body.surface_m2()),
    )
    size = dict.fromkeys(("height_cm", "weight_kg", "surface_area_m2"), _unknown_size(body))
    for name, reason in (size | {"heart_rate_bpm": NO_RATE}).items():
        if getattr(found, name) is None:
            reasons[f"body.{name}"] = reason
    return found


def rounded(value: float | None) -> float | None:
    """A number as records hold it."""
    return None if value is None else round(float(value), DECIMALS)
