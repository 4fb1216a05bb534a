"""The command line.

- `frame`: what is around all commands: the parser, signals, errors and exit codes.
- `table`: the list of commands, each with its help and its arguments.
- `commands`: what each command does, a function each.
- `sweeps`: what `racedyn sweep` does and says.
- `doctor`: the report of what this installation can do.
- `failures`: what the user is told of an error.
"""

from racedyn.cli.frame import command, main

__all__ = ["command", "main"]
