"""`python -m racedyn.cli`: the command `racedyn`."""

from racedyn.cli.commands import command

command()
