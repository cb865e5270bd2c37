"""Which numbers may leave: what a stack must show for them, and what is physiologically possible.

Limits are wide: they exclude what no heart has, not what is rare. Expert masks of ACDC and M&Ms
(220 patients) have LV EDV of 35 to 589 ml, RV EDV of 36 to 295 ml, EF of -3 to 86 % and mass of
34 to 330 g.
"""

from collections.abc import Mapping

from cardioseg.clinical.heart_mask import HeartMask, heart_of
from cardioseg.clinical.shape import FEWEST_SLICES
from cardioseg.core.labels import LabelTable
from cardioseg.core.volume import Volume

SHORTEST_STACK_MM = 45.0
CUT_OFF = 0.6  # of the LV's largest area, at both ends of the stack: a piece of a ventricle
POSSIBLE = {
    "edv_ml": (5.0, 800.0, "ml"),
    "esv_ml": (1.0, 750.0, "ml"),
    "ef_percent": (0.0, 90.0, "%"),
    "mass_g": (10.0, 800.0, "g"),
}
WORDS = {"edv_ml": "EDV", "esv_ml": "ESV", "ef_percent": "EF", "mass_g": "mass"}


def why_no_ventricle(mask: Volume, labels: LabelTable) -> str:
    """Why a stack cannot hold a ventricle, so that nothing is measured in it; "" if it can.

    Args:
        mask: (X, Y, Z) label values.
        labels: names of the values.
    """
    heart = heart_of(mask, labels)
    slices = heart.whole.shape[2]
    length = slices * heart.spacing_mm[2]
    if slices < FEWEST_SLICES:
        return (
            f"the stack has {slices} slice{'s' * (slices > 1)}; a ventricle needs {FEWEST_SLICES}"
        )
    if length < SHORTEST_STACK_MM:
        return f"the stack is {length:.3g} mm long; a ventricle needs {SHORTEST_STACK_MM:g} mm"
    if _piece(heart):
        return "the stack shows a piece of a ventricle: the LV is as large at both ends as between"
    return ""


def _piece(heart: HeartMask) -> bool:
    """Whether the LV fills the stack and has nearly its largest area at both ends."""
    lv = heart.parts.get("LV")
    if lv is None or not (lv[:, :, 0].any() and lv[:, :, -1].any()):
        return False
    areas = lv.sum((0, 1))
    return bool(min(areas[0], areas[-1]) > CUT_OFF * areas.max())


def impossible(numbers: Mapping[str, float | None]) -> dict[str, str]:
    """Numbers of a ventricle that no heart has, and what follows from them, each with the reason.

    Args:
        numbers: "edv_ml", "esv_ml", "sv_ml", "ef_percent" and, of the LV, "mass_g".
    """
    found: dict[str, str] = {}
    for name, (low, high, unit) in POSSIBLE.items():
        value = numbers.get(name)
        if value is not None and not low <= value <= high:
            limits = f"{low:g} to {high:g} {unit}"
            found[name] = f"{WORDS[name]} of {value:.4g} {unit} is not possible ({limits})"
    first = found.get("edv_ml") or found.get("esv_ml")
    if first:
        found |= {name: first for name in ("sv_ml", "ef_percent") if numbers.get(name) is not None}
    elif "ef_percent" in found:
        found["sv_ml"] = found["ef_percent"]
    return found
