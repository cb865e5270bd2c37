"""Whether a segmentation can be believed: rules with limits, and a verdict with its reasons.

Limits stand where ACDC's expert masks never or hardly go; those of entropy where good masks of the shipped model hardly go
(``benchmarks/quality.py``; lab log, 2026-11-21). A fail is something no expert mask shows; a warning is something to look at; a
note is worth knowing and moves no verdict. Knows masks and numbers. What it does not know: the image, and so whether a
well-shaped heart lies where the heart is; children and hearts unlike those of ACDC's adults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cardioseg.clinical.shape import Measures, Value, shape_measures
from cardioseg.clinical.volumes import ejection_fraction
from cardioseg.core.labels import LabelTable
from cardioseg.core.volume import Volume

SEVERITIES = ("note", "warn", "fail")
BOTH = "ED and ES"  # where a finding lies that concerns neither alone
VERDICTS = {"note": "pass", "warn": "warn", "fail": "fail"}
Certainty = Mapping[str, Value]  # what inference says of a frame beside its mask: entropy, steps
Checked = Mapping[str, tuple[Measures, Sequence["Rule"]]]  # where → numbers, and the rules for them


@dataclass(frozen=True)
class Rule:
    """A limit, or one for each severity, that a measure must keep.

    Attributes:
        name: of the rule.
        text: sentence about a value, with ``{value}``.
        note, warn, fail: limits; None where the rule has none of that severity.
        least: the value must reach the limit; else it must not exceed it.
        measure: what is looked at; the rule's own name when empty.
    """

    name: str
    text: str
    note: float | None = None
    warn: float | None = None
    fail: float | None = None
    least: bool = False
    measure: str = ""

    def finding(self, measures: Measures, where: str) -> "Finding | None":
        """The gravest limit that is broken; None when all are kept or nothing was measured."""
        value = measures.values.get(self.measure or self.name)
        if value is None:
            return None
        for severity in reversed(SEVERITIES):
            limit: float | None = getattr(self, severity)
            if limit is not None and (value < limit if self.least else value > limit):
                bound = f"{'at least' if self.least else 'at most'} {limit:g} expected"
                return Finding(
                    self.name,
                    where,
                    severity,
                    value,
                    limit,
                    f"{self.text.format(value=value)}; {bound}",
                )
        return None


@dataclass(frozen=True)
class Finding:
    """A rule that was broken.

    Attributes:
        rule: its name.
        where: "mask" of a single volume, "ED", "ES", ``BOTH``, or "cine".
        severity: of ``SEVERITIES``.
        value: that was measured.
        limit: that it broke.
        text: for a person.
    """

    rule: str
    where: str
    severity: str
    value: float
    limit: float
    text: str

    def facts(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))


@dataclass(frozen=True)
class Quality:
    """What the rules found.

    Attributes:
        findings: broken rules, gravest first.
        measures: where → every number that was looked at.
    """

    findings: tuple[Finding, ...]
    measures: Mapping[str, Measures]

    @property
    def verdict(self) -> str:
        """The gravest severity: "pass", "warn" or "fail"."""
        return VERDICTS[self.findings[0].severity] if self.findings else "pass"

    @property
    def warnings(self) -> tuple[str, ...]:
        """A line for every finding that moves the verdict."""
        return tuple(
            f"quality {found.severity} ({found.where}): {found.text}"
            for found in self.findings
            if found.severity != "note"
        )

    def facts(self) -> dict[str, Any]:
        """For the run record: verdict, the reasons for it, notes that move nothing, and all measures."""
        return {
            "verdict": self.verdict,
            "reasons": [found.facts() for found in self.findings if found.severity != "note"],
            "notes": [found.facts() for found in self.findings if found.severity == "note"],
            "measures": {where: measures.facts() for where, measures in self.measures.items()},
        }


MASK_RULES = (
    Rule("missing_structures", "{value:g} of RV, myocardium and LV are missing", fail=0),
    Rule("border_voxels", "{value:g} voxels lie on the border of the picture", fail=0),
    Rule("gap_slices", "{value:g} slices are empty between two of the same structure", fail=0),
    Rule("lv_slices", "the LV spans {value:g} slices", fail=6, least=True),
    Rule("lv_length_mm", "the LV is {value:g} mm long", fail=50, least=True),
    Rule("lv_slices_without_myo", "{value:g} slices show an LV without myocardium", warn=0, fail=1),
    Rule("rv_slices_without_myo", "{value:g} slices show an RV without myocardium", note=0, warn=1),
    Rule(
        "open_ring",
        "{value:.3f} of the mid-ventricular LV border have no myocardium",
        warn=0.02,
        fail=0.05,
    ),
    Rule("open_ring_anywhere", "{value:.3f} of the LV border have no myocardium", warn=0.1),
    Rule(
        "rv_against_lv",
        "{value:.3f} of the RV border lie against the LV, without a septum",
        warn=0.02,
        fail=0.06,
    ),
    Rule(
        "roughness",
        "the epicardial outline is {value:.3f} times that of its box",
        warn=1.06,
        fail=1.12,
    ),
    Rule("slice_shift_mm", "the LV moves by {value:.1f} mm from one slice to the next", warn=35),
    Rule("area_jump", "the epicardial area jumps by {value:.2f} of its largest", warn=0.45),
    Rule("loose_share", "{value:.3f} of a structure lie apart from its largest piece", warn=0.1),
    Rule("torn_in_plane", "{value:.3f} of the heart lie apart in their slice", warn=0.03),
    Rule("rv_torn_in_plane", "{value:.3f} of the RV lie apart in their slice", warn=0.1),
    Rule("lv_small", "the LV holds {value:.1f} ml", warn=10, least=True, measure="lv_ml"),
    Rule("rv_small", "the RV holds {value:.1f} ml", warn=5, least=True, measure="rv_ml"),
    Rule("lv_large", "the LV holds {value:.1f} ml", warn=500, measure="lv_ml"),
    Rule(
        "entropy", "predictive entropy on and around the heart is {value:.3f}", warn=0.16, fail=0.19
    ),
    Rule("entropy_rv", "predictive entropy on and around the RV is {value:.3f}", warn=0.20),
    Rule(
        "entropy_myo", "predictive entropy on and around the myocardium is {value:.3f}", warn=0.23
    ),
    Rule("entropy_lv", "predictive entropy on and around the LV is {value:.3f}", warn=0.15),
    Rule("halting_spread", "every place used the same number of loops", warn=0.5, least=True),
)
PAIR_RULES = (
    Rule("lv_ef_percent", "the LV ejects {value:.1f} %", fail=0.5, least=True),
    Rule("rv_ef_percent", "the RV ejects {value:.1f} %", fail=0.5, least=True),
    Rule(
        "mass_falls",
        "the mass at ES is {value:.2f} of that at ED",
        warn=0.85,
        least=True,
        measure="mass_es_over_ed",
    ),
    Rule(
        "mass_grows",
        "the mass at ES is {value:.2f} of that at ED",
        warn=1.5,
        measure="mass_es_over_ed",
    ),
    Rule(
        "rv_ejects_less",
        "the RV ejects {value:.2f} of the LV's volume",
        note=0.49,
        least=True,
        measure="sv_rv_over_lv",
    ),
    Rule(
        "rv_ejects_more",
        "the RV ejects {value:.2f} of the LV's volume",
        note=1.99,
        measure="sv_rv_over_lv",
    ),
)
CINE_RULES = (
    Rule(
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


def _quality(checked: Checked) -> Quality:
    broken = [
        found
        for where, (measures, rules) in checked.items()
        for rule in rules
        if (found := rule.finding(measures, where))
    ]
    gravest_first = sorted(broken, key=lambda found: -SEVERITIES.index(found.severity))
    return Quality(
        tuple(gravest_first), {where: measures for where, (measures, _) in checked.items()}
    )


def _verdict_of(measures: Measures) -> str:
    return _quality({"mask": (measures, MASK_RULES)}).verdict


def _measured(mask: Volume, labels: LabelTable, certainty: Certainty | None) -> Measures:
    shape, sure = shape_measures(mask, labels), Measures.of(certainty or {})
    return Measures({**shape.values, **sure.values}, {**shape.reasons, **sure.reasons})


def _pair(ed: Measures, es: Measures) -> dict[str, tuple[Measures, Sequence["Rule"]]]:
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
