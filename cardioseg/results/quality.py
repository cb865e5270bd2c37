"""The quality verdict of a case as ``segment`` and ``measure`` tell it: record, column, warning, exit code.

Rules and limits stand in ``clinical.quality``; nothing here decides what is good.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg.clinical.quality import (
    BOTH,
    Certainty,
    Quality,
    check_cine,
    check_measured_pair,
    check_volume,
)
from cardioseg.clinical.shape import Measures
from cardioseg.core.errors import EXIT_OK, EXIT_QUALITY
from cardioseg.core.labels import LabelTable
from cardioseg.core.volume import Volume

if TYPE_CHECKING:
    from cardioseg.workflows.products import Segmented

SHOWN_REASONS = 3


def segmented_quality(segmented: "Segmented") -> dict[str, Any]:
    """The product: the verdict on a volume, or on ED and ES of a cine that earlier products found."""
    image, mask, labels = segmented.image, segmented.mask, segmented.labels
    certainty = [frame["certainty"] for frame in segmented.frames]
    if image.frames == 1:
        return {
            "quality": check_volume(
                Volume(mask, image.affine, image.spacing), labels, certainty=certainty[0]
            ).facts()
        }
    clinical = segmented.facts["clinical"]
    grid = Volume(mask[..., 0], image.affine, image.spacing)
    found = cine_quality(
        mask, grid, labels, phases=(clinical["ed_frame"], clinical["es_frame"]), certainty=certainty
    )
    return {"quality": found.facts()}


def cine_quality(
    mask: np.ndarray,
    grid: Volume,
    labels: LabelTable,
    *,
    phases: tuple[int | None, int | None],
    certainty: Sequence[Certainty] | None = None,
) -> Quality:
    """The verdict on a cine; on its first frame alone when no phases were found.

    Args:
        mask: (X, Y, Z, T) label values.
        grid: any volume on the grid of one frame.
        labels: names of the values.
        phases: frames at ED and ES, from 1.
        certainty: of every frame.
    """
    ed, es = phases
    if ed is None or es is None:
        return check_volume(
            grid.with_array(mask[..., 0]), labels, certainty=certainty[0] if certainty else None
        )
    frames = [grid.with_array(mask[..., index]) for index in range(mask.shape[3])]
    return check_cine(frames, labels, ed=ed - 1, es=es - 1, certainty=certainty)


def pair_quality(ed: Mapping[str, Any], es: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict on both phases of a patient, from the run records of two volumes; nothing where one was not checked."""
    if not (ed.get("quality") and es.get("quality")):
        return {}
    at_ed, at_es = (
        Measures.from_facts(record["quality"]["measures"]["mask"]) for record in (ed, es)
    )
    return {"quality": check_measured_pair(at_ed, at_es).facts()}


def verdict_of(facts: Mapping[str, Any]) -> str | None:
    """Of a run record or a heart; None where nothing was checked."""
    return (facts.get("quality") or {}).get("verdict")


def case_warnings(name: str, facts: Mapping[str, Any]) -> list[str]:
    """One line about a case that does not pass, none about one that does."""
    return _line(name, facts, (facts.get("quality") or {}).get("reasons", []))


def heart_warnings(heart: Mapping[str, Any]) -> list[str]:
    """One line about two volumes of a patient that do not fit together; what is wrong with one of them, its case tells."""
    reasons = (heart.get("quality") or {}).get("reasons", [])
    return _line(heart["case"], heart, [reason for reason in reasons if reason["where"] == BOTH])


def _line(name: str, facts: Mapping[str, Any], reasons: Sequence[Mapping[str, Any]]) -> list[str]:
    if not reasons:
        return []
    texts = [f"{reason['text']} ({reason['where']})" for reason in reasons[:SHOWN_REASONS]]
    more = [f"{len(reasons) - SHOWN_REASONS} more"] if len(reasons) > SHOWN_REASONS else []
    return [f"{name}: quality {verdict_of(facts)}: {'; '.join(texts + more)}"]


def quality_exit(found: Iterable[Mapping[str, Any]], *, strict: bool) -> int:
    """What a command ends with that did its work: with ``--strict`` a failed verdict counts."""
    failed = any(verdict_of(facts) == "fail" for facts in found)
    return EXIT_QUALITY if strict and failed else EXIT_OK
