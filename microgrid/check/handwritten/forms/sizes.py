"""What the arguments of a constructor are called, and the size, number or shape that is chosen.

Sizes are pairwise different (3 samples, 4 features in, 5 out, 7 words); windows overlap.
"""

from __future__ import annotations

import inspect
from typing import Any

from microgrid.check.handwritten.forms.sources import normal

N, IN, OUT, WORDS, CHANNELS, STEPS = 3, 4, 5, 7, 2, 6
FILTERS, WINDOW, MODEL = 6, 3, 6
IMAGES = 4  # samples of images

_SIZES = (  # the likeliest meaning first; names are without case and underscores
    (
        IN,
        "nin infeatures inputsize indim inputdim ninputs numinputs fanin inputfeatures din insize "
        "numfeatures nfeatures features featuredim dim size d normalizedshape featuresize inputs "
        "input innodes indims inshape inputunits inputnodes incount inputshape nfeat c",
    ),
    (
        OUT,
        "nneurons outfeatures units outputsize nout outdim outputdim noutputs fanout outsize "
        "numneurons neurons hiddensize hiddendim nhidden hidden h outputs output hiddenunits "
        "numhiddens nunits numunits outputfeatures embeddim embeddingdim embedsize embsize embdim "
        "emb outnodes outunits numoutputs outcount outputunits dff dffn ffdim ffndim statedim "
        "nclasses numclasses classes dhidden numhidden hid outdims m dout",
    ),
    (
        CHANNELS,
        "inchannels inputchannels channels cin numchannels inchannel inputdepth nchannels inc "
        "channelsin inputchannel numheads nheads heads nhead numhead numgroups groups g inch",
    ),
    (
        FILTERS,
        "outchannels numfilters nfilters filters cout outputchannels outchannel depth numkernels "
        "outc channelsout nkernels outch seqlen maxlen blocksize contextlength sequencelength "
        "maxseqlen contextsize maxseqlength filternum",
    ),
    (
        WINDOW,
        "kernelsize filtersize k ksize poolsize kernel poolh poolw poolheight poolwidth window "
        "windowsize kernelheight kernelwidth kh kw filterh filterw f kernelshape pool "
        "filterheight filterwidth",
    ),
    (MODEL, "dmodel nembd modeldim embed"),
    (
        WORDS,
        "vocabsize numembeddings numtokens nvocab vocab vocabularysize dictsize nwords v numwords",
    ),
)
STRIDES = {"stride": (2, 1), "strides": (2, 1), "padding": (1, 0), "pad": (1, 0)}
_NUMBERS: tuple[tuple[Any, str], ...] = (
    (0.4, "p rate droprate dropoutrate dropout dropoutratio keepprob prob pdrop dropoutprob ratio"),
    (1e-5, "eps epsilon"),
    (0.9, "momentum beta decay"),
    (0.5, "lr learningrate eta stepsize"),
    (0.1, "alpha slope negativeslope leak a"),
    (0.3, "reg lambd l2 l1 weightdecay"),
    ("relu", "activation act activationfunction activationfn activationname nonlinearity"),
)
_ARRAYS = {
    "w": "w weight weights kernel kernels filter filters theta",
    "b": "b bias biases",
    "gamma": "gamma scale",
    "beta": "beta shift",
    "wx": "wx wxh u win wih wi",
    "wh": "wh whh wrec wr",
}


def size(name: str) -> int | None:
    """The size that is chosen for a name.

    >>> size("in_features"), size("vocab_size"), size("colour")
    (4, 7, None)
    """
    return next((n for n, names in _SIZES if normal(name) in names.split()), None)


def number(name: str) -> Any:
    """The number or text that is chosen for a name, None for an unknown one.

    >>> number("eps"), number("activation")
    (1e-05, 'relu')
    """
    return next((x for x, names in _NUMBERS if normal(name) in names.split()), None)


def group(name: str) -> str:
    """The kind of a constructor's array by its name, "" for another.

    >>> group("weights"), group("n_inputs")
    ('w', '')
    """
    return next((g for g, names in _ARRAYS.items() if normal(name) in names.split()), "")


def is_window(name: str) -> bool:
    """Whether it is the size, the stride or the padding of a window.

    >>> is_window("kernel_size"), is_window("stride"), is_window("units")
    (True, True, False)
    """
    return size(name) == WINDOW or normal(name) in STRIDES


def worlds(n: int) -> list[dict[str, tuple[int, ...]]]:
    """Shapes of a constructor's arrays that fit together, for n features in; likeliest first."""
    flat = {"b": (OUT,), "gamma": (n,), "beta": (n,)}
    images = {"gamma": (CHANNELS,), "beta": (CHANNELS,)}
    kernels = (FILTERS, CHANNELS, WINDOW, WINDOW)
    return [
        {**flat, "w": (n, OUT), "wx": (n, OUT), "wh": (OUT, OUT)},
        {"w": (n, OUT), "b": (1, OUT), "gamma": (1, n), "beta": (1, n)},
        {"w": (OUT, n), "b": (OUT, 1), "gamma": (n, 1), "beta": (n, 1)},
        {**flat, "w": (OUT, n), "wx": (OUT, n), "wh": (OUT, OUT)},
        {"wx": (n, 4 * OUT), "wh": (OUT, 4 * OUT), "b": (4 * OUT,)},
        {"wx": (n, 3 * OUT), "wh": (OUT, 3 * OUT), "b": (3 * OUT,)},
        {**images, "w": kernels, "b": (FILTERS,)},
        {**images, "w": kernels, "b": (FILTERS, 1)},
    ]


def parameters_of(function: Any) -> list[inspect.Parameter]:
    """The parameters of a class, function or bound method, without self; none if unknown.

    >>> [p.name for p in parameters_of(size)]
    ['name']
    """
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def has_default(p: inspect.Parameter) -> bool:
    """Whether it may be left out of a call.

    >>> has_default(parameters_of(size)[0])
    False
    """
    return p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
