"""What a person asks ``cardioseg segment`` for; knows nothing of how it is done."""

from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.exits import OWN, Depth, ExitRule
from cardioseg.imaging.geometry import Trust
from cardioseg.results.function import NOTHING_KNOWN, Beat


@dataclass(frozen=True)
class SegmentRequest:
    """What the person asked for.

    Attributes:
        inputs: files, folders, text lists.
        output: folder for the results.
        model: name of a shipped model, or a model folder.
        loops: budget of the core; None takes the model's own.
        exits: when tokens leave the loops.
        window: voxels of a window on the model's working grid; None takes the model's own.
        overlap: share of a window covered twice; None takes the model's own.
        views: "none", "flips" or "all"; None takes the model's own.
        device: "auto", "cpu" or "cuda".
        save: what to write as well, of "probs", "routing", "dicom-seg" (ED and ES) and "dicom-seg-all".
        trust: which of two spacings in a header to believe.
        series: numbers of the DICOM series to use; () lets the geometry decide.
        beat: ED and ES as frame numbers, height, weight and heart rate, where the person said them.
        overwrite: redo what is there.
        strict: a failed quality check fails the call.
    """

    inputs: tuple[Path, ...]
    output: Path
    model: str = "rdvit-2d"
    loops: int | None = None
    exits: ExitRule = OWN
    window: tuple[int, ...] | None = None
    overlap: float | None = None
    views: str | None = None
    device: str = "auto"
    save: tuple[str, ...] = ()
    trust: Trust = "pixdim"
    series: tuple[int, ...] = ()
    beat: Beat = NOTHING_KNOWN
    overwrite: bool = False
    strict: bool = False

    @property
    def depth(self) -> Depth:
        """Loop budget and exit rule."""
        return Depth(self.loops, self.exits)
