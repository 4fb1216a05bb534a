"""README as a package index shows it: `hatch_build.py`, which the builder runs."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="the builder is not installed")
ROOT = Path(__file__).parents[2]
REPOSITORY = "https://forge.example/racedyn"
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture
def builder():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hook(builder):
    return builder.ReadmeHook(str(ROOT), {})


def test_links_lead_to_the_files_of_the_release(hook):
    metadata = {"version": "1.2.3", "urls": {"Repository": f"{REPOSITORY}/"}}
    hook.update(metadata)
    assert metadata["readme"]["content-type"] == "text/markdown"
    text, shown = (ROOT / "README.md").read_text(), metadata["readme"]["text"]
    before, after = LINK.findall(text), LINK.findall(shown)
    assert LINK.sub("", text) == LINK.sub("", shown) and len(before) > 10
    for old, new in zip(before, after, strict=True):
        kind = "raw" if old.endswith(".png") else "blob"
        assert new == (old if "://" in old else f"{REPOSITORY}/{kind}/v1.2.3/{old}")
    assert f"{REPOSITORY}/raw/v1.2.3/docs/hierarchy.png" in after


def test_without_a_repository_it_is_the_file(hook):
    metadata = {"version": "1.2.3"}
    hook.update(metadata)
    assert metadata["readme"]["text"] == (ROOT / "README.md").read_text()


def test_what_leads_somewhere_is_left(builder):
    text = "[a](https://x.y/z) [b](#here) [c](mailto:a@b.c) ![d](e/f.svg) f(x)"
    expected = text.replace("e/f.svg", f"{REPOSITORY}/raw/v1/e/f.svg")
    assert builder.absolute(text, REPOSITORY, "v1") == expected


def test_the_builder_is_told():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "readme" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["metadata"]["hooks"]["custom"] == {}
