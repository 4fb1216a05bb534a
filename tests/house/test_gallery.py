"""Scripts of the gallery: one for each study, and those of how to do something run and end in a
figure."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from racedyn import studies

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "docs" / "gallery"
HOW_TO = sorted((GALLERY / "how_to").glob("*.py"))
STUDIES = sorted((GALLERY / "studies").glob("*.py"))
HEAD = re.compile(r'"""\n(?P<title>.+)\n(?P<line>=+)\n\n.+?"""\n', re.DOTALL)
PUBLIC_IMPORT = re.compile(r"^\s*(?:from|import)\s+racedyn(?!\s+as\s+rd$)", re.MULTILINE)
# A script as a user runs it, and what it left: figures with something drawn in them, no file.
RUN = """
import runpy, sys
from pathlib import Path
runpy.run_path(sys.argv[1], run_name="__main__")
from matplotlib import pyplot
figures = [pyplot.figure(number) for number in pyplot.get_fignums()]
assert figures and all(ax.has_data() or ax.texts for figure in figures for ax in figure.axes)
assert not list(Path().iterdir()), "it leaves files"
"""


def named(text):
    """The studies that a script reproduces."""
    return re.findall(r'studies\.reproduce\(\s*"([^"]+)"', text)


def faults(name, text):
    """What is not of the gallery's form in a script, in words."""
    head, found = HEAD.match(text), []
    if not name.startswith("plot_"):
        found.append("the gallery runs plot_*.py alone")
    if head is None or len(head["line"]) != len(head["title"]):
        found.append("begins without a title")
    if "\n# %%\n" not in text:
        found.append("has no cells")
    if PUBLIC_IMPORT.search(text):
        found.append("imports more than `racedyn as rd`")
    return found


def test_every_study_has_a_script_and_every_script_a_study():
    found = {path: named(path.read_text()) for path in STUDIES}
    for path, names in found.items():
        assert [f"plot_{name.replace('.', '_')}.py" for name in names] == [path.name]
    assert sorted(name for names in found.values() for name in names) == sorted(studies.STUDIES)


def test_scripts_have_the_form_of_the_gallery():
    for path in (*HOW_TO, *STUDIES):
        assert faults(path.name, path.read_text()) == [], path.name
    for folder in ("how_to", "studies"):
        assert (GALLERY / folder / "GALLERY_HEADER.rst").read_text().splitlines()[1].strip(
            "="
        ) == ""


def test_what_is_not_of_the_form_is_seen():
    assert len(faults("race.py", '"""A title\n===\n\nText."""\nfrom racedyn import plot\n')) == 4
    assert faults("plot_race.py", '"""\nAha\n===\n\nText.\n"""\n# %%\nimport racedyn as rd\n') == []


@pytest.mark.slow
@pytest.mark.parametrize("path", HOW_TO, ids=lambda path: path.stem)
def test_how_to_scripts_run_and_end_in_a_figure(path, tmp_path):
    """Each in a process of its own, as a user runs it; programs that others compiled are found."""
    keep = {
        "MPLBACKEND": "Agg",
        "PYTHONPATH": str(ROOT / "src"),
        "JAX_COMPILATION_CACHE_DIR": os.environ["RACEDYN_TEST_PROGRAMS"],
    }
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN, str(path)],
        cwd=tmp_path,
        env={**os.environ, **keep},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
