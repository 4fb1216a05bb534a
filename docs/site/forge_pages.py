"""Pages that are read on a forge, too: their links out of docs/ lead to pages of the site. The
explorer, a page of its own, is copied as it is. No page may load anything from another host."""

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.errors import ExtensionError

LOADED = re.compile(r"""<(?:script|link|img|iframe)\s[^>]*(?:src|href)=["'](?:https?:)?//[^>]*>""")
ROOT = Path(__file__).parents[2]
WHOLE = {
    "contributing": "CONTRIBUTING.md",
    "changes": "CHANGELOG.md",
}  # pages that are a file there


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", lead_inside)
    app.connect("build-finished", copy_explorer)
    app.connect("build-finished", refuse_other_hosts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def lead_inside(app: Any, docname: str, content: list[str]) -> None:
    if docname in WHOLE:
        app.env.note_dependency(ROOT / WHOLE[docname])
        text = (ROOT / WHOLE[docname]).read_text().replace("](docs/", "](")
        out = r"\]\((?!(?:guides/)?[a-z_]+\.md|http)"  # of the pages
        content[0] = re.sub(r"\[([^\]]+)" + out + r"[^)]*\)", r"\1", text)
        return
    out = r"\]\(" + r"\.\./" * (docname.count("/") + 1)  # of docs/
    text = re.sub(out + r"README\.md(#in-python)?\)", r"](/index.md\1)", content[0])
    text = re.sub(out + r"CONTRIBUTING\.md", "](/contributing.md", text)
    # Other files of the repository are no pages here: their names are said.
    content[0] = re.sub(r"\[([^\]]+)" + out + r"[^)]*\)", r"\1", text)


def copy_explorer(app: Any, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        to = Path(app.outdir) / "explorer"
        shutil.copytree(Path(app.srcdir) / "explorer", to, dirs_exist_ok=True)


def refuse_other_hosts(app: Any, exception: Exception | None) -> None:
    for page in Path(app.outdir).rglob("*.html"):
        if found := LOADED.search(page.read_text()):
            raise ExtensionError(f"{page.name} loads something from another host: {found[0]}")
