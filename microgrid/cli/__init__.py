"""The command line `microgrid`: read commands.py first, with arguments.py.

Each other file has one kind of command: expressions (with slides), derivations, checks and layers
(with reports), sheets, playground, demo.
"""

from microgrid.cli.commands import main as main
