"""What the pages point to is there: files, headings, names, commands, published figures."""

import importlib
import re
from pathlib import Path

import pytest

from racedyn import cli, studies

ROOT = Path(__file__).parents[2]
SITE = (
    "index.md",
    "explorer.md",
    "guides.md",
    "results.md",
    "reference.md",
    "contributing.md",
    "changes.md",
)
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((DOCS / "guides").glob("*.md")),
]
FENCED = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)


def named(pattern, part=Path.read_text):
    """Page, and what it names by the pattern's one group in this part of its text."""
    return [
        (page.name, found)
        for page in PAGES
        for found in dict.fromkeys(re.findall(pattern, part(page), re.MULTILINE))
    ]


def commands(page):
    """What a page says for a shell, a line each: blocks, and code within a sentence."""
    text = page.read_text()
    within = re.findall(r"`([^`]+)`", FENCED.sub("", text))
    return "\n".join(
        [*re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE), *within]
    )


def links():
    found = []
    for page in PAGES:
        prose = re.sub(r"`[^`]*`", "", FENCED.sub("", page.read_text()))
        targets = dict.fromkeys(re.findall(r"\]\(([^)\s]+)\)", prose))
        found += [(page, target) for target in targets if "://" not in target]
    return found


def anchors(page):
    """Headings as GitHub names them in links: lower case, letters, digits, hyphens."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize(
    ("page", "target"),
    [pytest.param(page, target, id=f"{page.name}:{target}") for page, target in links()],
)
def test_links_lead_somewhere(page, target):
    path, _, anchor = target.partition("#")
    file = (page.parent / path) if path else page
    assert file.exists(), f"{page.name} links to {target}"
    assert not anchor or anchor in anchors(file), f"{file.name} has no heading #{anchor}"


def test_pages_have_names_of_their_own():
    """The test of examples knows pages by name."""
    assert len({page.name for page in PAGES}) == len(PAGES)


def test_headings_have_names_of_their_own():
    for page in PAGES:
        assert len(set(anchors(page))) == len(anchors(page)), page.name


def test_every_page_can_be_reached():
    """From the README or, on the site, from its front page."""
    reached, new = set(), {ROOT / "README.md", *(DOCS / name for name in SITE)}
    while new:
        reached |= new
        ends = {
            (page.parent / target.partition("#")[0]).resolve()
            for page, target in links()
            if page in new
        }
        new = (ends & set(PAGES)) - reached
    assert reached == set(PAGES)


def test_names_are_those_of_the_package():
    for page, name in named(r"\b(?:rd|racedyn)\.([a-zA-Z]\w*(?:\.\w+)*)"):
        parts, found = name.split("."), importlib.import_module("racedyn")
        for part in parts:
            assert hasattr(found, part), f"{page}: racedyn.{name}"
            found = getattr(found, part)


def test_files_that_commands_need_are_there():
    for page, path in named(r"\b((?:tests|benchmarks|data)/[\w/]+\.\w+)"):
        assert (ROOT / path).exists(), f"{page}: {path}"


def test_commands_are_those_of_the_makefile_and_the_command_line(capsys):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for page, target in named(r"^make (?:PYTHON=\S+ )?([\w-]+)", commands):
        assert target in targets, f"{page}: make {target}"
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    own = re.findall(r"^    (\w+)", capsys.readouterr().out, flags=re.MULTILINE)
    for page, command in named(r"^racedyn (\w+)", commands):
        assert command in own, f"{page}: racedyn {command}"


def test_published_figures_are_studies():
    for page, figure in named(r"\b((?:saxe|shi|jarvis)\d{4}\.\w+)"):
        assert figure in studies.STUDIES, f"{page}: {figure}"
