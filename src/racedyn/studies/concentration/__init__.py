"""When features concentrate in one of several parallel pathways: our own studies, of races, drawn
networks of any width, and trained ones.

- `cells`: what is computed at one depth, width and scale.
- `law`: by mode, participation is a function of one variable.
- `levels`: which theory tells so.
- `projectors`: without a basis, pathways become projectors on mixtures of modes.
"""

from racedyn.studies.concentration import law, levels, projectors

STUDIES = (law.STUDY, projectors.STUDY, levels.STUDY)
"""All studies of this folder, in order."""
