"""Names that people bring from other libraries, and misspelt ones: what they are called here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from importlib import import_module
from inspect import CO_VARKEYWORDS
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from microgrid.engine.errors import MicrogridError

HAS_AUX = "write value_and_grad(lambda *xs: f(*xs)[0]), and call f for what it returns besides"
F = TypeVar("F", bound=Callable[..., Any])

DEVICES = "there are no devices, and every number is a Python number"
ONE_ROW = "it takes one row of numbers; over the rows of an array: [f(row) for row in A]"

# By where they are looked for, a module, a class or the signature of a function.
FOREIGN: dict[str, dict[str, str]] = {
    "microgrid": {
        "sum": "write mg.total(xs), or A.sum() of an array",
        "max amax": "write mg.maximum(x, y) or mg.maximum(xs)",
        "min amin": "write mg.minimum(x, y) or mg.minimum(xs)",
        "abs fabs": "write abs(x)",
        "pow power": "write x ** n",
        "ln": "write mg.log(x)",
        "prod": "write np.prod(A) of an array of Values",
        "tensor Tensor Variable Parameter array asarray": (
            "one number is mg.Value(2.0), an array of them mg.matrix([[1.0, 2.0]])"
        ),
        "jit compile function": "mg.record(f, x) makes a fast program of f",
        "no_grad enable_grad inference_mode": (
            "nothing is recorded but the graph itself; plain numbers are v.data, mg.values(A), "
            "nn.predict(model, X)"
        ),
        "concatenate concat cat stack hstack vstack reshape matmul einsum": (
            "arrays of Values are NumPy's, and so are their functions, like np.concatenate([A, B])"
        ),
        "zeros ones arange linspace eye": "mg.matrix makes Values of any array of NumPy",
        "backward": "write y.backward(), or mg.gradients(y, [x])",
        "jacfwd": "write mg.jacobian(f, mode='forward')",
        "jacrev": "write mg.jacobian(f, mode='reverse')",
        "linearize": "mg.jvp(f, primals, tangents) is the value and the product, in one pass",
        "pmap": "write program.batched().on(...), or mg.vmap(f)",
        "lax tree tree_util autograd": "it is in mg: mg.stop_gradient, mg.where, mg.tree_map",
        "tree_flatten tree_unflatten": "write mg.tree_leaves(xs), mg.tree_map(f, xs)",
        "make_jaxpr": "write print(mg.record(f, x).listing())",
        "manual_seed seed": "write mg.nn.seed(0)",
        "save load": "a model does it, model.save(path); so do pictures and tables",
        "draw_dot": "write mg.draw(y)",
        "Dual forward_mode": "forward mode is mg.jvp of functions and mg.tangents of nodes",
    },
    "microgrid.nn": {
        "Linear Dense": "Y = XW + b is nn.Affine(inputs, outputs)",
        "Conv1d Conv2d MaxPool2d AvgPool2d Dropout BatchNorm1d LayerNorm Embedding RNN LSTM GRU "
        "Transformer MultiheadAttention": (
            "the layers are Affine and activations; others are a Module of your own with `forward`"
        ),
        "GELU ELU SiLU Softplus LogSigmoid Hardtanh": (
            "a function is a layer, too: Sequential(Affine(2, 3), mg.gelu)"
        ),
        "MSELoss mse_loss L1Loss": "write nn.squared_error(prediction, target)",
        "CrossEntropyLoss NLLLoss": "write nn.cross_entropy(logits, target)",
        "BCELoss BCEWithLogitsLoss binary_cross_entropy_with_logits": (
            "write nn.binary_cross_entropy(logit, target)"
        ),
        "functional": "functions are in microgrid itself, like mg.relu; losses in nn",
        "Parameter": "a parameter is a Value or an array of them: self.w = mg.matrix(numbers)",
        "ModuleList ModuleDict ParameterList": "a list or a dict of layers does: self.layers = […]",
        "init": "write nn.Affine(2, 3, 'he'); the names are those of nn.INITIAL",
        "DataLoader Dataset": "write nn.batches(X, y, size=32)",
        "manual_seed": "write nn.seed(0)",
    },
    "microgrid.optim": {
        "RMSprop Adagrad Adadelta Adamax NAdam LBFGS Rprop": (
            "there are SGD, Adam and AdamW; another one is a subclass of optim.Optimizer"
        ),
        "lr_scheduler StepLR ExponentialLR CosineAnnealingLR LinearLR LambdaLR": (
            "a schedule is a learning rate: optim.Adam(model, lr=optim.cosine(0.1, steps=100))"
        ),
        "minimize train": "write optim.fit(f, parameters, data, optimizer=optim.Adam())",
    },
    "Value": {
        "numpy tolist": "write v.data, or mg.values(A) of an array",
        "requires_grad requires_grad_": "every Value has one; mg.stop_gradient(v) ends its path",
        "retain_grad": "every node keeps its v.grad",
        "grad_fn _op": "write v.op, whose name is v.op.name",
        "_prev": "write v.parents",
        "backwards": "write v.backward()",
        "pow": "write v ** n",
        "sum mean": "a Value is one number; arrays of them have A.sum() and A.mean()",
        "zero_grads": "write v.zero_grad()",
        "value val": "write v.data",
        "cpu cuda to": DEVICES,
    },
    "Module": {
        "state_dict": "write model.state()",
        "load_state_dict": "write model.load_state(state)",
        "train eval training": "no layer works otherwise in training: there is nothing to switch",
        "to cpu cuda half double": DEVICES,
        "fit": "write optim.fit(loss, model, (X, y), optimizer=optim.Adam())",
        "predict predict_proba": "write nn.predict(model, X)",
        "compile": "write mg.record(lambda model, x: model(x), model, x)",
        "params weights trainable_weights": "write model.parameters()",
        "forward": "call it: model(x)",
        "children modules named_modules": "a layer is an attribute, like model.layers[0]",
        "requires_grad_ freeze": "hand the optimizer the parameters that it may move",
        "backward": "the loss goes backward: loss.backward()",
    },
    "Optimizer": {
        "state_dict": "write optimizer.state()",
        "load_state_dict": "write optimizer.load_state(state)",
        "param_groups add_param_group": "there are no groups: one optimizer for each learning rate",
        "minimize": "write optimizer.step() after loss.backward(), or optim.fit",
        "apply_gradients": "write optimizer.step(gradient)",
    },
    "Program": {
        "backward grad": "write program.value_and_grad(*inputs)",
        "vmap batch": "write program.batched(in_axes)",
        "eval forward run": "call it: program(*inputs)",
        "save": "write program.source() into a file, or pickle the program",
        "inputs": "write program.signature",
    },
    "History": {
        "loss losses": "write history['loss']",
        "history": "write history['loss']; the names are history.keys()",
        "val_loss": "write history['validation']",
    },
    "Worksheet": {"mark": "write sheet.check(answers), or sheet.mark_all(answers) for a class"},
    "Written": {
        "to_csv to_html to_latex to_markdown to_json to_excel write": (
            "write table.save('table.csv'), or of another suffix; the text alone is html(), "
            "latex(), markdown() or csv(), where there is one"
        ),
        "to_frame to_pandas": "write pd.DataFrame(table.records())",
    },
    "Picture": {
        "savefig write write_svg write_png to_svg to_png": "write picture.save('picture.svg')",
        "show display plot": "a notebook shows it; else write picture.save('picture.svg')",
    },
    "Plot": {
        "savefig write": "write plot.save('plot.svg')",
        "show display": "a notebook shows it; else write plot.save('plot.svg')",
        "axes ax": "write plot.figure.axes",
    },
    "Value.backward()": {
        "retain_graph": "every graph stays: call backward() again",
        "create_graph": "write mg.gradients(y, [x], create_graph=True)",
        "gradient": "write upstream=",
    },
    "Program.listing()": {"seeds": "write tangents=(1.0, 0.0), one for each argument"},
    "Vmapped.__call__()": {"*": "bind what all share: mg.vmap(lambda x: f(x, k=3))"},
    "record()": {"*": "bind what is no input: record(lambda x: f(x, n=3), x)"},
    "softmax()": {"axis dim": "nn.Softmax()(A) goes row by row"},
    "dot()": {"axis dim": "write A @ B of arrays"},
    "cross_entropy()": {"axis dim": "nn.cross_entropy(A, targets) goes row by row"},
    "maximum()": {"axis dim": "write A.max(axis=0)"},
    "minimum()": {"axis dim": "write A.min(axis=0)"},
    "value_and_grad()": {"has_aux": HAS_AUX},
    "grad()": {"has_aux": HAS_AUX},
    "vmap()": {"out_axes": "results are stacked along the first axis; np.moveaxis moves it"},
    "total()": {"axis dim": "write A.sum(axis=0)"},
    "mean()": {"axis dim": "write A.mean(axis=0)"},
    "logsumexp()": {"axis dim": ONE_ROW},
    "Affine.__init__()": {"bias": "every Affine has a bias, b, which begins at zero"},
}
ROOMS = {"mg": "microgrid", "mg.nn": "microgrid.nn", "mg.optim": "microgrid.optim",
         "mg.errors": "microgrid.errors"}  # fmt: skip


class UnknownNameError(MicrogridError, AttributeError):
    """A name that does not exist; the message says what it is called here, or the nearest one.

    The hint is looked for where the message is read, so that `hasattr` stays quick.

    >>> import microgrid as mg
    >>> mg.sigmod(1.0)
    Traceback (most recent call last):
        ...
    microgrid.engine.hints.UnknownNameError: module 'microgrid' ...: did you mean 'sigmoid'?
    """

    def __init__(self, said: str, owner: Any = None, name: str = "") -> None:
        super().__init__(said)
        self.name = name  # with a name of ours Python adds no hint of its own
        self.owner = owner

    def __str__(self) -> str:
        return f"{self.args[0]}{hint(self.owner, self.name) if self.name else ''}"

    def __reduce__(self) -> tuple[Any, ...]:
        held = {k: x for k, x in vars(self).items() if k != "owner"}  # with the notes
        return type(self), (str(self),), held


class UnknownKeywordError(MicrogridError, TypeError):
    """A keyword that the function does not take; the message says what is written instead.

    >>> import microgrid as mg
    >>> mg.mean([1.0], axis=0)
    Traceback (most recent call last):
        ...
    microgrid.engine.hints.UnknownKeywordError: mean() has no argument 'axis': write A.mean(axis=0)
    """


class UnknownKeyError(MicrogridError, KeyError):
    """A key that a table does not have; the message says which it has, the nearest first.

    >>> import microgrid as mg
    >>> w = mg.Value(1.0)
    >>> history = mg.optim.fit(lambda w: w * w, w, optimizer=mg.optim.SGD(w, lr=0.1), epochs=1)
    >>> history["los"]
    Traceback (most recent call last):
        ...
    microgrid.engine.hints.UnknownKeyError: a history has no 'los': there are loss...
    """

    __str__ = Exception.__str__  # a KeyError shows its key


def hint(owner: Any, name: str) -> str:
    """What to write instead of a name that a module or an object does not have, or nothing."""
    if isinstance(owner, ModuleType):
        names = getattr(owner, "__all__", ())
        if told := foreign(owner.__name__, name):
            return f": {told}"
        for short, room in ROOMS.items():
            if name in getattr(import_module(room), "__all__", ()):
                return f": it is {short}.{name}"
    else:
        names = [n for n in dir(owner) if not n.startswith("_")]
        for kind in (owner if isinstance(owner, type) else type(owner)).__mro__:
            if told := foreign(kind.__name__, name):
                return f": {told}"
    return nearest(name, names)


def foreign(home: str, name: str) -> str:
    """What the table says of a name in a module, a class or a function."""
    return next(
        (told for names, told in FOREIGN.get(home, {}).items() if name in names.split()), ""
    )


def no_key(what: str, key: Any, keys: Iterable[str]) -> UnknownKeyError:
    """The error for a key that a table, in these words, does not have."""
    near = close(str(key), keys := list(keys), 3, 0.6)
    names = [*near, *[k for k in keys if k not in near]]
    some = [*names[:8], *["…"] * (len(names) > 8)]
    return UnknownKeyError(f"{what} has no {key!r}: there are {', '.join(some)}")


def close(name: str, names: Iterable[str], most: int, cutoff: float) -> list[str]:
    from difflib import get_close_matches  # which takes a while to import, and is rarely needed

    return get_close_matches(name, list(names), most, cutoff)


def nearest(name: str, names: Iterable[str]) -> str:
    """The question whether the nearest of some names was meant, or nothing."""
    by_letters = {n.casefold(): n for n in names}
    found = close(name.casefold(), by_letters, 1, 0.7)
    return f": did you mean {by_letters[found[0]]!r}?" if found else ""


class Hinted:
    """The base of classes whose unknown attributes come with a hint."""

    __slots__ = ()

    if not TYPE_CHECKING:  # a type checker knows the attributes

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):  # a property that raised: once more, for its own error
                return object.__getattribute__(self, name)
            kind = type(self).__name__
            raise UnknownNameError(f"{kind!r} object has no attribute {name!r}", self, name)


class Absent:
    """An attribute that there is not, with a hint: a __getattr__ would slow down all the others."""

    def __set_name__(self, kind: type, name: str) -> None:
        self.name = name

    def __get__(self, owner: Any, kind: type) -> Any:
        said = f"{kind.__name__!r} object has no attribute {self.name!r}"
        raise UnknownNameError(said, kind if owner is None else owner, self.name)


def hinted(f: F) -> F:
    """A decorator: an unknown keyword is refused with what is written instead."""
    if not (takes := keywords_of(f)):
        return f

    @wraps(f)
    def called(*args: Any, **keywords: Any) -> Any:
        for name in keywords:
            if name not in takes:
                told = foreign(f"{f.__qualname__}()", name)
                said = f"{f.__qualname__}() has no argument {name!r}"
                names = [n for n in takes if n not in ("self", "cls")]
                any_other = foreign(f"{f.__qualname__}()", "*")
                told = f": {told}" if told else nearest(name, names)
                told = told or (any_other and f": {any_other}")
                raise UnknownKeywordError(said + (told or f": it takes {', '.join(names)}"))
        return f(*args, **keywords)

    return cast(F, called)


def keywords_of(f: Callable[..., Any]) -> dict[str, None]:
    """The keywords that a function takes; none where it takes all, or is a wrapper."""
    code = getattr(f, "__code__", None)
    if code is None or code.co_flags & CO_VARKEYWORDS:
        return {}
    return dict.fromkeys(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
