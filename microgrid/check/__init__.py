"""Check anyone's engine: its mistakes, each with the smallest program that shows it and a name.

In reading order:

- `example`: what an engine runs
- `engine` and `worker`: its process, which `process` starts, `isolation` and `processor_time`
  limit; `by_value` sends it a class of this process
- `contract`: how an engine spells `.data`, `.grad` and `.backward()`; `raised`: its errors
- `protocol`: how the two speak; `command`: the adapter of another language, in `adapters`
- `loading`: a file or a notebook as a module
- `capabilities`: what an engine offers, and `learning`: how that is found out
- `strategies`: programs to try
- `kinds` of findings, and `properties`
- `museum`: broken engines, and `naming`
- `searches` of hypothesis, and `checker`
- `conformance`: the properties as data
- `findings` with `anatomy`, the graph of one
- `report` with `columns` of text, `page` and `writers`

Beside them stand `handwritten`, which checks layers whose backward pass somebody wrote,
`gradient_check`, for the gradients of your own functions, `example_engine`, which `microgrid check
--example` checks, and `pytest_plugin`, which pytest finds as the module `_microgrid_pytest`.

The checker runs the code with your rights, in a process of its own: to grade strangers,
put the whole check into a container.

>>> from microgrid.check import check, museum
>>> report = check(museum.broken("swapped", "mul"), only=["one operation"])
>>> report.ok
False
"""

from typing import TYPE_CHECKING

from microgrid.engine.lazy import lazily

if TYPE_CHECKING:
    from microgrid.check import museum, strategies
    from microgrid.check.checker import check
    from microgrid.check.conformance import cases
    from microgrid.check.engine import EngineError
    from microgrid.check.findings import Finding
    from microgrid.check.gradient_check import GradientReport, NotFinite
    from microgrid.check.handwritten.entry import layer, layers
    from microgrid.check.handwritten.report import LayerReport
    from microgrid.check.handwritten.trial import LayerError
    from microgrid.check.naming import Diagnosis
    from microgrid.check.properties import PROPERTIES
    from microgrid.check.report import Report
else:  # hypothesis is imported for the checker alone: `gradcheck` needs none
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "": "museum strategies",
            "checker": "check",
            "conformance": "cases",
            "engine": "EngineError",
            "findings": "Finding",
            "gradient_check": "GradientReport NotFinite",
            "handwritten.entry": "layer layers",
            "handwritten.report": "LayerReport",
            "handwritten.trial": "LayerError",
            "naming": "Diagnosis",
            "properties": "PROPERTIES",
            "report": "Report",
        },
    )

__all__ = [
    "PROPERTIES", "Diagnosis", "EngineError", "Finding", "GradientReport", "LayerError",
    "LayerReport", "NotFinite", "Report", "cases", "check", "layer", "layers", "museum",
    "strategies",
]  # fmt: skip
