"""The quality rules and their limits.

Limits are where ACDC's expert masks never or hardly ever go; those of entropy where good masks of the shipped model hardly ever
go (``benchmarks/quality.py``; lab log, 2026-11-21). A fail is something that no expert mask shows; a warning is something to look
at; a note is worth knowing and does not change the verdict.
"""

from dataclasses import dataclass
from typing import Literal

from cardioseg.clinical.shape import Measures
from cardioseg.core.record import Record

Severity = Literal["note", "warn", "fail"]


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
        rule: name of the rule.
        where: "mask" of a single volume, "ED", "ES", "ED and ES", or "cine".
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
