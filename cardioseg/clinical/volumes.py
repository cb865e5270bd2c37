"""Volumes, ejection fraction and mass of both ventricles from masks at ED and ES.

A volume is the number of voxels times the voxel volume (Simpson's rule over the slices); mass is
the myocardium at ED times 1.05 g/ml. A number that cannot be computed is None with a reason,
never 0. Structures are found by name. Does not know files or frames.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from cardioseg.core.labels import MYOCARDIAL_DENSITY_G_PER_ML, LabelTable
from cardioseg.core.record import Record
from cardioseg.core.volume import Volume

# The second spellings are those of nnU-Net's own ACDC converter (Dataset027_ACDC).
SPELLINGS = {"LV": ("lv", "lvc"), "MYO": ("myo", "mlv"), "RV": ("rv", "rvc")}


class Chamber(Record):
    """Function of one ventricle; None where it could not be computed.

    Attributes:
        edv_ml: end-diastolic volume.
        esv_ml: end-systolic volume.
        sv_ml: stroke volume.
        ef_percent: ejection fraction.
    """

    edv_ml: float | None = None
    esv_ml: float | None = None
    sv_ml: float | None = None
    ef_percent: float | None = None


class LeftVentricle(Chamber):
    """Function of the left ventricle.

    Attributes:
        mass_g: myocardial mass at end-diastole.
    """

    mass_g: float | None = None


class Ventricles(Record):
    """Function of both ventricles.

    Attributes:
        lv: left ventricle.
        rv: right ventricle.
        reasons: dotted name ("lv.mass_g") → why that number is None.
    """

    lv: LeftVentricle = LeftVentricle()
    rv: Chamber = Chamber()
    reasons: dict[str, str] = Field(default={})

    def numbers(self) -> dict[str, float | None]:
        """Every number by dotted name, LV first."""
        return {
            f"{side}.{name}": value
            for side, chamber in (("lv", self.lv), ("rv", self.rv))
            for name, value in chamber_numbers(chamber).items()
        }


LV_QUANTITIES = tuple(LeftVentricle.model_fields)
RV_QUANTITIES = tuple(Chamber.model_fields)


def chamber_numbers(chamber: Chamber) -> dict[str, float | None]:
    """The numbers of a ventricle by name, in the order of its class."""
    return {name: getattr(chamber, name) for name in type(chamber).model_fields}


def structure_value(structure: str, labels: LabelTable) -> int | None:
    """The mask's value of "LV", "MYO" or "RV", in any spelling; None if the table lacks it."""
    spellings = SPELLINGS[structure]
    values = (value for value, name in enumerate(labels.names) if name.casefold() in spellings)
    return next(values, None)


def volume_ml(mask: np.ndarray, label: int, spacing_mm: Sequence[float]) -> float:
    """Volume in ml of the voxels of ``mask`` that equal ``label``."""
    return int(np.count_nonzero(mask == label)) * float(np.prod(spacing_mm)) / 1000.0


def ejection_fraction(edv_ml: float, esv_ml: float) -> float | None:
    """(EDV - ESV) / EDV in percent; None if EDV is 0."""
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


def ventricular_function(ed: Volume, es: Volume, labels: LabelTable) -> Ventricles:
    """Function of both ventricles from two masks, each with its own spacing.

    Args:
        ed: (X, Y, Z) label values at end-diastole.
        es: (X, Y, Z) label values at end-systole.
        labels: names of the values.
    """
    return function_from_volumes(structure_volumes_ml(ed, labels), structure_volumes_ml(es, labels))


def function_from_volumes(ed_ml: Mapping[str, float], es_ml: Mapping[str, float]) -> Ventricles:
    """As ``ventricular_function``, from volumes in ml by structure name at ED and at ES."""
    reasons: dict[str, str] = {}
    lv = _chamber("LV", ed_ml, es_ml, reasons)
    rv = _chamber("RV", ed_ml, es_ml, reasons)
    myocardium = _find("MYO", ed_ml)
    if myocardium is None:
        reasons["lv.mass_g"] = _absent("MYO", ed_ml)
    mass = None if myocardium is None else mass_g(myocardium)
    return Ventricles(lv=LeftVentricle(**lv, mass_g=mass), rv=Chamber(**rv), reasons=reasons)


def _chamber(
    structure: str,
    ed_ml: Mapping[str, float],
    es_ml: Mapping[str, float],
    reasons: dict[str, str],
) -> dict[str, float | None]:
    """The numbers of a ventricle by name; why some are missing is added to ``reasons``."""
    edv, esv = _find(structure, ed_ml), _find(structure, es_ml)
    side = structure.lower()
    if edv is None or esv is None:
        missing = _absent(structure, ed_ml)
        reasons.update({f"{side}.{name}": missing for name in RV_QUANTITIES})
        return dict.fromkeys(RV_QUANTITIES)
    fraction = ejection_fraction(edv, esv)
    if fraction is None:
        reasons[f"{side}.ef_percent"] = f"EDV is {edv:g} ml"
    return {"edv_ml": edv, "esv_ml": esv, "sv_ml": edv - esv, "ef_percent": fraction}


def _find(structure: str, volumes_ml: Mapping[str, float]) -> float | None:
    spellings = SPELLINGS[structure]
    return next((ml for name, ml in volumes_ml.items() if name.casefold() in spellings), None)


def _absent(structure: str, volumes_ml: Mapping[str, float]) -> str:
    return f"no structure {structure} among {', '.join(volumes_ml) or 'none'}"
