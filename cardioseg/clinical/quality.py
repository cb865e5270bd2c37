"""Whether a segmentation can be believed: rules with limits, and a verdict with its reasons.

Limits stand where ACDC's expert masks never or hardly go; those of entropy where good masks of the shipped model hardly go
(``benchmarks/quality.py``; lab log, 2026-11-21). A fail is something no expert mask shows; a warning is something to look at; a
note is worth knowing and moves no verdict. Knows masks and numbers. What it does not know: the image, and so whether a
well-shaped heart lies where the heart is; children and hearts unlike those of ACDC's adults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cardioseg.clinical.shape import Measures, Value, shape_measures
from cardioseg.clinical.volumes import ejection_fraction
from cardioseg.core.labels import LabelTable
from cardioseg.core.record import Record
from cardioseg.core.volume import Volume

Severity = Literal["note", "warn", "fail"]
Verdict = Literal["pass", "warn", "fail"]
GRAVEST_FIRST: tuple[Severity, ...] = ("fail", "warn", "note")
BOTH = "ED and ES"  # where a finding lies that concerns neither alone
VERDICTS: dict[Severity, Verdict] = {"note": "pass", "warn": "warn", "fail": "fail"}
Certainty = Mapping[str, Value]  # what inference says of a frame beside its mask: entropy, steps
Checked = Mapping[
    str, tuple[Measures, Sequence["QualityRule"]]
]  # where → numbers, and the rules for them


@dataclass(frozen=True)
class QualityRule:
    """A limit that a measure must keep, or one limit for each severity.

    Attributes:
        name: name of the rule.
        text: sentence about a value, with ``{value}``.
        note, warn, fail: limits; None where the rule has no limit of that severity.
        least: the value must reach the limit; otherwise it must not exceed it.
        measure: what is looked at; the rule's own name if empty.
    """

    name: str
    text: str
    note: float | None = None
    warn: float | None = None
    fail: float | None = None
    least: bool = False
    measure: str = ""

    def finding(self, measures: Measures, where: str) -> "Finding | None":
        """The gravest limit that is broken; None if all are kept or nothing was measured."""
        value = measures.values.get(self.measure or self.name)
        if value is None:
            return None
        limits: dict[Severity, float | None] = {
            "fail": self.fail,
            "warn": self.warn,
            "note": self.note,
        }
        for severity, limit in limits.items():
            if limit is not None and (value < limit if self.least else value > limit):
                text = f"{self.text.format(value=value)}; {self._bound(limit)}"
                return Finding(
                    rule=self.name,
                    where=where,
                    severity=severity,
                    value=value,
                    limit=limit,
                    text=text,
                )
        return None

    def _bound(self, limit: float) -> str:
        return f"{'at least' if self.least else 'at most'} {limit:g} expected"


class Finding(Record):
    """A rule that was broken.

    Attributes:
        rule: its name.
        where: "mask" of a single volume, "ED", "ES", ``BOTH``, or "cine".
        severity: how grave it is.
        value: the value measured.
        limit: the limit that it broke.
        text: sentence for a person.
    """

    rule: str
    where: str
    severity: Severity
    value: float
    limit: float
    text: str


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
    measures: dict[str, Measures] = {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every broken rule, gravest first."""
        return (*self.reasons, *self.notes)


MASK_RULES = (
    QualityRule("missing_structures", "{value:g} of RV, myocardium and LV are missing", fail=0),
    QualityRule("border_voxels", "{value:g} voxels lie on the border of the picture", fail=0),
    QualityRule(
        "gap_slices", "{value:g} slices are empty between two of the same structure", fail=0
    ),
    QualityRule("lv_slices", "the LV spans {value:g} slices", fail=6, least=True),
    QualityRule("lv_length_mm", "the LV is {value:g} mm long", fail=50, least=True),
    QualityRule(
        "lv_slices_without_myo", "{value:g} slices show an LV without myocardium", warn=0, fail=1
    ),
    QualityRule(
        "rv_slices_without_myo", "{value:g} slices show an RV without myocardium", note=0, warn=1
    ),
    QualityRule(
        "open_ring",
        "{value:.3f} of the mid-ventricular LV border have no myocardium",
        warn=0.02,
        fail=0.05,
    ),
    QualityRule("open_ring_anywhere", "{value:.3f} of the LV border have no myocardium", warn=0.1),
    QualityRule(
        "rv_against_lv",
        "{value:.3f} of the RV border lie against the LV, without a septum",
        warn=0.02,
        fail=0.06,
    ),
    QualityRule(
        "roughness",
        "the epicardial outline is {value:.3f} times that of its box",
        warn=1.06,
        fail=1.12,
    ),
    QualityRule(
        "slice_shift_mm", "the LV moves by {value:.1f} mm from one slice to the next", warn=35
    ),
    QualityRule("area_jump", "the epicardial area jumps by {value:.2f} of its largest", warn=0.45),
    QualityRule(
        "loose_share", "{value:.3f} of a structure lie apart from its largest piece", warn=0.1
    ),
    QualityRule("torn_in_plane", "{value:.3f} of the heart lie apart in their slice", warn=0.03),
    QualityRule("rv_torn_in_plane", "{value:.3f} of the RV lie apart in their slice", warn=0.1),
    QualityRule("lv_small", "the LV holds {value:.1f} ml", warn=10, least=True, measure="lv_ml"),
    QualityRule("rv_small", "the RV holds {value:.1f} ml", warn=5, least=True, measure="rv_ml"),
    QualityRule("lv_large", "the LV holds {value:.1f} ml", warn=500, measure="lv_ml"),
    QualityRule(
        "entropy", "predictive entropy on and around the heart is {value:.3f}", warn=0.16, fail=0.19
    ),
    QualityRule("entropy_rv", "predictive entropy on and around the RV is {value:.3f}", warn=0.20),
    QualityRule(
        "entropy_myo", "predictive entropy on and around the myocardium is {value:.3f}", warn=0.23
    ),
    QualityRule("entropy_lv", "predictive entropy on and around the LV is {value:.3f}", warn=0.15),
    QualityRule(
        "halting_spread", "every place used the same number of loops", warn=0.5, least=True
    ),
)
PAIR_RULES = (
    QualityRule("lv_ef_percent", "the LV ejects {value:.1f} %", fail=0.5, least=True),
    QualityRule("rv_ef_percent", "the RV ejects {value:.1f} %", fail=0.5, least=True),
    QualityRule(
        "mass_falls",
        "the mass at ES is {value:.2f} of that at ED",
        warn=0.85,
        least=True,
        measure="mass_es_over_ed",
    ),
    QualityRule(
        "mass_grows",
        "the mass at ES is {value:.2f} of that at ED",
        warn=1.5,
        measure="mass_es_over_ed",
    ),
    QualityRule(
        "rv_ejects_less",
        "the RV ejects {value:.2f} of the LV's volume",
        note=0.49,
        least=True,
        measure="sv_rv_over_lv",
    ),
    QualityRule(
        "rv_ejects_more",
        "the RV ejects {value:.2f} of the LV's volume",
        note=1.99,
        measure="sv_rv_over_lv",
    ),
)
CINE_RULES = (
    QualityRule(
        "failing_frames",
        "{value:g} of the other frames break a rule that expert masks keep",
        warn=0,
    ),
)


def check_volume(
    mask: Volume, labels: LabelTable, *, certainty: Certainty | None = None
) -> Quality:
    """The rules for one mask (X, Y, Z); ``certainty`` comes from the inference that made it, if one did."""
    return _quality({"mask": (_measured(mask, labels, certainty), MASK_RULES)})


def check_pair(
    ed: Volume,
    es: Volume,
    labels: LabelTable,
    *,
    certainty: Sequence[Certainty | None] = (None, None),
) -> Quality:
    """The rules for both masks of a patient, and for what changes between them."""
    return check_measured_pair(
        _measured(ed, labels, certainty[0]), _measured(es, labels, certainty[1])
    )


def check_measured_pair(ed: Measures, es: Measures) -> Quality:
    """The same from the measures of two masks that were checked one by one."""
    return _quality(_pair(ed, es))


def check_cine(
    masks: Sequence[Volume],
    labels: LabelTable,
    *,
    ed: int,
    es: int,
    certainty: Sequence[Certainty] | None = None,
) -> Quality:
    """The rules for ED and ES of a cine, and how many of its other frames break one.

    Args:
        masks: every frame.
        labels: names of the values.
        ed: frame at end-diastole, from 0.
        es: frame at end-systole, from 0.
        certainty: of every frame.
    """
    found = [
        _measured(mask, labels, certainty[t] if certainty else None) for t, mask in enumerate(masks)
    ]
    others = [measures for t, measures in enumerate(found) if t not in (ed, es)]
    failing = sum(_verdict_of(measures) == "fail" for measures in others)
    cine: dict[str, Value] = {"frames": len(masks), "failing_frames": failing}
    return _quality(_pair(found[ed], found[es]) | {"cine": (Measures.of(cine), CINE_RULES)})


def check_cine_mask(
    mask: np.ndarray,
    grid: Volume,
    labels: LabelTable,
    *,
    phases: tuple[int | None, int | None],
    certainty: Sequence[Certainty] | None = None,
) -> Quality:
    """The rules for a cine; for its first frame alone if no phases were found.

    Args:
        mask: (X, Y, Z, T) label values.
        grid: any volume on the grid of one frame.
        labels: names of the values.
        phases: frames at ED and ES, from 1.
        certainty: of every frame.
    """
    ed, es = phases
    if ed is None or es is None:
        first = grid.with_array(mask[..., 0])
        return check_volume(first, labels, certainty=certainty[0] if certainty else None)
    frames = [grid.with_array(mask[..., index]) for index in range(mask.shape[3])]
    return check_cine(frames, labels, ed=ed - 1, es=es - 1, certainty=certainty)


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


def _pair(ed: Measures, es: Measures) -> dict[str, tuple[Measures, Sequence[QualityRule]]]:
    both = Measures.of(_between(ed, es))
    return {"ED": (ed, MASK_RULES), "ES": (es, MASK_RULES), BOTH: (both, PAIR_RULES)}


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
