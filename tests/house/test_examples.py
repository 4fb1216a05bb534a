"""The code of README and docs/ runs as it stands, and prints what the pages say."""

import dataclasses
import functools
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest

import racedyn as rd
from racedyn import config

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {
    page.name: page.read_text()
    for page in (ROOT / "README.md", *DOCS.glob("*.md"), *(DOCS / "guides").glob("*.md"))
}
BLOCKS = {
    name: re.findall(r"^```(\w*)\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    for name, page in PAGES.items()
}
WITH_CODE = sorted(name for name in PAGES if "python" in dict(BLOCKS[name]))
NUMBER = re.compile(r"\d+\.?\d*(?:e[+-]\d+)?")


class Ran(NamedTuple):
    """What a page's code defined, what each of its blocks printed, and the folder it ran in."""

    names: dict
    printed: list[str]
    folder: Path


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Runs a page's blocks, in order and once."""

    @functools.cache
    def run(name):
        folder, names, printed = tmp_path_factory.mktemp("page"), {"__name__": "page"}, []
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            names["print"] = lambda *words: printed[-1].append(" ".join(map(str, words)))
            for language, text in BLOCKS[name]:
                if language == "python":
                    printed.append([])
                    exec(compile(text, name, "exec"), names)
        return Ran(names, ["\n".join(lines) for lines in printed], folder)

    return run


def said(name):
    """What each block of code prints as the page says: the text block that follows it, or
    nothing.
    """
    following = [*BLOCKS[name], ("", "")][1:]
    return [
        text if after == "text" else ""
        for (language, _), (after, text) in zip(BLOCKS[name], following, strict=True)
        if language == "python"
    ]


def test_what_pages_show_as_printed_follows_the_code_that_prints_it():
    for name, blocks in BLOCKS.items():
        assert sum(language == "text" for language, _ in blocks) == sum(map(bool, said(name))), name


def test_the_configuration_is_one_and_names_every_section():
    (text,) = [
        text for blocks in BLOCKS.values() for language, text in blocks if language == "toml"
    ]
    given = tomllib.loads(text)
    parsed = config.parse(given)
    assert set(given) == {field.name for field in dataclasses.fields(parsed)}
    assert config.as_dict(parsed)["train"].items() >= given["train"].items()


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_CODE)
def test_pages_print_what_they_say(name, ran):
    for printed, shown in zip(ran(name).printed, said(name), strict=True):
        assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", shown).split()
        found, wanted = (
            np.array([float(number) for number in NUMBER.findall(text)])
            for text in (printed, shown)
        )
        # An error, 2.6e-04, is what is left of nearly equal numbers: its size is told, and its
        # digits are those of a machine (2.9e-04 on another). Below 1e-12 is rounding.
        error = np.array(["e-" in number for number in NUMBER.findall(shown)], bool)
        np.testing.assert_allclose(found[~error], wanted[~error], rtol=0.03, atol=1e-12)
        np.testing.assert_allclose(found[error], wanted[error], rtol=0.3, atol=1e-12)


@pytest.mark.slow
def test_the_main_example_learns_and_keeps_what_it_computed(ran):
    names, _, folder = ran("README.md")
    trained, theory = names["trained"], names["theory"]["compressed"]
    loaded = rd.load(folder / "race.h5")
    assert trained.observables["loss"][-1] < 1e-9 * trained.observables["loss"][0]
    for run, kept in ((trained, loaded["trained"]), (theory, loaded["theory"])):
        np.testing.assert_array_equal(kept.observables["strength"], run.observables["strength"])
    error = np.linalg.norm(theory.observables["strength"] - trained.observables["strength"])
    assert error / np.linalg.norm(trained.observables["strength"]) < 0.01


@pytest.mark.slow
def test_races_and_systems_of_ones_own(ran):
    names = ran("tutorial.md").names
    strength = names["run"].observables["strength"]
    assert strength.shape == (200, 2, 2) and names["run"].dims["strength"] == (
        "time",
        "path",
        "mode",
    )
    np.testing.assert_allclose(strength[-1].sum(axis=0), [3.0, 1.0], rtol=1e-7)
    np.testing.assert_allclose(names["decay"].observables["y"][-1], np.exp(-1.5), rtol=1e-6)


@pytest.mark.slow
def test_the_gated_example_is_what_descent_tends_to(ran):
    names = ran("tutorial.md").names
    assert names["gated_flow"].validity.exact
    comparison = rd.compare(names["exact"], names["descent"])
    strengths = [names[name].observables["strength"] for name in ("exact", "descent")]
    assert np.linalg.norm(strengths[0] - strengths[1]) < 0.02 * np.linalg.norm(strengths[1])
    assert "loss" in str(comparison)


@pytest.mark.slow
def test_routing_is_its_closed_form(ran):
    names = ran("tutorial.md").names
    shared, closed = names["shared"], names["closed"]
    assert shared.observables["edge_strength"].shape == (200, 15, 4)
    np.testing.assert_allclose(shared.observables["loss"], closed["loss"], atol=1e-6)
    hidden = np.asarray(shared.observables["edge_strength"])[
        :, shared.labels["edge"].index("hidden")
    ]
    np.testing.assert_allclose(
        hidden, closed["edge_strength"][:, closed.labels["edge"].index("hidden")], atol=1e-6
    )
    blank = 0.5 * np.sum(names["routes"].structure.features ** 2) / 4
    assert names["by_descent"].observables["probe_loss"][-1, 0] < 1e-3 * blank, (
        "untrained routes are learned too"
    )


@pytest.mark.slow
def test_the_slope_is_that_of_finite_differences(ran):
    names = ran("tutorial.md").names
    final_strength = jax.jit(names["final_strength"])
    step = np.array([[1e-5, 0.0], [0.0, 0.0]])
    p0 = np.array([[0.02, 0.01], [0.01, 0.03]])
    difference = (final_strength(p0 + step) - final_strength(p0 - step)) / 2e-5
    assert float(names["slope"][0, 0]) == pytest.approx(float(difference), rel=1e-3)


@pytest.mark.slow
def test_the_ensemble_ends_as_the_tutorial_says(ran):
    names, _, folder = ran("tutorial.md")
    (percent,) = re.findall(r"In (\d+) % of the draws", " ".join(PAGES["tutorial.md"].split()))
    assert 100 * np.mean(names["share"] > 0.9) == pytest.approx(float(percent), abs=0.5)
    races = rd.load(folder / "races.h5").ensemble
    assert races.observables["strength"].shape == (1000, 64, 2, 1) and not races.failed


@pytest.mark.slow
def test_a_loop_of_ones_own_is_read_as_train_reads_its_own(ran):
    names = ran("tutorial.md").names
    chain, task, seen = names["chain"], names["task"], names["seen"]
    start = chain.init(rd.init.Gaussian(std=0.1), key=0)
    trained = rd.train(
        chain, task, start, lr=0.2, steps=400, save_every=10, loss="mse", progress=False
    )
    np.testing.assert_allclose(
        seen.observables["strength"], trained.observables["strength"], atol=1e-10
    )


@pytest.mark.slow
def test_the_theory_of_two_tasks_follows_their_training(ran):
    names = ran("tutorial.md").names
    strengths = [names[name].observables["strength"] for name in ("story", "both")]
    assert np.linalg.norm(strengths[0] - strengths[1]) < 0.1 * np.linalg.norm(strengths[1])
