"""The public callables on the smallest problems: arguments that are well, each with its kind. See
`test_fuzz`.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import racedyn as rd
from bad_inputs import (
    Argument,
    Bad,
    array,
    arrays,
    checkpoints,
    choice,
    count,
    crossings,
    depths,
    flag,
    function,
    instance,
    key,
    label,
    listed,
    names,
    nodes,
    not_negative,
    number,
    or_none,
    passed_on,
    path,
    positive,
    real,
    state,
    state_dict,
    statused,
    unset,
    up_to_infinity,
    whole,
    widths,
)
from racedyn.trajectory import BY_DEFAULT


class Door:
    """A public callable and its arguments."""

    def __init__(self, name: str, call: Callable[..., Any], /, **arguments: Argument):
        self.name, self.call, self.arguments = name, call, arguments
        self.well = {argument: given.well for argument, given in arguments.items() if given.given}

    def bad(self) -> Iterator[tuple[str, Bad]]:
        """Each argument with each of its bad values."""
        for argument, given in self.arguments.items():
            for bad in given.bad:
                yield argument, bad


def doors(folder: Path) -> tuple[Door, ...]:
    """The public surface on the smallest problems; files are in `folder`."""
    tasks, networks, init, exact, plot = rd.tasks, rd.networks, rd.init, rd.exact, rd.plot
    represent = rd.representations
    task = tasks.hierarchy(2)
    routes, contexts, margin = tasks.routing(2, 1), tasks.contextual(2, 2), tasks.xor(1.0)
    chain, pair = networks.chain(task, 2, 3), networks.parallel(task, (2, 2), 3)
    routed, told = networks.routing(routes, 4), networks.contextual(contexts, 1, 4)
    gated = networks.xor(margin, "xor", 4)
    modalities = tasks.multimodal(1.0, 0.5)
    start = pair.init(init.Gaussian(0.1), key=0)
    layers = chain.init(init.Gaussian(0.1), key=0)
    ts = np.linspace(0.0, 1.0, 3)
    race = rd.systems.Pathways([2.0, 1.0], (2, 2), 0.1, 0.1)
    theory = rd.simulate(race, ts)
    trained = rd.train(
        pair,
        task,
        start,
        lr=0.1,
        steps=3,
        progress=False,
        observe=[*BY_DEFAULT, "projector_eigenvalues", "activity:h1_1", "weights"],
    )
    relu = networks.chain(task, 2, 3, activation="relu")
    seen = rd.train(
        relu,
        task,
        layers,
        lr=0.1,
        steps=3,
        progress=False,
        observe=[*BY_DEFAULT, "activity:h1", "weights"],
    )
    linear = rd.from_function(_decay, np.ones(2))
    many = rd.ensemble(linear, {"initial": np.ones((2, 2))}, ts)
    table, saved = folder / "table.csv", folder / "run.h5"
    table.write_text("item,flies,swims\nrobin,1,0\nsalmon,0,1\n")
    rd.save(saved, run=theory)
    sweep = rd.Labelled(
        {"share": np.arange(6.0).reshape(2, 3)},
        {"share": ("init.std", "seed")},
        {"init.std": np.array([0.01, 0.1])},
    )
    S, q = np.array([2.0, 1.0]), np.array([[0.1, 0.1], [0.2, 0.2]])
    X, Y = np.eye(2), np.array([[1.0, 1.0], [1.0, 0.0]])
    route = [pair.paths()[0]]
    balanced = np.array([[1.0, 0.0], [0.0, 1.0]]) * 0.1
    graph = {"x": 2, "h": (3, "linear"), "y": 2}
    edges = {"a": ("x", "h"), "b": ("h", "y")}
    return (
        # tasks
        Door("tasks.hierarchy", tasks.hierarchy, items=count(2)),
        Door("tasks.order", tasks.order, items=count(2)),
        Door("tasks.ring", tasks.ring, items=count(3)),
        Door("tasks.grid", tasks.grid, rows=count(2), columns=count(2)),
        Door("tasks.clusters", tasks.clusters, sizes=depths([2, 1]), properties=count(1)),
        Door(
            "tasks.cross_cutting",
            tasks.cross_cutting,
            branches=count(2),
            classes=count(2),
            properties=count(1),
        ),
        Door(
            "tasks.contextual",
            tasks.contextual,
            items=count(2),
            contexts=count(2),
            structures=choice("tree"),
        ),
        Door("tasks.xor", tasks.xor, margin=not_negative(1.0)),
        Door(
            "tasks.random",
            tasks.random,
            singular_values=array([2.0, 1.0]),
            items=count(3),
            features=count(3),
            key=key(0),
        ),
        Door(
            "tasks.routing",
            tasks.routing,
            domains=count(2),
            trained=or_none(count(1)),
            inputs=or_none(array(X)),
            targets=or_none(array(Y)),
            pattern=choice("regular"),
            key=key(0),
        ),
        Door(
            "tasks.from_arrays",
            tasks.from_arrays,
            X=array(X),
            Y=array(Y),
            name=Argument("t"),
            item_names=or_none(names(["a", "b"])),
            feature_names=or_none(names(["c", "d"])),
        ),
        Door(
            "Task",
            rd.Task,
            inputs=nodes({"x": X}),
            targets=nodes({"y": Y}),
            context=or_none(array(np.array([0, 1]))),
            num_contexts=or_none(count(2)),
        ),
        Door(
            "Task(bases)",
            lambda **given: rd.Task(**given).all_modes(),
            inputs=Argument({"x": X}),
            targets=Argument({"y": X}),
            bases=instance({("x", "y"): (X, X)}),
        ),
        Door(
            "Task.sigma_yx",
            task.sigma_yx,
            source=or_none(choice("input")),
            target=or_none(choice("output")),
        ),
        Door("Task.pair_modes", task.pair_modes, source=choice("input"), target=choice("output")),
        Door("tasks.from_csv", tasks.from_csv, path=path(table)),
        Door("tasks.example", tasks.example),
        Door(
            "tasks.images",
            tasks.images,
            name=choice("digits"),
            part=choice("train"),
            test=or_none(positive(0.5)),
            key=key(0),
        ),
        Door(
            "tasks.transforms",
            tasks.transforms,
            kind=choice("permutation"),
            count=count(2),
            size=count(4),
            key=key(0),
        ),
        Door(
            "tasks.multimodal",
            tasks.multimodal,
            sigma_A=array(np.eye(2)),
            sigma_B=array(np.ones(1)),
            correlation=array(0.1 * np.ones((2, 1))),
            map_A=array(np.ones((1, 2))),
            map_B=array(np.ones(1)),
        ),
        Door("tasks.multimodal(sigma_AB)", tasks.multimodal, sigma_AB=or_none(array(np.eye(1)))),
        # networks
        Door(
            "Network",
            rd.Network,
            nodes=instance(graph),
            edges=instance(edges),
            num_contexts=count(1),
            node_gates=or_none(arrays({"h": [1.0]})),
            edge_gates=or_none(arrays({"a": [1.0]})),
            edge_kinds=or_none(instance({"a": "relu"})),
        ),
        Door(
            "Network(width)",
            lambda width: rd.Network({**graph, "h": width}, edges),
            width=widths(3),
        ),
        Door(
            "Network(kind)",
            lambda kind: rd.Network({**graph, "h": (3, kind)}, edges),
            kind=choice("relu"),
        ),
        Door(
            "Network(ends)",
            lambda ends: rd.Network(graph, {**edges, "a": ends}),
            ends=instance(("x", "h")),
        ),
        Door(
            "networks.chain",
            networks.chain,
            task=instance(task),
            depth=count(2),
            width=widths(3),
            activation=choice("linear"),
        ),
        Door(
            "networks.parallel",
            networks.parallel,
            task=instance(task),
            depths=depths((2, 2)),
            width=widths(3),
            activation=choice("linear"),
        ),
        Door(
            "networks.fusion",
            networks.fusion,
            task=instance(modalities),
            depth=count(2),
            fuse_at=count(1),
            width=widths(3),
            activation=choice("linear"),
        ),
        Door(
            "networks.routing",
            networks.routing,
            task=instance(routes),
            width=count(4),
            hidden_layers=count(1),
            sharing=choice("shared"),
            activation=choice("linear"),
        ),
        Door(
            "networks.contextual",
            networks.contextual,
            task=instance(contexts),
            active=or_none(count(1)),
            width=count(3),
        ),
        Door(
            "networks.xor",
            networks.xor,
            task=instance(margin),
            gating=choice("xor"),
            width=count(3),
        ),
        Door(
            "networks.from_layers",
            networks.from_layers,
            network=instance(chain),
            layers=instance(list(layers.values())),
        ),
        Door(
            "networks.from_layers(matrix)",
            lambda matrix: networks.from_layers(chain, [matrix, layers["w2"]]),
            matrix=array(np.asarray(layers["w1"])),
        ),
        Door(
            "networks.from_layers(state)",
            lambda state: networks.from_layers(chain, state),
            state=state_dict(dict(layers)),
        ),
        Door(
            "networks.with_biases",
            networks.with_biases,
            network=instance(chain),
            task=instance(task),
            edges=or_none(names(["w1"])),
            node=label("one"),
        ),
        Door(
            "networks.read_weights",
            networks.read_weights,
            network=instance(chain),
            layers=state_dict({**layers, "w1_bias": np.zeros(3)}),
            biases=flag(True),
        ),
        Door(
            "networks.check_weights",
            networks.check_weights,
            network=instance(pair),
            weights=arrays(start),
        ),
        Door(
            "networks.check_task", networks.check_task, network=instance(pair), task=instance(task)
        ),
        Door(
            "networks.split_units",
            networks.split_units,
            network=instance(pair),
            weights=arrays(start),
        ),
        Door(
            "networks.forward",
            networks.forward,
            network=instance(chain),
            weights=passed_on(layers),
            inputs=passed_on({"input": jnp.eye(2)}),
        ),
        Door(
            "paths.path_maps",
            rd.paths.path_maps,
            network=instance(pair),
            weights=passed_on(start),
            modes=instance(task.all_modes()),
            paths=names(route),
        ),
        Door(
            "paths.observe_paths",
            rd.paths.observe_paths,
            network=instance(pair),
            weights=passed_on(start),
            modes=instance(task.all_modes()),
            paths=names(route),
        ),
        *(
            Door(f"paths.{measure.__name__}", measure, matrices=statused(np.ones((2, 1, 1))))
            for measure in (
                rd.paths.projectors,
                rd.paths.projector_eigenvalues,
                rd.paths.basis_free_participation,
            )
        ),
        *(
            Door(f"paths.{measure.__name__}", measure, strength=statused(np.ones((2, 1))))
            for measure in (
                rd.paths.shares,
                rd.paths.largest_share,
                rd.paths.participation,
                rd.paths.entropy,
                rd.paths.winner,
            )
        ),
        Door(
            "network.init",
            pair.init,
            law=instance(init.Aligned(0.1)),
            key=key(0),
            task=instance(task),
        ),
        Door("network.init(Gaussian)", pair.init, law=Argument(init.Gaussian(0.1)), key=key(0)),
        Door("init.Gaussian", init.Gaussian, std=positive(0.1)),
        Door("init.Orthogonal", init.Orthogonal, scale=positive(0.1)),
        Door("init.Aligned", init.Aligned, scale=positive(0.1), bases=choice("nodes")),
        Door("init.Balanced", init.Balanced, scale=positive(0.1), imbalance=real(0.0)),
        # training, reductions
        Door(
            "train",
            rd.train,
            network=instance(pair),
            task=instance(task),
            weights=arrays(start),
            lr=or_none(positive(0.1)),
            steps=count(2),
            save_every=or_none(count(1)),
            loss=choice("mean"),
            optimiser=or_none(instance(optax.sgd(0.1))),
            weight_decay=not_negative(0.0),
            batch_size=or_none(count(2)),
            key=or_none(key(0)),
            stages=or_none(names(None)),
            dtype=or_none(choice("float64")),
            observe=or_none(names(["activity:h1_1", "data_strength"])),
            paths=or_none(names(route)),
            checkpoint=or_none(function(print)),
            modes=or_none(instance(task)),
            progress=flag(False),
        ),
        Door(
            "Training",
            rd.Training,
            network=instance(pair),
            task=instance(task),
            weights=arrays(start),
            lr=or_none(positive(0.1)),
            steps=count(2),
            until=or_none(positive(0.1)),
            weight_decay=not_negative(0.0),
            batch_size=or_none(count(2)),
            key=or_none(key(0)),
            observe=or_none(names(["activity:h1_1", "data_strength"])),
        ),
        Door(
            "observe",
            rd.observe,
            network=instance(pair),
            task=instance(task),
            checkpoints=checkpoints({0: start}),
            lr=or_none(positive(0.1)),
            loss=choice("mean"),
            time_unit=or_none(choice("steps")),
            biases=flag(True),
            dtype=or_none(choice("float64")),
            observe=or_none(names(["activity:h1_1", "data_strength"])),
            paths=or_none(names(route)),
            modes=or_none(instance(task.modes)),
            progress=flag(False),
        ),
        Door(
            "reduce",
            rd.reduce,
            network=instance(pair),
            task=instance(task),
            weights=arrays(start),
            level=choice("full"),
            weight_decay=not_negative(0.0),
            bases=choice("nodes"),
            paths=or_none(names(route)),
            stages=unset(names(None)),
            modes=or_none(instance(task)),
            inexact=flag(False),
        ),
        Door(
            "reduce(pathway)",
            rd.reduce,
            network=Argument(pair),
            task=Argument(task),
            weights=arrays(start),
            branch=choice("larger"),
        ),
        Door(
            "compress",
            rd.compress,
            network=instance(pair),
            task=instance(task),
            weights=arrays(start),
            lr=positive(0.1),
            steps=count(2),
            tolerance=positive(0.01),
            loss=choice("mean"),
            weight_decay=not_negative(0.0),
            stages=or_none(names(None)),
            max_share=positive(0.9),
            observe=names(["strength_matrix"]),
        ),
        Door(
            "project",
            rd.project,
            network=instance(pair),
            task=instance(task),
            weights=arrays(start),
            bases=arrays({name: np.eye(node.width) for name, node in pair.nodes.items()}),
        ),
        Door(
            "statistics",
            rd.statistics,
            network=instance(routed),
            task=instance(routes),
            paths=or_none(names([routed.paths()[0]])),
            given=unset(instance({})),
        ),
        # systems and solves
        Door(
            "systems.Pathways",
            rd.systems.Pathways,
            singular_values=array(S),
            depths=depths((2, 2)),
            q=array(q),
            p=array(q),
            variances=array(S),
            loss_floor=real(0.0),
            weight_decay=real(0.0),
            path_names=or_none(names(["a", "b"])),
            mode_names=or_none(names(["a", "b"])),
        ),
        Door(
            "systems.Maps",
            rd.systems.Maps,
            singular_values=array(S),
            depths=depths((2, 2)),
            maps=array(np.stack([balanced, balanced])),
            variances=array(S),
            loss_floor=real(0.0),
            weight_decay=real(0.0),
            path_names=or_none(names(["a", "b"])),
            mode_names=or_none(names(["a", "b"])),
        ),
        Door(
            "from_function",
            lambda **given: rd.simulate(rd.from_function(**given), ts),
            function=function(_decay),
            y0=state(np.ones(2)),
        ),
        Door(
            "simulate",
            rd.simulate,
            system=instance(linear),
            ts=array(ts),
            t0=number(0.0),
            rtol=positive(1e-6),
            atol=or_none(not_negative(1e-8)),
            max_steps=count(64),
            method=choice("ode"),
            solver=or_none(instance(dfx.Tsit5())),
            dt0=or_none(positive(0.1)),
            stepsize_controller=or_none(instance(dfx.PIDController(1e-6, 1e-6))),
            adjoint=or_none(instance(dfx.ForwardMode())),
            event=or_none(instance(dfx.Event(_never))),
            retry=unset(instance(dfx.Kvaerno5())),
            jumps=or_none(array([0.5])),
            crossings=or_none(crossings({"half": _first})),
            throw=flag(True),
            progress=flag(False),
        ),
        Door(
            "simulate(crossings)",
            lambda crossings=None: crossings is None or rd.simulate(race, ts, crossings=crossings),
            crossings=unset(crossings({"half": 0.5})),
        ),
        Door(
            "systems.Piecewise",
            rd.systems.Piecewise,
            systems=instance([race, race]),
            switches=array([0.5]),
            names=or_none(names(["a", "b"])),
        ),
        Door(
            "solve",
            rd.solve,
            system=instance(linear),
            ts=array(ts),
            t0=number(0.0),
            rtol=positive(1e-6),
            max_steps=count(64),
            solver=unset(instance(dfx.Dopri8())),
            observe=or_none(names(["y"])),
            jumps=unset(array([0.5])),
            crossings=unset(crossings({"half": _first})),
        ),
        Door(
            "ensemble",
            rd.ensemble,
            build=instance(linear),
            members=passed_on({"initial": np.ones((2, 2))}),
            ts=or_none(array(ts)),
            observe=or_none(names(["y"])),
            method=choice("auto"),
            rtol=positive(1e-6),
            max_steps=count(64),
            block=or_none(count(2)),
            cores=or_none(count(2)),
            atol=unset(not_negative(1.0)),
            solver=unset(instance(dfx.Dopri8())),
            retry=unset(instance(dfx.Kvaerno5())),
            devices=unset(instance(jax.devices())),
            path=unset(path(folder / "e.h5")),
            overwrite=flag(False),
            jumps=unset(array([0.5])),
            crossings=unset(crossings({"half": _first})),
            progress=flag(False),
        ),
        Door(
            "ensemble(members)",
            lambda members: rd.ensemble(lambda i: linear, members, ts),
            members=count(2),
        ),
        Door(
            "ensemble(build)",
            lambda build: rd.ensemble(lambda i: build, 2, ts),
            build=instance(linear),
        ),
        # comparison, files
        Door("compare", rd.compare, theory=instance(theory), trained=instance(trained)),
        Door(
            "learning_times",
            rd.learning_times,
            trajectory=instance(theory),
            fraction=positive(0.5),
            within=positive(0.1),
        ),
        Door("Trajectory.member", many.member, index=whole(0)),
        Door("Trajectory.segment", trained.segment, index=whole(0)),
        Door(
            "save",
            lambda run: rd.save(folder / "new.h5", run=run, overwrite=True),
            run=instance(theory),
        ),
        Door(
            "save(path)",
            lambda path, overwrite: rd.save(path, run=theory, overwrite=overwrite),
            path=path(saved),
            overwrite=flag(True),
        ),
        Door("load", rd.load, path=path(saved)),
        Door(
            "save(labelled)",
            lambda path, overwrite: rd.save(path, sweep, overwrite=overwrite),
            path=path(folder / "sweep.h5"),
            overwrite=flag(True),
        ),
        Door(
            "sweep",
            lambda out, overwrite, progress: rd.sweep(
                lambda x: x, {"x": [1]}, out=out, overwrite=overwrite, progress=progress
            ),
            out=path(folder / "swept"),
            overwrite=flag(True),
            progress=flag(False),
        ),
        Door("to_xarray", rd.to_xarray, found=instance(theory)),
        Door("to_pandas", rd.to_pandas, found=instance(theory), name=or_none(choice("strength"))),
        # closed forms
        Door(
            "exact.chain",
            exact.chain,
            singular_values=array(S),
            layers=array(q),
            variances=array(S),
            ts=statused(ts),
        ),
        Door("exact.pole", exact.pole, depth=count(4)),
        Door("exact.gap_variance", exact.gap_variance, depth=count(4)),
        *(
            Door(
                name,
                law,
                depth=count(4),
                variance=array([0.1, 0.2]),
                **more,
            )
            for name, law, more in (
                (
                    "exact.concentration_variable",
                    exact.concentration_variable,
                    {"width": array([100, 200]), "target": array([1.0, 2.0])},
                ),
                (
                    "exact.critical_width",
                    exact.critical_width,
                    {"target": array([1.0, 2.0]), "pathways": count(2)},
                ),
                (
                    "exact.tilt_exponent",
                    exact.tilt_exponent,
                    {
                        "first": array([1.0, 1.0]),
                        "second": array([0.5, 0.4]),
                        "target": or_none(array([1.0, 2.0])),
                        "pathways": count(2),
                    },
                ),
                (
                    "exact.tilt_gain",
                    exact.tilt_gain,
                    {
                        "first": array([1.0, 1.0]),
                        "second": array([0.5, 0.4]),
                        "pathways": count(2),
                    },
                ),
                ("exact.drive_to", exact.drive_to, {"strength": array([0.5, 1.0])}),
                ("exact.wide_q0", exact.wide_q0, {}),
            )
        ),
        Door(
            "exact.spreading_rate",
            exact.spreading_rate,
            share=array([0.5, 0.9]),
            depth=count(4),
            step=number(0.1),
        ),
        Door(
            "exact.share_under_noise",
            exact.share_under_noise,
            time=array([0.5, 1.2]),
            start=array([0.6, 0.9]),
            depth=count(4),
            step=number(0.1),
        ),
        Door("exact.stable_share", exact.stable_share, step=array([0.5, 1.2]), depth=count(4)),
        Door(
            "exact.frame_participation",
            exact.frame_participation,
            pathways=count(3),
            modes=count(4),
        ),
        Door(
            "exact.expected_participation",
            exact.expected_participation,
            x=up_to_infinity([0.5, 1.0]),
            depth=count(4),
            pathways=count(2),
        ),
        Door(
            "exact.converged",
            _uncompiled(exact.converged, "_ends"),
            singular_values=statused(S),
            depths=depths((2, 2)),
            q=statused(q),
            p=statused(q),
            variances=statused(S),
        ),
        Door(
            "exact.trajectory",
            exact.trajectory,
            singular_values=statused(S),
            depths=depths((2, 2)),
            q=statused(q),
            p=statused(q),
            variances=statused(S),
            ts=statused(ts),
        ),
        Door(
            "exact.riccati",
            exact.riccati,
            first=array(balanced),
            second=array(balanced),
            sigma_yx=array(X),
            ts=statused(ts),
            variance=positive(1.0),
        ),
        Door(
            "exact.riccati_kernel",
            exact.riccati_kernel,
            run=instance(exact.riccati(balanced, balanced, balanced, [1.0])),
            X=array(X),
        ),
        *(
            Door(
                name,
                curve,
                singular_values=array(S),
                variances=array(S),
                ts=statused(ts),
                **{start: array(S / 100)},
            )
            for name, curve, start in (
                ("exact.two_layer", exact.two_layer, "a0"),
                ("exact.two_layer_strength", exact.two_layer_strength, "a0"),
                ("exact.shallow", exact.shallow, "b0"),
                ("exact.shallow_strength", exact.shallow_strength, "b0"),
            )
        ),
        Door(
            "exact.two_layer_time",
            exact.two_layer_time,
            singular_values=array(S),
            variances=array(S),
            a0=array(S / 100),
            fraction=number(0.5),
        ),
        Door(
            "exact.xor",
            exact.xor,
            margin=real(1.0),
            gating=choice("xor"),
            a0=real(0.01),
            ts=statused(ts),
        ),
        Door(
            "exact.xor_loss",
            exact.xor_loss,
            margin=real(1.0),
            gating=choice("xor"),
            a0=real(0.01),
            ts=statused(ts),
        ),
        Door(
            "exact.xor_time",
            exact.xor_time,
            margin=real(1.0),
            gating=choice("xor"),
            a0=real(0.01),
            fraction=real(0.5),
        ),
        Door("exact.xor_statistics", exact.xor_statistics, margin=real(1.0), gating=choice("xor")),
        Door("exact.xor_crossing", exact.xor_crossing, a0=real(1e-4), fraction=real(0.5)),
        Door(
            "exact.early_pathways",
            exact.early_pathways,
            first=array(np.ones((3, 2)) * 0.1),
            second=array(np.ones((1, 3)) * 0.1),
            X=array(X),
            Y=array(np.array([[1.0, -1.0]])),
        ),
        Door(
            "exact.routing",
            exact.routing,
            task=instance(routes),
            start=real(0.1),
            ts=statused(ts),
            sharing=count(2),
            hidden_layers=count(1),
        ),
        Door(
            "exact.unimodal_time",
            exact.unimodal_time,
            task=instance(modalities),
            depth=count(3),
            fuse_at=or_none(count(2)),
            scale=positive(0.1),
        ),
        Door(
            "exact.contextual",
            exact.contextual,
            network=instance(told),
            task=instance(contexts),
            start=array((0.1, 0.1)),
            ts=statused(ts),
        ),
        Door(
            "exact.contextual_modes",
            exact.contextual_modes,
            network=instance(told),
            task=instance(contexts),
        ),
        # gates, representations
        Door(
            "gates.find",
            rd.gates.find,
            network=instance(relu),
            task=instance(task),
            runs=instance(seen),
            k=whole(1),
            epochs=or_none(whole(3)),
            rows=choice("unit"),
            by=choice("context"),
            threshold=positive(0.5),
            pooled=flag(False),
            key=key(0),
        ),
        Door(
            "gates.patterns",
            rd.gates.patterns,
            run=instance(seen),
            task=instance(task),
            node=choice("h1"),
        ),
        Door(
            "gates.twin",
            rd.gates.twin,
            network=instance(relu),
            task=instance(task),
            run=instance(seen),
            by=choice("example"),
            at=or_none(whole(3)),
            gates_at=unset(whole(1)),
        ),
        Door(
            "representations.activity",
            represent.activity,
            network=instance(pair),
            weights=arrays(start),
            task=instance(task),
            node=choice("h1_1"),
        ),
        Door(
            "representations.responses",
            represent.responses,
            network=instance(gated),
            weights=arrays(gated.init(init.Gaussian(0.1), key=0)),
            inputs=arrays({"input": np.eye(3)}),
            node=choice("h_1"),
            context=or_none(whole(0)),
        ),
        Door(
            "representations.alignment",
            represent.alignment,
            network=instance(pair),
            weights=arrays(start),
        ),
        Door("representations.singular_values", represent.singular_values, weights=instance(start)),
        Door(
            "representations.singular_values(array)",
            lambda matrix: represent.singular_values({"w": matrix}),
            matrix=array(X),
        ),
        Door(
            "representations.tangent_kernel",
            represent.tangent_kernel,
            network=instance(pair),
            weights=arrays(start),
            task=instance(task),
        ),
        Door(
            "representations.sharpness",
            represent.sharpness,
            network=instance(pair),
            task=instance(task),
            weights=arrays(start),
            iterations=count(8),
            tolerance=positive(0.5),
        ),
        Door(
            "representations.open_outputs",
            represent.open_outputs,
            network=instance(pair),
            task=instance(task),
        ),
        Door(
            "representations.kernel_movement",
            represent.kernel_movement,
            first=array(X),
            last=array(X),
        ),
        Door("representations.mds", represent.mds, activities=array([Y, Y]), dimensions=count(2)),
        Door("representations.similarity", represent.similarity, H=array(Y)),
        Door(
            "representations.sharing",
            represent.sharing,
            similarities=statused(np.eye(4)),
            size=count(2),
        ),
        # figures
        Door("plot.matrix", plot.matrix, values=array(Y)),
        Door(
            "plot.network",
            plot.network,
            network=instance(routed),
            context=or_none(whole(0)),
            paths=or_none(names([routed.paths()[0]])),
        ),
        Door("plot.overview", plot.overview, sweep=instance(sweep)),
        Door(
            "plot.phase_map",
            plot.phase_map,
            sweep=instance(sweep),
            measure=choice("share"),
            x=choice("seed"),
            y=choice("init.std"),
            average=choice("mean"),
        ),
        Door(
            "plot.bands",
            plot.bands,
            sweep=instance(sweep),
            measure=choice("share"),
            x=choice("seed"),
            hue=or_none(choice("init.std")),
        ),
        Door(
            "plot.race",
            plot.race,
            theory=instance(theory),
            trained=or_none(instance(trained)),
            time=choice("auto"),
        ),
        Door(
            "plot.plane",
            lambda run, x, y: plot.plane(run, x=x, y=y),
            run=instance(trained),
            x=choice("loss"),
            y=choice("strength"),
        ),
        Door("plot.loss", lambda run: plot.loss(run), run=instance(trained)),
        Door("plot.strengths", plot.strengths, trajectory=instance(theory)),
        Door("plot.projectors", plot.projectors, trajectory=instance(trained)),
        Door("plot.learning_times", lambda run: plot.learning_times(run), run=instance(trained)),
        Door(
            "plot.phase_plane",
            plot.phase_plane,
            depth=count(3),
            singular_value=positive(1.0),
            variance=positive(1.0),
            trajectories=or_none(listed(theory)),
        ),
    )


def _uncompiled(function: Callable[..., Any], jitted: str) -> Callable[..., Any]:
    """A function up to what it compiles: the races take a quarter of a minute."""

    def call(**given: Any) -> Any:
        with mock.patch.object(
            sys.modules[function.__module__], jitted, lambda *arrays: arrays[:4]
        ):
            return function(**given)

    return call


def _decay(t: Any, y: Any, args: Any) -> Any:
    return -y


def _first(system: Any, t: Any, y: Any) -> Any:
    return y[0] - 0.5


def _never(t: Any, y: Any, args: Any, **kwargs: Any) -> Any:
    return jnp.asarray(1.0)
