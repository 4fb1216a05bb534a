"""The README's code runs as it stands and prints what it says."""

import dataclasses
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import racedyn as rd
from racedyn import config

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
CODE = [text for language, text in BLOCKS if language == "python"]
PRINTED, MEASURED = (
    next(text for _, text in BLOCKS if text.startswith(start))
    for start in ("Comparison of theory with trained", "level 'matrix'")
)
NUMBER = re.compile(r"\d+\.?\d*(?:e[+-]\d+)?")


def test_the_configuration_is_one_and_names_every_section():
    (text,) = [text for language, text in BLOCKS if language == "toml"]
    given = tomllib.loads(text)
    parsed = config.parse(given)
    assert set(given) == {field.name for field in dataclasses.fields(parsed)}
    assert config.as_dict(parsed)["train"].items() >= given["train"].items()


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The names that the README's blocks define, and what they print."""
    names: dict = {"__name__": "readme"}
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("readme"))
        patch.setitem(names, "print", lambda *words: printed.append(" ".join(map(str, words))))
        for text in CODE:
            exec(compile(text, "README.md", "exec"), names)
        names["loaded"] = rd.load("race.h5")
        names["races"] = rd.load("races.h5").ensemble
    return names, printed


@pytest.mark.slow
def test_the_main_example_prints_what_the_readme_says(ran):
    _, (printed, _) = ran
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", PRINTED).split()
    found, said = ([float(number) for number in NUMBER.findall(text)] for text in (printed, PRINTED))
    np.testing.assert_allclose(found, said, rtol=0.03)


@pytest.mark.slow
def test_the_gated_example_prints_its_validity_and_is_what_descent_tends_to(ran):
    names, (_, measured) = ran
    assert NUMBER.sub("#", measured).split() == NUMBER.sub("#", MEASURED).split()
    assert names["flow"].validity.exact and "a 19 of 100" in measured and "a 19 of 100" in MEASURED
    comparison = rd.compare(names["exact"], names["descent"])
    strengths = [names[name].observables["strength"] for name in ("exact", "descent")]
    assert np.linalg.norm(strengths[0] - strengths[1]) < 0.02 * np.linalg.norm(strengths[1])
    assert "loss" in str(comparison)


@pytest.mark.slow
def test_the_main_example_learns_and_keeps_what_it_computed(ran):
    names, _ = ran
    trained, theory, loaded = names["trained"], names["theory"], names["loaded"]
    assert trained.observables["loss"][-1] < 1e-9 * trained.observables["loss"][0]
    for run, kept in ((trained, loaded["trained"]), (theory, loaded["theory"])):
        np.testing.assert_array_equal(kept.observables["strength"], run.observables["strength"])
    error = np.linalg.norm(theory.observables["strength"] - trained.observables["strength"])
    assert error / np.linalg.norm(trained.observables["strength"]) < 0.3


@pytest.mark.slow
def test_races_and_systems_of_ones_own(ran):
    names, _ = ran
    strength = names["run"].observables["strength"]
    assert strength.shape == (200, 2, 2) and names["run"].dims["strength"] == ("time", "path", "mode")
    np.testing.assert_allclose(strength[-1].sum(axis=0), [3.0, 1.0], rtol=1e-7)
    decay = rd.simulate(names["Decay"](0.3), ts=np.linspace(0, 5, 51))
    np.testing.assert_allclose(decay.observables["y"][-1], np.exp(-1.5), rtol=1e-6)


@pytest.mark.slow
def test_routing_is_its_closed_form(ran):
    names, _ = ran
    shared, closed = names["shared"], names["closed"]
    assert shared.observables["edge_strength"].shape == (200, 15, 4)
    np.testing.assert_allclose(shared.observables["loss"], closed.loss, atol=1e-6)
    hidden = np.asarray(shared.observables["edge_strength"])[:, shared.labels["edge"].index("hidden")]
    np.testing.assert_allclose(hidden, closed.hidden, atol=1e-6)
    blank = 0.5 * np.sum(names["routes"].structure.features ** 2) / 4
    assert names["by_descent"].observables["probe_loss"][-1, 0] < 1e-3 * blank, "untrained routes are learned too"


@pytest.mark.slow
def test_the_slope_is_that_of_finite_differences(ran):
    names, _ = ran
    step = np.array([[1e-5, 0.0], [0.0, 0.0]])
    p0 = np.array([[0.02, 0.01], [0.01, 0.03]])
    difference = (names["final_strength"](p0 + step) - names["final_strength"](p0 - step)) / 2e-5
    assert float(names["slope"][0, 0]) == pytest.approx(float(difference), rel=1e-3)


@pytest.mark.slow
def test_the_ensemble_ends_as_the_readme_says(ran):
    names, _ = ran
    (said,) = re.findall(r"In (\d+) % of the draws", README)
    assert 100 * np.mean(names["share"] > 0.9) == pytest.approx(float(said), abs=0.5)
    assert names["races"].observables["strength"].shape == (1000, 64, 2, 1) and not names["races"].failed
