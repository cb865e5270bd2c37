"""The hearts of a folder: ED and ES files of a patient become ``PATIENT_clinical.json``.

A heart is a cine, or a pair of volumes of one patient at ED and at ES. Everything here follows
from the run records and masks in the folder, so it is made again at the end of every call, and a
pair's file is removed when one of its cases is gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cardioseg.clinical.beat import pair_phases
from cardioseg.clinical.function import Function, heart_function
from cardioseg.clinical.phases import Phases
from cardioseg.clinical.quality import together
from cardioseg.clinical.volumes import structure_value
from cardioseg.core.atomic import remove
from cardioseg.core.errors import InputError
from cardioseg.data.patients import merged_body
from cardioseg.imaging.open import read
from cardioseg.results.folder import CLINICAL, map_of
from cardioseg.results.quality import pair_quality
from cardioseg.results.records import ClinicalRecord, RunRecord, RunRecords, clinical_record

MADE_HERE: Final = "cardioseg segment"  # pairs that `cardioseg measure` wrote are left alone
ONE_VOLUME = "one volume: EDV and ESV need ED and ES"
Cases = tuple[str, str]  # at ED and at ES


@dataclass(frozen=True)
class Hearts:
    """The hearts of a folder.

    Attributes:
        cines: case → its clinical record.
        pairs: patient → the clinical record of both volumes.
        alone: volumes that are part of no heart: case → why it has no function.
        warnings: what was not read or not written, and why.
    """

    cines: dict[str, ClinicalRecord]
    pairs: dict[str, ClinicalRecord]
    alone: dict[str, str]
    warnings: tuple[str, ...]

    @property
    def all(self) -> list[ClinicalRecord]:
        """Cines and pairs, by name."""
        return [heart for _, heart in sorted((self.cines | self.pairs).items())]


def make_hearts(output: Path, records: RunRecords, *, overwrite: bool = False) -> Hearts:
    """Find the hearts of a folder and write the record of every pair.

    Args:
        output: the folder.
        records: run records of all finished cases in it.
        overwrite: replace clinical records that other commands wrote.

    Raises:
        OutputError: the folder cannot be written.
    """
    cines, unreadable = _read_cines(output, records)
    pairs, unwritten = _write_pairs(output, records, overwrite=overwrite)
    for path in output.glob(f"*{CLINICAL}"):
        if _made_here(path) and path.name.removesuffix(CLINICAL) not in pairs:
            remove(path)
    alone = _alone(records, pairs, unwritten)
    return Hearts(cines, pairs, alone, (*unreadable, *unwritten.values()))


def _read_cines(
    output: Path, records: RunRecords
) -> tuple[dict[str, ClinicalRecord], tuple[str, ...]]:
    """Case → clinical record of every cine; and what is wrong with those that cannot be read."""
    found: dict[str, ClinicalRecord] = {}
    unreadable: list[str] = []
    for name in (name for name, record in records.items() if record.frames > 1):
        try:
            found[name] = ClinicalRecord.read(output / f"{name}{CLINICAL}")
        except InputError as error:
            unreadable.append(str(error))
    return found, tuple(unreadable)


def read_clinical(path: Path) -> ClinicalRecord | None:
    """The clinical record of a file; None if there is none that this version can read."""
    try:
        return ClinicalRecord.read(path)
    except InputError:
        return None


def _alone(
    records: RunRecords, pairs: dict[str, ClinicalRecord], unwritten: dict[Cases, str]
) -> dict[str, str]:
    why: dict[str, str] = {}
    for ed, es in unwritten:
        why |= dict.fromkeys((ed, es), f"the function of {ed} and {es} was not written")
    paired = {case for heart in pairs.values() for case in heart.cases.values()}
    alone = [name for name, record in records.items() if record.frames == 1]
    return {
        name: why.get(name) or records[name].clinical_reason or ONE_VOLUME
        for name in alone
        if name not in paired
    }


def _write_pairs(
    output: Path, records: RunRecords, *, overwrite: bool
) -> tuple[dict[str, ClinicalRecord], dict[Cases, str]]:
    """Write the function of every pair; by patient, and the reason for those not written."""
    hearts: dict[str, ClinicalRecord] = {}
    unwritten: dict[Cases, str] = {}
    for patient, (ed, es) in _pairs(records):
        path = output / f"{patient}{CLINICAL}"
        lost = f"the function of {ed} and {es} was not written"
        if patient in records:
            unwritten[ed, es] = f"{path.name} belongs to another case: {lost}"
        elif path.exists() and not _made_here(path) and not overwrite:
            why = "was not made from these masks; --overwrite replaces it"
            unwritten[ed, es] = f"{path.name} {why}: {lost}"
        else:
            try:
                hearts[patient] = _pair_record(output, patient, records[ed], records[es])
            except InputError as error:  # a broken mask of an earlier call must not end this one
                unwritten[ed, es] = f"{lost}: {error}"
                continue
            hearts[patient].write(path)
    return hearts, unwritten


def _pairs(records: RunRecords) -> Iterator[tuple[str, Cases]]:
    """Patients with two volumes, and the names of the cases at ED and at ES."""
    patients: dict[str, list[str]] = {}
    for name, record in records.items():
        if record.frames == 1:
            patients.setdefault(record.patient.name, []).append(name)
    for patient, cases in patients.items():
        named = {
            phase: [case for case in cases if records[case].patient.phase == phase]
            for phase in ("ED", "ES", "")
        }
        if len(named["ED"]) == len(named["ES"]) == 1:
            yield patient, (named["ED"][0], named["ES"][0])
        elif len(named[""]) == len(cases) == 2:
            smaller, larger = sorted(cases, key=lambda case: _lv_ml(records[case]))
            yield patient, (larger, smaller)


def _lv_ml(record: RunRecord) -> float:
    labels = record.label_table()
    value = structure_value("LV", labels)
    return 0.0 if value is None else record.volumes_ml[labels.names[value]][0]


def _pair_record(output: Path, patient: str, ed: RunRecord, es: RunRecord) -> ClinicalRecord:
    """The function of two volumes.

    Raises:
        InputError: a mask cannot be read.
    """
    masks = [
        read(map_of(output, record.case, "mask"), trust=ed.recipe.trust) for record in (ed, es)
    ]
    body = merged_body(ed.recipe.beat.body, ed.patient.body())
    function = heart_function(masks[0], masks[1], ed.label_table(), body)
    found = clinical_record(
        patient,
        function,
        _phases(ed, es, function),
        kind="pair",
        made_by=MADE_HERE,
        why_none="the files' names state no frame",
    )
    both = together(masks[0], masks[1], ed.label_table())
    quality = pair_quality(ed, es, both)
    cases = {"ed": ed.case, "es": es.case}
    return found.model_copy(update={"cases": cases, "quality": quality})


def _phases(ed: RunRecord, es: RunRecord, function: Function) -> Phases:
    """What is known of the phases of two files."""
    frames = [None if r.patient.frame is None else r.patient.frame - 1 for r in (ed, es)]
    told_by = ed.patient.told_by
    doubts = () if told_by else ("only the volumes tell which file is ED",)
    source = told_by or "larger and smaller LV volume"
    return pair_phases(frames[0], frames[1], function, source=source, doubts=doubts)


def _made_here(path: Path) -> bool:
    """Whether the file is a pair's record that ``make_hearts`` wrote."""
    found = read_clinical(path)
    return found is not None and found.kind == "pair" and found.made_by == MADE_HERE
