"""The command line `microgrid`: commands.py."""

from microgrid.cli.commands import main as main
