"""The files of ``cardioseg evaluate``: two tables, two figures, metrics.json.

The same results are not written twice: a call that is repeated finds its files and leaves them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.atomic import clear_parts, parts, write_text
from cardioseg.core.errors import InputError, OutputError
from cardioseg.evaluation.csv_tables import cases_csv, patients_csv
from cardioseg.evaluation.patients import PatientFunction
from cardioseg.evaluation.scores import ScoredCase
from cardioseg.evaluation.summary import Evaluation
from cardioseg.results.lock import FOLDER_LOCK, folder_lock, unfinished

FILES = ("dice.png", "bland_altman.png", "metrics.json", "cases.csv", "patients.csv")
METRICS = "metrics.json"
EVALUATING = ".evaluating"  # there while the files are written


@dataclass(frozen=True)
class Results:
    """What is written.

    Attributes:
        cases: scored cases.
        patients: function of the patients with ED and ES.
        summary: over all cases.
    """

    cases: Sequence[ScoredCase]
    patients: Sequence[PatientFunction]
    summary: Evaluation

    @property
    def texts(self) -> dict[str, str]:
        """File name → text of the tables."""
        return {"cases.csv": cases_csv(self.cases), "patients.csv": patients_csv(self.patients)}

    @property
    def pictures(self) -> tuple[str, ...]:
        """File names of the figures."""
        return ("dice.png", "bland_altman.png") if self.patients else ("dice.png",)


def is_occupied(output: Path) -> bool:
    """Whether a folder holds files but no results, so that none can be the same."""
    return bool(_there(output)) and not (output / METRICS).is_file()


def _there(output: Path) -> set[str]:
    """Names in a folder, without what a killed run left."""
    if not output.is_dir():
        return set()
    clear_parts(output)
    ours = {FOLDER_LOCK, *(path.name for path in parts(output))}  # of a run at work
    names = {path.name for path in output.iterdir()} - ours
    return names - {EVALUATING, *FILES} if EVALUATING in names else names


def occupied(output: Path) -> OutputError:
    """The error for a folder that holds something else."""
    found = "a folder that is not empty"
    cure = "choose another --output or pass --overwrite"
    return OutputError(
        output, found=found, expected="a new or empty one, or the same results", cure=cure
    )


def write_results(output: Path, results: Results, *, overwrite: bool) -> tuple[Path, ...]:
    """Write every file, metrics.json last; files of an earlier run are removed first.

    Returns:
        The files.

    Raises:
        OutputError: the folder holds other results, or cannot be written.
    """
    with folder_lock(output):
        if overwrite or not _there(output):
            _write(output, results)
        elif not _same(output, results):
            raise occupied(output)
        return tuple(output / name for name in FILES if (output / name).is_file())


def _same(output: Path, results: Results) -> bool:
    """Whether the folder holds exactly these results."""
    if not all((output / name).is_file() for name in results.pictures):
        return False
    try:
        texts = {name: (output / name).read_text(encoding="utf-8") for name in results.texts}
        return texts == results.texts and Evaluation.read(output / METRICS) == results.summary
    except (OSError, UnicodeDecodeError, InputError):
        return False


def _write(output: Path, results: Results) -> None:
    from cardioseg.figures.evaluation import draw_bland_altman, draw_dice

    with unfinished(output / EVALUATING, [output / name for name in FILES]):
        for name, text in results.texts.items():
            write_text(output / name, text)
        draw_dice(output / "dice.png", results.cases)
        if results.patients:
            draw_bland_altman(output / "bland_altman.png", results.patients)
        results.summary.write(output / METRICS)
