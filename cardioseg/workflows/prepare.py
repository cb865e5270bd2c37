"""``cardioseg prepare``: a raw data set becomes a folder that training reads."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.atomic import clear_parts, remove, write_bytes
from cardioseg.core.case import Case
from cardioseg.core.config import PreparationConfig
from cardioseg.core.digest import sha256
from cardioseg.core.errors import GeometryError, InputError
from cardioseg.core.labels import IGNORED, LabelTable
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.record import Record
from cardioseg.core.report import Report, Table, few
from cardioseg.core.volume import Volume
from cardioseg.data.labels import label_values
from cardioseg.data.manifest import Entry, Manifest, masks_with
from cardioseg.data.patient_names import look_alike_warnings
from cardioseg.data.sources import find_cases
from cardioseg.imaging.geometry import Trust, states_two_spacings
from cardioseg.imaging.open import open_image, read
from cardioseg.imaging.preprocess import (
    preprocess,
    preprocess_label,
    slice_axis,
    slices_last,
    spacing_slices_last,
)
from cardioseg.results.lock import CASE_WAIT_SECONDS, folder_lock
from cardioseg.workflows.workers import in_processes

POSITION_TOLERANCE_MM = 0.1
Job = tuple[Case, Path, PreparationConfig, LabelTable, Trust]


class PrepareData(Record):
    """``cardioseg prepare --json``: a prepared data set.

    Attributes:
        output: prepared folder.
        cases: number of cases.
        patients: number of patients.
        kept: number of cases that were prepared already.
        trust: which spacing was used where a header states two.
        two_spacings: number of images whose header states two spacings.
        masks_with: structure → number of masks that show it.
        entries: the cases.
    """

    output: str
    cases: int
    patients: int
    kept: int
    trust: str
    two_spacings: int
    masks_with: dict[str, int]
    entries: tuple[Entry, ...]


def prepare(  # noqa: PLR0913 — these are the options of the verb
    raw: Path,
    *,
    output: Path,
    config: PreparationConfig | None = None,
    labels: str | None = None,
    trust: Trust = "pixdim",
    workers: int = 1,
    on_progress: OnProgress = unwatched,
) -> Report:
    """Prepare every labelled case of ``raw``; a case prepared before from the same files is kept.

    Args:
        raw: data set.
        output: prepared folder.
        config: preparation settings; None takes the defaults.
        labels: meaning of the masks' values, such as "RV=1,MYO=2,LV=3"; None takes the data set's.
        trust: which spacing to use where a header states two.
        workers: number of processes.
        on_progress: called after every case.

    Raises:
        InputError: the data set cannot be read. The first broken case ends the run; the cases
            prepared so far are kept for the next.
        OutputError: the folder cannot be written, another run is at work in it, or a worker was
            killed.
    """
    config = config or PreparationConfig()
    source = find_cases(raw, labels=labels)
    labelled = [case for case in source.cases if case.label is not None]
    if not labelled:
        cure = "add masks, or use cardioseg segment"
        raise InputError(raw, found="no labelled case", expected="at least one mask", cure=cure)
    jobs = [(case, output, config, source.labels, trust) for case in labelled]
    with folder_lock(output, wait_seconds=CASE_WAIT_SECONDS):
        clear_parts(output, output / "cases")
        remove(output / "manifest.json")  # a folder with a manifest is complete
        done: list[PreparedCase] = []
        for case in in_processes(prepare_case, jobs, workers):
            done.append(case)
            on_progress(Progress(len(done), len(jobs), case.entry.name))
        two_spacings = sum(case.two_spacings for case in done)
        entries = tuple(sorted((case.entry for case in done), key=lambda entry: entry.name))
        manifest = Manifest(
            output, entries, source.labels, config, source.kind, trust, two_spacings
        )
        manifest.write()
    return _report(manifest, kept=sum(case.was_there for case in done))


@dataclass(frozen=True)
class PreparedCase:
    """A prepared case.

    Attributes:
        entry: its entry in the manifest.
        was_there: it was prepared before from the same files and settings.
        two_spacings: the header of its image states two spacings.
    """

    entry: Entry
    was_there: bool
    two_spacings: bool


def prepare_case(job: Job) -> PreparedCase:
    """Prepare one case, unless it was prepared before from the same files and settings."""
    case, output, config, labels, trust = job
    digest = sha256(case.image, case.label)
    path = output / "cases" / f"{case.name}.safetensors"
    recipe = {
        "source": digest,
        "settings": config.model_dump_json(),
        "labels": _spelt(labels),
        "trust": trust,
    }
    image = open_image(case.image, trust=trust)
    was_there = _recipe(path) == recipe
    if not was_there:
        _save(path, _arrays(case, config, labels, trust), recipe)
    entry = Entry(
        name=case.name,
        patient=case.patient,
        phase=case.phase,
        group=case.group,
        file=str(path.relative_to(output)),
        source_sha256=digest,
        file_sha256=sha256(path),
        spacing_mm=spacing_slices_last(image.spacing, slice_axis(image)),
        voxels=_counts(path, labels),
    )
    return PreparedCase(entry, was_there, states_two_spacings(image))


def _counts(path: Path, labels: LabelTable) -> tuple[int, ...]:
    """Voxels of each structure in the mask of a prepared case."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        reference = file.get_tensor("reference")
    counts = np.bincount(reference.ravel(), minlength=len(labels))
    return tuple(int(count) for count in counts[1 : len(labels)])


def _spelt(labels: LabelTable) -> str:
    """Names and values of the masks as text; names alone where the values are the indices."""
    if labels.ignored is None and labels.stored == tuple(range(len(labels))):
        return ",".join(labels.names)
    pairs = zip(labels.names, labels.stored, strict=True)
    return ",".join((*(f"{name}={value}" for name, value in pairs), f"ignore={labels.ignored}"))


def _arrays(
    case: Case, config: PreparationConfig, labels: LabelTable, trust: Trust
) -> dict[str, np.ndarray]:
    image, label = _read_pair(case, labels, trust)
    return {
        "image": preprocess(image, config, name=str(case.image)).astype(np.float16),
        "label": _working_label(label, config, labels),
        "reference": slices_last(label.array, slice_axis(image)),
    }


def _working_label(label: Volume, config: PreparationConfig, labels: LabelTable) -> np.ndarray:
    """The mask on the working grid; ignored voxels are resampled like a class of their own."""
    classes = len(labels)
    if labels.ignored is None:
        return preprocess_label(label, config, classes=classes)
    marked = label.with_array(np.where(label.array == IGNORED, classes, label.array))
    found = preprocess_label(marked, config, classes=classes + 1)
    return np.where(found == classes, IGNORED, found).astype(np.uint8)


def _read_pair(case: Case, labels: LabelTable, trust: Trust) -> tuple[Volume, Volume]:
    """Image and uint8 mask on one grid.

    Raises:
        GeometryError: the grids differ.
        LabelError: the mask holds values without a name.
    """
    assert case.label is not None
    if case.frame is None:
        image = read(case.image, trust=trust)
    else:
        image = open_image(case.image, trust=trust).frame(case.frame)
    label = read(case.label, trust=trust)
    _check_grids(image, label, case.label)
    return image, label.with_array(label_values(label.array, labels, path=case.label))


def _check_grids(image: Volume, label: Volume, path: Path) -> None:
    cure = "resample the mask onto the image"
    if image.shape != label.shape or not np.allclose(image.spacing, label.spacing, atol=0.01):
        found, expected = f"a mask of {_grid(label)}", f"the image's grid, {_grid(image)}"
        raise GeometryError(path, found=found, expected=expected, cure=cure)
    apart = image.position_difference_mm(label)
    if apart > POSITION_TOLERANCE_MM:
        expected = f"the image's position, within {POSITION_TOLERANCE_MM} mm"
        raise GeometryError(path, found=f"a mask {apart:.2f} mm away", expected=expected, cure=cure)


def _grid(volume: Volume) -> str:
    return f"{volume.shape} at {' × '.join(f'{size:.3f}' for size in volume.spacing)} mm"


def _save(path: Path, arrays: dict[str, np.ndarray], recipe: dict[str, str]) -> None:
    from safetensors.numpy import save

    whole = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    # One entry, because safetensors shuffles several and the hashes would differ.
    metadata = {"recipe": json.dumps(recipe, sort_keys=True)}
    write_bytes(path, save(whole, metadata=metadata))


def _recipe(path: Path) -> dict[str, str] | None:
    """What a prepared file was made from; None if there is no such file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return dict(json.loads((file.metadata() or {})["recipe"]))
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def _report(manifest: Manifest, *, kept: int) -> Report:
    entries, output = manifest.entries, manifest.folder
    data = PrepareData(
        output=str(output),
        cases=len(entries),
        patients=len({entry.patient for entry in entries}),
        kept=kept,
        trust=manifest.trust,
        two_spacings=manifest.two_spacings,
        masks_with=masks_with(manifest.labels, entries),
        entries=entries,
    )
    rows = tuple(_group_row(group, entries) for group in sorted({e.group for e in entries}))
    title = f"Prepared {data.cases} cases of {data.patients} patients ({kept} already there)"
    table = Table(title, ("group", "patients", "cases"), rows)
    classes = tuple((name, str(count)) for name, count in data.masks_with.items())
    tables = (table, Table("Masks", ("structure", "masks that show it"), classes))
    return Report("prepare", data, tables, _warnings(data), (output / "manifest.json",))


def _warnings(data: PrepareData) -> tuple[str, ...]:
    """Structures without a mask, empty masks, and patients who may be one."""
    absent = [name for name, count in data.masks_with.items() if count == 0]
    empty = [entry.name for entry in data.entries if not any(entry.voxels)]
    lines = [f"none of {data.cases} masks shows {name}" for name in absent]
    if empty:
        lines.append(f"{len(empty)} of {data.cases} masks are empty: {few(empty)}")
    return (*lines, *look_alike_warnings(entry.patient for entry in data.entries))


def _group_row(group: str, entries: Sequence[Entry]) -> tuple[str, str, str]:
    members = [entry.patient for entry in entries if entry.group == group]
    return group or "–", str(len(set(members))), str(len(members))
