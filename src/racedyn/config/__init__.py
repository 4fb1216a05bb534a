"""Configurations of runs: frozen, typed, and strict about unknown keys and wrong types. The only
home of pydantic.

This room imports no JAX, so that help stays quick.

- `configuration`: `Config`, read from TOML and written back.
- `sections`: the sections on network, initial weights, training and theory.
- `tasks`: the sections that name a task, one for each kind.
- `fields`: what a field may be, and what makes a class a section.
- `line`: fields set on the command line, `--train.lr 0.1`, put into a configuration.
- `problems`: what is wrong with a configuration, in words that name the key.
- `shelf`: where the configurations lie that come with the package.
- `shipped`: what they are, and one of them written out to be changed.
- `commented`: a configuration as a file for people, with a comment on every field.
"""

from racedyn.config.configuration import (
    Config,
    as_dict,
    as_json,
    as_toml,
    keys,
    kinds_of,
    parse,
    read,
)
from racedyn.config.fields import FINEST_RTOL, LOOSEST_RTOL, MOST_LAYERS, Activation
from racedyn.config.line import override
from racedyn.config.problems import ConfigError, suggest
from racedyn.config.sections import (
    Aligned,
    Balanced,
    Chain,
    ContextualPathways,
    Fusion,
    Gaussian,
    InitSection,
    NetworkSection,
    Orthogonal,
    Parallel,
    RoutingPathways,
    Theory,
    Train,
    XorPathways,
)
from racedyn.config.shipped import titles, write_new
from racedyn.config.tasks import (
    Arrays,
    Clusters,
    Contextual,
    CrossCutting,
    Csv,
    Example,
    Grid,
    Hierarchy,
    Images,
    Multimodal,
    Order,
    Random,
    Ring,
    Routing,
    TaskSection,
    Xor,
)

__all__ = [
    "FINEST_RTOL",
    "LOOSEST_RTOL",
    "MOST_LAYERS",
    "Activation",
    "Aligned",
    "Arrays",
    "Balanced",
    "Chain",
    "Clusters",
    "Config",
    "ConfigError",
    "Contextual",
    "ContextualPathways",
    "CrossCutting",
    "Csv",
    "Example",
    "Fusion",
    "Gaussian",
    "Grid",
    "Hierarchy",
    "Images",
    "InitSection",
    "Multimodal",
    "NetworkSection",
    "Order",
    "Orthogonal",
    "Parallel",
    "Random",
    "Ring",
    "Routing",
    "RoutingPathways",
    "TaskSection",
    "Theory",
    "Train",
    "Xor",
    "XorPathways",
    "as_dict",
    "as_json",
    "as_toml",
    "keys",
    "kinds_of",
    "override",
    "parse",
    "read",
    "suggest",
    "titles",
    "write_new",
]
