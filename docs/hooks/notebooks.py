"""Runs docs/tutorial.ipynb again and stores its outputs.

    python docs/hooks/notebooks.py        (or: make notebook)

Cells run in an empty temporary folder, so outputs hold no path of this machine. Run this after a
change of the model, of the phantom or of the Python API; a test compares the stored outputs with
new ones.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

TUTORIAL = Path(__file__).parents[1] / "tutorial.ipynb"
BACKEND = "module://matplotlib_inline.backend_inline"  # what Jupyter sets
SECONDS = 300  # for one cell
DATA = re.compile(r"data:image/[^\"')]+|image at 0x[0-9a-f]+")
# What belongs to the machine that ran the notebook.
LANGUAGE = {"name": "python"}


def read(path: Path = TUTORIAL) -> NotebookNode:
    """A notebook from its file."""
    return nbformat.read(path, as_version=4)


def executed(notebook: NotebookNode) -> NotebookNode:
    """The notebook with fresh outputs; a failing cell raises ``CellExecutionError``."""
    fresh = nbformat.from_dict(notebook)
    environment = os.environ | {"MPLBACKEND": BACKEND}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            fresh,
            timeout=SECONDS,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        client.execute(env=environment)
    fresh.metadata.language_info = NotebookNode(LANGUAGE)
    return fresh


def outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    """Every output of every code cell, in order."""
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def words(output: NotebookNode) -> str:
    """What an output says, without its pictures."""
    if output.output_type == "stream":
        return str(output.text)
    data = output.get("data", {})
    shown = data.get("text/html", data.get("text/plain", ""))
    return DATA.sub("", shown)


def main() -> None:
    """Run the tutorial and write it back."""
    notebook = executed(read())
    nbformat.write(notebook, TUTORIAL)
    sys.stdout.write(f"{TUTORIAL.name}: {TUTORIAL.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
