"""``run.json`` of a training run: the labels, the patients and the starting model."""

from pathlib import Path

from pydantic import ValidationError

from cardioseg.core.atomic import write_text
from cardioseg.core.errors import ModelError
from cardioseg.core.record import Record

FILE = "run.json"


class TrainingFacts(Record):
    """What a model's metadata say about its training.

    Attributes:
        of: number of steps asked for.
        split: name and hash of the split.
        patients: number of training patients.
        started_from: the model whose weights it started from; None for random weights.
    """

    of: int
    split: str
    patients: int
    started_from: str | None = None


class RunFacts(Record):
    """``run.json``.

    Attributes:
        labels: names of the masks' values.
        training: about the training.
    """

    labels: tuple[str, ...]
    training: TrainingFacts

    def write(self, folder: Path) -> None:
        """Write the file into a run folder."""
        write_text(folder / FILE, self.model_dump_json(indent=1, exclude_none=True) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "RunFacts":
        """Read the file of a run folder.

        Raises:
            ModelError: it is missing or broken.
        """
        path = folder / FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            found = f"unreadable data ({' '.join(str(error).split())[:160]})"
            expected = "the file of cardioseg train"
            raise ModelError(path, found=found, expected=expected, cure="restore it") from None
