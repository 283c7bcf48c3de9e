"""Every error that microgrid raises, whichever room raises it: `except mg.errors.ShapeError`."""

from microgrid.engine.lazy import lazily

ROOMS = {
    "engine.errors": (
        "ArgumentError BranchError DivergedError DivisionError "
        "DomainError EngineError ExerciseError ExpressionError "
        "FrozenError GradientLostError GraphError LabelError "
        "LayoutError MicrogridError NumberError ParameterError "
        "RangeError RuleError ShapeError TargetError"
    ),
}
__getattr__ = lazily("microgrid", ROOMS)
__all__ = [name for names in ROOMS.values() for name in names.split()]
