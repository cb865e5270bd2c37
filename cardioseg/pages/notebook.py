"""A segmentation as a notebook shows it: the contact sheet, the verdict and the main numbers, without a script."""

from cardioseg.clinical.quality import Quality
from cardioseg.pages.html import render
from cardioseg.pages.numbers import numbers
from cardioseg.pages.report import data_address, verdict_facts
from cardioseg.results.records import ClinicalRecord


def notebook_html(contact_sheet: bytes, heart: ClinicalRecord, quality: Quality) -> str:
    """HTML for the output cell of a notebook.

    Args:
        contact_sheet: PNG; empty for none.
        heart: the function.
        quality: the verdict.
    """
    volumes = (
        [] if heart.kind == "cine" else [(n, f"{v[0]:.1f} ml") for n, v in heart.volumes_ml.items()]
    )
    return render(
        "notebook.html.j2",
        title=heart.case,
        picture=data_address(contact_sheet) if contact_sheet else "",
        quality=verdict_facts(quality),
        numbers=numbers(heart) if heart.kind != "volume" else None,
        volumes=volumes,
    )
