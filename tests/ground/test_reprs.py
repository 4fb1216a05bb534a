"""What stands in a notebook's cell: one to three lines, no array printed whole; in HTML the status
first, text escaped.
"""

import dataclasses
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn._text import clipped, page
from racedyn.exact import Converged
from racedyn.systems.functions import FunctionSystem
from racedyn.trajectory import Provenance, Status, Trajectory

TASK = rd.tasks.hierarchy(64)
NETWORK = rd.networks.parallel(TASK, depths=(4, 4), width=200)
ROUTES = rd.tasks.routing(domains=7, trained=4)


class Own(rd.AbstractSystem):
    table: np.ndarray
    start: jax.Array
    rate: float
    task: object = None

    def y0(self):
        return self.start

    def vector_field(self, t, y, args):
        return -self.rate * y


def run(status=0, **more):
    made = Provenance(
        kind="train", system="<b>mine</b> & yours", solver="none", modes=TASK.modes, wall_time=2.0
    )
    loss = np.ones(5)
    return Trajectory(
        ts=np.arange(5.0),
        observables={"loss": loss},
        dims={"loss": ("time",)},
        status=status,
        provenance=made,
        **more,
    )


SHOWN = {
    "Task(hierarchy of 64": TASK,
    "Task(routing": ROUTES,
    "Routes(": ROUTES.structure,
    "Contexts(": rd.tasks.contextual(contexts=3).structure,
    "Modes(64 modes, S from": TASK.modes,
    "Network(8 edges": NETWORK,
    "Network(15 edges, 14 gates": rd.networks.routing(ROUTES, width=64),
    "Pathways of depths (2, 3), 40 modes": rd.systems.Pathways(
        np.ones(40), (2, 3), 1.0, np.ones((2, 40))
    ),
    "Maps of depths (2, 3), 40 x 40": rd.systems.Maps(np.ones(40), (2, 3), np.ones((2, 40, 40))),
    "GatedFlow at level 'full'": rd.reduce(
        rd.networks.chain(rd.tasks.hierarchy(4), depth=2, width=5),
        rd.tasks.hierarchy(4),
        {"w1": np.ones((5, 4)), "w2": np.ones((7, 5))},
        level="full",
    ),
    "Own(table=float64[100,100], start=float64[500], rate=": Own(
        np.ones((100, 100)), jnp.ones(500), 0.3, TASK
    ),
    "FunctionSystem(function=cos, initial=float64[1000])": FunctionSystem(math.cos, jnp.ones(1000)),
    "Statistics(": rd.statistics(rd.networks.chain(TASK, depth=2, width=70), TASK),
    "Trajectory(train, <b>mine</b> & yours; 5 times of loss; DONE)": run(),
    "Trajectory(train, <b>mine</b> & yours; 5 times of loss; 2 DONE, 1 FAILED)": run(
        np.array([0, 5, 0])
    ),
    "Provenance(kind='train'": run().provenance,
    "Comparison(5 common times; relative L2: loss 0)": rd.compare(run(), run()),
}


@pytest.mark.parametrize("start", SHOWN)
def test_a_repr_is_one_to_three_lines(start):
    text = repr(SHOWN[start])
    assert text.startswith(start)
    assert len(text.splitlines()) <= 3 and max(map(len, text.splitlines())) <= 100
    assert "array(" not in text and "Array(" not in text


def test_results_of_closed_forms_are_brief_too():
    ones = np.ones((2, 3))
    found = Converged(ones, ones, ones, np.zeros(3, np.int32))
    assert (
        repr(found)
        == "Converged(strength=float64[2,3], q=float64[2,3], p=float64[2,3], status=int32[3])"
    )
    assert found._asdict().keys() == {"strength", "q", "p", "status"}


def test_a_repr_works_where_values_are_traced():
    seen = []

    @jax.jit
    def inside(rate):
        system = Own(np.ones((3, 3)), jnp.ones(2), rate)
        race = rd.systems.Pathways(rate * jnp.ones(2), (2, 3), 1.0, 0.1)
        traced = Trajectory(
            ts=rate * jnp.arange(4.0),
            observables={"y": rate},
            dims={"y": ("time",)},
            status=jnp.int32(rate),
        )
        seen.extend(map(repr, (system, race, traced)))
        return rate

    inside(0.5)
    assert seen[0].startswith("Own(table=float64[3,3], start=float64[2], rate=float64[]")
    assert seen[1] == "Pathways of depths (2, 3), 2 modes" and seen[2] == "Trajectory(4 times of y)"


def test_a_long_text_is_cut_and_says_so():
    text = clipped("Name(" + ", ".join(f"field{i}=float64[100]" for i in range(60)) + ")")
    assert len(text.splitlines()) == 3 and text.endswith(", ...)")


def test_html_says_how_it_went_first_and_escapes_text(tmp_path):
    failed = run(np.asarray(int(Status.NOT_FINITE)))
    shown = failed._repr_html_()
    assert "<b>mine</b>" not in shown and "&lt;b&gt;mine&lt;/b&gt; &amp; yours" in shown
    assert shown.index(Status.NOT_FINITE.message) < shown.index("<pre>")
    bad = dataclasses.replace(failed, ts=np.arange(5.0))
    compared = rd.compare(run(), bad)._repr_html_()
    assert compared.index("note: trained: 1 of 1 not_finite") < compared.index("<pre>")
    path = rd.save(tmp_path / "a & b.h5", run=run(), failed=failed)
    file = rd.load(path)._repr_html_()
    assert (
        file.index("complete") < file.index("<pre>")
        and "a &amp; b.h5" in file
        and "NOT_FINITE" in file
    )
    for text in (shown, compared, file):
        assert re.fullmatch(r"<div><b>[^<]*</b>(<br>[^<]*)*<pre>[^<]*</pre></div>", text)
    assert (
        page("<", ["<script>"], "&") == "<div><b>&lt;</b><br>&lt;script&gt;<pre>&amp;</pre></div>"
    )
