"""Every public function has an example in its docstring, and prints what the example says."""

import doctest
import inspect

import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SLOW = {  # they compile for long
    "rd.Observable",
    "rd.exact.contextual",
    "rd.exact.routing",
    "rd.exact.trajectory",
    "rd.systems.Piecewise",
}


def public():
    """Full name -> what users call: the names of `racedyn` and of its modules, each object once;
    `racedyn.init` has laws and those alone."""
    rooms = {"rd": rd} | {f"rd.{name}": getattr(rd, name) for name in rd.__all__}
    found = {}
    for place, room in rooms.items():
        if inspect.ismodule(room):
            for name in getattr(room, "__all__", LAWS):
                thing = getattr(room, name)
                if callable(thing) and thing not in found.values():
                    found[f"{place}.{name}"] = thing
    return found


LAWS = [
    name
    for name, law in vars(rd.init).items()
    if inspect.isclass(law) and issubclass(law, rd.init.AbstractLaw) and not inspect.isabstract(law)
]
PUBLIC = public()
EXAMPLES = {
    name: thing.__doc__ for name, thing in PUBLIC.items() if ">>> " in (thing.__doc__ or "")
}


def failures(name, text):
    """What doctest says of an example, or nothing."""
    said = []
    names = {"rd": rd, "np": np, "jnp": jnp}
    test = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=said.append)
    return "".join(said)


def test_every_public_function_has_an_example():
    needed = {name for name, thing in PUBLIC.items() if not inspect.isclass(thing)}
    needed |= {f"rd.init.{law}" for law in LAWS}
    assert len(needed) > 80
    assert needed - set(EXAMPLES) == set()


def test_few_examples_are_slow():
    assert len(SLOW) <= 5 and set(EXAMPLES) >= SLOW


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in EXAMPLES],
)
def test_prints_what_it_says(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert not failures(name, EXAMPLES[name])


@pytest.mark.parametrize(
    "text",
    [
        ">>> rd.tasks.order(items=3).Y.shape\n(3, 4)\n",
        ">>> np.eye(2)\n",
        ">>> jnp.eye(0, 0)[1]\n[]\n",
    ],
)
def test_another_output_is_told(text):
    assert "Failed example" in failures("example", text)
    assert not failures("example", ">>> rd.tasks.order(items=3).Y.shape\n(3, ...)\n")
