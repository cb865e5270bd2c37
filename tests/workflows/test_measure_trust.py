"""``measure`` of masks that mislead: half-labelled cines, two patients, pieces of a heart.

Each function looks at the Python API, whose record the command writes.
"""

import json

import numpy as np
import pytest
from analytic_hearts import CYCLE, drawn
from measured_masks import save_cine, save_mask
from tiny import save_image

import cardioseg
from cardioseg.core.errors import UsageError
from cardioseg.core.volume import Volume
from cardioseg.workflows.measure import MeasureRequest, measure_masks

SPACING = (1.25, 1.25, 10.0)
NUMBERS = ("edv_ml", "esv_ml", "sv_ml", "ef_percent")


def save_frames(path, frames):
    return save_image(path, np.stack(frames, axis=-1), spacing=SPACING)


def with_empty_frames(labelled, frames=12):
    """A cine that is empty but for ``labelled``: frame from 0 → radius."""
    empty = np.zeros_like(drawn(25).array)
    return [drawn(labelled[t]).array if t in labelled else empty for t in range(frames)]


# ------------------------------------------------------------------------------- annotated frames


@pytest.mark.parametrize("labelled", [{0: 25, 4: 16}, {3: 16, 9: 25}, {11: 25, 0: 16}, {5: 20}])
def test_frames_without_any_label_are_not_annotated(tmp_path, labelled):
    found = cardioseg.measure(save_frames(tmp_path / "a.nii.gz", with_empty_frames(labelled)))
    if len(labelled) < 2:
        assert (found.ed_frame, found.lv.edv_ml) == (None, None)
        assert found.reasons["lv.edv_ml"]
        return
    ed, es = sorted(labelled, key=labelled.get, reverse=True)
    assert (found.ed_frame, found.es_frame) == (ed + 1, es + 1)
    alone = [save_mask(tmp_path / f"{t}.nii.gz", drawn(labelled[t])) for t in (ed, es)]
    pair = cardioseg.measure(ed=alone[0], es=alone[1])
    assert (found.lv, found.rv) == (pair.lv, pair.rv)
    assert found.phases.confidence == "medium"
    assert not found.volumes_ml, "an empty frame has no volume, not 0 ml"


def test_a_cine_with_one_empty_frame_is_measured_without_it(tmp_path):
    frames = [drawn(radius).array for radius in CYCLE]
    frames[7] = np.zeros_like(frames[0])
    found = cardioseg.measure(save_frames(tmp_path / "a.nii.gz", frames))
    assert (found.ed_frame, found.es_frame) == (1, 5)
    whole = cardioseg.measure(save_cine(tmp_path / "whole.nii.gz"))
    assert found.lv == whole.lv
    assert found.quality.verdict == whole.quality.verdict


def test_an_outlier_among_annotated_frames_is_neither_ed_nor_es(tmp_path):
    frames = [drawn(radius).array for radius in CYCLE]
    frames[7], frames[9] = np.zeros_like(frames[0]), drawn(33).array
    found = cardioseg.measure(save_frames(tmp_path / "a.nii.gz", frames))
    assert (found.ed_frame, found.es_frame, found.phases.confidence) == (1, 5, "low")


def test_a_chosen_frame_without_a_label_is_an_error(tmp_path):
    path = save_frames(tmp_path / "a.nii.gz", with_empty_frames({0: 25, 4: 16}))
    with pytest.raises(UsageError):
        cardioseg.measure(path, es=3)
    assert cardioseg.measure(path, es=5).es_frame == 5


def test_findings_name_frames_of_the_cine(tmp_path):
    """Frame 10 breaks a rule; frame 8 before it is empty."""
    frames = [drawn(radius).array for radius in CYCLE]
    frames[7] = np.zeros_like(frames[0])
    frames[9] = np.where(frames[9] == 2, 0, frames[9])
    found = cardioseg.measure(save_frames(tmp_path / "a.nii.gz", frames))
    failing = [reason for reason in found.quality.reasons if reason.rule == "failing_frames"]
    assert [reason.at for reason in failing] == [(10,)]


def test_an_empty_cine_has_no_numbers(tmp_path):
    found = cardioseg.measure(save_frames(tmp_path / "a.nii.gz", with_empty_frames({})))
    assert found.lv.edv_ml is None
    assert found.quality.verdict == "fail"


# ------------------------------------------------------------------------------- two hearts


def moved(mask, by, axis=0):
    return Volume(np.roll(mask.array, by, axis), mask.affine, mask.spacing)


@pytest.mark.parametrize(
    "other",
    [
        moved(drawn(16), 25),
        moved(drawn(16), -22, 1),
        drawn(16, wall=22),
        drawn(16, wall=4),
        drawn(31),
        drawn(16, length=50),
    ],
    ids=["beside", "above", "thick wall", "thin wall", "larger", "shorter"],
)
def test_two_hearts_on_one_grid_do_not_pass(tmp_path, other):
    grid = np.zeros_like(drawn(25).array)
    slices = min(grid.shape[2], other.shape[2])
    grid[:, :, :slices] = other.array[:, :, :slices]
    ed = save_mask(tmp_path / "one.nii.gz", drawn(25))
    es = save_mask(tmp_path / "other.nii.gz", Volume(grid, other.affine, other.spacing))
    assert cardioseg.measure(ed=ed, es=es).quality.verdict != "pass"


def test_names_of_two_patients_do_not_pass(tmp_path):
    """The masks are those of one heart; only the names tell."""
    ed, es, same = (
        save_mask(tmp_path / name, drawn(radius))
        for name, radius in (("anna_ED.nii.gz", 25), ("emma_ES.nii.gz", 16), ("anna_ES.nii.gz", 16))
    )
    rules = {reason.rule for reason in cardioseg.measure(ed=ed, es=es).quality.reasons}
    assert "patients_differ" in rules
    rules = {reason.rule for reason in cardioseg.measure(ed=ed, es=same).quality.reasons}
    assert "patients_differ" not in rules


# -------------------------------------------------------------------------------- pieces of a heart


def cut(mask, first, last):
    return Volume(mask.array[:, :, first:last], mask.affine, mask.spacing)


PIECES = [(4, 5), (0, 3), (3, 6), (0, 5), (2, 7)]


def shown(record):
    """Every number that needs a whole ventricle."""
    wall = record.wall_thickness
    chambers = [getattr(side, name) for side in (record.lv, record.rv) for name in NUMBERS]
    indexed = record.indexed.model_dump().values()
    segments = wall.segments_mm.values()
    return [*chambers, *indexed, record.lv.mass_g, wall.mean_mm, wall.max_mm, *segments]


@pytest.mark.parametrize(("first", "last"), PIECES)
@pytest.mark.parametrize("kind", ["pair", "cine", "volume"])
def test_a_piece_of_a_heart_has_no_number_anywhere(tmp_path, kind, first, last):
    ed, es = (cut(drawn(radius), first, last) for radius in (25, 16))
    paths = {
        name: save_mask(tmp_path / f"{name}.nii.gz", mask)
        for name, mask in {"ED": ed, "ES": es}.items()
    }
    if kind == "pair":
        request = MeasureRequest(ed=str(paths["ED"]), es=str(paths["ES"]), output=tmp_path / "out")
    elif kind == "volume":
        request = MeasureRequest(paths["ED"], output=tmp_path / "out")
    else:
        slowly = np.linspace(0, 1, 12)
        radii = np.interp(np.concatenate([slowly, slowly[::-1]]), (0, 1), (25, 16))
        frames = [cut(drawn(radius), first, last).array for radius in radii]
        cine = save_frames(tmp_path / "cine.nii.gz", frames)
        request = MeasureRequest(cine, output=tmp_path / "out")
    report = measure_masks(request)
    assert not any(value is not None for value in shown(report.data))
    assert report.data.reasons["lv.edv_ml"]
    assert report.data.quality.verdict == "fail"
    tables = {table.title.split(",")[0]: table for table in report.tables}
    numbers = [cell for row in report.tables[-2].rows for cell in row[1:]]
    assert tables
    assert set(numbers) == {"–"}, "the printed table"
    (written,) = (tmp_path / "out").glob("*_clinical.json")
    stored = json.loads(written.read_text())
    assert stored["lv"] == dict.fromkeys(stored["lv"])


# ------------------------------------------------------------------------------- good masks


def test_one_voxel_on_the_border_of_the_image_warns(tmp_path):
    mask = drawn(25)
    mask.array[0, 40, 4] = 1
    path = save_mask(tmp_path / "a.nii.gz", mask)
    found = {finding.rule: finding.severity for finding in cardioseg.measure(path).quality.findings}
    assert found["border_voxels"] == "warn"


def test_a_short_ventricle_warns(tmp_path):
    """48 mm in 8 slices of 6 mm, as an expert of M&Ms drew it."""
    mask = drawn(25, length=48, distance=6)
    found = cardioseg.measure(save_mask(tmp_path / "a.nii.gz", mask)).quality
    severity = {finding.rule: finding.severity for finding in found.findings}
    assert severity["lv_length_mm"] == "warn"
