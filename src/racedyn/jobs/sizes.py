"""What a run would need, before anything of it is built: sizes that no machine can hold are refused
by name.
"""

import math

import numpy as np

from racedyn import config as configuration
from racedyn._arrays import memory
from racedyn._types import Weights
from racedyn.config import Config, ConfigError
from racedyn.networks import Network
from racedyn.rules import as_loss
from racedyn.tasks import Task

MOST_MATRICES = 10_000
"""Weight matrices of one network: each is compiled by itself."""
COPIES = 4
"""Of the weights while a network is trained: the weights, their gradient, the next ones, and those
of a checkpoint.
"""


def check_task_size(section: configuration.TaskSection) -> None:
    """Refuse a task whose inputs, targets and modes don't fit into memory: at least three matrices
    of items by items.
    """
    keys: tuple[str, ...]
    match section:
        case configuration.Grid():
            items, keys = section.rows * section.columns, ("rows", "columns")
        case configuration.Clusters():
            items, keys = (
                sum(section.sizes) + len(section.sizes) * section.properties,
                ("sizes", "properties"),
            )
        case configuration.CrossCutting():
            items = section.branches * section.classes + section.classes * section.properties
            keys = ("branches", "classes", "properties")
        case configuration.Random():
            items, keys = max(section.items, section.features), ("items", "features")
        case configuration.Routing():
            items, keys = section.domains, ("domains",)
        case configuration.Contextual():
            items, keys = section.items * section.contexts, ("items", "contexts")
        case configuration.Xor() | configuration.Arrays() | configuration.Csv():
            return
        case configuration.Example() | configuration.Images() | configuration.Multimodal():
            return
        case _:
            items, keys = section.items, ("items",)
    _check_memory(
        3 * 8 * items**2,
        [f"task.{key}" for key in keys],
        f"a task of {items:.4g} items and properties",
    )


def check_network_size(section: configuration.NetworkSection) -> None:
    """Refuse a network of more weight matrices than can be compiled."""
    match section:
        case configuration.Parallel():
            matrices, key = sum(section.depths), "depths"
        case configuration.RoutingPathways():
            matrices, key = section.hidden_layers, "hidden_layers"
        case _:
            return
    if matrices > MOST_MATRICES:
        raise ConfigError(
            f"`network.{key}` must be at most {MOST_MATRICES} weight matrices in all, but it is "
            f"{matrices}."
        )


def check_run_size(config: Config, network: Network, task: Task) -> None:
    """Refuse weights, activity or saved rows that don't fit into memory. Shapes are known, and
    nothing is drawn yet.
    """
    if len(network.edges) > MOST_MATRICES:
        raise ConfigError(
            f"`network` must have at most {MOST_MATRICES} weight matrices, but it has "
            f"{len(network.edges)}."
        )
    itemsize = np.dtype(config.train.dtype).itemsize
    weights = sum(math.prod(network.shape(edge)) for edge in network.edges)
    activity = sum(node.width for node in network.nodes.values()) * task.columns_at_once
    keys = [
        f"network.{name}" for name in ("width", "depths", "depth") if hasattr(config.network, name)
    ]
    _check_memory(
        COPIES * itemsize * weights + 2 * itemsize * activity,
        keys,
        f"training {weights:.4g} weights",
    )
    steps, every = config.train.steps, config.train.save_every
    rows = 501 if every is None else steps // every + 1
    modes = min(max(widths.values()) for widths in (task.input_widths, task.output_widths))
    paths = network.num_paths if network.num_paths <= 1000 else 0  # of more `train` saves none
    _check_memory(
        2 * 8 * rows * (3 + paths * modes),
        ["train.save_every", "train.steps"],
        f"keeping {rows:.4g} rows",
    )


def check_numbers(config: Config, network: Network, task: Task, weights: Weights) -> None:
    """Refuse sizes that the training's precision takes for zero or infinity: it would learn
    nothing, without a word.
    """
    dtype = np.finfo(config.train.dtype)
    law = config.init
    key, given = (
        ("std", law.std) if isinstance(law, configuration.Gaussian) else ("scale", law.scale)
    )
    largest = max(float(np.max(np.abs(np.asarray(array)))) for array in weights.values())
    longest = config.train.lr * as_loss(config.train.loss).factor(task) * config.train.steps
    for name, value, what, size in (
        (f"init.{key}", given, "the largest weight is", largest),
        ("train.lr", config.train.lr, "it is", config.train.lr),
        ("train.weight_decay", config.train.weight_decay, "it is", config.train.weight_decay),
        ("train.lr", config.train.lr, "all steps together take a flow time of", longest),
    ):
        if not (value == 0 or float(dtype.tiny) <= size <= float(dtype.max)):
            raise ConfigError(
                f"`{name}` must be such that {config.train.dtype} holds what it leads to, but of "
                f"{value:g} {what} {size:g}."
            )


def _check_memory(needed: int, keys: list[str], what: str) -> None:
    if needed > memory():
        names = " or ".join(f"`{key}`" for key in keys)
        raise ConfigError(
            f"{names} must be of a size that fits into memory, but {what} needs {_amount(needed)} "
            "and this machine has "
            f"{_amount(memory())}."
        )


def _amount(num_bytes: float) -> str:
    return f"{num_bytes / 2**30:.3g} GiB"
