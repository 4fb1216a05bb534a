"""The command line."""

from racedyn.cli.commands import command, main

__all__ = ["command", "main"]
