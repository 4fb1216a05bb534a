"""The far end of `training.py`: one library in a process of its own, which takes steps when asked to."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

LR = 0.01  # on the sum of squares, as [Shi22]
EPOCHS, SAVES = 10_000, 500  # its published run at depth 4


def peak_memory() -> float:
    """The largest resident memory of this process so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


class Worker(NamedTuple):
    """What a library's process does: `steps(n)` takes n steps, waits for them, and returns the loss after them."""

    steps: Callable[[int], float]
    facts: dict[str, Any]
    device_memory: Callable[[], float | None]
    other: dict[str, Callable[[], Any]]


def racedyn_worker(job: dict[str, Any]) -> Worker:
    import jax
    import jax.numpy as jnp
    import numpy as np

    import racedyn as rd
    from racedyn.rules.losses import as_loss
    from racedyn.training.descent import Descent, advance
    from racedyn.training.observation import Data, Observer

    device = jax.devices()[0]
    if device.platform != "cpu":  # PyTorch multiplies in full float32 unless told otherwise; JAX on a GPU does not
        jax.config.update("jax_default_matmul_precision", "highest")
    imported = peak_memory()
    task = rd.tasks.hierarchy(items=8)
    network = rd.networks.parallel(task, depths=(job["depth"],) * 2, width=job["width"])
    drawn = network.init(rd.init.Gaussian(job["std"]), key=0)
    weights = {edge: jnp.asarray(drawn[edge], "float32") for edge in network.edges}
    del drawn
    for name, array in {"X": task.X, "Y": task.Y, **weights}.items():
        np.asarray(array, np.float32).tofile(Path(job["folder"], name))
    descent = Descent(
        observer=Observer(
            network=network,
            data=Data.of(task, jnp.float32),
            probes=(),
            kernel_rows=None,
            names=("loss",),
            modes=(),
            paths=(),
            own=(),
            task=None,
        ),
        factor=jnp.asarray(as_loss("sum").factor(task), "float32"),
        lr=jnp.asarray(LR, "float32"),
        weight_decay=None,
        optimiser=None,
        stages=(),
        save_weights=False,
    )
    state = descent.start(weights, None, 0)

    def steps(n: int) -> float:
        nonlocal state
        state, rows = jax.block_until_ready(advance(descent, state, 1, jnp.asarray(1), jnp.asarray(n)))
        return float(rows["observables"]["loss"][0])

    def bandwidth() -> float:
        """Bytes per second of scaling in place as many numbers as there are weights, in as many arrays."""
        scale = jax.jit(lambda many, n: jax.lax.fori_loop(0, n, lambda i, many: [a * 0.9999999 for a in many], many))
        many = list(state.weights.values())
        num_bytes = 2 * sum(array.nbytes for array in many)
        n = max(3, int(1e9 / num_bytes))
        seconds = []
        for _ in range(6):
            start = time.perf_counter()
            jax.block_until_ready(scale(many, n))
            seconds.append(time.perf_counter() - start)
        return n * num_bytes / min(seconds)

    def whole_run() -> dict[str, Any]:
        """Theory of the published run at the same save times (and, where asked for, the run itself)."""
        jax.config.update("jax_enable_x64", True)
        start = network.init(rd.init.Gaussian(job["std"]), key=0)
        ts = as_loss("sum").factor(task) * LR * np.linspace(0, EPOCHS, SAVES + 1)
        system, seconds = rd.reduce(network, task, start, level="pathway"), []
        for _ in range(6):
            began = time.perf_counter()
            rd.simulate(system, ts)
            seconds.append(time.perf_counter() - began)
        result = {"solve_s": median(seconds[1:]), "solve_first_s": seconds[0], "train_s": None}
        if job["full"]:
            began = time.perf_counter()
            rd.train(network, task, start, lr=LR, steps=EPOCHS, loss="sum", dtype="float32", progress=False)
            result["train_s"] = time.perf_counter() - began
        return result

    shapes = {edge: list(array.shape) for edge, array in weights.items()}
    facts = {
        "device": str(device.device_kind) if device.platform != "cpu" else "cpu",
        "versions": {name: version(name) for name in ("racedyn", "jax", "jaxlib", "numpy")},
        "imported_mib": imported,
        "weights_mib": sum(array.nbytes for array in weights.values()) / 2**20,
        "shapes": {"X": list(task.X.shape), "Y": list(task.Y.shape), **shapes},
    }
    del weights  # the state has them

    def device_memory() -> float | None:
        return (device.memory_stats() or {}).get("peak_bytes_in_use", 0) / 2**20 or None

    return Worker(steps, facts, device_memory, {"bandwidth": bandwidth, "whole_run": whole_run})


def torch_worker(job: dict[str, Any]) -> Worker:
    import torch

    torch.set_num_threads(job["threads"])
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    imported = peak_memory()

    def read(name: str) -> Any:
        rows, columns = job["shapes"][name]
        path = str(Path(job["folder"], name))
        return torch.from_file(path, size=rows * columns, dtype=torch.float32).reshape(rows, columns)

    class Parallel(torch.nn.Module):
        """Chains of Linear(bias=False) whose outputs are summed."""

        def __init__(self) -> None:
            super().__init__()
            chains = []
            for pathway in (1, 2):
                layers = []
                for layer in range(1, job["depth"] + 1):
                    W = read(f"w{pathway}_{layer}")
                    layers.append(torch.nn.Linear(W.shape[1], W.shape[0], bias=False))
                    with torch.no_grad():
                        layers[-1].weight.copy_(W)
                chains.append(torch.nn.Sequential(*layers))
            self.chains = torch.nn.ModuleList(chains)

        def forward(self, rows: Any) -> Any:
            return self.chains[0](rows) + self.chains[1](rows)

    network = Parallel().to(device)
    X, Y = read("X").T.contiguous().to(device), read("Y").T.contiguous().to(device)
    optimiser = torch.optim.SGD(network.parameters(), lr=LR)

    def steps(n: int) -> float:
        for _ in range(n):
            optimiser.zero_grad()
            torch.sum((network(X) - Y) ** 2).backward()
            optimiser.step()
        with torch.no_grad():  # as racedyn does once per call; reading the number waits for the device
            return float(torch.sum((network(X) - Y) ** 2)) / (2 * X.shape[0])

    facts = {
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "versions": {"torch": torch.__version__},
        "imported_mib": imported,
    }
    return Worker(steps, facts, lambda: torch.cuda.max_memory_allocated() / 2**20 if on_gpu else None, {})


WORKERS = {"racedyn": racedyn_worker, "torch": torch_worker}


def serve(job: dict[str, Any]) -> None:
    """In a process of its own: read a request per line, answer each with a line."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job["threads"]])
    replies, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not look like an answer

    def reply(**answer: Any) -> None:
        print(json.dumps(answer), file=replies, flush=True)

    try:
        worker = WORKERS[job["library"]](job)
    except ImportError as error:
        return reply(missing=str(error))
    start = time.perf_counter()
    loss = worker.steps(1)
    reply(**worker.facts, loss=loss, first_call_s=time.perf_counter() - start)
    for line in sys.stdin:
        request = json.loads(line)
        if "steps" in request:
            start = time.perf_counter()
            loss = worker.steps(request["steps"])
            reply(seconds=(time.perf_counter() - start) / request["steps"], loss=loss)
        elif "other" in request:
            reply(answer=worker.other[request["other"]]())
        else:
            reply(peak_mib=peak_memory(), device_mib=worker.device_memory())


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
