"""A page of the API for each public room, made of the names that it promises."""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref

import racedyn as rd

ROOMS = (*rd._MODULES, "init")
TOP = [name for name in rd.__all__ if name not in (*ROOMS, "__version__")]


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("autodoc-process-docstring", as_rst)
    app.connect("doctree-read", link_names)
    app.connect("missing-reference", stay_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Any) -> None:
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    pages = {"racedyn": (rd, "Top level, `import racedyn as rd`.", TOP)}
    for room in ROOMS:
        module = getattr(rd, room)
        about = inspect.getdoc(module).split("\n\n")[0].replace("\n", " ")
        pages[room] = module, about, module.__all__
    for name, (module, about, names) in pages.items():
        path = "racedyn" if module is rd else f"racedyn.{name}"
        title = f"``{path}``"
        found = [title, "=" * len(title), "", about, "", f".. py:module:: {path}", ""]
        for each in names:
            found += directive(getattr(module, each), f"{path}.{each}")
        write(folder / f"{name}.rst", "\n".join(found))
    listed = "\n   ".join(pages)
    head = "API\n===\n\nEvery public name, by the room that it is in.\n\n"
    write(folder / "index.rst", f"{head}.. toctree::\n   :maxdepth: 2\n\n   {listed}\n")


def write(path: Path, text: str) -> None:
    """Only where something changed, or all would be built again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def directive(what: Any, path: str) -> list[str]:
    # What has a place at the top is described there.
    index = ["   :no-index:"] if path.count(".") > 1 and path.split(".")[-1] in TOP else []
    if inspect.isclass(what):
        return [f".. autoclass:: {path}", *index, "   :members:", ""]
    if callable(what):
        return [f".. autofunction:: {path}", *index, ""]
    said = f"By name: {', '.join(what)}" if isinstance(what, Mapping) else f"`{what!r}`"
    return [f".. py:data:: {path}", "", f"   {said}", ""]


def skip_fields(app: Any, what: str, name: str, of: Any, skip: bool, options: Any) -> bool | None:
    """Fields of a named tuple are described where it is; Python says their numbers alone."""
    said = inspect.getdoc(of) or ""
    return True if said.startswith("Alias for field number") else None


def as_rst(app: Any, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are Markdown that nearly is reST: what is not is told apart here."""
    found: list[str] = []
    session = False  # whether what follows is shown of Python
    for line, before in zip(lines, ["", *lines], strict=False):
        session = ">>>" in line or (session and bool(line.strip()))
        indented = line.startswith("    ")
        if indented and not session and not before.strip():
            found += [".. code-block:: text", ""]
        found.append(line if indented or session else escaped(line))
    lines[:] = found


def escaped(line: str) -> str:
    """Outside of code reST would read |x|, W* and x_ as its own."""
    parts = re.split(r"(`[^`]*`|\*\*[^*]+\*\*)", line)
    parts[::2] = [re.sub(r"([|*])|_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
    return "".join(parts)


NAME = re.compile(r"(?:rd|racedyn)((?:\.\w+)+)(?:\(.*\))?", re.DOTALL)


def link_names(app: Any, doctree: Any) -> None:
    """`rd.train` in a sentence leads to its page."""
    for literal in list(doctree.findall(nodes.literal)):
        match = NAME.fullmatch(literal.astext())
        if not match or isinstance(literal.parent, nodes.reference | nodes.title | pending_xref):
            continue
        reference = pending_xref(
            "",
            literal.deepcopy(),
            refdomain="py",
            reftype="obj",
            reftarget=f"racedyn{match[1]}",
            refdoc=app.env.docname,
            of_code=True,
        )
        literal.replace_self(reference)


def stay_code(app: Any, env: Any, node: Any, content: Any) -> Any:
    """A name that is not public has no page: it stays code."""
    return content if node.get("of_code") else None
