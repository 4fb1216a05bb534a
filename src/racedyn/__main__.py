"""`python -m racedyn`: the command `racedyn`."""

from racedyn.cli import command

command()
