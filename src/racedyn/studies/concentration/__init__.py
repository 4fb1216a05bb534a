"""When features concentrate in one of several parallel pathways: our own studies, of races, drawn
networks of any width, and trained ones.

- `cells`: what is computed at one depth, width and scale.
- `examples`: tasks.
- `law`: by mode, participation is a function of one variable.
- `maps`: phase maps, and which of unlike pathways wins.
- `step`: steps of finite size.
- `levels`: which theory tells so.
- `projectors`: without a basis, pathways become projectors on mixtures of modes.
- `tasks`: both laws on other tasks than the hierarchy.
"""

from racedyn.studies.concentration import law, levels, maps, projectors, step, tasks

STUDIES = (law.STUDY, projectors.STUDY, levels.STUDY, maps.STUDY, step.STUDY, tasks.STUDY)
"""All studies of this folder, in order."""
