"""HTML of a segmentation for the output cell of a notebook: contact sheet, verdict, main numbers.

It has no script, and its styles are inline.
"""

import base64
import io

from cardioseg.clinical.quality import Quality
from cardioseg.pages.html import render
from cardioseg.pages.numbers import numbers
from cardioseg.pages.report import verdict_facts
from cardioseg.results.records import ClinicalRecord

JPEG_QUALITY = 88  # a quarter of the PNG's size: a notebook's file holds its pictures


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
        picture=_jpeg_address(contact_sheet) if contact_sheet else "",
        quality=verdict_facts(quality),
        numbers=numbers(heart) if heart.kind != "volume" else None,
        volumes=volumes,
    )


def _jpeg_address(png: bytes) -> str:
    """An opaque PNG as the data address of a JPEG; empty if it is damaged."""
    from matplotlib.image import imread, imsave

    content = io.BytesIO()
    try:
        pixels = imread(io.BytesIO(png))[..., :3]
    except (OSError, SyntaxError, ValueError):  # Pillow's errors for a damaged file
        return ""
    imsave(content, pixels, format="jpg", pil_kwargs={"quality": JPEG_QUALITY})
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"
