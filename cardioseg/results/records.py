"""The records of a finished case: ``X_run.json`` and ``X_clinical.json``.

Nothing else spells their keys. They hold no path and no identity beyond the case name.
``docs/schemas/`` holds their JSON schemas, generated from here.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from cardioseg.clinical.beat import Beat
from cardioseg.clinical.function import Function
from cardioseg.clinical.phases import Confidence, Phases
from cardioseg.clinical.quality import Quality
from cardioseg.clinical.volumes import Chamber, LeftVentricle
from cardioseg.core.config import WindowConfig
from cardioseg.core.labels import LabelTable
from cardioseg.core.record import RESEARCH_USE, Record, StoredRecord
from cardioseg.core.version import __version__
from cardioseg.data.patients import Patient

Kind = Literal["cine", "pair", "volume"]
Maker = Literal["cardioseg segment", "cardioseg measure"]


class PhaseChoice(Record):
    """How ED and ES were found.

    Attributes:
        source: what ED and ES were taken from: "volume curve", "given", "Info.cfg", "file names", …
        confidence: how sure the choice is; "none" if there are no phases.
        reasons: what speaks against the choice, or must be known about it.
    """

    source: str
    confidence: Confidence
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, phases: Phases) -> "PhaseChoice":
        """The choice without its frames."""
        return cls(source=phases.source, confidence=phases.confidence, reasons=phases.reasons)


class ClinicalHeading(StoredRecord):
    """What a clinical record is about; it stands before the numbers.

    Attributes:
        case: name of the case, or of the patient for ED and ES files.
        kind: "cine", "pair" (ED and ES in two files) or "volume" (one phase only).
        research_use_only: notice that this is not a medical device.
        cardioseg: version that computed the numbers.
        made_by: the command that wrote the record.
    """

    schema_version: int = 1
    case: str
    kind: Kind
    research_use_only: str = RESEARCH_USE
    cardioseg: str = __version__
    made_by: Maker


class ClinicalRecord(Function, ClinicalHeading):
    """``X_clinical.json``: the function of one heart.

    Attributes:
        ed_frame: frame at end-diastole, from 1.
        es_frame: frame at end-systole, from 1.
        phases: how ED and ES were found.
        cases: phase ("ed", "es") → case, of a pair.
        volumes_ml: structure → volume in ml of every frame; of pairs it stands in the run records.
        quality: the quality verdict; of a case segmented here it stands in the run record.
    """

    KIND: ClassVar[str] = "clinical record"

    ed_frame: int | None
    es_frame: int | None
    phases: PhaseChoice
    cases: dict[str, str] = Field(default={})
    volumes_ml: dict[str, list[float]] = Field(default={})
    quality: Quality | None = None


def clinical_record(
    case: str,
    function: Function,
    phases: Phases,
    *,
    kind: Kind,
    made_by: Maker,
    why_none: str = "",
) -> ClinicalRecord:
    """The record of a heart.

    Args:
        case: its name.
        function: its numbers.
        phases: ED and ES, from 0.
        kind: what it was computed from.
        made_by: the command.
        why_none: why a frame is not known.
    """
    frames = {"ed_frame": phases.ed, "es_frame": phases.es}
    reasons = {name: why_none for name, frame in frames.items() if frame is None}
    parts = {name: getattr(function, name) for name in Function.model_fields if name != "reasons"}
    return ClinicalRecord(
        case=case,
        kind=kind,
        made_by=made_by,
        ed_frame=None if phases.ed is None else phases.ed + 1,
        es_frame=None if phases.es is None else phases.es + 1,
        phases=PhaseChoice.of(phases),
        reasons=reasons | function.reasons,
        **parts,
    )


class ExitChoice(Record):
    """The rule by which tokens left the loops.

    Attributes:
        rule: name of the exit rule.
        threshold: its threshold; None is the model's or the rule's own.
        compute: mean share of the loops that tokens could use; None leaves it to the threshold.
    """

    rule: str
    threshold: float | None = None
    compute: float | None = None


class Recipe(Record):
    """Everything that a segmentation depends on; equal recipes give equal results.

    Attributes:
        cardioseg: version of cardioseg.
        input_sha256: SHA-256 of the image.
        model_sha256: SHA-256 of the model's weights.
        config_sha256: SHA-256 of the model's settings.
        loops: loop budget.
        exit: when tokens left the loops.
        windows: how slices were cut and put together.
        trust: which of two spacings in a header was used.
        series: DICOM series that were asked for.
        save: what was written beside masks and maps.
        beat: ED, ES, height, weight and heart rate, where they were given.
    """

    cardioseg: str
    input_sha256: str
    model_sha256: str
    config_sha256: str
    loops: int
    exit: ExitChoice
    windows: WindowConfig
    trust: Literal["pixdim", "affine"]
    series: tuple[int, ...] = ()
    save: tuple[str, ...] = ()
    beat: Beat = Beat()


class Times(Record):
    """How long a case took, and when it was made.

    Attributes:
        predicting_seconds: reading the image and running the network.
        total_seconds: everything, files included; None until the case is saved.
        made: date and time in UTC, ISO 8601.
    """

    predicting_seconds: float
    total_seconds: float | None = None
    made: str


class ClinicalSummary(Record):
    """The main numbers of a cine; all of them stand in ``X_clinical.json``.

    Attributes:
        ed_frame: frame at end-diastole, from 1.
        es_frame: frame at end-systole, from 1.
        lv: left ventricle.
        rv: right ventricle.
        phases: how ED and ES were found.
    """

    ed_frame: int | None
    es_frame: int | None
    lv: LeftVentricle
    rv: Chamber
    phases: PhaseChoice

    @classmethod
    def of(cls, record: ClinicalRecord) -> "ClinicalSummary":
        """The summary of a record."""
        return cls(**{name: getattr(record, name) for name in cls.model_fields})


class RunRecord(StoredRecord):
    """``X_run.json``: how a case was made, and what was found; written last.

    Attributes:
        case: name of the case.
        research_use_only: notice that this is not a medical device.
        model: name of the model.
        recipe: everything the result depends on.
        versions: of Python, cardioseg and the libraries that read and compute.
        device: "cpu" or "cuda".
        frames: number of frames; 1 for a volume.
        spacing_mm: voxel size.
        labels: structure → value in the mask.
        extrapolated: more loops were allowed than in training.
        mean_steps: mean loops used.
        expert_shares: share of the work by expert; empty if the network has none.
        flops: multiplications and additions: "total", "core", and "core_dense" without exits.
        removed_voxels: specks removed from the mask, by structure.
        times: how long it took.
        patient: whose heart it is, and at which phase.
        volumes_ml: structure → volume in ml of every frame.
        clinical: main numbers of a cine; None for a volume.
        clinical_reason: why there are no such numbers.
        quality: the quality verdict.
        dicom_seg_frames: frames written as DICOM-SEG; None if not asked for.
        warnings: what to know before using the result.
        files: file of the case → SHA-256 of its content.
    """

    KIND: ClassVar[str] = "run record"

    schema_version: int = 1
    case: str
    research_use_only: str = RESEARCH_USE
    model: str
    recipe: Recipe
    versions: dict[str, str]
    device: str
    frames: int
    spacing_mm: tuple[float, float, float]
    labels: dict[str, int]
    extrapolated: bool
    mean_steps: float
    expert_shares: tuple[float, ...] = ()
    flops: dict[str, int] = Field(default={})
    removed_voxels: dict[str, int] = Field(default={})
    times: Times
    patient: Patient
    volumes_ml: dict[str, list[float]]
    clinical: ClinicalSummary | None = None
    clinical_reason: str | None = None
    quality: Quality
    dicom_seg_frames: tuple[int, ...] | None = None
    warnings: tuple[str, ...] = ()
    files: dict[str, str] = Field(default={})

    def label_table(self) -> LabelTable:
        """Names of the mask's values."""
        return LabelTable.from_mapping(self.labels)


RunRecords = Mapping[str, RunRecord]
