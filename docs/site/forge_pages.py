"""Pages that are read on a forge, too: their links out of docs/ lead to pages of the site."""

import re
from typing import Any


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", lead_inside)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def lead_inside(app: Any, docname: str, content: list[str]) -> None:
    text = content[0]
    text = re.sub(r"\]\((?:\.\./)+README\.md#in-python\)", "](/index.md#in-python)", text)
    text = re.sub(r"\]\((?:\.\./)+README\.md\)", "](/index.md)", text)
    text = re.sub(r"\]\((?:\.\./)+CONTRIBUTING\.md", "](/contributing.md", text)
    # Other files of the repository are no pages here: their names are said.
    content[0] = re.sub(r"\[([^\]]+)\]\((?:\.\./)+(?!docs/)[^)]*\)", r"\1", text)
