"""Sweeps: many configurations, or calls of a function, over axes, into one labelled file.

- `sweep`: the function for users.
- `block`: one block, computed by whatever process is told to.
- `axes`: fields and their values, in Python and in words of a command line.
- `plan`: points, what each is known by, and the blocks in which they are computed.
- `configurations`: a block of configurations, trained as one program, with theories beside.
- `functions`: a block of calls of a function.
- `measures`: what is kept of each configuration.
- `folder`: plan, part files and merged file in a folder.
- `merged`: outcomes as labelled arrays.
"""

from racedyn.jobs.sweeps.axes import axes_in_words
from racedyn.jobs.sweeps.folder import Folder
from racedyn.jobs.sweeps.merged import merged
from racedyn.jobs.sweeps.sweep import sweep

__all__ = ["Folder", "axes_in_words", "merged", "sweep"]
