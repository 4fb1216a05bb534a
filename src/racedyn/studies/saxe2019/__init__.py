"""Saxe, McClelland, Ganguli 2019: structures learned by a deep and by a shallow linear network."""

from racedyn.studies.saxe2019 import structures

STUDIES = (structures.STUDY,)
