"""Every error that microgrid raises, whichever room raises it: `except mg.errors.ShapeError`."""

from microgrid.engine.lazy import lazily

ROOMS = {
    "engine.errors": (
        "ArgumentError DivisionError DomainError GradientLostError GraphError MicrogridError "
        "NumberError ParameterError RangeError RuleError ShapeError StaleError TargetError"
    ),
    "engine.hints": "UnknownKeyError UnknownKeywordError UnknownNameError",
    "engine.labels": "LabelError",
    "views.spelling": "ExpressionError",
    "views.files": "LayoutError",
    "matrices.equations": "DerivationError",
    "program.tape": "FrozenError",
    "program.impure": "ImpureError",
    "program.tracing": "BranchError",
    "program.text.branchless": "Untranslatable",
    "check.engine": "EngineError",
    "check.handwritten.trial": "LayerError",
    "optim.training": "DivergedError",
    "course.question": "ExerciseError",
    "playground.runtime": "SiteError",
}
__getattr__, __dir__ = lazily(__name__, ROOMS, "microgrid")
__all__ = [name for names in ROOMS.values() for name in names.split()]
