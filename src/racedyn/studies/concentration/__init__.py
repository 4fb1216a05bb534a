"""When features concentrate in one of several parallel pathways: our own studies, of races, drawn
networks of any width, and trained ones.

Of shared use:

- `cells`: what is computed at one depth, width and scale.
- `examples`: tasks.
- `starts`: parts of a start.
- `batches`: networks that are trained on batches.

Studies:

- `law`: by mode, participation is a function of one variable.
- `projectors`: without a basis, pathways become projectors on mixtures of modes.
- `mixtures`: which mixtures, when, and what in the start decides it.
- `nonlinear`: tanh and ReLU.
- `levels`: which theory tells so.
- `maps`: phase maps, and which of unlike pathways wins.
- `step`: steps of finite size.
- `noise`: mini-batches, of tasks that can be fitted and of noisy labels.
- `tasks`: both laws on other tasks than the hierarchy.
"""

from racedyn.studies.concentration import (
    law,
    levels,
    maps,
    mixtures,
    noise,
    nonlinear,
    projectors,
    step,
    tasks,
)

_ALL = (law, projectors, mixtures, nonlinear, levels, maps, step, noise, tasks)
STUDIES = tuple(module.STUDY for module in _ALL)
"""All studies of this folder, in order."""
