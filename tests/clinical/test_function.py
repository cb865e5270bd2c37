"""The numbers of a heart against geometry, and the reasons for numbers that are missing."""

import math
import re

import numpy as np
import pytest
from analytic_hearts import GAPS, drawn, half_ellipsoid_ml

from cardioseg.clinical.body import BSA_FORMULA, Body
from cardioseg.clinical.function import heart_function
from cardioseg.clinical.wall import SEGMENTS
from cardioseg.core.labels import ACDC_LABELS, LabelTable

BODY = Body(height_cm=184, weight_kg=95, heart_rate_bpm=70)


@pytest.mark.parametrize(("thickness", "gap"), GAPS.values(), ids=GAPS)
def test_volumes_mass_and_ef_are_those_of_the_ellipsoids(thickness, gap):
    ed, es = (
        drawn(radius, wall=wall, distance=thickness + gap) for radius, wall in ((25, 10), (16, 14))
    )
    found = heart_function(ed, es, ACDC_LABELS, BODY)
    edv, esv = half_ellipsoid_ml(25, 90), half_ellipsoid_ml(16, 90)
    assert found.lv.edv_ml == pytest.approx(edv, rel=0.01)
    assert found.lv.esv_ml == pytest.approx(esv, rel=0.01)
    assert found.lv.sv_ml == pytest.approx(edv - esv, rel=0.02)
    assert found.lv.ef_percent == pytest.approx(100 * (1 - esv / edv), abs=0.5)
    assert found.lv.mass_g == pytest.approx(1.05 * (half_ellipsoid_ml(35, 100) - edv), rel=0.01)
    assert found.wall_thickness.segments_mm["mid anterior"] == pytest.approx(10, abs=0.6)


def test_what_follows_from_the_volumes():
    found = heart_function(drawn(25), drawn(16), ACDC_LABELS, BODY)
    surface = math.sqrt(184 * 95 / 3600)
    assert found.body.surface_area_m2 == round(surface, 2)
    assert found.body.surface_formula == BSA_FORMULA
    assert found.indexed.lv_edv_ml_per_m2 == pytest.approx(found.lv.edv_ml / surface, abs=0.01)
    assert found.indexed.lv_mass_g_per_m2 == pytest.approx(found.lv.mass_g / surface, abs=0.01)
    litres = found.lv.sv_ml * 70 / 1000
    assert found.cardiac_output.l_per_min == pytest.approx(litres, abs=0.01)
    assert found.cardiac_output.l_per_min_per_m2 == pytest.approx(litres / surface, abs=0.01)
    assert set(found.reasons) == {"wall_thickness.segments_mm.apex"}


def numbers(found, path=()):
    """Dotted names of everything that may be None."""
    for key, value in found.items():
        if isinstance(value, dict) and key != "reasons":
            yield from numbers(value, (*path, key))
        elif path and key not in ("phase", "surface_formula"):
            yield ".".join((*path, key)), value


WITHOUT = {
    "no body": (Body(), None, None),
    "no weight": (Body(height_cm=170), None, None),
    "no RV at ES": (BODY, None, 1),
    "no LV at ED": (BODY, 3, None),
    "no wall at ED": (BODY, 2, None),
    "no ED": (BODY, "all", None),
}


@pytest.mark.parametrize(("body", "ed_without", "es_without"), WITHOUT.values(), ids=WITHOUT)
def test_every_none_has_its_reason_and_every_reason_its_none(body, ed_without, es_without):
    ed, es = drawn(25), drawn(16)
    ed = (
        None
        if ed_without == "all"
        else ed.with_array(np.where(ed.array == ed_without, 0, ed.array))
    )
    es = es.with_array(np.where(es.array == es_without, 0, es.array))
    found = heart_function(ed, es, ACDC_LABELS, body, why_none="one frame shows no beat")
    named = dict(numbers(found.model_dump()))
    assert {key for key, value in named.items() if value is None} == set(found.reasons)
    assert all(found.reasons.values())
    assert 0 not in named.values(), "what is not there is not 0"


def test_reasons_name_what_is_not_known_of_the_body():
    nothing = heart_function(drawn(25), drawn(16), ACDC_LABELS, Body()).reasons
    size = nothing["body.surface_area_m2"]
    assert nothing["body.height_cm"] == nothing["body.weight_kg"] == size
    assert re.search("height.*weight", size)
    assert nothing["body.heart_rate_bpm"] == nothing["cardiac_output.l_per_min"]
    assert "heart rate" in nothing["cardiac_output.l_per_min"]
    no_weight = heart_function(drawn(25), drawn(16), ACDC_LABELS, Body(height_cm=170)).reasons
    assert "body.height_cm" not in no_weight
    assert no_weight["body.weight_kg"] == no_weight["indexed.lv_edv_ml_per_m2"]
    assert re.search("^(?!.*height).*weight", no_weight["body.weight_kg"])


def test_reasons_name_what_is_missing():
    ed, es = drawn(25), drawn(16)
    without = es.with_array(np.where(es.array == ACDC_LABELS.value("RV"), 0, es.array))
    reasons = heart_function(ed, without, ACDC_LABELS, BODY).reasons
    assert "RV at ES" in reasons["rv.ef_percent"]
    assert reasons["indexed.rv_sv_ml_per_m2"] == reasons["rv.ef_percent"]
    cavity_only = LabelTable(("background", "LV"))
    only = [
        mask.with_array((mask.array == ACDC_LABELS.value("LV")).astype(np.uint8))
        for mask in (ed, es)
    ]
    found = heart_function(*only, cavity_only, BODY)
    assert found.lv.ef_percent == pytest.approx(59, abs=0.5)
    assert "MYO" in found.reasons["lv.mass_g"]
    assert "RV" in found.reasons["rv.edv_ml"]
    assert found.wall_thickness.segments_mm == dict.fromkeys(SEGMENTS)


def test_labels_in_another_order_and_nnunets_spelling_give_the_same():
    table = LabelTable(("background", "LVC", "MLV", "RVC"))
    other = [
        mask.with_array(np.array([0, 3, 2, 1], np.uint8)[mask.array])
        for mask in (drawn(25), drawn(16))
    ]
    assert heart_function(*other, table, BODY) == heart_function(
        drawn(25), drawn(16), ACDC_LABELS, BODY
    )
