"""Written by tests/shared/stubs.py."""

# fmt: off
# ruff: noqa
# mypy: disable-error-code="overload-overlap"
from microgrid.check.engine import EngineError as EngineError
from microgrid.check.handwritten.trial import LayerError as LayerError
from microgrid.course.question import ExerciseError as ExerciseError
from microgrid.engine.errors import ArgumentError as ArgumentError
from microgrid.engine.errors import DivisionError as DivisionError
from microgrid.engine.errors import DomainError as DomainError
from microgrid.engine.errors import GradientLostError as GradientLostError
from microgrid.engine.errors import GraphError as GraphError
from microgrid.engine.errors import MicrogridError as MicrogridError
from microgrid.engine.errors import NumberError as NumberError
from microgrid.engine.errors import ParameterError as ParameterError
from microgrid.engine.errors import RangeError as RangeError
from microgrid.engine.errors import RuleError as RuleError
from microgrid.engine.errors import ShapeError as ShapeError
from microgrid.engine.errors import StaleError as StaleError
from microgrid.engine.errors import TargetError as TargetError
from microgrid.engine.hints import UnknownKeyError as UnknownKeyError
from microgrid.engine.hints import UnknownKeywordError as UnknownKeywordError
from microgrid.engine.hints import UnknownNameError as UnknownNameError
from microgrid.engine.labels import LabelError as LabelError
from microgrid.matrices.equations import DerivationError as DerivationError
from microgrid.optim.training import DivergedError as DivergedError
from microgrid.playground.runtime import SiteError as SiteError
from microgrid.program.impure import ImpureError as ImpureError
from microgrid.program.tape import FrozenError as FrozenError
from microgrid.program.text.branchless import Untranslatable as Untranslatable
from microgrid.program.tracing import BranchError as BranchError
from microgrid.views.files import LayoutError as LayoutError
from microgrid.views.spelling import ExpressionError as ExpressionError
