"""Weights from what another program holds: lists of matrices, and dicts whose names say where each
matrix belongs.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, permutations, product
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real
from racedyn._checks import check_is, fail
from racedyn._types import Path, Weights
from racedyn.networks.fit import check_weights
from racedyn.networks.network import Network

Tokens = tuple[int | str, ...]
Shape = tuple[int, ...]

_TRIES = 10_000  # orders of one pathway's matrices; where so many are open the names say nothing
_PATHWAY, _LAYER = ("path", "branch"), ("layer", "linear", "hidden", "fc")
_REMEDY = (
    "Pass a list of pathways, each a list of matrices from input to output, "
    "or a dict edge -> array."
)


def from_layers(network: Network, layers: Any) -> Weights:
    """Weights from what another program holds, edge -> (n_target, n_source).

    `layers` is one of

    - for parallel pathways a sequence of pathways, each a sequence of matrices from input to
      output, (n_target, n_source) as `torch.nn.Linear` has them; for a chain one such sequence;
    - a dict of matrices, as a PyTorch state dict. Its order says nothing. Names that are those of
      the edges tell ("a1" or "net.a1.weight"); else one number or word of the names is the pathway
      and the others are the layer, numbers as numbers ("paths.0.layers.10.weight"): of the ways to
      read them there must be exactly one that the shapes allow. A number after a word with "path"
      or "branch" is a pathway's, one after "layer" is not. Matrices named "kernel" (Flax, Keras)
      are transposed. Entries of other dimensions (biases) must be zero: the theory has none.

    Raises `ValueError` where the number of matrices or a shape does not fit, and where names and
    shapes leave open which matrix belongs where; `TypeError` for what is no array of numbers.

        >>> network = rd.networks.chain(rd.tasks.hierarchy(items=4), depth=2, width=5)
        >>> state = {"net.0.weight": np.ones((5, 4)), "net.2.weight": np.ones((7, 5))}
        >>> weights = rd.networks.from_layers(network, state)
        >>> {edge: array.shape for edge, array in weights.items()}
        {'w1': (5, 4), 'w2': (7, 5)}
    """
    check_is("network", network, Network, "be a Network")
    if isinstance(layers, Mapping):
        return check_weights(network, _named(network, _matrices(layers)))
    paths = _separate(network)
    if not isinstance(layers, Sequence | np.ndarray) or isinstance(layers, str) or len(layers) == 0:
        fail(
            "layers",
            "be a list of matrices or a dict",
            f"it is {type(layers).__name__}",
            _REMEDY,
            TypeError,
        )
    nested = (
        [layers]
        if len(paths) == 1 and np.ndim(as_real("layers[0]", layers[0])) == 2
        else list(layers)
    )
    if not all(hasattr(pathway, "__len__") for pathway in nested):
        fail(
            "layers",
            "hold matrices",
            f"it holds {[type(pathway).__name__ for pathway in nested]}",
            _REMEDY,
            TypeError,
        )
    counts = [len(pathway) for pathway in nested]
    if counts != [len(path) for path in paths]:
        fail(
            "layers",
            f"have {[len(path) for path in paths]} matrices per pathway",
            f"it has {counts}",
        )
    return check_weights(
        network,
        {
            edge: _matrix(f"layers[{a}][{l}]", matrix)
            for a, (path, pathway) in enumerate(zip(paths, nested, strict=True))
            for l, (edge, matrix) in enumerate(zip(path, pathway, strict=True))
        },
    )


def _separate(network: Network) -> tuple[Path, ...]:
    """The paths of a network in which they share no edge."""
    paths = network.paths()
    if sum(map(len, paths)) != len(network.edges):
        fail(
            "network",
            "have pathways that share no edge",
            "it has shared edges",
            "Pass a dict edge -> array instead.",
        )
    return paths


def _matrix(argument: str, value: Any) -> Any:
    array = as_real(argument, value)
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(np.float64)


def _matrices(state: Mapping[Any, Any], prefix: str = "") -> dict[str, np.ndarray]:
    """Full name -> matrix (n_target, n_source); dicts in dicts have dots between their names."""
    found: dict[str, np.ndarray] = {}
    for key, value in state.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= _matrices(value, f"{name}.")
            continue
        array = np.asarray(_matrix(f"layers[{name!r}]", value))
        if array.ndim == 2:
            found[name] = array.T if _tokens(name)[-1:] == ("kernel",) else array
        elif np.any(array != 0):
            fail(
                "layers",
                "hold weight matrices only",
                f"{name!r} has shape {array.shape} and is not zero",
                "Train without biases (bias=False).",
            )
    return found


def _named(network: Network, matrices: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Edge -> matrix, by the names."""
    if len(matrices) != len(network.edges):
        fail("layers", f"hold {len(network.edges)} matrices", f"it holds {len(matrices)}")
    short = {re.sub(r"\.(weight|kernel)$", "", name): name for name in matrices}
    for names in (short, {name.rpartition(".")[2]: whole for name, whole in short.items()}):
        if names.keys() == network.edges.keys():
            return {edge: matrices[name] for edge, name in names.items()}
    paths = [[network.shape(edge) for edge in path] for path in _separate(network)]
    wanted, given = (
        Counter(shape for path in paths for shape in path),
        Counter(m.shape for m in matrices.values()),
    )
    if wanted != given:
        fail(
            "layers",
            f"hold matrices of the shapes {sorted(wanted.elements())}, (n_target, n_source)",
            f"theirs are {sorted(given.elements())}",
        )
    found = list(islice(_assignments(matrices, paths), 2))
    if len(found) != 1:
        several = [a for a, b in zip(*found, strict=True) if a != b] if found else sorted(matrices)
        fail(
            "layers",
            "have names that tell with the shapes which matrix belongs where",
            f"{'more than one way' if found else 'no way'} to read them fits: "
            f"{', '.join(map(repr, several[:6]))}",
            _REMEDY,
        )
    return {
        edge: matrices[name] for edge, name in zip(sum(network.paths(), ()), found[0], strict=True)
    }


def _assignments(
    matrices: Mapping[str, np.ndarray], paths: Sequence[Sequence[Shape]]
) -> Iterator[tuple[str, ...]]:
    """Different ways to read the names: the matrices' names, path after path from input to
    output.
    """
    shapes = {name: matrix.shape for name, matrix in matrices.items()}
    if len(set(shapes.values())) == len(shapes):
        of_shape = {shape: name for name, shape in shapes.items()}
        yield tuple(of_shape[shape] for path in paths for shape in path)
        return
    tokens = {name: _tokens(name) for name in matrices}
    if len(paths) == 1:
        yield from _orders(tokens, shapes, paths[0])
        return
    seen = set()
    for place in _places_of_pathways(list(tokens.values())):
        for assignment in _read(tokens, shapes, paths, place):
            if assignment not in seen:
                seen.add(assignment)
                yield assignment


def _read(
    tokens: Mapping[str, Tokens],
    shapes: Mapping[str, Shape],
    paths: Sequence[Sequence[Shape]],
    place: int,
) -> Iterator[tuple[str, ...]]:
    """The ways to read the names where the token at `place` is the pathway; two at most of those
    that are told apart here.
    """
    pathways: dict[int | str, dict[str, Tokens]] = {}
    for name, parts in tokens.items():
        pathways.setdefault(parts[place], {})[name] = parts[:place] + parts[place + 1 :]
    if len(pathways) != len(paths):
        return
    counts = {key: Counter(shapes[name] for name in own) for key, own in pathways.items()}
    wanted = [Counter(path) for path in paths]
    if all(isinstance(key, int) for key in pathways):
        ways: Iterable[Sequence[int | str]] = [sorted(pathways)]
    else:  # words have no order: such a pathway is known by its shapes, or not
        alike = [[a for a, other in enumerate(wanted) if other == own] for own in wanted]
        classes = [own for a, own in enumerate(alike) if own[0] == a]
        found = [
            list(islice(permutations([k for k in pathways if counts[k] == wanted[own[0]]]), 2))
            for own in classes
        ]
        ways = (_dealt(classes, chosen) for chosen in product(*found))
    for keys in ways:
        if [counts[key] for key in keys] == wanted:
            orders = (
                list(islice(_orders(pathways[key], shapes, path), 2))
                for key, path in zip(keys, paths, strict=True)
            )
            yield from (sum(own, ()) for own in product(*orders))


def _dealt(
    classes: Sequence[Sequence[int]], chosen: Sequence[Sequence[int | str]]
) -> list[int | str]:
    """The pathways' words in the order of the paths, from those of each class of paths of equal
    shapes.
    """
    at = {
        a: key
        for own, keys in zip(classes, chosen, strict=True)
        for a, key in zip(own, keys, strict=False)
    }
    return [at[a] for a in sorted(at)]


def _orders(
    tokens: Mapping[str, Tokens], shapes: Mapping[str, Shape], path: Sequence[Shape]
) -> Iterator[tuple[str, ...]]:
    """The orders of a pathway's matrices that its shapes allow and in which numbers rise."""
    if (
        len(
            {
                tuple(None if isinstance(part, int) else part for part in parts)
                for parts in tokens.values()
            }
        )
        == 1
    ):
        order = tuple(sorted(tokens, key=lambda name: tokens[name]))
        if [shapes[name] for name in order] == list(path):
            yield order
        return
    begun: list[tuple[str, ...]] = [()]
    for _ in range(_TRIES):
        if not begun:
            return
        order = begun.pop()
        if len(order) == len(path):
            yield order
            continue
        left = [name for name in tokens if name not in order]
        begun += [
            (*order, name)
            for name in left
            if shapes[name] == path[len(order)]
            and not any(_before(tokens[other], tokens[name]) for other in left)
        ]
    fail(
        "layers",
        "have names that tell which matrix belongs where",
        f"{len(tokens)} may come in any order",
        _REMEDY,
    )


def _before(a: Tokens, b: Tokens) -> bool:
    """Whether names tell that a comes first: where they first differ both have a number, and a's is
    smaller.
    """
    one, other = next(((x, y) for x, y in zip(a, b, strict=False) if x != y), ("", ""))
    return isinstance(one, int) and isinstance(other, int) and one < other


def _places_of_pathways(names: Sequence[Tokens]) -> list[int]:
    """Which of the tokens may be the pathway: one that a word before it says is one, or any that no
    word says is a layer.
    """
    places = range(min(map(len, names)))
    told = [place for place in places if all(_says(parts, place, _PATHWAY) for parts in names)]
    return told or [
        place for place in places if not any(_says(parts, place, _LAYER) for parts in names)
    ]


def _says(parts: Tokens, place: int, words: Sequence[str]) -> bool:
    """Whether the token at `place` is a number after one of these words."""
    before = parts[place - 1] if place else None
    return (
        isinstance(parts[place], int)
        and isinstance(before, str)
        and any(word in before for word in words)
    )


def _tokens(name: str) -> Tokens:
    """The numbers and words of a name: paths.0.fc10.weight is (paths, 0, fc, 10, weight)."""
    return tuple(
        int(part) if part.isdigit() else part.lower()
        for part in re.findall(r"\d+|[^\W\d_]+", name, re.ASCII)
    )
