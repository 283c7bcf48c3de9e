"""Objects of a class, and arguments of its forward: what fits is found by trying.

Sizes are pairwise different (3 samples, 4 features in, 5 out, 7 words), strides overlap, labels
differ and repeat, probabilities are some: what hides a mistake is not chosen.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator

from microgrid.check.handwritten.sources import normal
from microgrid.check.handwritten.state import floats_of, is_floats
from microgrid.check.handwritten.trial import LayerError

N, IN, OUT, WORDS, CHANNELS, STEPS = 3, 4, 5, 7, 2, 6

SIZES: tuple[tuple[int, str], ...] = (  # the sizes of a constructor by their names, without case and underscores
    (
        IN,
        "nin infeatures inputsize indim inputdim ninputs numinputs fanin inputfeatures din insize "
        "numfeatures nfeatures features featuredim dim size d normalizedshape featuresize inputs input "
        "innodes indims inshape inputunits inputnodes incount inputshape nfeat c",
    ),
    (
        OUT,
        "nneurons outfeatures units outputsize nout outdim outputdim noutputs fanout outsize "
        "numneurons neurons hiddensize hiddendim nhidden hidden h outputs output hiddenunits numhiddens "
        "nunits numunits outputfeatures embeddim embeddingdim embedsize embsize embdim emb outnodes "
        "outunits numoutputs outcount outputunits dff dffn ffdim ffndim statedim nclasses numclasses "
        "classes dhidden numhidden hid outdims m",
    ),
    (
        CHANNELS,
        "inchannels inputchannels channels cin numchannels inchannel inputdepth nchannels inc "
        "channelsin inputchannel numheads nheads heads nhead numhead numgroups groups g inch",
    ),
    (
        4,
        "outchannels numfilters nfilters filters cout outputchannels outchannel depth "
        "numkernels outc channelsout nkernels outch seqlen maxlen blocksize contextlength "
        "sequencelength maxseqlen contextsize maxseqlength filternum",
    ),
    (
        3,
        "kernelsize filtersize k ksize poolsize kernel poolh poolw poolheight poolwidth window "
        "windowsize kernelheight kernelwidth kh kw filterh filterw f kernelshape pool filterheight "
        "filterwidth",
    ),
    (
        6,
        "dmodel nembd modeldim embed",
    ),
    (
        WORDS,
        "vocabsize numembeddings numtokens nvocab vocab vocabularysize dictsize nwords v "
        "numwords nvocabulary",
    ),
)
KERNELS = next(names for n, names in SIZES if n == 3).split()
CHOSEN = {"stride": (2, 1), "strides": (2, 1), "padding": (1, 0), "pad": (1, 0), "paddings": (1, 0)}
NUMBERS: dict[Any, str] = {
    0.4: "p rate droprate dropoutrate dropout dropoutratio keepprob prob pdrop dropoutprob ratio",
    1e-5: "eps epsilon",
    0.9: "momentum beta decay",
    0.5: "lr learningrate eta stepsize",
    0.1: "alpha slope negativeslope leak a",
    0.3: "reg lambd l2 l1 weightdecay",
    "relu": "activation act activationfunction activationfn activationname nonlinearity",
}
WORLDS: tuple[dict[str, tuple[int, ...]], ...] = (  # arrays of a constructor, by their group
    {"w": (IN, OUT), "b": (OUT,), "gamma": (IN,), "beta": (IN,), "wx": (IN, OUT), "wh": (OUT, OUT)},
    {"w": (IN, OUT), "b": (1, OUT), "gamma": (1, IN), "beta": (1, IN)},
    {"w": (OUT, IN), "b": (OUT, 1), "gamma": (IN, 1), "beta": (IN, 1)},
    {"w": (OUT, IN), "b": (OUT,), "wx": (OUT, IN), "wh": (OUT, OUT)},
    {"wx": (IN, 4 * OUT), "wh": (OUT, 4 * OUT), "b": (4 * OUT,)},
    {"wx": (IN, 3 * OUT), "wh": (OUT, 3 * OUT), "b": (3 * OUT,)},
    {"w": (4, CHANNELS, 3, 3), "b": (4,), "gamma": (CHANNELS,), "beta": (CHANNELS,)},
    {"w": (4, CHANNELS, 3, 3), "b": (4, 1)},
)
ARRAYS = {
    "w": "w weight weights kernel kernels filter filters theta",
    "b": "b bias biases",
    "gamma": "gamma scale",
    "beta": "beta shift",
    "wx": "wx wxh u win wih wi",
    "wh": "wh whh wrec wr",
}
TRAINING = {"train", "training", "istraining", "trainflg", "trainflag", "istrain", "trainmode"}
INTEGERS = {"idx", "indices", "tokens", "ids", "inputids", "tokenids", "idxs", "words", "index"}
LABELS = (  # likelier ones first
    "ytrue truth true actual expected groundtruth gt target targets label labels yactual trues "
    "truelabels ylabel ylabels onehot yreal".split(),
    "t y yt tgt ys".split(),
)
IMAGES = ("conv", "pool", "2d", "spatial", "flatten", "im2col")
SEQUENCES = ("rnn", "lstm", "gru", "time", "attention", "transformer", "encoder", "decoder", "recurrent")
PROBABLE = ("crossentropy", "bce", "nll", "logloss", "loglikelihood", "logistic", "entropy", "kl")


class Optimizer:
    """A step of 0.5 down the gradient, for the layers that want an optimizer; any way of calling.

    >>> float(Optimizer().update(np.ones(2), np.ones(2))[0])
    0.5
    """

    lr = learning_rate = 0.5

    def update(self, w: Any, gradient: Any, *_: Any, **__: Any) -> Any:
        """The parameter after the step."""
        return w - self.lr * gradient

    step = __call__ = apply = update


def parameters_of(function: Any) -> list[inspect.Parameter]:
    """The parameters of a function or a bound method, without self; none where nothing is known."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def has_default(p: inspect.Parameter) -> bool:
    """Whether it may be left out of a call."""
    return p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)


def size_named(name: str) -> int | None:
    """The size that is chosen for a name.

    >>> size_named("in_features"), size_named("vocab_size"), size_named("colour")
    (4, 7, None)
    """
    return next((n for n, names in SIZES if normal(name) in names.split()), None)


def group(name: str) -> str:
    """The kind of a constructor's array by its name, "" for another."""
    return next((g for g, names in ARRAYS.items() if normal(name) in names.split()), "")


def objects(
    cls: type, given: Mapping[str, Any], rng: Generator, which: int = 0
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Objects of a class, each with the arguments that made it; the likeliest first.

    `which` chooses among the strides and paddings. LayerError if it cannot be made at all.
    """
    choices: list[dict[str, Any]] = []
    names = parameters_of(cls)
    for overridden, world in itertools.product((True, False), WORLDS):
        options = [_options(cls, p, given, rng, world, which if overridden else -1) for p in names]
        for values in itertools.islice(itertools.product(*options), 24):
            chosen = {p.name: v for p, v in zip(names, values) if v is not inspect.Parameter.empty}
            if not any(_alike(chosen, c) for c in choices):
                choices.append(chosen)
    error, made = None, False
    for chosen in choices:
        try:
            thing = cls(**chosen)
        except Exception as caught:
            error = error or caught
            continue
        made = True
        yield thing, chosen
    if not made:
        raise LayerError(_unmade(cls, names, given, error))


def _alike(a: dict[str, Any], b: dict[str, Any]) -> bool:
    told = [{k: v.shape if is_floats(v) else v for k, v in c.items()} for c in (a, b)]
    return repr(told[0]) == repr(told[1])


def _options(
    cls: type,
    p: inspect.Parameter,
    given: Mapping[str, Any],
    rng: Generator,
    world: dict[str, tuple[int, ...]],
    which: int,
) -> list[Any]:
    """What to try for a parameter of a constructor; empty: leave it out."""
    empty, name = inspect.Parameter.empty, normal(p.name)
    if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
        return [empty]
    if p.name in given:
        return [drawn(p.name, given[p.name], rng)]
    if name in CHOSEN and which >= 0 and "conv pool".find(cls.__name__.lower()[:4]) != 0:
        return [CHOSEN[name][which]]
    if p.default is not empty:
        if which >= 0 and name in KERNELS and isinstance(p.default, int):
            return [3]  # a pool of 2 with a stride of 2 hides what overlaps
        return [empty]
    size = size_named(p.name)
    if group(p.name) and p.annotation not in (int, "int"):
        kind = group(p.name)
        if kind in world:
            return [draw(kind, world[kind], rng)]
    if size is not None and p.annotation in (int, empty, "int"):
        words = [WORDS] if "embed" in cls.__name__.lower() and size == IN else []
        return [*words, size] if not _is_shape(name) else [(size,), size, (IN,)]
    value = next((v for v, names in NUMBERS.items() if name in names.split()), None)
    if value is not None:
        return [value]
    if "optim" in name or name == "opt":
        return [Optimizer()]
    if name in CHOSEN:
        return [CHOSEN[name][max(which, 0)]]
    return [4, None, 5, "relu"]


def _is_shape(name: str) -> bool:
    return "shape" in name


def _unmade(
    cls: type, names: list[inspect.Parameter], given: Mapping[str, Any], error: Exception | None
) -> str:
    unknown = [p.name for p in names if not has_default(p) and p.name not in given]
    said = f" ({type(error).__name__}: {error})" if error else ""
    if not unknown:
        return f"{cls.__name__} cannot be made{said}"
    how = ", ".join(f"{n}=…" for n in unknown)
    return (
        f"{cls.__name__} cannot be made{said}: give its arguments ({how}: a number, or a shape "
        f"such as (4, 5) for an array), or an object of it"
    )


def draw(name: str, shape: tuple[int, ...], rng: Generator) -> Any:
    """Numbers of both signs that are not near 0 nor equal; scales are not near 1.

    >>> draw("w", (2, 3), np.random.default_rng(0)).shape
    (2, 3)
    """
    numbers = rng.normal(size=shape)
    away = np.sign(numbers) * (0.05 + np.abs(numbers))
    if normal(name) in ("gamma", "scale", "g"):
        return np.sign(numbers) * (0.4 + np.abs(numbers) / 2)
    return away * (0.6 if len(shape) > 1 and normal(name) not in ("x", "input", "inputs") else 1.0)


def drawn(name: str, given: Any, rng: Generator) -> Any:
    """What was given: a shape is drawn where the name is no size, anything else is itself."""
    shape = isinstance(given, tuple) and all(isinstance(n, int) for n in given)
    sized = size_named(name) is not None and not group(name) or normal(name) in CHOSEN
    if shape and (not sized or normal(name) in ("x", "input", "inputs")):
        return draw(name, given, rng)
    return given.copy() if isinstance(given, np.ndarray) else given


def labelled(names: list[str]) -> str:
    """The name of the labels among the arguments of a loss, "" if there are none.

    >>> labelled(["y", "t"]), labelled(["y_pred", "y_true"]), labelled(["x", "h"])
    ('t', 'y_true', '')
    """
    for rank in LABELS:
        found = [n for n in names if normal(n) in rank]
        if found and len(names) > 1:
            return found[-1] if normal(found[0]) == "y" else found[0]
    return ""


def arguments(
    thing: Any, method: str, given: Mapping[str, Any], rng: Generator, made: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """What its forward may be called with, the likeliest first."""
    settings, arrays = {}, []
    for p in parameters_of(getattr(thing, method)):
        if p.kind == p.VAR_KEYWORD or (p.kind == p.VAR_POSITIONAL and arrays):
            continue
        if normal(p.name) in TRAINING and p.name not in given:
            settings[p.name] = True
        elif normal(p.name) == "mode" and p.name not in given:
            settings[p.name] = "train"
        elif p.name in given or not has_default(p) or p.kind == p.VAR_POSITIONAL:
            arrays.append(p.name)
    label = labelled(arrays)
    for shapes in _shapes(thing, [a for a in arrays if a != label], given, made):
        args = {a: _argument(a, given.get(a), shapes.get(a, ()), rng, thing) for a in arrays if a != label}
        if not label:
            yield args | settings
            continue
        for target in _targets(label, given.get(label), args, type(thing).__name__, rng):
            yield {a: args.get(a, target) for a in arrays} | settings


def _shapes(
    thing: Any, names: list[str], given: Mapping[str, Any], made: Mapping[str, Any]
) -> Iterator[dict[str, tuple[int, ...]]]:
    """Shapes of the arrays of a forward that were not given."""
    free = [n for n in names if n not in given]
    if not free:
        yield {}
        return
    for x in _inputs(thing, made):
        if len(free) == 1:
            yield {free[0]: x}
            continue
        for hidden in _hiddens(thing, x):
            yield {n: hidden if _is_state(n) and i else x for i, n in enumerate(free)}


def _is_state(name: str) -> bool:
    return normal(name).rstrip("0t")[:1] in "hcs" or "prev" in normal(name) or "state" in normal(name)


def _hiddens(thing: Any, x: tuple[int, ...]) -> list[tuple[int, ...]]:
    last = [n for n in _features(thing, {}) if x and n != x[-1]]
    return [*((x[0], n) for n in last if len(x) > 1), *((n,) for n in last), *((n, 1) for n in last), x]


def _features(thing: Any, made: Mapping[str, Any]) -> list[int]:
    """Sizes that the last axis of an input may have: what made the object, and its arrays."""
    sizes = [v for k, v in made.items() if isinstance(v, int) and size_named(k)]
    sizes += [n for v in made.values() if isinstance(v, tuple) for n in v if isinstance(n, int)]
    for x in floats_of(thing).values():
        sizes += [x.shape[0], x.shape[-1]] if getattr(x, "ndim", 0) > 1 else list(np.shape(x))
    sizes += [v for v in getattr(thing, "__dict__", {}).values() if type(v) is int and 1 < v < 100]
    return list(dict.fromkeys(n for n in [*sizes, IN] if n > 1))


def _inputs(thing: Any, made: Mapping[str, Any]) -> list[tuple[int, ...]]:
    """Shapes of an input, the likeliest first."""
    name, sizes = type(thing).__name__.lower(), _features(thing, made)
    flat = [s for n in sizes for s in ((N, n), (n, N))] + [s for n in sizes for s in ((n,), (n, 1), (1, n))]
    images = [s for n in sizes for s in ((N, n, 7, 5), (N, 7, 5, n))]
    images += [s for n in sizes for s in ((n, 7, 5), (7, 5, n), (N, n, 5, 5), (n, N, 7, 5))]
    images += [(N, CHANNELS, 7, 5), (N, CHANNELS, 6, 4), (N, 7, 5), (7, 5), (N, CHANNELS, 8), (N, CHANNELS, 6, 6)]
    steps = [s for n in sizes for s in ((N, STEPS, n), (STEPS, n), (STEPS, N, n), (STEPS, n, 1))]
    if any(part in name for part in IMAGES):
        return [*images, *flat, *steps]
    cell = "cell" in name or "step" in name
    if any(part in name for part in SEQUENCES) and not cell:
        return [*steps, *flat, *images]
    return [*flat, *steps, *images]


def _argument(name: str, given: Any, shape: tuple[int, ...], rng: Generator, thing: Any) -> Any:
    """One array: as it was given, or integers, or numbers."""
    if isinstance(given, str) and given == "classes":
        return rng.permutation(np.arange(N) % (N - 1))
    if given is not None:
        return drawn(name, given, rng)
    cls = type(thing).__name__.lower()
    if normal(name) in INTEGERS or ("embed" in cls and "position" not in cls):
        return rng.permutation(np.arange(np.prod((N, 2))) % 4).reshape(N, 2)  # rows come again
    if _probable(thing):
        raw = rng.uniform(0.2, 1.0, size=shape)
        return raw / raw.sum(axis=-1, keepdims=True) if np.ndim(raw) and shape[-1] > 1 else raw * 0.8
    return draw("x", shape, rng)


def _probable(thing: Any) -> bool:
    """Whether it is a loss of probabilities: named so, and without an exponential of its own."""
    cls = type(thing)
    name = normal(cls.__name__)
    if not any(p in name for p in PROBABLE) or "logit" in name or "softmax" in name:
        return False
    try:
        source = inspect.getsource(cls).lower()
    except (OSError, TypeError):
        return True
    return not any(word in source for word in ("softmax(", "np.exp(", "sigmoid(", "logsumexp"))


def _targets(label: str, given: Any, args: dict[str, Any], cls: str, rng: Generator) -> Iterator[Any]:
    """Labels for the first argument: as given, or classes, rows with a 1, numbers, signs."""
    shape = np.shape(next(iter(args.values()), np.zeros((N, OUT))))
    if given is not None and not (isinstance(given, str) and given == "classes"):
        yield drawn(label, given, rng)
        return
    count, n = (shape[-1] if shape else 2), int(np.prod(shape[:-1]))
    ordered = np.concatenate([[count - 1], rng.integers(0, count, size=max(n - 2, 0)), [0] * (n > 1)])
    classes = ordered[:n].astype(int).reshape(shape[:-1])
    rows = np.eye(count)[classes]
    numbers, coins = draw("x", shape, rng), (rng.permutation(int(np.prod(shape))) % 2).reshape(shape)
    name = normal(cls)
    if given is not None:
        yield classes
    elif any(w in name for w in ("mse", "mae", "squared", "huber", "l1", "l2", "mean", "absolute", "rmse")):
        yield from (numbers, rows, classes)
    elif any(w in name for w in ("bce", "binary", "logistic")):
        yield from (coins.astype(float), coins, rows, classes)
    elif "hinge" in name:
        yield from (classes, coins * 2.0 - 1.0, rows)
    else:
        yield from (rows, classes, rows.astype(int), numbers, coins * 2.0 - 1.0)
