"""``cardioseg prepare``: a raw data set becomes a folder that training reads."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.atomic import remove, write_bytes
from cardioseg.core.case import Case
from cardioseg.core.config import PreparationConfig
from cardioseg.core.digest import sha256
from cardioseg.core.errors import GeometryError, InputError, LabelError
from cardioseg.core.labels import LabelTable
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.report import Report, Table
from cardioseg.core.volume import Volume
from cardioseg.data.manifest import Entry, Manifest
from cardioseg.data.sources import find_cases
from cardioseg.imaging.geometry import Trust, states_two_spacings
from cardioseg.imaging.open import check_whole, open_image, read
from cardioseg.imaging.preprocess import (
    preprocess,
    preprocess_label,
    slice_axis,
    slices_last,
    spacing_slices_last,
)


def prepare(
    raw: Path,
    *,
    output: Path,
    config: PreparationConfig | None = None,
    trust: Trust = "pixdim",
    workers: int = 1,
    on_progress: OnProgress = unwatched,
) -> Report:
    """Prepare every labelled case of ``raw`` into ``output``; cases already there with the same hashes are kept.

    Raises:
        InputError: the data set cannot be read; the first broken case ends the run, what is prepared stays for the next.
    """
    config = config or PreparationConfig()
    source = find_cases(raw)
    labelled = [case for case in source.cases if case.label is not None]
    if not labelled:
        raise InputError(
            raw,
            found="no labelled case",
            expected="at least one mask",
            cure="add masks, or use cardioseg segment",
        )
    remove(
        output / "manifest.json"
    )  # a folder with one is complete, also while an earlier one is redone
    jobs = [(case, output, config, source.labels, trust) for case in labelled]
    done: list[PreparedCase] = []
    for case in _run(jobs, workers):
        done.append(case)
        on_progress(Progress(len(done), len(jobs), case.entry.name))
    entries = tuple(sorted((case.entry for case in done), key=lambda entry: entry.name))
    manifest = Manifest(
        output,
        entries,
        source.labels,
        config,
        source.kind,
        trust,
        sum(case.two_spacings for case in done),
    )
    manifest.write()
    return _report(manifest, kept=sum(case.was_there for case in done))


POSITION_TOLERANCE_MM = 0.1
Job = tuple[Case, Path, PreparationConfig, LabelTable, Trust]


@dataclass(frozen=True)
class PreparedCase:
    """An entry, whether its file was there from the same bytes and settings, and whether its image states two spacings."""

    entry: Entry
    was_there: bool
    two_spacings: bool


def _run(jobs: list[Job], workers: int) -> Iterator[PreparedCase]:
    if workers <= 1:
        yield from map(prepare_case, jobs)
        return
    with ProcessPoolExecutor(workers, initializer=_one_thread) as pool:
        futures = [pool.submit(prepare_case, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _one_thread() -> None:
    """Processes share the cores already, and OpenMP threads of the parent would never answer a forked child."""
    import torch

    torch.set_num_threads(1)


def prepare_case(job: Job) -> PreparedCase:
    """Prepare one case, or keep what lies there."""
    case, output, config, labels, trust = job
    digest = sha256(case.image, case.label)
    path = output / "cases" / f"{case.name}.safetensors"
    recipe = {
        "source": digest,
        "settings": config.model_dump_json(),
        "labels": ",".join(labels.names),
        "trust": trust,
    }
    image = open_image(case.image, trust=trust)
    axis = slice_axis(image)
    was_there = _recipe(path) == recipe
    if not was_there:
        _save(path, _arrays(case, config, labels, trust), recipe)
    spacing = spacing_slices_last(image.spacing, axis)
    relative = str(path.relative_to(output))
    entry = Entry(
        case.name, case.patient, case.phase, case.group, relative, digest, sha256(path), spacing
    )
    return PreparedCase(entry, was_there, states_two_spacings(image))


def _arrays(
    case: Case, config: PreparationConfig, labels: LabelTable, trust: Trust
) -> dict[str, np.ndarray]:
    image, label = _read_pair(case, labels, trust)
    return {
        "image": preprocess(image, config, name=str(case.image)).astype(np.float16),
        "label": preprocess_label(label, config, classes=len(labels)),
        "reference": slices_last(label.array, slice_axis(image)),
    }


def _read_pair(case: Case, labels: LabelTable, trust: Trust) -> tuple[Volume, Volume]:
    """Image and uint8 mask on one grid.

    Raises:
        GeometryError: the grids differ.
        LabelError: the mask has values without a name.
    """
    assert case.label is not None
    check_whole(case.image)
    check_whole(case.label)
    image = (
        read(case.image, trust=trust)
        if case.frame is None
        else open_image(case.image, trust=trust).frame(case.frame)
    )
    label = read(case.label, trust=trust)
    if image.shape != label.shape or not np.allclose(image.spacing, label.spacing, atol=0.01):
        shown = [
            f"{v.shape} at {' × '.join(f'{s:.3f}' for s in v.spacing)} mm" for v in (label, image)
        ]
        raise GeometryError(
            case.label,
            found=f"a mask of {shown[0]}",
            expected=f"the image's grid, {shown[1]}",
            cure="resample the mask onto the image",
        )
    apart = image.position_difference_mm(label)
    if apart > POSITION_TOLERANCE_MM:
        expected = f"the image's position, within {POSITION_TOLERANCE_MM} mm"
        raise GeometryError(
            case.label,
            found=f"a mask {apart:.2f} mm away",
            expected=expected,
            cure="resample the mask onto the image",
        )
    rounded = np.rint(label.array)
    values, counts = np.unique(rounded, return_counts=True)
    unknown = [
        f"{value:g} ({count} voxels)"
        for value, count in zip(values, counts, strict=True)
        if not 0 <= value < len(labels)
    ]
    if unknown or not np.allclose(rounded, label.array, atol=1e-3):
        found = (
            f"label values {', '.join(unknown[:5])}"
            if unknown
            else "label values that are not whole numbers"
        )
        names = ", ".join(f"{index} {name}" for index, name in enumerate(labels.names))
        raise LabelError(
            case.label,
            found=found,
            expected=names,
            cure="relabel the mask, or name its values in dataset.json",
        )
    return image, label.with_array(rounded.astype(np.uint8))


def _save(path: Path, arrays: dict[str, np.ndarray], recipe: dict[str, str]) -> None:
    from safetensors.numpy import save

    whole = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    metadata = {
        "recipe": json.dumps(recipe, sort_keys=True)
    }  # one entry: safetensors shuffles several, and hashes would differ
    write_bytes(path, save(whole, metadata=metadata))


def _recipe(path: Path) -> dict[str, str] | None:
    """What a prepared file was made from; None without one. Files are written atomically: one that is there is whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return dict(json.loads((file.metadata() or {})["recipe"]))
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def _report(manifest: Manifest, *, kept: int) -> Report:
    entries, output = manifest.entries, manifest.folder
    patients = {entry.patient for entry in entries}
    groups = sorted({entry.group for entry in entries})
    rows = tuple(
        (
            group or "–",
            str(len({e.patient for e in entries if e.group == group})),
            str(sum(e.group == group for e in entries)),
        )
        for group in groups
    )
    data = {
        "output": str(output),
        "cases": len(entries),
        "patients": len(patients),
        "kept": kept,
        "trust": manifest.trust,
        "two_spacings": manifest.two_spacings,
        "entries": [asdict(entry) for entry in entries],
    }
    table = Table(
        f"Prepared {len(entries)} cases of {len(patients)} patients ({kept} already there)",
        ("group", "patients", "cases"),
        rows,
    )
    return Report("prepare", data, (table,), (), (output / "manifest.json",))
