"""Names in the header of a .seg.nrrd: they are used, and --labels may not contradict them."""

import nrrd_files as files
import numpy as np
import pytest
from analytic_hearts import drawn
from measured_masks import save_mask

import cardioseg
from cardioseg.core.errors import LabelError
from cardioseg.data.labels import SYNONYMS
from cardioseg.imaging.open import read

ACDC = {"RV": 1, "MYO": 2, "LV": 3}
OTHERS = {
    "LV first": {"LV": 1, "MYO": 2, "RV": 3},
    "gaps": {"RV": 10, "LV": 20, "MYO": 200},
    "long names": {"Left ventricle": 1, "Right ventricle": 2, "LV myocardium": 3},
    "another segment": {"LV": 1, "Aorta": 2, "MYO": 3, "RV": 4},
}


def save(path, mask, values):
    """A mask with its values and names as 3D Slicer stores them."""
    array = np.zeros_like(mask.array)
    for name, value in values.items():
        structure = SYNONYMS.get(name.casefold(), name)
        if structure in ACDC:
            array[mask.array == ACDC[structure]] = value
    segments = "".join(
        f"Segment{i}_Name:={name}\nSegment{i}_LabelValue:={value}\n"
        for i, (name, value) in enumerate(values.items())
    )
    return files.write(path, array, mask, segments)


@pytest.mark.parametrize("values", OTHERS.values(), ids=OTHERS)
def test_measure_uses_the_names_of_the_header(tmp_path, values):
    pair = [(phase, drawn(radius)) for phase, radius in (("ed", 25), ("es", 16))]
    known = {phase: save_mask(tmp_path / f"{phase}.nii.gz", mask) for phase, mask in pair}
    named = {phase: save(tmp_path / f"{phase}.seg.nrrd", mask, values) for phase, mask in pair}
    expected, found = cardioseg.measure(**known), cardioseg.measure(**named)
    assert (found.lv, found.rv) == (expected.lv, expected.rv)
    one = cardioseg.measure(named["ed"])
    assert one.volumes_ml["LV"] == cardioseg.measure(known["ed"]).volumes_ml["LV"]


def test_labels_that_contradict_the_header_are_an_error(tmp_path):
    path = save(tmp_path / "a.seg.nrrd", drawn(25), {"LV": 1, "MYO": 2, "RV": 3})
    assert cardioseg.measure(path, labels="LV=1,MYO=2,RV=3").volumes_ml["LV"][0] > 100
    for labels in ("RV=1,MYO=2,LV=3", "LV=2,MYO=1,RV=3"):
        with pytest.raises(LabelError):
            cardioseg.measure(path, labels=labels)


@pytest.mark.parametrize("values", OTHERS.values(), ids=OTHERS)
def test_evaluate_compares_by_name(tmp_path, values):
    reference = save_mask(tmp_path / "ref.nii.gz", drawn(25))
    named = save(tmp_path / "pred.seg.nrrd", read(reference), values)
    assert cardioseg.evaluate(named, reference).mean_dice == 1.0
    assert cardioseg.evaluate(reference, named).mean_dice == 1.0


def test_evaluate_refuses_labels_that_contradict_a_header(tmp_path):
    reference = save_mask(tmp_path / "ref.nii.gz", drawn(25))
    named = save(tmp_path / "pred.seg.nrrd", drawn(25), {"LV": 1, "MYO": 2, "RV": 3})
    with pytest.raises(LabelError):
        cardioseg.evaluate(named, reference, labels="RV=1,MYO=2,LV=3")
