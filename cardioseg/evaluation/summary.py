"""``metrics.json``: scores of all cases and of every group, and the predictions not used.

Its JSON schema is generated into ``docs/schemas/`` from here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import numpy as np

from cardioseg.core.labels import LabelTable
from cardioseg.core.record import Record, StoredRecord
from cardioseg.core.version import __version__
from cardioseg.evaluation.metrics import StructureScore
from cardioseg.evaluation.patients import QUANTITIES, PatientFunction
from cardioseg.evaluation.scores import ScoredCase
from cardioseg.evaluation.statistics import Agreement, Spread, agreement, rounded, summarise
from cardioseg.imaging.geometry import Trust

POSITION_TOLERANCE_MM = 1.0  # headers round; a mirrored or shifted grid is farther away than this


class DetectedMeans(Record):
    """Means over the volumes in which both masks show the structure; None if there are none.

    Attributes:
        dice: Dice, 0 to 1.
        hd95_mm: HD95, the larger directed 95th percentile of surface distance.
        assd_mm: average symmetric surface distance.
    """

    dice: float | None = None
    hd95_mm: float | None = None
    assd_mm: float | None = None


class StructureScores(Record):
    """Scores of one structure over all volumes in which a mask shows it.

    Attributes:
        dice: Dice, 0 to 1.
        hd95_mm: HD95, the larger directed 95th percentile of surface distance.
        assd_mm: average symmetric surface distance.
        missed: number of volumes in which only one of the two masks shows it.
        detected: means over the volumes in which both masks show it.
    """

    dice: Spread
    hd95_mm: Spread
    assd_mm: Spread
    missed: int
    detected: DetectedMeans


class GroupScores(Record):
    """Scores of a set of cases.

    Attributes:
        volumes: number of cases.
        patients: number of patients with ED and ES.
        mean_dice: mean of the structures' mean Dice; None if no mask shows a structure.
        structures: structure → scores.
        agreement: quantity, such as "lv_ef_percent" → agreement over the patients.
    """

    volumes: int
    patients: int
    mean_dice: float | None
    structures: dict[str, StructureScores]
    agreement: dict[str, Agreement]


class Evaluation(GroupScores, StoredRecord):
    """``metrics.json``: how predicted masks agree with reference masks.

    Attributes:
        groups: group → scores of its cases.
        missing: cases without a prediction.
        failed: case → why its prediction could not be used.
        apart: case → mm between the positions that the two headers state, if that is over 1 mm;
            its voxels were compared by index.
        reordered: predictions stored with other axes, whose voxels were reordered.
        left_out: cases without a prediction that were not scored.
        unmatched: predictions without a reference.
        without_ed_and_es: patients without a known ED and ES, so without EF.
        labels: names of the masks' values.
        trust: which spacing was used where a header states two.
        cardioseg: version that computed the scores.
    """

    KIND: ClassVar[str] = "evaluation"

    schema_version: int = 1
    groups: dict[str, GroupScores]
    missing: tuple[str, ...]
    failed: dict[str, str]
    apart: dict[str, float]
    reordered: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    unmatched: tuple[str, ...]
    without_ed_and_es: tuple[str, ...]
    labels: tuple[str, ...]
    trust: Trust
    cardioseg: str = __version__

    @property
    def predicted(self) -> int:
        """Number of cases with a prediction that could be used."""
        return self.volumes - len(self.missing) - len(self.failed)

    @property
    def references(self) -> int:
        """Number of cases with a reference, scored or left out."""
        return self.volumes + len(self.left_out)


def evaluation(
    cases: Sequence[ScoredCase],
    patients: Sequence[PatientFunction],
    labels: LabelTable,
    *,
    trust: Trust,
    unmatched: tuple[str, ...] = (),
    left_out: tuple[str, ...] = (),
) -> Evaluation:
    """Summarise scored cases.

    Args:
        cases: all cases.
        patients: function of the patients with ED and ES.
        labels: names of the masks' values.
        trust: which spacing was used where a header states two.
        unmatched: predictions without a reference.
        left_out: cases without a prediction that were not scored.
    """
    apart = {case.pair.name: round(case.apart_mm, 2) for case in cases if _is_apart(case)}
    failed = {c.pair.name: c.failure_without_folder for c in cases if c.state == "failed"}
    return Evaluation(
        **_scores(cases, patients, labels).__dict__,
        groups=_groups(cases, patients, labels),
        missing=_names(case for case in cases if case.state == "missing"),
        failed=failed,
        apart=apart,
        reordered=_names(case for case in cases if case.reordered),
        left_out=left_out,
        unmatched=unmatched,
        without_ed_and_es=_without_phases(cases, patients),
        labels=labels.names,
        trust=trust,
    )


def _names(cases: Iterable[ScoredCase]) -> tuple[str, ...]:
    return tuple(case.pair.name for case in cases)


def _without_phases(
    cases: Sequence[ScoredCase], patients: Sequence[PatientFunction]
) -> tuple[str, ...]:
    """Patients whose function was not computed, by name."""
    measured = {patient.patient for patient in patients}
    return tuple(sorted({case.pair.patient for case in cases} - measured))


def _is_apart(case: ScoredCase) -> bool:
    return case.apart_mm > POSITION_TOLERANCE_MM


def _groups(
    cases: Sequence[ScoredCase], patients: Sequence[PatientFunction], labels: LabelTable
) -> dict[str, GroupScores]:
    found = {}
    for group in sorted({case.pair.group for case in cases} - {""}):
        inside = [case for case in cases if case.pair.group == group]
        members = [patient for patient in patients if patient.group == group]
        found[group] = _scores(inside, members, labels)
    return found


def _scores(
    cases: Sequence[ScoredCase], patients: Sequence[PatientFunction], labels: LabelTable
) -> GroupScores:
    structures = {n: _structure([case.scores[n] for case in cases]) for n in labels.structures}
    means = [found.dice.mean for found in structures.values() if found.dice.mean is not None]
    return GroupScores(
        volumes=len(cases),
        patients=len(patients),
        mean_dice=rounded(float(np.mean(means))) if means else None,
        structures=structures,
        agreement={quantity: _agreement(quantity, patients) for quantity in QUANTITIES},
    )


def _structure(scores: Sequence[StructureScore]) -> StructureScores:
    def spread(value: Callable[[StructureScore], float | None]) -> tuple[Spread, float | None]:
        """Over all volumes, and the mean over those in which both masks show the structure."""
        detected = summarise(value(score) for score in scores if not score.missed)
        return summarise(map(value, scores)), detected.mean

    dice, detected_dice = spread(lambda score: score.dice)
    hd95, detected_hd95 = spread(lambda score: score.hd95_mm)
    assd, detected_assd = spread(lambda score: score.assd_mm)
    return StructureScores(
        dice=dice,
        hd95_mm=hd95,
        assd_mm=assd,
        missed=sum(score.missed for score in scores),
        detected=DetectedMeans(dice=detected_dice, hd95_mm=detected_hd95, assd_mm=detected_assd),
    )


def _agreement(quantity: str, patients: Sequence[PatientFunction]) -> Agreement:
    return agreement(
        [patient.predicted[quantity] for patient in patients],
        [patient.reference[quantity] for patient in patients],
        reasons={p.patient: p.reasons[quantity] for p in patients if quantity in p.reasons},
    )
