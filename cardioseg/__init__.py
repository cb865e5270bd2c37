"""Segment short-axis cardiac MRI with recurrent-depth transformers.

The results are masks, halting maps, expert maps and clinical numbers.

Research use only. Not a medical device.

Examples:
    >>> import cardioseg
    >>> model = cardioseg.load_model()  # doctest: +SKIP
    >>> heart = cardioseg.segment("patient.nii.gz", model=model)  # doctest: +SKIP
    >>> heart.function.lv.ef_percent, heart.quality.verdict  # doctest: +SKIP
    (58.3, 'pass')
    >>> heart.save("out")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cardioseg.core.backend import drop_missing_backend
from cardioseg.core.version import __version__

if TYPE_CHECKING:
    from cardioseg.bundle import load_model as load_model
    from cardioseg.workflows.any_image import read as read
    from cardioseg.workflows.evaluate import evaluate as evaluate
    from cardioseg.workflows.measure import measure as measure
    from cardioseg.workflows.one_image import segment as segment
    from cardioseg.workflows.segmentation import Segmentation as Segmentation

__all__ = [
    "Segmentation",
    "__version__",
    "evaluate",
    "load_model",
    "measure",
    "read",
    "segment",
]

drop_missing_backend()  # before MONAI or a figure imports matplotlib

# Loaded when first used, so that `import cardioseg` costs no torch.
_HOMES = {
    "Segmentation": ("cardioseg.workflows.segmentation", "Segmentation"),
    "evaluate": ("cardioseg.workflows.evaluate", "evaluate"),
    "load_model": ("cardioseg.bundle", "load_model"),
    "measure": ("cardioseg.workflows.measure", "measure"),
    "read": ("cardioseg.workflows.any_image", "read"),
    "segment": ("cardioseg.workflows.one_image", "segment"),
}


if not TYPE_CHECKING:  # type checkers read the imports above, and so find misspelt names

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'cardioseg' has no attribute {name!r}")
        module, attribute = _HOMES[name]
        found = getattr(import_module(module), attribute)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
