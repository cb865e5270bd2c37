"""The hearts of a folder: ED and ES files of one patient brought together, and all of them in ``study.csv``.

A heart is a cine, or a pair of volumes of one patient at ED and at ES, whose function becomes ``PATIENT_clinical.json`` and
``PATIENT_report.html``. All follow from the run records and masks in the folder, so they are made again at the end of every
call, and a pair's files go when one of its cases does. ``study_table`` knows the table, where single volumes have a row as well.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg.clinical.function import Body, heart_function
from cardioseg.clinical.volumes import structure_value
from cardioseg.core.atomic import remove, write_json
from cardioseg.core.errors import InputError
from cardioseg.core.labels import LabelTable
from cardioseg.data.patients import body_of
from cardioseg.pages.patient import make_patient_reports
from cardioseg.results.function import (
    CLINICAL,
    ONE_VOLUME,
    clinical_facts,
    pair_phases,
    read_clinical,
)
from cardioseg.results.quality import pair_quality
from cardioseg.results.study_table import TABLE, our_table, write_table

if TYPE_CHECKING:
    from cardioseg.clinical.phases import Phases
    from cardioseg.workflows.products import Study

MADE_HERE = "cardioseg segment"  # a pair that somebody measured into the folder is not made again, and does not go
Record = Mapping[str, Any]
Cases = tuple[str, str]  # at ED and at ES


def make_hearts(study: "Study") -> dict[str, Any]:
    """Write the pairs' files and ``study.csv``; "hearts": what ``X_clinical.json`` holds, of every heart in the folder."""
    output = study.request.output
    cines = {
        name: found
        for name in study.records
        if (found := read_clinical(output / f"{name}{CLINICAL}")) and "cases" not in found
    }
    pairs, unwritten = _write_pairs(study)
    for path in output.glob(f"*{CLINICAL}"):
        if _ours(path) and path.name.removesuffix(CLINICAL) not in pairs:
            remove(path)
    warnings = [*unwritten.values(), *make_patient_reports(study, pairs)]
    hearts = [heart for _, heart in sorted((cines | pairs).items())]
    path = output / TABLE
    if path.exists() and not our_table(path) and not study.request.overwrite:
        warnings.append(f"{TABLE} is not of these masks and was left; --overwrite replaces it")
    else:
        write_table(path, hearts, _single(study.records, pairs, unwritten), study.records)
    return {"hearts": hearts, "warnings": warnings}


def _single(
    records: Mapping[str, Record], pairs: Mapping[str, Record], unwritten: Iterable[Cases]
) -> dict[str, str]:
    """Volumes that are in no heart: case → why its function is not known."""
    torn = {
        case: f"the function of {ed} and {es} was not written"
        for ed, es in unwritten
        for case in (ed, es)
    }
    paired = {case for heart in pairs.values() for case in heart["cases"].values()}
    alone = [
        name for name, record in records.items() if record["frames"] == 1 and name not in paired
    ]
    return {
        name: torn.get(name) or records[name].get("clinical_reason", ONE_VOLUME) for name in alone
    }


def _write_pairs(study: "Study") -> tuple[dict[str, dict[str, Any]], dict[Cases, str]]:
    """The function of every pair, by patient, written; and of those that were not, why, in a sentence."""
    hearts: dict[str, dict[str, Any]] = {}
    unwritten: dict[Cases, str] = {}
    for patient, (ed, es) in _pairs(study.records):
        path = study.request.output / f"{patient}{CLINICAL}"
        if patient in study.records or (
            path.exists() and not _ours(path) and not study.request.overwrite
        ):
            whose = (
                "another case's"
                if patient in study.records
                else "not of these masks; --overwrite replaces it"
            )
            unwritten[ed, es] = (
                f"{path.name} is {whose}: the function of {ed} and {es} was not written"
            )
            continue
        try:
            hearts[patient] = _pair_function(study, patient, ed, es)
        except InputError as error:  # a mask of an earlier call is no reason for this one to fail
            unwritten[ed, es] = f"the function of {ed} and {es} was not written: {error}"
            continue
        write_json(path, hearts[patient])
    return hearts, unwritten


def _pairs(records: Mapping[str, Record]) -> Iterator[tuple[str, Cases]]:
    """Patient, and the names of the cases at ED and at ES."""
    patients: dict[str, list[str]] = {}
    for name, record in records.items():
        if record["frames"] == 1 and "patient" in record:
            patients.setdefault(record["patient"]["name"], []).append(name)
    for patient, cases in patients.items():
        named = {
            phase: [case for case in cases if records[case]["patient"]["phase"] == phase]
            for phase in ("ED", "ES", "")
        }
        if len(named["ED"]) == len(named["ES"]) == 1:
            yield patient, (named["ED"][0], named["ES"][0])
        elif len(named[""]) == len(cases) == 2:
            smaller, larger = sorted(cases, key=lambda case: _lv_ml(records[case]))
            yield patient, (larger, smaller)


def _lv_ml(record: Record) -> float:
    labels = LabelTable.from_mapping(record["labels"])
    value = structure_value("LV", labels)
    return 0.0 if value is None else float(record["volumes_ml"][labels.names[value]][0])


def _pair_function(study: "Study", patient: str, ed: str, es: str) -> dict[str, Any]:
    from cardioseg.imaging.open import read

    at_ed, at_es = study.records[ed], study.records[es]
    labels = LabelTable.from_mapping(at_ed["labels"])
    trust = at_ed["recipe"]["trust"]
    mask_ed, mask_es = (
        read(study.request.output / f"{case}_mask.nii.gz", trust=trust) for case in (ed, es)
    )
    body = body_of(at_ed["patient"], Body(**at_ed["recipe"]["beat"]["body"]))
    function = heart_function(mask_ed, mask_es, labels, body)
    phases = _phases(at_ed, at_es, function)
    facts = clinical_facts(
        patient, function, phases=phases, why_none="the files' names state no frame"
    )
    return (
        facts | {"cases": {"ed": ed, "es": es}, "made_by": MADE_HERE} | pair_quality(at_ed, at_es)
    )


def _phases(ed: Record, es: Record, function: dict[str, Any]) -> "Phases":
    """What is known of the phases of two files."""
    frames = [
        None if record["patient"]["frame"] is None else record["patient"]["frame"] - 1
        for record in (ed, es)
    ]
    told_by = ed["patient"]["told_by"]
    doubts = () if told_by else ("nothing but the volumes says which file is ED",)
    return pair_phases(
        frames[0],
        frames[1],
        function,
        source=told_by or "larger and smaller LV volume",
        doubts=doubts,
    )


def _ours(path: Path) -> bool:
    """Whether a pair's function stands there that ``make_hearts`` wrote."""
    found = read_clinical(path)
    return found is not None and found.get("made_by") == MADE_HERE
