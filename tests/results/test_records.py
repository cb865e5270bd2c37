"""Records on disk: what is written is read again; anything else is an error that names the file."""

import json

import pytest
from small_case import (
    PASS,
    WARN,
    read_heart,
    read_run,
    record_of_case,
    write_case,
    write_reported_case,
)

from cardioseg.core.errors import InputError
from cardioseg.core.record import StoredRecord
from cardioseg.results.folder import finished_cases
from cardioseg.results.records import ClinicalRecord, ClinicalSummary, RunRecord
from cardioseg.workflows.folder import update_folder


@pytest.fixture
def records(tmp_path):
    """Both records of a cine, with every optional part filled in."""
    write_reported_case(tmp_path)
    heart = read_heart(tmp_path).model_copy(update={"quality": WARN, "cases": {"ed": "a"}})
    run = read_run(tmp_path).model_copy(
        update={
            "clinical": ClinicalSummary.of(heart),
            "quality": WARN,
            "dicom_seg_frames": (1, 4),
            "warnings": ("a warning",),
            "files": {"heart_mask.nii.gz": "0" * 64},
        }
    )
    return {RunRecord: run, ClinicalRecord: heart}


@pytest.fixture(params=[RunRecord, ClinicalRecord], ids=["run", "clinical"])
def record(request, records) -> StoredRecord:
    return records[request.param]


def write_json(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def refusal(record, path) -> InputError:
    with pytest.raises(InputError) as caught:
        type(record).read(path)
    assert str(path) in str(caught.value)
    return caught.value


def test_what_is_written_is_read_again(record, tmp_path):
    path = tmp_path / "record.json"
    record.write(path)
    again = type(record).read(path)
    assert again == record
    assert again.as_json() == path.read_text(encoding="utf-8")


def test_a_record_cannot_be_changed(record):
    with pytest.raises(ValueError, match="frozen"):
        record.case = "other"


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_layout_is_refused_by_its_version(record, tmp_path, version):
    values = record.model_dump(mode="json") | {"schema_version": version}
    error = refusal(record, write_json(tmp_path / "record.json", values))
    assert "schema_version" in error.found


def test_a_record_without_a_version_is_refused(record, tmp_path):
    values = record.model_dump(mode="json")
    del values["schema_version"]
    assert "schema_version" in refusal(record, write_json(tmp_path / "x.json", values)).found


@pytest.mark.parametrize(
    ("change", "named"),
    [({"colour": "red"}, "colour"), ({"case": 7}, "case"), ({"quality": "good"}, "quality")],
)
def test_an_unknown_key_and_a_wrong_type_are_named(record, tmp_path, change, named):
    values = record.model_dump(mode="json") | change
    assert refusal(record, write_json(tmp_path / "x.json", values)).found.startswith(named)


def test_a_missing_key_is_named(record, tmp_path):
    values = record.model_dump(mode="json")
    del values["case"]
    assert refusal(record, write_json(tmp_path / "x.json", values)).found.startswith("case")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"recipe": {"loops": 4}}, "recipe."),
        ({"spacing_mm": [1.0, 2.0]}, "spacing_mm"),
        ({"mean_steps": "many"}, "mean_steps"),
        ({"quality": {"verdict": "fine"}}, "quality.verdict"),
    ],
)
def test_a_nested_value_is_named_by_its_path(records, tmp_path, change, named):
    run = records[RunRecord]
    path = write_json(tmp_path / "x.json", run.model_dump(mode="json") | change)
    assert refusal(run, path).found.startswith(named)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b"\xff\xfe\x00", b"[" * 10_000, b'{"schema_version": NaN}']
)
def test_a_file_that_holds_no_record_is_named(record, tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    refusal(record, tmp_path / "x.json")


def test_a_record_that_is_not_there_is_named(record, tmp_path):
    refusal(record, tmp_path / "nowhere.json")


def test_a_number_that_json_cannot_hold_is_never_stored(records):
    run = records[RunRecord]
    values = run.model_dump() | {"mean_steps": float("nan")}
    with pytest.raises(ValueError, match="finite"):
        RunRecord.model_validate(values)


def test_summary_and_record_state_the_same_numbers(records):
    heart = records[ClinicalRecord]
    summary = records[RunRecord].clinical
    assert (summary.lv, summary.rv, summary.phases) == (heart.lv, heart.rv, heart.phases)


# -------------------------------------------------------------------------------------- in a folder


UNREADABLE = {
    "older": '{"case": "old", "loops": 4}',
    "of another version": '{"schema_version": 99}',
    "no JSON": "{",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_record_is_named_and_the_other_cases_count(tmp_path, text):
    write_case(tmp_path, "good", frames=1)
    (tmp_path / "old_run.json").write_text(text)
    records, unreadable = finished_cases(tmp_path)
    assert list(records) == ["good"]
    (line,) = unreadable
    assert str(tmp_path / "old_run.json") in line
    assert update_folder(tmp_path).warnings == unreadable
    assert (tmp_path / "old_run.json").read_text() == text


def test_an_unreadable_clinical_record_is_named_and_the_other_hearts_count(tmp_path):
    write_reported_case(tmp_path, "cine")
    write_reported_case(tmp_path, "good")
    (tmp_path / "cine_clinical.json").write_text('{"case": "cine", "lv": {}}')
    folder = update_folder(tmp_path)
    assert [heart.case for heart in folder.hearts] == ["good"]
    (warning,) = folder.warnings
    assert "cine_clinical.json" in warning
    assert (tmp_path / "index.html").is_file()


def test_a_record_under_another_cases_name_is_not_that_case(tmp_path):
    record_of_case("somebody").write(tmp_path / "else_run.json")
    records, (line,) = finished_cases(tmp_path)
    assert not records
    assert "somebody" in line


def test_the_labels_of_a_record_are_those_of_its_mask(tmp_path):
    names = {"background": 0, "LV": 1, "MYO": 2}
    record = record_of_case("heart", labels=names, quality=PASS)
    assert record.label_table().names == tuple(names)
