"""Check layers: what is given is brought into one form, and run in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from microgrid.check.engine import EngineError, parse
from microgrid.check.handwritten.job import Job, Task
from microgrid.check.handwritten.results import Found
from microgrid.check.handwritten.trial import LayerError, Trial

if TYPE_CHECKING:
    from microgrid.check.handwritten.report import LayerReport
