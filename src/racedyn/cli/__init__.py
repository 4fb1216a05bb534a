"""The command line."""

from racedyn.cli.frame import command, main

__all__ = ["command", "main"]
