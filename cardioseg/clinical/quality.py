"""Whether a segmentation can be trusted: a verdict with its reasons.

Applies ``clinical.rules``. Knows masks and numbers. Does not know the image, and so not whether a
well-shaped heart lies where the heart is; nor children and hearts unlike those of ACDC's adults.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from cardioseg.clinical.heart_mask import heart_of
from cardioseg.clinical.measures import Located, Measures, Value
from cardioseg.clinical.phases import misfit_frames
from cardioseg.clinical.rules import (
    CINE_RULES,
    MASK_RULES,
    PAIR_RULES,
    Finding,
    QualityRule,
    Severity,
)
from cardioseg.clinical.shape import shape_measures
from cardioseg.clinical.volumes import ejection_fraction, structure_value
from cardioseg.core.labels import LabelTable
from cardioseg.core.record import Record
from cardioseg.core.volume import Volume

Verdict = Literal["pass", "warn", "fail"]
GRAVEST_FIRST: tuple[Severity, ...] = ("fail", "warn", "note")
BOTH = "ED and ES"  # where a finding lies that concerns neither alone
VERDICTS: dict[Severity, Verdict] = {"note": "pass", "warn": "warn", "fail": "fail"}
Certainty = Mapping[str, Value]  # what inference says of a frame beside its mask: entropy, steps
Checked = Mapping[
    str, tuple[Measures, Sequence["QualityRule"]]
]  # where → numbers, and the rules for them


class Quality(Record):
    """What the quality rules found.

    Attributes:
        verdict: the gravest severity.
        reasons: broken rules that decide the verdict, gravest first.
        notes: broken rules that are worth knowing and do not change the verdict.
        measures: "mask", "ED", "ES", … → every number that was looked at.
    """

    verdict: Verdict
    reasons: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    measures: dict[str, Measures] = Field(default={})

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every broken rule, gravest first."""
        return (*self.reasons, *self.notes)


def check_volume(
    mask: Volume, labels: LabelTable, *, certainty: Certainty | None = None
) -> Quality:
    """The rules for one mask (X, Y, Z); ``certainty`` is what its inference measured, if any."""
    return _quality({"mask": (_measured(mask, labels, certainty), MASK_RULES)})


def check_pair(
    ed: Volume, es: Volume, labels: LabelTable, *, patients_differ: bool = False
) -> Quality:
    """The rules for both masks of a patient, and for what changes between them.

    Args:
        ed: label values at end-diastole.
        es: label values at end-systole.
        labels: names of the values.
        patients_differ: whether the files name two patients.
    """
    at_ed, at_es = _measured(ed, labels, None), _measured(es, labels, None)
    names = Measures.of({"patients_differ": float(patients_differ)})
    return check_measured_pair(at_ed, at_es, together(ed, es, labels).with_others(names))


def check_measured_pair(ed: Measures, es: Measures, both: Measures) -> Quality:
    """The same from the measures of each mask and those of ``together``."""
    return _quality(_pair(ed, es, both))


def together(ed: Volume, es: Volume, labels: LabelTable) -> Measures:
    """Measures of two masks of one heart: Dice of LV with wall, and whether their grids differ."""
    differ = ed.shape != es.shape or not np.allclose(ed.spacing, es.spacing, rtol=0.01)
    found: dict[str, Value] = {"grids_differ": float(differ), "overlap": "the grids differ"}
    if not differ:
        hearts = [heart_of(mask, labels) for mask in (ed, es)]
        if all({"LV", "MYO"} <= heart.parts.keys() for heart in hearts):
            found["overlap"] = _overlap(ed, es, labels)
        else:
            found["overlap"] = "the labels name no LV or no MYO"
    return Measures.of(found)


def _overlap(ed: Volume, es: Volume, labels: LabelTable) -> Value:
    at_ed, at_es = (_ventricle(mask, labels) for mask in (ed, es))
    total = int(at_ed.sum()) + int(at_es.sum())
    return 2 * int((at_ed & at_es).sum()) / total if total else "neither mask shows LV or MYO"


def _ventricle(mask: Volume, labels: LabelTable) -> np.ndarray:
    """(X, Y, Z) bool: LV and its wall."""
    values = (structure_value(name, labels) for name in ("LV", "MYO"))
    return np.isin(mask.array, [value for value in values if value is not None])


def check_cine(
    masks: Sequence[Volume],
    labels: LabelTable,
    *,
    ed: int,
    es: int,
    certainty: Sequence[Certainty] | None = None,
    numbers: Sequence[int] | None = None,
) -> Quality:
    """The rules for ED and ES of a cine, and how many of its other frames break one.

    Args:
        masks: every frame.
        labels: names of the values.
        ed: position of end-diastole among the masks, from 0.
        es: position of end-systole among the masks, from 0.
        certainty: of every frame.
        numbers: the masks' frames in the cine, from 1; None if all are there.
    """
    number = range(1, len(masks) + 1) if numbers is None else numbers
    found = [
        _measured(mask, labels, certainty[t] if certainty else None) for t, mask in enumerate(masks)
    ]
    failing = [
        number[t]
        for t, measures in enumerate(found)
        if t not in (ed, es) and _verdict_of(measures) == "fail"
    ]
    misfits = [
        number[t] for t in misfit_frames([measures.values["lv_ml"] or 0.0 for measures in found])
    ]
    cine: dict[str, Value] = {
        "frames": len(masks),
        "failing_frames": Located(len(failing), tuple(failing)),
        "misfit_frames": Located(len(misfits), tuple(misfits)),
    }
    both = together(masks[ed], masks[es], labels)
    pair = _pair(found[ed], found[es], both)
    return _quality(pair | {"cine": (Measures.of(cine), CINE_RULES)})


def check_cine_mask(
    mask: np.ndarray,
    grid: Volume,
    labels: LabelTable,
    *,
    phases: tuple[int | None, int | None],
    certainty: Sequence[Certainty] | None = None,
    annotated: Sequence[int] | None = None,
) -> Quality:
    """The rules for a cine; for its first annotated frame alone if no phases were found.

    Args:
        mask: (X, Y, Z, T) label values.
        grid: any volume on the grid of one frame.
        labels: names of the values.
        phases: frames at ED and ES, from 1.
        certainty: of every frame that is looked at.
        annotated: frames from 0 to look at; None takes all.
    """
    ed, es = phases
    shown = list(range(mask.shape[3]) if annotated is None else annotated) or [0]
    frames = [grid.with_array(mask[..., index]) for index in shown]
    if ed is None or es is None:
        return check_volume(frames[0], labels, certainty=certainty[0] if certainty else None)
    return check_cine(
        frames,
        labels,
        ed=shown.index(ed - 1),
        es=shown.index(es - 1),
        certainty=certainty,
        numbers=[index + 1 for index in shown],
    )


def _quality(checked: Checked) -> Quality:
    broken = [
        found
        for where, (measures, rules) in checked.items()
        for rule in rules
        if (found := rule.finding(measures, where))
    ]
    broken.sort(key=lambda found: GRAVEST_FIRST.index(found.severity))
    return Quality(
        verdict=VERDICTS[broken[0].severity] if broken else "pass",
        reasons=tuple(found for found in broken if found.severity != "note"),
        notes=tuple(found for found in broken if found.severity == "note"),
        measures={where: measures for where, (measures, _) in checked.items()},
    )


def _verdict_of(measures: Measures) -> Verdict:
    return _quality({"mask": (measures, MASK_RULES)}).verdict


def _measured(mask: Volume, labels: LabelTable, certainty: Certainty | None) -> Measures:
    return shape_measures(mask, labels).with_others(Measures.of(certainty or {}))


def _pair(
    ed: Measures, es: Measures, both: Measures
) -> dict[str, tuple[Measures, Sequence[QualityRule]]]:
    changes = both.with_others(Measures.of(_between(ed, es)))
    return {"ED": (ed, MASK_RULES), "ES": (es, MASK_RULES), BOTH: (changes, PAIR_RULES)}


def _between(ed: Measures, es: Measures) -> dict[str, Value]:
    """What changes from ED to ES."""
    found: dict[str, Value] = {}
    strokes: dict[str, float] = {}
    for side in ("lv", "rv"):
        edv, esv = ed.values[f"{side}_ml"], es.values[f"{side}_ml"]
        if edv is None or esv is None:
            found[f"{side}_ef_percent"] = _absent(f"{side}_ml", ed, es)
        else:
            found[f"{side}_ef_percent"], strokes[side] = (
                ejection_fraction(edv, esv) or 0.0,
                edv - esv,
            )
    step = ed.values["area_step"]
    found["area_step_ed"] = (
        ed.reasons["area_step"] if step is None else Located(step, ed.at.get("area_step", ()))
    )
    at_ed, at_es = ed.values["myo_ml"], es.values["myo_ml"]
    found["mass_es_over_ed"] = (
        _absent("myo_ml", ed, es) if at_ed is None or at_es is None else at_es / at_ed
    )
    ejects = strokes.get("lv", 0) > 0 and "rv" in strokes
    found["sv_rv_over_lv"] = (
        strokes["rv"] / strokes["lv"] if ejects else "no stroke volume of the LV, or none of the RV"
    )
    return found


def _absent(name: str, ed: Measures, es: Measures) -> str:
    return ed.reasons.get(name) or es.reasons[name]
