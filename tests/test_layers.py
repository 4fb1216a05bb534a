"""Who may know whom: read off the source (AST), so that an import inside a function counts too."""

import ast
import graphlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src"
ROOT = "racedyn"

MATHEMATICS = {"tasks", "networks", "path_statistics", "systems", "exact", "compress"}
NEUTRAL = {
    "_types",
    "_checks",
    "_names",
    "_text",
    "_wide",
    "trajectory",
    "switching",
    "conventions",
    "concentration",
    "representations",
}
# May import our own modules inside functions: so that help is quick, and `import racedyn` runs nothing.
LAZY = {f"{ROOT}.cli"}
# Third-party library -> its homes. Those used by everyone have none.
EVERYWHERE = {"jax", "jaxtyping", "numpy", "equinox"}
HOMES = {
    "diffrax": {"integration", "simulation", "single", "options", "step_sizes", "crossings", "ensembles"},
    "h5py": {"store"},
    "xarray": {"store"},
    "matplotlib": {"plot"},
    "tyro": {"cli"},
    "rich": {"progress"},
    "pydantic": {"config"},
    "tomli_w": {"config"},
    "optax": {"descent"},
    "optimistix": {"exact"},
}


UNKNOWN = f"{ROOT}.?"  # import_module(name): perhaps one of ours


class Import(NamedTuple):
    """`target` is the full name of a module (or of something in one); `inside`: in a function."""

    target: str
    inside: bool
    line: int


def sources() -> dict[str, str]:
    """Module name -> its text."""
    found = {}
    for path in sorted((SOURCE / ROOT).rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def imports(module: str, text: str, is_package: bool) -> Iterator[Import]:
    """Everything that `module` imports, wherever it does, by the statement or by import_module("...")."""

    def visit(node: ast.AST, inside: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, inside, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(f"{origin}.{alias.name}", inside, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
            "import_module",
            "__import__",
        ):
            named = node.args and isinstance(node.args[0], ast.Constant)
            yield Import(str(node.args[0].value) if named else UNKNOWN, inside, node.lineno)  # type: ignore[attr-defined]
        deeper = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, deeper)

    return visit(ast.parse(text), False)


def graph(code: dict[str, str]) -> dict[str, list[Import]]:
    """Module -> its imports; our own ones named by the module that is meant."""
    packages = {name.rpartition(".")[0] for name in code}
    result: dict[str, list[Import]] = {}
    for module, text in code.items():
        result[module] = []
        for item in imports(module, text, module in packages):
            target = item.target
            while ours(target) and target not in code and "." in target and target != UNKNOWN:
                target = target.rpartition(".")[0]
            result[module].append(item._replace(target=target))
    return result


def room(module: str) -> str:
    """tasks of racedyn.tasks.modes; empty for racedyn itself."""
    return module.split(".")[1] if "." in module else ""


def ours(target: str) -> bool:
    return target.split(".")[0] == ROOT


def mathematics_imports_machinery(code: dict[str, str]) -> list[str]:
    known = MATHEMATICS | NEUTRAL
    return [
        f"{module}:{item.line} imports {item.target}"
        for module, items in graph(code).items()
        if room(module) in known
        for item in items
        if ours(item.target) and room(item.target) not in known
    ]


def import_cycles(code: dict[str, str]) -> list[str]:
    edges = {module: {item.target for item in items if ours(item.target)} for module, items in graph(code).items()}
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        return [" -> ".join(error.args[1])]
    return []


def own_imports_inside_functions(code: dict[str, str]) -> list[str]:
    return [
        f"{module}:{item.line} imports {item.target} inside a function"
        for module, items in graph(code).items()
        if module not in LAZY | {ROOT}
        for item in items
        if item.inside and ours(item.target)
    ]


def libraries_away_from_home(code: dict[str, str]) -> list[str]:
    found = []
    for module, items in graph(code).items():
        for item in items:
            library = item.target.split(".")[0]
            if ours(library) or library in sys.stdlib_module_names or library in EVERYWHERE or library == "sklearn":
                continue
            if room(module) not in HOMES.get(library, set()):
                homes = ", ".join(sorted(HOMES.get(library, {"no module: give it a home in HOMES"})))
                found.append(f"{module}:{item.line} imports {library}, whose home is {homes}")
    return found


def scikit_learn_in_two_places(code: dict[str, str]) -> list[str]:
    """Digits, MDS and k-means come from different parts of scikit-learn, each for one module."""
    users: dict[str, set[str]] = {}
    for module, items in graph(code).items():
        for item in items:
            if item.target.split(".")[0] == "sklearn":
                users.setdefault(".".join(item.target.split(".")[:2]), set()).add(module)
    return [f"{part} is imported by {sorted(modules)}" for part, modules in users.items() if len(modules) > 1]


def future_annotations(code: dict[str, str]) -> list[str]:
    """They silently make `eqx.AbstractVar` fields concrete."""
    return [
        f"{module}:{item.line}"
        for module, items in graph(code).items()
        for item in items
        if item.target == "__future__.annotations"
    ]


RULES = (
    mathematics_imports_machinery,
    import_cycles,
    own_imports_inside_functions,
    libraries_away_from_home,
    scikit_learn_in_two_places,
    future_annotations,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule):
    assert rule(sources()) == []


def test_every_module_is_read():
    assert {ROOT, "racedyn.trajectory", "racedyn.networks.network", "racedyn.cli"} <= set(sources())


HOUSE = {
    "racedyn": "",
    "racedyn._checks": "",
    "racedyn.cli": "",
    "racedyn.simulation": "",
    "racedyn.store": "",
    "racedyn.store.write": "",
    "racedyn.systems": "",
    "racedyn.systems.base": "",
}


@pytest.mark.parametrize(
    ("rule", "module", "text", "found"),
    [
        (
            mathematics_imports_machinery,
            "racedyn.systems.base",
            "from racedyn.simulation import solve",
            "racedyn.simulation",
        ),
        (mathematics_imports_machinery, "racedyn.systems.base", "def f():\n import racedyn.store.write", "store.write"),
        (mathematics_imports_machinery, "racedyn.systems.base", "from .. import simulation", "racedyn.simulation"),
        (mathematics_imports_machinery, "racedyn.systems", "from ..store import write", "racedyn.store.write"),
        (mathematics_imports_machinery, "racedyn._checks", "from racedyn import cli", "racedyn.cli"),
        (mathematics_imports_machinery, "racedyn.systems", "from racedyn import Network", "imports racedyn"),
        (
            import_cycles,
            "racedyn.systems.base",
            "from racedyn.systems import base",
            "systems.base -> racedyn.systems.base",
        ),
        (
            own_imports_inside_functions,
            "racedyn.store",
            "class A:\n def f(self):\n  from racedyn import _checks",
            "store:3",
        ),
        (own_imports_inside_functions, "racedyn.store", "async def f():\n import racedyn._checks", "store:2"),
        (own_imports_inside_functions, "racedyn.store", "f = lambda: import_module('racedyn.cli')", "racedyn.cli"),
        (own_imports_inside_functions, "racedyn.store", "def f(n):\n importlib.import_module(n)", "store:2"),
        (
            libraries_away_from_home,
            "racedyn.systems",
            "import diffrax as dfx",
            "diffrax, whose home is crossings, ensembles",
        ),
        (
            libraries_away_from_home,
            "racedyn.simulation",
            "def f():\n from matplotlib import pyplot",
            "whose home is plot",
        ),
        (libraries_away_from_home, "racedyn.simulation", "import unheard_of", "give it a home"),
        (future_annotations, "racedyn.store.write", "from __future__ import annotations", "racedyn.store.write:1"),
    ],
)
def test_rule_can_fail(rule, module, text, found):
    assert rule(HOUSE) == []
    (violation,) = rule({**HOUSE, module: text})
    assert found in violation


def test_rules_on_two_modules_can_fail():
    loop = {
        "racedyn.store": "import racedyn.simulation",
        "racedyn.simulation": "def f():\n from racedyn.store import write, x",
    }
    assert "racedyn.store" in import_cycles({**HOUSE, **loop})[0]
    root = {"racedyn": "if TYPE_CHECKING:\n from racedyn.store import x", "racedyn.store": "from racedyn import x"}
    assert import_cycles({**HOUSE, **root}) == ["racedyn -> racedyn.store -> racedyn"]
    twice = {
        "racedyn.cli": "from sklearn import cluster",
        "racedyn.store": "def f():\n from sklearn.cluster import KMeans",
    }
    assert scikit_learn_in_two_places(HOUSE) == []
    assert scikit_learn_in_two_places({**HOUSE, **twice}) == [
        "sklearn.cluster is imported by ['racedyn.cli', 'racedyn.store']"
    ]


def test_what_is_allowed_passes():
    allowed = {
        "racedyn": "def __getattr__(n):\n return import_module(n)",
        "racedyn.cli": "def main():\n from racedyn import simulation\n import tyro",
        "racedyn.simulation": "import diffrax\nfrom racedyn.systems.base import y\nfrom racedyn import _checks",
        "racedyn.systems": "from racedyn.systems.base import x\nimport numpy, zlib",
    }
    assert [violation for rule in RULES for violation in rule({**HOUSE, **allowed})] == []


def test_public_names():
    """Each is there, and a function stays one after its module was imported, even where both have one name."""
    racedyn = importlib.import_module(ROOT)
    for module in sources():
        importlib.import_module(module)
    assert dir(racedyn) == sorted(racedyn.__all__)
    modules = {name for name in racedyn.__all__ if isinstance(getattr(racedyn, name), ModuleType)}
    assert modules == {"exact", "gates", "init", "networks", "plot", "representations", "systems", "tasks"}
    assert racedyn.init is importlib.import_module("racedyn.networks.init")
    assert racedyn.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="module 'racedyn' has no attribute 'nothing'"):
        racedyn.nothing  # noqa: B018


def test_tools_see_the_same_names():
    """What `__getattr__` finds and what the TYPE_CHECKING imports promise."""
    tree = ast.parse(sources()[ROOT])
    (promised,) = (node for node in tree.body if isinstance(node, ast.If))
    names = {alias.asname for node in promised.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert names | {"__version__"} == set(importlib.import_module(ROOT).__all__)


def test_importing_the_package_loads_nothing_and_sets_no_flag():
    code = "import sys, racedyn; sys.exit(any(name in sys.modules for name in ('jax', 'numpy', 'racedyn.tasks')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
