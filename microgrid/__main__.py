"""python -m microgrid."""

import sys

from microgrid.cli.commands import main

sys.exit(main())
