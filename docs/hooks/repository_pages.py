"""Adds the repository's README files to the site and makes their links work there.

MkDocs calls the two functions below. A link from one page to another is rewritten. A link to a file
that is not on the site, such as a licence, becomes plain text.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).parents[2]
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
    "data/README.md": "data.md",
    "docker/README.md": "docker.md",
    "models/README.md": "models/index.md",
}
SCHEMAS = "<!-- schemas -->"
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def repository_pages() -> dict[str, str]:
    """Path in the repository → path on the site, of every page that lies outside docs/."""
    cards = sorted((ROOT / "models").glob("*/README.md"))
    return PAGES | {
        f"models/{card.parent.name}/README.md": f"models/{card.parent.name}.md" for card in cards
    }


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/."""
    for source, target in repository_pages().items():
        files.append(File.generated(config, target, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links between files of the repository as links between pages of the site."""
    on_site = repository_pages()
    in_repository = {target: source for source, target in on_site.items()}
    here = page.file.src_uri
    folder = posixpath.dirname(in_repository.get(here, f"docs/{here}"))

    def rewritten(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link["path"]))
        found = on_site.get(target, target.removeprefix("docs/"))
        if files.get_file_from_path(found) is not None:
            return f"[{link['text']}]({get_relative_url(found, here)}{link['anchor'] or ''})"
        return link["text"] if (ROOT / target).exists() else link[0]

    return LINK.sub(rewritten, markdown.replace(SCHEMAS, schema_links(files)))


def schema_links(files: Files) -> str:
    """A list of the pages and files in docs/schemas, for the place that asks for it."""
    found = sorted(file.src_uri for file in files if file.src_uri.startswith("schemas/"))
    return "\n".join(f"- [{Path(name).name}]({name})" for name in found)
