"""When features concentrate in one of several parallel pathways: our own studies, of races, drawn
networks of any width, and trained ones.

- `cells`: what is computed at one depth, width and scale.
- `law`: by mode, participation is a function of one variable.
- `mixtures`: which mixtures, when, and what in the start decides it.
- `starts`: parts of a start.
- `nonlinear`: tanh and ReLU.
- `maps`: phase maps, and which of unlike pathways wins.
- `step`: steps of finite size.
- `levels`: which theory tells so.
- `projectors`: without a basis, pathways become projectors on mixtures of modes.
"""

from racedyn.studies.concentration import (
    law,
    levels,
    maps,
    mixtures,
    nonlinear,
    projectors,
    step,
)

STUDIES = (
    law.STUDY,
    projectors.STUDY,
    mixtures.STUDY,
    nonlinear.STUDY,
    levels.STUDY,
    maps.STUDY,
    step.STUDY,
)
"""All studies of this folder, in order."""
