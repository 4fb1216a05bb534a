"""Rules that training and theory share: what is descended on, and in which order.

- `losses`: conventions of the papers.
- `routes`: routing tasks as one route and a table.
- `route_sums`: their losses by sums over domains.
- `descent`: a task on the device, its loss and accuracy, and one plain step down.
- `stages`: edges trained one upon the other.
"""

from racedyn.rules.descent import Data as Data
from racedyn.rules.descent import accuracy_of as accuracy_of
from racedyn.rules.descent import batch_of as batch_of
from racedyn.rules.descent import data_of as data_of
from racedyn.rules.descent import loss_and_gradient as loss_and_gradient
from racedyn.rules.descent import loss_of as loss_of
from racedyn.rules.descent import scaled as scaled
from racedyn.rules.descent import stepped as stepped
from racedyn.rules.losses import LOSSES, Loss
from racedyn.rules.losses import Kind as Kind
from racedyn.rules.losses import as_loss as as_loss
from racedyn.rules.losses import check_classes as check_classes
from racedyn.rules.routes import Routed as Routed
from racedyn.rules.routes import goes_by_sums as goes_by_sums
from racedyn.rules.stages import Groups as Groups
from racedyn.rules.stages import Stages as Stages
from racedyn.rules.stages import check_schedule as check_schedule
from racedyn.rules.stages import check_stages as check_stages
from racedyn.rules.stages import stage_masks as stage_masks
from racedyn.rules.stages import staged as staged
from racedyn.rules.stages import with_copies as with_copies

__all__ = ["LOSSES", "Loss"]
