"""A narrow network learns as the wide one does, to the error that was asked for."""

import re

import numpy as np
import pytest

import racedyn as rd
from racedyn.networks.init import Gaussian
from racedyn.reduction.compression import rounds
from racedyn.reduction.compression.rounds import distance

TASK = rd.tasks.hierarchy(items=4)
SMALL = rd.networks.parallel(TASK, depths=(3, 3), width=60)


def weights_of(network, std=0.05, key=0):
    return network.init(Gaussian(std=std), key=key)


def errors(narrow, network, task, weights, **training):
    """Relative L2 of strengths and of the loss, against the wide network over the whole run."""
    learned, wide = (
        rd.train(*three, progress=False, **training)
        for three in (tuple(narrow.problem), (network, task, weights))
    )
    return {name: distance(learned[name], wide[name]) for name in ("strength", "loss")}


def check(network, task, weights, *, tolerance=1e-3, lr=0.1, steps=800, **more):
    narrow = rd.compress(network, task, weights, lr=lr, steps=steps, tolerance=tolerance, **more)
    more.pop("max_share", None)
    found = errors(narrow, network, task, weights, lr=lr, steps=steps, **more)
    for name, error in found.items():
        assert error < tolerance, (name, found, narrow.estimate)
    return narrow, found


def test_the_narrow_network_learns_as_the_wide_one():
    narrow, _ = check(SMALL, TASK, weights_of(SMALL))
    assert max(narrow.dimensions.values()) < 25
    assert not narrow.exact and narrow.estimate["strength"] < 1e-3
    # Its pass is the wide network itself.
    wide = rd.train(SMALL, TASK, weights_of(SMALL), lr=0.1, steps=800, save_every=10)
    shared, mine, others = np.intersect1d(narrow.run.step, wide.step, return_indices=True)
    assert len(shared) > 40
    np.testing.assert_allclose(
        narrow.run["strength"][mine], wide["strength"][others], atol=1e-3 * wide["strength"].max()
    )
    assert "directions" in str(narrow) and "estimated error over 800 steps" in str(narrow)


def test_bases_are_those_of_the_weights_that_were_given():
    weights = weights_of(SMALL)
    narrow = rd.compress(SMALL, TASK, weights, lr=0.1, steps=800)
    found = rd.project(SMALL, TASK, weights, bases=narrow.bases)
    for edge, matrix in found.weights.items():
        np.testing.assert_allclose(matrix, narrow.weights[edge], atol=1e-13)
    assert found.network.nodes == narrow.network.nodes


def test_strengths_and_growth_of_the_start_are_kept():
    weights = weights_of(SMALL)
    narrow = rd.compress(SMALL, TASK, weights, lr=0.1, steps=800)
    for name in "qp":
        wide, thin = (
            np.asarray(getattr(rd.reduce(three, level="pathway"), name))
            for three in (rd.Problem(SMALL, TASK, weights), narrow.problem)
        )
        np.testing.assert_allclose(thin, wide, rtol=1e-11)


def test_two_layers_close():
    network = rd.networks.parallel(TASK, depths=(2, 2), width=50)
    weights = weights_of(network)
    narrow, found = check(network, TASK, weights, tolerance=1e-9, steps=300)
    assert narrow.exact and max(found.values()) < 1e-13
    assert set(narrow.dimensions.values()) == {4 + 7}
    assert narrow.estimate == {"strength": 0.0, "loss": 0.0} and "exact" in str(narrow)


def test_a_network_narrower_than_its_bases_is_itself():
    network = rd.networks.parallel(TASK, depths=(3, 3), width=6)
    narrow, found = check(network, TASK, weights_of(network, 0.2), tolerance=1e-6, steps=300)
    assert narrow.exact and max(found.values()) < 1e-12
    assert set(narrow.dimensions.values()) == {6}


@pytest.mark.slow
def test_the_error_falls_with_the_tolerance():
    """At about its own order: a hundred times finer asked for, at least ten times finer had."""
    weights = weights_of(SMALL)
    coarse, fine = (
        check(SMALL, TASK, weights, tolerance=tolerance, max_share=1.0)[1]["strength"]
        for tolerance in (1e-2, 1e-4)
    )
    assert fine < coarse / 10


def skipping():
    network = rd.Network(
        {"x": 4, "a": 40, "b": 50, "c": 45, "y": 7},
        {
            "xa": ("x", "a"),
            "ab": ("a", "b"),
            "xb": ("x", "b"),
            "bc": ("b", "c"),
            "ac": ("a", "c"),
            "cy": ("c", "y"),
            "ay": ("a", "y"),
        },
    )
    return network, rd.Task(inputs={"x": TASK.X}, targets={"y": TASK.Y})


def correlated():
    draw = np.random.default_rng(0)
    X = draw.normal(size=(6, 20)) * np.array([1.0, 0.9, 0.8, 0.5, 0.3, 0.1])[:, None]
    task = rd.tasks.from_arrays(X, np.vstack([draw.normal(size=(2, 6)) @ X, draw.normal(size=20)]))
    return rd.networks.parallel(task, depths=(3, 4), width=70), task


def animals():
    task = rd.tasks.example("animals")
    return rd.networks.parallel(task, depths=(3, 3), width=120), task


def routing():
    task = rd.tasks.routing(domains=3, trained=2)
    return rd.networks.routing(task, width=70), task


def contexts():
    task = rd.tasks.contextual(items=4, contexts=2)
    return rd.networks.contextual(task, width=60), task


GRAPHS = {
    "skips and a shared node": (skipping, {}),
    "weight decay": (skipping, {"weight_decay": 0.02}),
    "correlated inputs": (correlated, {}),
    "gated routing": (routing, {"loss": "routes", "lr": 0.05}),
    "animals": (animals, {"lr": 0.04}),
    "contexts": (contexts, {"lr": 0.05}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_any_graph(name):
    build, more = GRAPHS[name]
    network, task = build()
    check(network, task, weights_of(network), max_share=1.0, steps=1500, **more)


@pytest.mark.slow
def test_stages():
    network, task = contexts()
    common = [e for e in network.edges if "common" in (*network.edges[e], e) or "common" in e]
    rest = [e for e in network.edges if e not in common]
    check(
        network,
        task,
        weights_of(network),
        lr=0.05,
        steps=1500,
        stages=[common, rest],
        max_share=1.0,
    )


@pytest.mark.long
def test_the_flow():
    weights = weights_of(SMALL)
    ts = np.linspace(0, 80, 81)
    narrow = rd.compress(SMALL, TASK, weights, ts=ts)
    wide, thin = (
        rd.simulate(rd.reduce(three, level="full"), ts=ts)
        for three in (rd.Problem(SMALL, TASK, weights), narrow.problem)
    )
    for name in ("strength", "loss"):
        assert distance(thin[name], wide[name]) < 1e-3
        assert distance(narrow.run[name], wide[name]) < 1e-3
    level = rd.reduce(SMALL, TASK, weights, level="compressed")
    assert level.known_to == 1e-3 and level.validity["estimate"]["strength"] < 1e-3
    run = rd.simulate(level, ts=ts)
    assert "rtol 0.0001" in run.provenance.solver
    assert distance(run["strength"], wide["strength"]) < 2e-3


@pytest.mark.slow
def test_pathways_may_be_named_in_any_order():
    weights = weights_of(SMALL)
    other_path = {"1": "2", "2": "1"}
    turned = {e: weights[f"w{other_path[e[1]]}{e[2:]}"] for e in weights}
    one, other = (rd.compress(SMALL, TASK, w, lr=0.1, steps=800) for w in (weights, turned))
    assert distance(other.run["strength"][:, ::-1], one.run["strength"]) < 1e-6


@pytest.mark.long
def test_signals_lie_between_qp_and_the_exact_theory():
    network = rd.networks.parallel(TASK, depths=(4, 4), width=80)
    weights = weights_of(network, 0.04)
    wide = rd.train(network, TASK, weights, lr=0.1, steps=1500, progress=False)
    off = {}
    for level in ("pathway", "signals"):
        system = rd.reduce(network, TASK, weights, level=level)
        assert not system.validity.exact
        run = rd.simulate(system, ts=wide.ts)
        off[level] = distance(run["strength"], wide["strength"])
    assert off["signals"] < 0.15 and off["signals"] < off["pathway"] / 2
    assert system.validity["outside_the_bases"] > 0.1


def test_too_few_steps_to_learn_are_said():
    short = rd.compress(SMALL, TASK, weights_of(SMALL), lr=0.1, steps=20)
    assert re.search(r"\d+% of the loss is left", str(short))
    assert len(short.run.ts) == 21


def test_a_tolerance_that_no_choice_holds_takes_all_directions_of_a_pass(monkeypatch):
    """A choice may be off by more than it leaves out: then all of a good pass is the answer."""
    monkeypatch.setattr(rounds, "_CHOICES", 1)
    monkeypatch.setattr(rounds, "_FIRST", 1e4)
    narrow = rd.compress(SMALL, TASK, weights_of(SMALL), lr=0.1, steps=800, max_share=1.0)
    assert narrow.share == 0 and 2 * max(narrow.estimate.values()) <= narrow.tolerance


def test_a_tolerance_that_is_not_reached_is_warned_of(monkeypatch):
    monkeypatch.setattr(rounds, "_ROUNDS", 1)
    monkeypatch.setattr(rounds, "_FINER", 0.25)
    with pytest.warns(RuntimeWarning, match="came no nearer"):
        narrow = rd.compress(SMALL, TASK, weights_of(SMALL), lr=0.1, steps=800, max_share=1.0)
    assert 2 * max(narrow.estimate.values()) > narrow.tolerance


def test_a_pass_that_finds_nothing_says_nothing(monkeypatch):
    """It is as coarse as its share, and no estimate of 0."""
    monkeypatch.setattr(rounds, "_FINER", 1e-2)
    check(SMALL, TASK, weights_of(SMALL), max_share=1.0)


def test_a_drawn_network_has_no_matrices():
    network = rd.networks.parallel(TASK, depths=(3, 3), width=10**9)
    law = Gaussian(std=1e-5)
    one, again = (rd.compress(network, TASK, law, key=1, lr=0.1, steps=600) for _ in range(2))
    assert one.bases is None and max(one.dimensions.values()) < 40
    for edge, matrix in one.weights.items():
        np.testing.assert_array_equal(matrix, again.weights[edge])
    assert one.run["loss"][-1] < 1e-3 * one.run["loss"][0]


REFUSED = {
    "lr": ({"lr": 40.0}, "let the loss stay finite"),
    "tolerance": ({"tolerance": 0.0}, "be above 0 and at most 0.3"),
    "negative": ({"tolerance": -1e-3}, "be above 0 and at most 0.3"),
    "loose": ({"tolerance": 0.5}, "be above 0 and at most 0.3"),
    "key": ({"key": 0}, "be left out beside weights"),
    "both": ({"ts": [1.0, 2.0]}, "both be given, or neither"),
    "steps": ({"steps": 0}, "be a whole number of at least 1"),
    "share": ({"max_share": 0.2}, "be wider at"),
    "more than all": ({"max_share": 1.5}, "be at most 1"),
    "loss": ({"loss": "cubic"}, "be one of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    given, message = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        rd.compress(SMALL, TASK, weights_of(SMALL), **{"lr": 0.1, "steps": 300, **given})


def test_what_is_large_in_a_law_that_diverges_is_named():
    wide = rd.networks.parallel(TASK, depths=(3, 3), width=10**8)
    with pytest.raises(ValueError, match="std times the roots of the widths is 400"):
        rd.compress(wide, TASK, Gaussian(std=0.02), key=0, lr=0.1, steps=300)
    with pytest.raises(ValueError, match=r"fit into memory.*racedyn.compress"):
        wide.init(Gaussian(std=1e-4), key=0)


def test_refusals_of_networks_laws_and_tasks():
    with pytest.raises(TypeError, match=r"or a law of racedyn\.init, but it is the class Gaussian"):
        rd.compress(SMALL, TASK, Gaussian, key=0, lr=0.1, steps=10)
    with pytest.raises(TypeError, match=r"racedyn\.compress takes the law itself"):
        rd.reduce(SMALL, TASK, Gaussian(std=0.1), level="compressed")
    narrow = rd.compress(SMALL, TASK, weights_of(SMALL), lr=0.1, steps=10)
    with pytest.raises(TypeError, match=r"Pass its `\.problem`"):
        rd.train(narrow, lr=0.1, steps=10)
    with pytest.raises(ValueError, match="be given beside a law"):
        rd.compress(SMALL, TASK, Gaussian(std=0.1), lr=0.1, steps=10)
    bent = rd.networks.parallel(TASK, depths=(2, 2), width=20, activation="relu")
    with pytest.raises(ValueError, match="be linear to be compressed"):
        rd.compress(bent, TASK, weights_of(bent), lr=0.1, steps=10)
    empty = rd.Task(inputs={"input": TASK.X}, targets={"output": np.zeros_like(TASK.Y)})
    with pytest.raises(ValueError, match="nothing to learn"):
        rd.compress(SMALL, empty, weights_of(SMALL), lr=0.1, steps=10)
    with pytest.raises(ValueError, match=r"below 2\*\*31"):
        rd.networks.chain(TASK, depth=3, width=2**54)
    with pytest.raises(ValueError, match="with weight decay"):
        rd.reduce(SMALL, TASK, weights_of(SMALL), level="compressed", weight_decay=0.1)
    with pytest.raises(ValueError, match="be above 0 and at most"):
        rd.reduce(SMALL, TASK, weights_of(SMALL), level="best", tolerance=-1.0)
    with pytest.raises(ValueError, match="be left out at level 'full'"):
        rd.reduce(SMALL, TASK, weights_of(SMALL), level="full", tolerance=1e-2)


@pytest.mark.long
def test_networks_of_one_shape_are_members_of_an_ensemble():
    network = rd.networks.parallel(TASK, depths=(3, 3), width=10**6)
    law, ts = Gaussian(std=3e-4), np.linspace(0, 60, 31)
    drawn = [
        rd.compress(network, TASK, law, key=k, lr=0.1, steps=600, tolerance=10.0 ** (-2 - k))
        for k in (0, 2)
    ]
    assert len({tuple(one.dimensions.values()) for one in drawn}) > 1
    problems = rd.reduction.of_one_shape(drawn)
    runs = rd.ensemble(lambda i: rd.reduce(problems[i], level="full"), 2, ts, rtol=1e-8)
    for member, one in enumerate(drawn):
        alone = rd.simulate(rd.reduce(one.problem, level="full"), ts)
        np.testing.assert_allclose(
            runs["strength"][member], alone["strength"], atol=1e-6 * alone["strength"].max()
        )
    other = rd.compress(SMALL, rd.tasks.hierarchy(items=4), weights_of(SMALL), lr=0.1, steps=300)
    with pytest.raises(ValueError, match="come from one network and one task"):
        rd.reduction.of_one_shape([drawn[0], other])


@pytest.mark.slow
def test_with_all_directions_known_it_is_closer_to_the_wide_network_than_the_pass(monkeypatch):
    """What a pass misses, it finds late: `run` goes through learning again with all of it."""
    passes, real = [], rounds.grow
    monkeypatch.setattr(rounds, "grow", lambda *a: passes.append(real(*a)) or passes[-1])
    network = rd.networks.parallel(TASK, depths=(4, 4), width=100)
    weights = network.init(rd.init.Gaussian(std=0.05), key=0)
    narrow = rd.compress(network, TASK, weights, lr=0.1, steps=1000)
    wide = rd.train(network, TASK, weights, lr=0.1, steps=1000, save_every=1)
    assert passes[-1].late
    for name in ("strength", "loss"):
        true = np.asarray(wide[name])[np.asarray(narrow.run.step)]
        again, late = (
            distance(np.asarray(rows[name]), true) for rows in (narrow.run, passes[-1].rows)
        )
        assert again < late / 4
