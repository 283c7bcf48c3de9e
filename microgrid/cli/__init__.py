"""The command line `microgrid`: read commands.py first; each other file has one kind of command."""

from microgrid.cli.commands import main as main
