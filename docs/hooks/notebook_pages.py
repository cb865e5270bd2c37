"""Adds docs/tutorial.ipynb to the site as a page, with the outputs that the notebook holds.

MkDocs calls the two functions below. The page needs no script and loads nothing: pictures are
embedded. The notebook itself stays on the site as a file to download.
"""

import html
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

Json = dict[str, Any]  # a part of a notebook, as nbformat 4 lays it out
ENDING = ".ipynb"
DOWNLOAD = "[Download this page as a notebook]({name})\n"
LINK = re.compile(r"(\]\([^)\s]+)\.ipynb\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add a page for every notebook in docs/."""
    for file in [file for file in files if file.src_uri.endswith(ENDING)]:
        page = file.src_uri.removesuffix(ENDING) + ".md"
        notebook = json.loads(Path(file.abs_src_path or "").read_text(encoding="utf-8"))
        content = page_of(notebook, name=f"{file.name}{ENDING}")
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to a notebook into links to its page, except on that page."""
    notebook = page.file.src_uri.removesuffix(".md") + ENDING
    if files.get_file_from_path(notebook) is not None:
        return markdown
    return LINK.sub(r"\1.md)", markdown)


def page_of(notebook: Json, *, name: str) -> str:
    """A notebook as Markdown.

    Args:
        notebook: with its outputs.
        name: of its file, which the page links to.
    """
    cells = [part for cell in notebook["cells"] for part in parts_of(cell)]
    return "\n\n".join([*cells, DOWNLOAD.format(name=name)])


def parts_of(cell: Json) -> list[str]:
    """The Markdown of one cell: its text, or its code and outputs."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return [source]
    shown = [f'<div class="output">{shown_as(output)}</div>' for output in cell["outputs"]]
    return [f"```python\n{source}\n```", *shown]


def shown_as(output: Json) -> str:
    """The HTML of one output: a page part, a picture or text."""
    data = output.get("data", {})
    if "text/html" in data:
        page = "".join(data["text/html"])
        return re.sub(r"\n\s*", "\n", page)  # Markdown would read indents as code
    if "image/png" in data:
        picture = "".join("".join(data["image/png"]).split())
        return f'<img src="data:image/png;base64,{picture}" alt="Figure drawn by the code above">'
    text = "".join(data.get("text/plain", output.get("text", "")))
    return f"<pre>{html.escape(text.rstrip())}</pre>"
