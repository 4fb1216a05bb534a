"""Path statistics of a gated network on a task: everything its learning dynamics depend on
([Saxe22] eq. 6, 7).
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from racedyn._arrays import as_matrix, check_shape
from racedyn._checks import fail, shown
from racedyn._text import brief
from racedyn._types import Path
from racedyn.networks import Gating, Network, check_task, gate_groups
from racedyn.paths.classes import PathClass, classes_of_paths
from racedyn.paths.strengths import check_paths
from racedyn.tasks import Modes, Task

Pair = tuple[Path, Path]


@dataclasses.dataclass(frozen=True, eq=False)
class Statistics:
    """What `statistics` measured. Paths of equal ends and gates share their statistics, which are
    formed once.

    **Fields:** `network`; `task` (the residual's where paths were `given`); `class_of`: path ->
    number of its class; `classes`; `yx`: per class Sigma_yx(p) = < g_p y x^T >, (n_out, n_in);
    `xx`: (class of j, class of p) -> Sigma_x(j,p) = < g_j x_j x_p^T g_p >, (n_in of j, n_in of p),
    for classes that end at the same node and are open together in some context that has examples.
    """

    network: Network
    task: Task
    class_of: Mapping[Path, int]
    classes: tuple[PathClass, ...]
    yx: tuple[np.ndarray, ...]
    xx: Mapping[tuple[int, int], np.ndarray]

    def __repr__(self) -> str:
        return brief(self)

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self.class_of)

    def sigma_yx(self, path: Path) -> np.ndarray:
        """Sigma_yx(p), (n_out, n_in)."""
        return self.yx[self._class(path)]

    def sigma_x(self, j: Path, p: Path) -> np.ndarray:
        """Sigma_x(j, p), (n_in of j, n_in of p); zero where the two are never open together or end
        at different nodes.
        """
        pair = self._class(j), self._class(p)
        return self.xx.get(
            pair, np.zeros([self.task.input_widths[self.classes[i].source] for i in pair])
        )

    def modes_of(self, number: int) -> Modes:
        """The task's modes of a class of paths."""
        return self.task.pair_modes(self.classes[number].source, self.classes[number].target)

    def strengths(self, path: Path) -> np.ndarray:
        """Effective singular values u^T Sigma_yx(p) v of a path in the task's modes, signed,
        (mode,).
        """
        modes = self.modes_of(self._class(path))
        return np.einsum("ia,ij,ja->a", modes.U, self.sigma_yx(path), modes.V)

    def variances(self, j: Path, p: Path) -> np.ndarray:
        """v_j^T Sigma_x(j,p) v_p in the task's modes, (mode,)."""
        V_j, V_p = (self.modes_of(self._class(path)).V for path in (j, p))
        size = min(V_j.shape[1], V_p.shape[1])
        return np.einsum("ia,ij,ja->a", V_j[:, :size], self.sigma_x(j, p), V_p[:, :size])

    def misalignment(self, path: Path, other: Path | None = None) -> float:
        """How much of Sigma_yx(p), or of Sigma_x(j,p) with j = `other`, is not diagonal in the
        task's modes.

        Norm of what is off the diagonal or outside the modes over the whole norm; 0 for a matrix
        that is zero."""
        if other is None:
            modes, sigma = self.modes_of(self._class(path)), self.sigma_yx(path)
            return off_diagonal(sigma, modes.U, modes.V)
        V_j, V_p = (self.modes_of(self._class(which)).V for which in (other, path))
        # An aligned path j reads its own modes only: what else there is in Sigma_x(j,p) never meets
        # it.
        return off_diagonal(V_j @ (V_j.T @ self.sigma_x(other, path)), V_j, V_p)

    def least_squares(self, path: Path) -> np.ndarray:
        """The map Sigma_yx(p) Sigma_x(p,p)^+ that this path alone converges to, (n_out, n_in)."""
        return self.sigma_yx(path) @ np.linalg.pinv(self.sigma_x(path, path), hermitian=True)

    def path_bases(
        self, paths: Sequence[Path]
    ) -> tuple[dict[Path, np.ndarray], np.ndarray, np.ndarray]:
        """Bases of these paths' own: path -> U_p (n_out, mode), the s (path, mode) and the V (n_in,
        mode) they share.

        V are the eigenvectors of sum_p Sigma_yx(p)^T Sigma_yx(p) with s > 0, U_p = Sigma_yx(p) V /
        s_p ([Jarvis25] App. F). `overlaps` of them are U_p^T U_j. Raises `ValueError` where the
        paths start at different nodes."""
        sources = {self.classes[self._class(path)].source for path in paths}
        if len(sources) != 1:
            fail("paths", "start at one input node to share V", f"they start at {sorted(sources)}")
        values, vectors = np.linalg.eigh(
            sum(self.sigma_yx(path).T @ self.sigma_yx(path) for path in paths)
        )
        kept = values > len(values) * np.finfo(float).eps * values[-1]
        V = vectors[:, kept][:, ::-1]
        images = {path: self.sigma_yx(path) @ V for path in paths}
        s = np.stack([np.linalg.norm(image, axis=0) for image in images.values()])
        return (
            {
                path: image / np.where(own > 0, own, 1)
                for (path, image), own in zip(images.items(), s, strict=True)
            },
            s,
            V,
        )

    def _class(self, path: Path) -> int:
        if tuple(path) not in self.class_of:
            fail(
                "path",
                "be a path of these statistics",
                f"{tuple(path)} is none",
                "`paths` lists them.",
            )
        return self.class_of[tuple(path)]

    def __str__(self) -> str:
        known = self.task.all_modes()
        lines = [
            f"Statistics of {len(self.class_of)} paths in {len(self.classes)} classes, on "
            f"{self.task.name}"
        ]
        lines.append(f"  {'path':<28}{'|Sigma_yx|':>12}{'misaligned':>12}   strengths")
        for path in self.paths[:_LINES]:
            line = f"  {' > '.join(path):<28}{np.linalg.norm(self.sigma_yx(path)):>12.4g}"
            if self.network.ends(path) in known:
                values = " ".join(f"{value:.4g}" for value in self.strengths(path)[:8])
                line += f"{self.misalignment(path):>12.2e}   {values}"
            lines.append(line)
        if len(self.class_of) > _LINES:
            lines.append(f"  ... and {len(self.class_of) - _LINES} more")
        sides = {pair[0]: modes.V for pair, modes in known.items()}
        worst = max(self.misalignments_x(sides), default=0.0)
        lines.append(
            f"  pairs that are open together: {len(self.xx)} of classes; Sigma_x misaligned by at "
            f"most {worst:.2e}"
        )
        return "\n".join(lines)

    def misalignments_yx(self, frames: Mapping[str, np.ndarray]) -> Iterator[float]:
        """Of Sigma_yx(p), class by class of paths, in one frame (n, mode) per node."""
        for known, sigma in zip(self.classes, self.yx, strict=True):
            yield off_diagonal(sigma, frames[known.target], frames[known.source])

    def misalignments_x(self, frames: Mapping[str, np.ndarray]) -> Iterator[float]:
        """Of Sigma_x(j,p), pair by pair of classes, in one frame (n, mode) per input node; those
        without one are left out.
        """
        for (j, p), sigma in self.xx.items():
            if {self.classes[j].source, self.classes[p].source} <= frames.keys():
                V_j, V_p = frames[self.classes[j].source], frames[self.classes[p].source]
                yield off_diagonal(V_j @ (V_j.T @ sigma), V_j, V_p)


_LINES = 20


def overlaps(bases: Mapping[Path, np.ndarray]) -> dict[Pair, np.ndarray]:
    """(p, j) -> U_p^T U_j (mode, mode), of the bases of `Statistics.path_bases`."""
    return {(p, j): U.T @ other for p, U in bases.items() for j, other in bases.items()}


def off_diagonal(matrix: np.ndarray, left: np.ndarray, right: np.ndarray) -> float:
    """Norm of `matrix` less its diagonal part in the orthonormal bases `left`, `right`, over its
    norm; 0 where that is 0.
    """
    size = min(left.shape[1], right.shape[1])
    diagonal = np.einsum("ia,ij,ja->a", left[:, :size], matrix, right[:, :size])
    norm = float(np.linalg.norm(matrix))
    rest = matrix - (left[:, :size] * diagonal) @ right[:, :size].T
    return float(np.linalg.norm(rest)) / norm if norm else 0.0


def statistics(
    network: Network,
    task: Task,
    *,
    given: Mapping[Path, np.ndarray] | None = None,
    paths: Sequence[Path] | None = None,
) -> Statistics:
    """Measure Sigma_yx(p) and Sigma_x(j,p) of every path of `network` on `task`, or of `paths`
    alone.

    Contexts with equal gate columns are grouped first; each group's correlations are formed once
    and combined by gates. `given`: path -> map (n_out, n_in); the statistics are then those of the
    residual that these paths leave at these maps, y - sum g_p W_p x, as for pathways trained on
    what others have learned ([Jarvis25] App. F).

    Raises `ValueError` where the task does not fit the network, a path is none of its, or a map has
    another shape.

        >>> task = rd.tasks.xor(margin=0.5)
        >>> network = rd.networks.xor(task, gating="linear", width=5)
        >>> statistics = rd.statistics(network, task)
        >>> statistics.sigma_yx(("in_1_2", "out_1_2")).tolist()  # open in two of the four examples
        [[0.0, 0.0, 0.25]]
    """
    check_task(network, task)
    wanted = list(network.paths()) if paths is None else check_paths(network, "paths", paths)
    if given is not None and not isinstance(given, Mapping):
        fail(
            "given", "be a dict path -> map (n_out, n_in)", f"it is {shown(given)}", error=TypeError
        )
    check_paths(network, "given", list(given or {}))
    gating = gate_groups(network, task.num_contexts)
    if given:
        task = _residual(network, task, gating, {tuple(path): W for path, W in given.items()})
    classes: dict[tuple[str, str, bytes, bytes], int] = {}
    members: list[PathClass] = []
    class_of = {}
    for path, known_class in zip(wanted, classes_of_paths(network, gating, wanted), strict=True):
        if known_class.key not in classes:
            classes[known_class.key] = len(members)
            members.append(known_class)
        class_of[path] = classes[known_class.key]
    correlations = _Correlations(task, gating)
    yx = tuple(
        sum(
            (g * correlations.of(group, known.target, known.source) for group, g in _gates(known)),
            start=np.zeros((task.output_widths[known.target], task.input_widths[known.source])),
        )
        for known in members
    )
    xx: dict[tuple[int, int], np.ndarray] = {}
    for target in network.outputs:
        open_in: dict[int, list[tuple[int, float]]] = {}
        for number, member in enumerate(members):
            if member.target == target:
                for group, g in _gates(member):
                    open_in.setdefault(group, []).append((number, g))
        for group, those in open_in.items():
            if correlations.has(group):
                for j, g_j in those:
                    for p, g_p in those:
                        part = correlations.of(group, members[j].source, members[p].source)
                        # Without a factor it is the group's own array, of which there may be few.
                        part = part if g_j * g_p == 1 else g_j * g_p * part
                        xx[j, p] = xx[j, p] + part if (j, p) in xx else part
    return Statistics(network, task, class_of, tuple(members), yx, xx)


def _gates(known: PathClass) -> Iterator[tuple[int, float]]:
    return zip(known.groups.tolist(), known.values.tolist(), strict=True)


class _Correlations:
    """Correlations of each group of contexts, formed when first asked for; means over all examples
    of the task.
    """

    def __init__(self, task: Task, gating: Gating):
        self.task = task
        self.group_of = gating.group_of[: task.num_contexts]
        self.examples = np.bincount(
            self.group_of, weights=task.examples_of, minlength=gating.num_groups
        )
        self.found: dict[tuple[int, str, str], np.ndarray] = {}

    def has(self, group: int) -> bool:
        return bool(self.examples[group])

    def of(self, group: int, left: str, right: str) -> np.ndarray:
        key = group, left, right
        if key not in self.found:
            self.found[key] = self.task.correlation(left, right, self.group_of == group)
        return self.found[key]


def _residual(
    network: Network, task: Task, gating: Gating, given: Mapping[Path, np.ndarray]
) -> Task:
    """The task whose targets are what the given paths leave."""
    targets = {node: Y.copy() for node, Y in task.targets.items()}
    group = gating.group_of[task.context]
    for (path, W), known in zip(
        given.items(), classes_of_paths(network, gating, list(given)), strict=True
    ):
        shape = targets[known.target].shape[0], task.inputs[known.source].shape[0]
        W = as_matrix(f"given[{path}]", W)
        check_shape(f"given[{path}]", W, shape, f"have shape {shape}", "Rows are outputs.")
        gate = np.zeros(gating.num_groups)
        gate[known.groups] = known.values
        targets[known.target] -= gate[group] * (W @ task.inputs[known.source])
    return dataclasses.replace(
        task, targets=targets, bases={}, mode_names={}, name=f"what is left of {task.name}"
    )
