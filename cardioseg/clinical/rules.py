"""The quality rules and their limits.

A fail is something that no expert mask of ACDC shows; a warning is something to look at; a note
is worth knowing and does not change the verdict. Limits are where expert masks of ACDC's and
M&Ms' training patients hardly ever go; those of entropy where good masks of the shipped model
hardly ever go (``benchmarks/quality.py``; lab log).
"""

from dataclasses import dataclass
from typing import Literal

from cardioseg.clinical.measures import Measures, ranges
from cardioseg.core.record import Record

Severity = Literal["note", "warn", "fail"]
Unit = Literal["", "share", "%", "mm", "ml"]


@dataclass(frozen=True)
class QualityRule:
    """A limit that a measure must keep, or one limit for each severity.

    Attributes:
        name: name of the rule.
        text: sentence about a value, with ``{value}``.
        note, warn, fail: limits; None where the rule has no limit of that severity.
        least: the value must reach the limit; otherwise it must not exceed it.
        measure: what is looked at; the rule's own name if empty.
        unit: of the measure; a "share" is shown in percent.
        places: what the measure's places are.
    """

    name: str
    text: str
    note: float | None = None
    warn: float | None = None
    fail: float | None = None
    least: bool = False
    measure: str = ""
    unit: Unit = ""
    places: Literal["slice", "frame"] = "slice"

    def finding(self, measures: Measures, where: str) -> "Finding | None":
        """The gravest limit that is broken; None if all are kept or nothing was measured."""
        name = self.measure or self.name
        value = measures.values.get(name)
        if value is None:
            return None
        limits: dict[Severity, float | None] = {
            "fail": self.fail,
            "warn": self.warn,
            "note": self.note,
        }
        for severity, limit in limits.items():
            if limit is not None and (value < limit if self.least else value > limit):
                at = measures.at.get(name, ())
                return Finding(
                    rule=self.name,
                    where=where,
                    severity=severity,
                    value=value,
                    limit=limit,
                    at=at,
                    text=self._sentence(value, limit, at),
                )
        return None

    def _sentence(self, value: float, limit: float, at: tuple[int, ...]) -> str:
        place = f"{self.places}{'s' * (len(at) > 1)} {ranges(at)}: " if at else ""
        bound = f"{'at least' if self.least else 'at most'} {self.shown(limit)}"
        return f"{place}{self.text.format(value=self.shown(value))} (expected: {bound})"

    def shown(self, value: float) -> str:
        """A value or limit with its unit."""
        if self.unit == "share":
            return f"{100 * value:.3g} %"
        return f"{value:.3g}{f' {self.unit}' if self.unit else ''}"


class Finding(Record):
    """A rule that was broken.

    Attributes:
        rule: name of the rule.
        where: "mask" of a single volume, "ED", "ES", "ED and ES", or "cine".
        severity: how grave it is.
        value: the value measured.
        limit: the limit that it broke.
        at: slices, or frames of a cine, from 1, that it concerns.
        text: sentence for a person.
    """

    rule: str
    where: str
    severity: Severity
    value: float
    limit: float
    at: tuple[int, ...] = ()
    text: str


NO_RING = "LV drawn where myocardium does not surround it, probably above the valve"

MASK_RULES = (
    QualityRule("missing_structures", "{value} of RV, myocardium and LV missing", fail=0),
    QualityRule("border_voxels", "{value} voxels on the border of the image", warn=0, fail=2),
    QualityRule("gap_slices", "a structure is missing here and present on both sides", fail=0),
    QualityRule("stack_slices", "the stack has {value} slices", fail=6, least=True),
    QualityRule("stack_length_mm", "the stack is {value} long", fail=45, least=True, unit="mm"),
    QualityRule("lv_slices", "the LV spans {value} slices", warn=6, fail=4, least=True),
    QualityRule("lv_length_mm", "the LV is {value} long", warn=50, fail=40, least=True, unit="mm"),
    QualityRule(
        "lv_cut_off",
        "the stack ends before the apex; the LV there still has {value} of its largest area",
        warn=0.5,
        fail=0.65,
        unit="share",
    ),
    QualityRule("lv_slices_without_myo", "LV without any myocardium", warn=0, fail=1),
    QualityRule("rv_slices_without_myo", "RV without any myocardium", note=0, warn=1),
    QualityRule("open_slices", NO_RING, warn=0, fail=2),
    QualityRule(
        "open_ring",
        "{value} of the LV border at mid-ventricle has no myocardium",
        warn=0.02,
        fail=0.05,
        unit="share",
    ),
    QualityRule(
        "open_ring_anywhere", "{value} of the LV border has no myocardium", warn=0.1, unit="share"
    ),
    QualityRule(
        "rv_against_lv",
        "{value} of the RV border touches the LV, without a septum",
        warn=0.02,
        fail=0.06,
        unit="share",
    ),
    QualityRule(
        "roughness",
        "the epicardial outline is ragged: {value} times as long as that of its box",
        warn=1.06,
        fail=1.12,
    ),
    QualityRule("slice_shift_mm", "the LV moves by {value} between slices", warn=35, unit="mm"),
    QualityRule(
        "area_jump",
        "the area of the LV with its wall jumps by {value} of its largest",
        warn=0.45,
        unit="share",
    ),
    QualityRule(
        "area_step",
        "areas of LV and RV change by {value} more than in the slices beside; is one missing?",
        warn=0.36,
        unit="share",
    ),
    QualityRule("repeated_slices", "two neighbouring slices have the same mask", fail=0),
    QualityRule(
        "loose_share", "{value} of a structure lies apart from the rest", warn=0.1, unit="share"
    ),
    QualityRule(
        "torn_in_plane", "{value} of the heart lies apart in its slice", warn=0.03, unit="share"
    ),
    QualityRule(
        "rv_torn_in_plane", "{value} of the RV lies apart in its slice", warn=0.1, unit="share"
    ),
    QualityRule(
        "lv_small", "the LV holds {value}", warn=10, least=True, measure="lv_ml", unit="ml"
    ),
    QualityRule("rv_small", "the RV holds {value}", warn=5, least=True, measure="rv_ml", unit="ml"),
    QualityRule("lv_large", "the LV holds {value}", warn=500, fail=700, measure="lv_ml", unit="ml"),
    QualityRule("rv_large", "the RV holds {value}", warn=500, fail=700, measure="rv_ml", unit="ml"),
    QualityRule(
        "entropy", "the model is unsure of the heart (entropy {value})", warn=0.16, fail=0.19
    ),
    QualityRule("entropy_rv", "the model is unsure of the RV (entropy {value})", warn=0.20),
    QualityRule(
        "entropy_myo", "the model is unsure of the myocardium (entropy {value})", warn=0.23
    ),
    QualityRule("entropy_lv", "the model is unsure of the LV (entropy {value})", warn=0.15),
    QualityRule(
        "halting_spread", "the same number of loops was used everywhere", warn=0.5, least=True
    ),
)
PAIR_RULES = (
    QualityRule("lv_ef_percent", "LV EF is {value}", fail=0.5, least=True, unit="%"),
    QualityRule("rv_ef_percent", "RV EF is {value}", fail=0.5, least=True, unit="%"),
    QualityRule(
        "lv_ef_high", "LV EF is {value}", warn=83, fail=90, measure="lv_ef_percent", unit="%"
    ),
    QualityRule(
        "rv_ef_high", "RV EF is {value}", warn=83, fail=90, measure="rv_ef_percent", unit="%"
    ),
    QualityRule(
        "mass_falls",
        "myocardial mass at ES is {value} of that at ED",
        warn=0.75,
        least=True,
        measure="mass_es_over_ed",
        unit="share",
    ),
    QualityRule(
        "mass_grows",
        "myocardial mass at ES is {value} of that at ED",
        warn=1.5,
        measure="mass_es_over_ed",
        unit="share",
    ),
    QualityRule(
        "rv_ejects_less",
        "the RV's stroke volume is {value} of the LV's",
        note=0.5,
        warn=0.33,
        least=True,
        measure="sv_rv_over_lv",
        unit="share",
    ),
    QualityRule(
        "rv_ejects_more",
        "the RV's stroke volume is {value} of the LV's",
        note=2,
        warn=3,
        measure="sv_rv_over_lv",
        unit="share",
    ),
    QualityRule(
        "overlap",
        "the LV with its wall overlaps by {value} (Dice) between ED and ES: one heart?",
        warn=0.6,
        fail=0.3,
        least=True,
        unit="share",
    ),
    QualityRule(
        "area_step_ed",
        "areas of LV and RV at ED change by {value} more than in the slices beside; "
        "is one missing?",
        warn=0.26,
        unit="share",
    ),
    QualityRule("grids_differ", "ED and ES have different grids", warn=0),
    QualityRule("patients_differ", "the files at ED and ES name two patients", warn=0),
)
CINE_RULES = (
    QualityRule(
        "failing_frames",
        "{value} frames other than ED and ES break a rule that expert masks keep",
        warn=0,
        places="frame",
    ),
    QualityRule(
        "misfit_frames",
        "the LV volume does not fit the frames before and after",
        warn=0,
        places="frame",
    ),
)
