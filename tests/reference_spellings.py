"""The package's own places and spellings, as `reference_cases` needs them: what a move of modules
or a rename touches.
"""

import contextlib
import dataclasses
import itertools
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import jax
import numpy as np

import racedyn as rd
from racedyn import paths as concentration
from racedyn import studies
from racedyn.cli import main
from racedyn.paths import Statistics
from racedyn.reduction.bases import closed_bases
from racedyn.studies.saxe2019 import structures
from racedyn.studies.shi2022 import pathways
from racedyn.trajectory import BY_DEFAULT

jax.config.update("jax_enable_x64", True)
__all__ = [
    "BY_DEFAULT",
    "EVERYTHING",
    "FORMERLY",
    "STUDIES",
    "chain_as_before",
    "closed_bases",
    "concentration",
    "contexts_as_before",
    "ended_as_before",
    "file_of",
    "job",
    "observed",
    "plain",
    "race_as_before",
    "reduced",
    "riccati_as_before",
    "routing_as_before",
    "solved",
    "study",
    "trained",
    "value",
]
STUDIES = tuple(studies.STUDIES)

# Part of a key that is called otherwise since the reference was written -> what it was called then.
FORMERLY: dict[str, str] = {
    **{f"activity:{node}": f"activity_{node}" for node in ("h1", "h1_1", "h2_1", "output")},
}


def plain(tree: Any) -> Any:
    """A tree of what it is made of, numbers and texts: without clocks, versions and names of
    systems.
    """
    match tree:
        case rd.Trajectory():
            kept = ("ts", "step", "ys", "observables", "status", "stats", "end")
            known = tree.provenance
            return {name: plain(getattr(tree, name)) for name in kept} | (
                {}
                if known is None
                else {"validity": dict(known.validity), "modes": plain(known.modes)}
            )
        case rd.Problem():
            return {"network": None, "task": plain(tree.task), "weights": plain(dict(tree.weights))}
        case rd.Task():
            modes = {pair: plain(known) for pair, known in tree.all_modes().items()}
            return {
                "inputs": tree.inputs,
                "targets": tree.targets,
                "context": tree.context,
                "modes": modes,
            }
        case Statistics():
            pairs = itertools.product(tree.paths, repeat=2)
            return {
                "yx": {path: tree.sigma_yx(path) for path in tree.paths},
                "x": {(*j, "and", *p): tree.sigma_x(j, p) for j, p in pairs},
            }
        case rd.Network() | rd.AbstractSystem():
            return None
        case dict():
            return {name: plain(part) for name, part in tree.items()}
        case tuple() if hasattr(tree, "_asdict"):
            return plain(tree._asdict())
        case tuple() | list():
            return [plain(part) for part in tree]
    return tree


def value(run: Any, name: str) -> Any:
    return run.observables[name]


def trained(problem: Any, *, lr: float | None = 0.05, steps: int = 40, **options: Any) -> Any:
    return rd.train(*problem, lr=lr, steps=steps, save_every=10, progress=False, **options)


def observed(network: Any, task: Any, checkpoints: Any, **options: Any) -> Any:
    return rd.observe(network, task, checkpoints, progress=False, **options)


def reduced(problem: Any, level: str, inexact: bool = False, **options: Any) -> Any:
    return rd.reduce(*problem, level=level, inexact=inexact, **options)


def solved(
    system: Any, ts: Any = tuple(np.linspace(0, 12, 7)), method: str = "ode", **options: Any
) -> Any:
    return rd.simulate(system, np.asarray(ts), method=method, progress=False, **options)


EVERYTHING = [*BY_DEFAULT, "strength_matrix", "data_strength", "weights"]


# Closed forms came back in forms of their own; their numbers, by the names of these.


def of_endings(status: Any) -> np.ndarray:
    """LEARNED, SYMMETRIC, NEVER, FAILED were 0 to 3."""
    known = {rd.Status.DONE: 0, rd.Status.SYMMETRIC: 1, rd.Status.UNLEARNED: 2, rd.Status.FAILED: 3}
    return np.vectorize(lambda code: known[rd.Status(int(code))])(np.asarray(status)).astype(
        np.int32
    )


def ended_as_before(found: Any) -> dict[str, Any]:
    return {**found._asdict(), "status": of_endings(found.status)}


def race_as_before(run: Any) -> dict[str, Any]:
    return {
        **{name: run[name] for name in ("strength", "q", "p")},
        "status": of_endings(run.status),
    }


def chain_as_before(run: Any) -> dict[str, Any]:
    strength, layers = run["strength"][:, 0], run["edge_strength"]
    return {"strength": strength, "layers": layers, "status": of_endings(run.status)}


def routing_as_before(run: Any) -> dict[str, Any]:
    edges, names = np.asarray(run["edge_strength"]), list(run.labels["edge"])
    hidden = next(i for i, name in enumerate(names) if "hidden" in name)
    return {
        "loss": run["loss"],
        "first": edges[:, 0],
        "hidden": edges[:, hidden],
        "last": edges[:, -1],
    }


def contexts_as_before(run: Any) -> dict[str, Any]:
    common, context = (np.asarray(run[f"{kind}_strength"]) for kind in ("common", "context"))
    return {
        "loss": run["loss"],
        "common": common,
        "context": context,
        "start": (common[0], context[0]),
    }


def riccati_as_before(run: Any) -> dict[str, Any]:
    return {name: run[name] for name in ("map", "inner", "outer")}


def job(path: Path, out: Path, *line: str) -> Path:
    """The file that `racedyn run` writes."""
    if code := main(["run", str(path), "--out", str(out), "--quiet", *line]):
        raise RuntimeError(f"racedyn run {path} ended with {code}")
    return out / f"{path.stem}.h5"


def study(name: str, settings: dict[str, Any], out: Path) -> tuple[Path, tuple[str, ...]]:
    """The file and the findings of a study at its quick settings but for `settings`."""
    known = studies.STUDIES[name]
    small = dataclasses.replace(known, quick={**known.quick, **settings})
    few = {key: structures.STRUCTURES[key] for key in ("clusters", "cross-cutting")}
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(pathways, "EPOCHS", {2: 60, 3: 80, 4: 80, 7: 80}))
        stack.enter_context(mock.patch.object(structures, "STRUCTURES", few))
        done = studies.run_study(small, out=out, quick=True, progress=False)
    return done.path, done.finding.lines


def file_of(path: Path) -> dict[str, np.ndarray]:
    """Every numeric array of an HDF5 file, raw, by its path in the file; clocks stand in
    attributes.
    """
    found = {}

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "biufc":
            found[name] = np.asarray(item[()])

    with h5py.File(path) as file:
        file.visititems(look)
    return found
