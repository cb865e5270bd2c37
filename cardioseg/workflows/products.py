"""What is made of a segmented case beside its maps, and of a folder of cases: one function and one line here each.

``segment`` calls the products of a case after its maps are written and before its run record, in the order below; what a
product returns goes into the run record, and later products see it. ``claim`` learns from ``endings`` which files belong to
a case, so that clearing, ``--overwrite`` and the refusal of foreign files cover them. A product that fails fails the case.

The products of a folder are made at the end of a call from the run records of every finished case that lies there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cardioseg.core.labels import LabelTable
from cardioseg.imaging.image import ImageFile
from cardioseg.pages.index import INDEX, make_index
from cardioseg.pages.report import segmented_report
from cardioseg.results.dicom_seg import SEG_ENDING, segmented_seg
from cardioseg.results.function import segmented_function
from cardioseg.results.hearts import make_hearts
from cardioseg.results.quality import segmented_quality
from cardioseg.workflows.request import SegmentRequest


@dataclass(frozen=True)
class Segmented:
    """One case whose maps are written.

    Attributes:
        name: case name; files of the case begin with it.
        request: what the person asked for; ``request.output`` is the folder.
        image: the opened input: path, grid, time between frames; ``image.frame(i)`` reads voxels.
        labels: names of the mask's values.
        maps: "mask", "halting" and, where the network routes, "experts": (X, Y, Z) or (X, Y, Z, T) uint8.
        frames: what is known of each frame: mean_steps, expert_shares, removed_voxels.
        facts: the run record so far.
    """

    name: str
    request: SegmentRequest
    image: ImageFile
    labels: LabelTable
    maps: Mapping[str, np.ndarray]
    frames: tuple[Mapping[str, Any], ...]
    facts: Mapping[str, Any]

    @property
    def mask(self) -> np.ndarray:
        """(X, Y, Z) label values of a volume, (X, Y, Z, T) of a cine."""
        return self.maps["mask"]

    def path(self, ending: str) -> Path:
        """The case's file of this ending."""
        return self.request.output / f"{self.name}{ending}"


@dataclass(frozen=True)
class Product:
    """One thing made of a case.

    Attributes:
        endings: regular expressions of what follows the case's name in the files that it may write.
        make: writes them and returns facts for the run record; ``{}`` where the case gives nothing to write.
    """

    endings: tuple[str, ...]
    make: Callable[[Segmented], dict[str, Any]]


@dataclass(frozen=True)
class Study:
    """The folder at the end of a call.

    Attributes:
        request: what the person asked for; ``request.output`` is the folder.
        records: run records of all finished cases in it, by case name, in order.
    """

    request: SegmentRequest
    records: Mapping[str, Mapping[str, Any]]


PRODUCTS: tuple[Product, ...] = (
    Product((r"_clinical\.json", r"_curve\.(csv|png)"), segmented_function),
    Product((), segmented_quality),
    Product((SEG_ENDING,), segmented_seg),
    # Last, as it tells what the others found. The page of `cardioseg view` goes with the case that it shows.
    Product((r"_report\.html", r"_view\.html"), segmented_report),
)

# Files of the folder by name, each with what writes it and returns facts for the report.
STUDY_PRODUCTS: dict[str, Callable[[Study], dict[str, Any]]] = {
    "study.csv": make_hearts,
    INDEX: make_index,
}


def make_products(segmented: Segmented) -> dict[str, Any]:
    """All products of a case; the run record with what they found."""
    facts = dict(segmented.facts)
    for product in PRODUCTS:
        facts |= product.make(replace(segmented, facts=facts))
    return facts


def make_study(study: Study) -> dict[str, Any]:
    """All products of the folder; what they found. Where no case is finished they take away what is left of theirs."""
    facts: dict[str, Any] = {}
    for make in STUDY_PRODUCTS.values():
        found = make(study)
        facts |= found | {"warnings": facts.get("warnings", []) + found.get("warnings", [])}
    return facts


def endings() -> tuple[str, ...]:
    """Of every file that a product may write."""
    return tuple(ending for product in PRODUCTS for ending in product.endings)
