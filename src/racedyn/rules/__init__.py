"""Rules that training and theory share: what is descended on, and in which order."""

from racedyn.rules.losses import LOSSES, Loss, as_loss
from racedyn.rules.stages import Stages, check_stages, stage_masks, staged

__all__ = ["LOSSES", "Loss", "Stages", "as_loss", "check_stages", "stage_masks", "staged"]
