"""Dominé et al. 2025: two-layer networks whose layers differ by lambda, from lazy to rich."""

from racedyn.studies.domine2025 import imbalance

STUDIES = (imbalance.STUDY,)
