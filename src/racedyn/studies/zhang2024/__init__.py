"""Zhang, Latham, Saxe 2024: how long a network of two modalities learns one alone."""

from racedyn.studies.zhang2024 import unimodal

STUDIES = (unimodal.STUDY,)
