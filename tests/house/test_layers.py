"""Who may know whom: read off the source (AST), so that an import inside a function counts too."""

import ast
import graphlib
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[2] / "src"
ROOT = "racedyn"

# The floors of the house: a room imports rooms of lower floors only. docs/architecture.md tells the
# same.
FLOORS = (
    (
        "_types",
        "_checks",
        "_arrays",
        "_names",
        "_text",
        "_jit",
        "_outside",
        "_interruptions",
        "_compilation",
        "_cache",
        "_progress",
        "config",
    ),
    ("tasks",),
    ("networks", "trajectory"),
    ("paths", "rules", "gates", "store"),
    ("exact", "representations", "comparison"),
    ("systems", "plot"),
    ("reduction", "training"),
    ("simulation",),
    ("jobs",),
    ("studies",),
    ("",),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MATHEMATICS = {
    "tasks",
    "networks",
    "trajectory",
    "paths",
    "rules",
    "gates",
    "exact",
    "representations",
    "systems",
    "reduction",
}
NEUTRAL = {
    "_types",
    "_checks",
    "_arrays",
    "_names",
    "_text",
    "_jit",
}  # of the ground: what mathematics may use besides
# May import our own modules inside functions: so that help is quick, and `import racedyn` runs
# nothing.
LAZY = {"cli", ""}
# Third-party library -> its home. Those used by everyone have none.
EVERYWHERE = {"jax", "jaxtyping", "numpy", "equinox"}
HOMES = {
    "diffrax": "simulation",
    "h5py": "store",
    "xarray": "store",
    "pandas": "store",
    "matplotlib": "plot",
    "tyro": "cli",
    "rich": "_progress",
    "pydantic": "config",
    "tomli_w": "config",
    "optax": "training",
    "optimistix": "exact",
    "jaxlib": "_cache",
    "submitit": "jobs",
    "mlxtend": "tasks",
    "threadpoolctl": "gates",
    "cloudpickle": "jobs",
}


UNKNOWN = f"{ROOT}.?"  # import_module(name): perhaps one of ours


class Import(NamedTuple):
    """`target` is the full name of a module (or of something in one); `through`: the module named
    in the statement; `inside`: in a function."""

    target: str
    through: str
    inside: bool
    line: int


def sources() -> dict[str, str]:
    """Module name -> its text."""
    found = {}
    for path in sorted((SOURCE / ROOT).rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(
            encoding="utf-8"
        )
    return found


def imports(module: str, text: str, is_package: bool) -> Iterator[Import]:
    """Everything that `module` imports, wherever it does, by the statement or by
    import_module("...").
    """

    def visit(node: ast.AST, inside: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, alias.name, inside, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (
                module.split(".")[: len(module.split(".")) - node.level + is_package]
                if node.level
                else []
            )
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (
                Import(f"{origin}.{alias.name}", origin, inside, node.lineno)
                for alias in node.names
            )
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
            "import_module",
            "__import__",
        ):
            named = node.args and isinstance(node.args[0], ast.Constant)
            target = str(node.args[0].value) if named else UNKNOWN  # type: ignore[attr-defined]
            yield Import(target, target, inside, node.lineno)
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


def imports_upwards(code: dict[str, str]) -> list[str]:
    """Within the ground each file is a room of its own, and they must only not import each other in
    a circle.
    """
    found = []
    for module, items in graph(code).items():
        for item in items:
            mine, other = room(module), room(item.target)
            if not ours(item.target) or item.target == UNKNOWN or mine == other:
                continue
            if mine not in FLOOR_OF or other not in FLOOR_OF:
                found.append(
                    f"{module}:{item.line} imports {item.target}: give both rooms a floor in FLOORS"
                )
            elif FLOOR_OF[other] >= FLOOR_OF[mine] and (FLOOR_OF[mine] > 0 or FLOOR_OF[other] > 0):
                found.append(
                    f"{module}:{item.line} imports {item.target}, which is not on a lower floor"
                )
    return found


def mathematics_imports_machinery(code: dict[str, str]) -> list[str]:
    return [
        f"{module}:{item.line} imports {item.target}"
        for module, items in graph(code).items()
        if room(module) in MATHEMATICS
        for item in items
        if ours(item.target) and room(item.target) not in MATHEMATICS | NEUTRAL
    ]


def rooms_entered_by_windows(code: dict[str, str]) -> list[str]:
    """From outside a room is entered by its face; the root, the face of the house, names the
    modules behind.
    """
    return [
        f"{module}:{item.line} enters {room(item.target)} through {item.through}"
        for module, items in graph(code).items()
        if room(module)
        for item in items
        if ours(item.target) and room(item.target) != room(module) and item.through.count(".") > 1
    ]


def private_names_that_cross(code: dict[str, str]) -> list[str]:
    """`from racedyn.x import _y`, and `x._y` of an imported module. Files of the ground begin with
    _ and are no names.
    """
    found = []
    for module, text in code.items():
        packages = {name.rpartition(".")[0] for name in code}
        modules: set[str] = set()  # local names of our modules
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                modules |= {
                    alias.asname for alias in node.names if alias.asname and ours(alias.name)
                }
            elif isinstance(node, ast.ImportFrom) and (node.level or ours(node.module or "")):
                base = (
                    module.split(".")[: len(module.split(".")) - node.level + (module in packages)]
                    if node.level
                    else []
                )
                origin = ".".join([*base, *([node.module] if node.module else [])])
                for alias in node.names:
                    if f"{origin}.{alias.name}" in code:
                        modules.add(alias.asname or alias.name)
                    elif alias.name.startswith("_") and not alias.name.startswith("__"):
                        found.append(f"{module}:{node.lineno} imports {origin}.{alias.name}")
        for node in ast.walk(ast.parse(text)):
            of_module = (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in modules
            )
            if of_module and node.attr.startswith("_") and not node.attr.startswith("__"):  # type: ignore[attr-defined]
                found.append(f"{module}:{node.lineno} uses {node.value.id}.{node.attr}")  # type: ignore[attr-defined]
    return found


def import_cycles(code: dict[str, str]) -> list[str]:
    edges = {
        module: {item.target for item in items if ours(item.target)}
        for module, items in graph(code).items()
    }
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        return [" -> ".join(error.args[1])]
    return []


def own_imports_inside_functions(code: dict[str, str]) -> list[str]:
    return [
        f"{module}:{item.line} imports {item.target} inside a function"
        for module, items in graph(code).items()
        if room(module) not in LAZY
        for item in items
        if item.inside and ours(item.target)
    ]


def libraries_away_from_home(code: dict[str, str]) -> list[str]:
    found = []
    for module, items in graph(code).items():
        for item in items:
            library = item.target.split(".")[0]
            if (
                ours(library)
                or library in sys.stdlib_module_names
                or library in EVERYWHERE
                or library == "sklearn"
            ):
                continue
            home = HOMES.get(library, "no room: give it a home in HOMES")
            if room(module) != home:
                found.append(f"{module}:{item.line} imports {library}, whose home is {home}")
    return found


def scikit_learn_in_two_places(code: dict[str, str]) -> list[str]:
    """Digits, MDS and k-means come from different parts of scikit-learn, each for one module."""
    users: dict[str, set[str]] = {}
    for module, items in graph(code).items():
        for item in items:
            if item.target.split(".")[0] == "sklearn":
                users.setdefault(".".join(item.target.split(".")[:2]), set()).add(module)
    return [
        f"{part} is imported by {sorted(modules)}"
        for part, modules in users.items()
        if len(modules) > 1
    ]


def future_annotations(code: dict[str, str]) -> list[str]:
    """They silently make `eqx.AbstractVar` fields concrete."""
    return [
        f"{module}:{item.line}"
        for module, items in graph(code).items()
        for item in items
        if item.target == "__future__.annotations"
    ]


def faces_that_do_not_name_their_files(code: dict[str, str]) -> list[str]:
    """A room of more than two files lists them in its face, "- `file`: what it is for.", and none
    that is not there; rooms within it may be in the list.
    """
    rooms = {name.rpartition(".")[0] for name in code} - {""}
    found = []
    for face in sorted(rooms - {ROOT}):
        inside = {name for name in code if name.rpartition(".")[0] == face}
        files = {name.rpartition(".")[2] for name in inside - rooms}
        docstring = ast.get_docstring(ast.parse(code[face])) or ""
        named = set(re.findall(r"^- `(\w+)`: ", docstring, flags=re.MULTILINE))
        if len(files) > 2:
            found += [f"{face} does not name `{file}`" for file in sorted(files - named)]
        gone = named - {name.rpartition(".")[2] for name in inside}
        found += [f"{face} names `{name}`, which is not in it" for name in sorted(gone)]
    return found


RULES = (
    imports_upwards,
    mathematics_imports_machinery,
    rooms_entered_by_windows,
    private_names_that_cross,
    import_cycles,
    own_imports_inside_functions,
    libraries_away_from_home,
    scikit_learn_in_two_places,
    future_annotations,
    faces_that_do_not_name_their_files,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule):
    assert rule(sources()) == []


def test_every_module_is_read():
    assert {ROOT, "racedyn.trajectory", "racedyn.networks.network", "racedyn.cli"} <= set(sources())


HOUSE = {
    "racedyn": "",
    "racedyn._checks": "",
    "racedyn._progress": "",
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
            imports_upwards,
            "racedyn.store",
            "from racedyn.simulation import solve",
            "not on a lower floor",
        ),
        (imports_upwards, "racedyn.store", "import racedyn.rules", "not on a lower floor"),
        (
            imports_upwards,
            "racedyn.config",
            "from racedyn.tasks import Task",
            "not on a lower floor",
        ),
        (
            imports_upwards,
            "racedyn.attic.box",
            "from racedyn._checks import fail",
            "give both rooms a floor",
        ),
        (
            mathematics_imports_machinery,
            "racedyn.gates",
            "from racedyn import _progress",
            "racedyn._progress",
        ),
        (
            mathematics_imports_machinery,
            "racedyn.reduction.levels",
            "from racedyn import store",
            "racedyn.store",
        ),
        (
            mathematics_imports_machinery,
            "racedyn.systems.base",
            "from racedyn.simulation import solve",
            "racedyn.simulation",
        ),
        (
            rooms_entered_by_windows,
            "racedyn.cli",
            "from racedyn.systems.base import x",
            "systems through",
        ),
        (
            rooms_entered_by_windows,
            "racedyn.cli",
            "def f():\n import racedyn.store.write",
            "store through",
        ),
        (rooms_entered_by_windows, "racedyn.cli", "from .store.write import x", "store through"),
        (private_names_that_cross, "racedyn.cli", "from racedyn.store import _fill", "store._fill"),
        (private_names_that_cross, "racedyn.store", "from .write import _fill", "write._fill"),
        (
            private_names_that_cross,
            "racedyn.store",
            "from racedyn.store import write\nwrite._fill()",
            "write._fill",
        ),
        (
            private_names_that_cross,
            "racedyn.cli",
            "import racedyn.store as s\ndef f(): s._x = 1",
            "s._x",
        ),
        (
            mathematics_imports_machinery,
            "racedyn.systems.base",
            "def f():\n import racedyn.store.write",
            "store.write",
        ),
        (
            mathematics_imports_machinery,
            "racedyn.systems.base",
            "from .. import simulation",
            "racedyn.simulation",
        ),
        (
            mathematics_imports_machinery,
            "racedyn.systems",
            "from ..store import write",
            "racedyn.store.write",
        ),
        (
            mathematics_imports_machinery,
            "racedyn.systems",
            "from racedyn import Network",
            "imports racedyn",
        ),
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
        (
            own_imports_inside_functions,
            "racedyn.store",
            "async def f():\n import racedyn._checks",
            "store:2",
        ),
        (
            own_imports_inside_functions,
            "racedyn.store",
            "f = lambda: import_module('racedyn.cli')",
            "racedyn.cli",
        ),
        (
            own_imports_inside_functions,
            "racedyn.store",
            "def f(n):\n importlib.import_module(n)",
            "store:2",
        ),
        (
            libraries_away_from_home,
            "racedyn.systems",
            "import diffrax as dfx",
            "diffrax, whose home is simulation",
        ),
        (
            libraries_away_from_home,
            "racedyn.simulation",
            "def f():\n from matplotlib import pyplot",
            "whose home is plot",
        ),
        (libraries_away_from_home, "racedyn.simulation", "import unheard_of", "give it a home"),
        (
            future_annotations,
            "racedyn.store.write",
            "from __future__ import annotations",
            "racedyn.store.write:1",
        ),
        (
            faces_that_do_not_name_their_files,
            "racedyn.store",
            '"""The store.\n\n- `write`: writes.\n- `read`: reads.\n"""',
            "names `read`, which is not in it",
        ),
    ],
)
def test_rule_can_fail(rule, module, text, found):
    assert rule(HOUSE) == []
    (violation,) = rule({**HOUSE, module: text})
    assert found in violation


def test_rules_on_several_modules_can_fail():
    loop = {
        "racedyn.store": "import racedyn.simulation",
        "racedyn.simulation": "def f():\n from racedyn.store import write, x",
    }
    assert "racedyn.store" in import_cycles({**HOUSE, **loop})[0]
    root = {
        "racedyn": "if TYPE_CHECKING:\n from racedyn.store import x",
        "racedyn.store": "from racedyn import x",
    }
    assert import_cycles({**HOUSE, **root}) == ["racedyn -> racedyn.store -> racedyn"]
    twice = {
        "racedyn.cli": "from sklearn import cluster",
        "racedyn.store": "def f():\n from sklearn.cluster import KMeans",
    }
    assert scikit_learn_in_two_places(HOUSE) == []
    assert scikit_learn_in_two_places({**HOUSE, **twice}) == [
        "sklearn.cluster is imported by ['racedyn.cli', 'racedyn.store']"
    ]
    three = {
        "racedyn.store": '"""`walk` is no list.\n\n- `write`: writes.\n- `read`: reads.\n"""',
        "racedyn.store.read": "",
        "racedyn.store.walk": "",
    }
    assert faces_that_do_not_name_their_files({**HOUSE, **three}) == [
        "racedyn.store does not name `walk`"
    ]


def test_what_is_allowed_passes():
    allowed = {
        "racedyn": "def __getattr__(n):\n return import_module(n)",
        "racedyn.cli": "def main():\n from racedyn import simulation\n import tyro",
        "racedyn.simulation": "import diffrax\nfrom racedyn.systems import y, base\n"
        "from racedyn import _checks",
        "racedyn.systems": "from racedyn.systems.base import x\nimport numpy, zlib",
    }
    assert [violation for rule in RULES for violation in rule({**HOUSE, **allowed})] == []


def test_public_names():
    """Each is there, and a function stays one after its module was imported, even where both have
    one name.
    """
    racedyn = importlib.import_module(ROOT)
    for module in sources():
        if not module.endswith(".__main__"):  # which runs
            importlib.import_module(module)
    assert dir(racedyn) == sorted(racedyn.__all__)
    modules = {name for name in racedyn.__all__ if isinstance(getattr(racedyn, name), ModuleType)}
    assert modules == {
        "exact",
        "gates",
        "init",
        "networks",
        "paths",
        "plot",
        "reduction",
        "representations",
        "studies",
        "systems",
        "tasks",
    }
    assert racedyn.init is importlib.import_module("racedyn.networks.init")
    assert racedyn.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="module 'racedyn' has no attribute 'nothing'"):
        racedyn.nothing  # noqa: B018


def test_tools_see_the_same_names():
    """What `__getattr__` finds and what the TYPE_CHECKING imports promise."""
    tree = ast.parse(sources()[ROOT])
    (promised,) = (node for node in tree.body if isinstance(node, ast.If))
    names = {
        alias.asname
        for node in promised.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert names | {"__version__"} == set(importlib.import_module(ROOT).__all__)


def test_importing_the_package_loads_nothing_and_sets_no_flag():
    heavy = "('jax', 'numpy', 'racedyn.tasks')"
    code = f"import sys, racedyn; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_page_on_architecture_has_the_same_floors():
    page = (SOURCE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    told: dict[str, int] = {}
    floor = 0
    for number, names in re.findall(r"^\| (\d*) ?\| (`[^|]+?) \|", page, flags=re.MULTILINE):
        floor = int(number) if number else floor
        for name in re.findall(r"`([^`]+)`", names)[0].split():
            told["" if name == ROOT else name] = floor
    assert told == FLOOR_OF
