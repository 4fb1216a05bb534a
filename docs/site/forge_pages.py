"""Pages that are read on a forge, too: their links out of docs/ lead to pages of the site. The
explorer, a page of its own, is copied as it is."""

import re
import shutil
from pathlib import Path
from typing import Any


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", lead_inside)
    app.connect("build-finished", copy_explorer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def lead_inside(app: Any, docname: str, content: list[str]) -> None:
    text = content[0]
    text = re.sub(r"\]\((?:\.\./)+README\.md#in-python\)", "](/index.md#in-python)", text)
    text = re.sub(r"\]\((?:\.\./)+README\.md\)", "](/index.md)", text)
    text = re.sub(r"\]\((?:\.\./)+CONTRIBUTING\.md", "](/contributing.md", text)
    # Other files of the repository are no pages here: their names are said.
    content[0] = re.sub(r"\[([^\]]+)\]\((?:\.\./)+(?!docs/)[^)]*\)", r"\1", text)


def copy_explorer(app: Any, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        to = Path(app.outdir) / "explorer"
        shutil.copytree(Path(app.srcdir) / "explorer", to, dirs_exist_ok=True)
