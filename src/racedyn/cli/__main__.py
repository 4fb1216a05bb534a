"""`python -m racedyn.cli`: the command `racedyn`."""

from racedyn.cli.frame import command

command()
