"""What the arguments of layers are called, and what people mean by it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


def words(text: str) -> tuple[str, ...]:
    """The words of a text, for tables of names.

    >>> words("w weight")
    ('w', 'weight')
    """
    return tuple(text.split())


def by_word(table: Mapping[str, str]) -> dict[str, str]:
    """The key of each word in a table of words; the first one that has it.

    >>> by_word({"x": "x inputs", "w": "w x"})["x"]
    'x'
    """
    found: dict[str, str] = {}
    for key, text in table.items():
        found = dict.fromkeys(text.split(), key) | found
    return found


# An argument's part in a layer: its role, and the names it goes by (in lower case, without "_").
ROLES = {
    "x": "x xs xi inp inps input inputs inputdata data in xin inx indata feature features feats a "
    "aprev preva ain z zs images image img imgs xbatch batchx batch layerinput activations act "
    "scores logits score logit preact preactivation hiddenin tensor arr array signal",
    "w": "w ws wt weight weights kernel kernels filter filters theta wmat weightmatrix embed "
    "embedding embeddings table emb lookup wembed coef coefs",
    "b": "b bias biases bs intercept",
    "gamma": "gamma g scale gammas gain slopes",
    "beta": "beta shift betas offset",
    "y": "y ys label labels target targets t ts gt groundtruth truth ytrue yreal trueY trueys idx "
    "captions answers answer correct classes tlabels onehot yonehot ytrain yonehotencoded actual "
    "desired teacher groundtruths",
    "p": "p prob probs probabilities ypred yhat yhats pred preds prediction predictions a2 al aout "
    "softmaxout predicted output outputs ypredicted probability h2 outs",
    "mask": "mask padmask ignoremask attnmask attentionmask",
    "h": "h0 hprev prevh h hidden hiddenprev prevhidden hprevious state prevstate aprevt a0",
    "c": "c0 cprev prevc c cell cellprev prevcell",
    "wx": "wx wxh wih wax wi u wxs",
    "wh": "wh whh waa wr v whs recurrentkernel recurrentweights",
    "mean": "mean mu runningmean movingmean runningmu mus",
    "var": "var variance std sigma sd runningvar movingvar runningstd runningvariance sigma2",
    "q": "query queries",
    "k": "key keys",
    "v": "value values",
    "params": "params parameters thetas weightsdict net network model p0",
}

ROLE_OF = by_word(ROLES)

# The numbers of a layer, where a value that hides a mistake (0, 1, the default) is not chosen.
NUMBERS: dict[str, Any] = {
    "stride strides stridex stridey strideh stridew hstride wstride": 2,
    "pad padding pads padh padw": 1,
    "kernelsize ksize k f size poolsize poolheight poolwidth poolh poolw ph pw fh fw hh ww "
    "filterheight filterwidth filterh filterw window windowsize kernelh kernelw filtersize": 3,
    "reg lambd lambda lam l2 l2reg regstrength regularization weightdecay wd lambdareg": 0.3,
    "lr learningrate eta alphalr stepsize": 0.1,
    "eps epsilon": 1e-5,
    "momentum mom decay": 0.9,
    "alpha slope negativeslope leak a leakyslope negslope": 0.3,
    "keepprob dropoutratio droprate dropprob rate dropout ratio pdrop keep pkeep prob p": 0.6,
    "delta margin threshold": 1.0,
    "temperature temp tau": 1.7,
    "beta": 0.7,
    "g groups numgroups": 3,
    "numheads nheads heads nhead numhead": 2,
    "axis dim": -1,
    "seed randomseed": 5,
    "mode": "train",
    "train training istraining trainflg istrain trainmode": True,
    "verbose debug test istest inference": False,
    "n m batchsize": 3,
    "activation act activationfunction activationfn activationname nonlinearity": "relu",
}
NUMBER_NAMED = by_word({text: text for text in NUMBERS})  # its words, by each of them
# The sizes that a constructor is given, by what they count.
COUNTS = {
    "in": "nin infeatures inputsize indim inputdim ninputs numinputs fanin inputfeatures din "
    "insize numfeatures nfeatures features featuredim dim size d normalizedshape featuresize "
    "inputs input innodes indims inshape inputunits inputnodes incount inputshape nfeat c "
    "inchannels inputchannels channels cin numchannels inchannel inputdepth nchannels inc "
    "channelsin inputchannel inch dmodel nembd modeldim nin hiddenin",
    "out": "nneurons outfeatures units outputsize nout outdim outputdim noutputs fanout outsize "
    "numneurons neurons hiddensize hiddendim nhidden hidden h outputs output hiddenunits "
    "numhiddens nunits numunits outputfeatures outnodes outunits numoutputs outcount outputunits "
    "dff dffn ffdim ffndim statedim nclasses numclasses classes dhidden numhidden hid outdims m "
    "dout outchannels numfilters nfilters filters cout outputchannels outchannel depth numkernels "
    "outc channelsout nkernels outch filternum",
    "embed": "embeddim embeddingdim embedsize embsize embdim emb embed wordvecsize",
    "words": "vocabsize numembeddings numtokens nvocab vocab vocabularysize dictsize nwords v "
    "numwords",
    "steps": "seqlen maxlen blocksize contextlength sequencelength maxseqlen contextsize "
    "maxseqlength timesteps",
    "batch": "batchsize nsamples",
    "window": "kernelsize filtersize k ksize poolsize kernel poolh poolw poolheight poolwidth "
    "window windowsize kernelheight kernelwidth kh kw filterh filterw f kernelshape pool "
    "filterheight filterwidth filtershape poolshape kernelh kernelw",
    "shape": "shape outputshape targetshape newshape outshape",
    "height": "height inputheight imageheight imgheight hin",
    "width": "width inputwidth imagewidth imgwidth win",
}
COUNT_OF = by_word(COUNTS)
LABELS = (  # likelier ones first
    words(
        "ytrue truth true actual expected groundtruth gt target targets label labels yactual trues "
        "truelabels ylabel ylabels onehot yreal classes answers correct desired teacher"
    ),
    words("t y ts yt tgt ys"),
)
# Those whose default is replaced, as it hides mistakes.
HIDING = re.compile(
    r"^(stride|pad|padding|reg|lambd?a?|lam|mode|train|training|istraining|trainflg)$"
)

# The settings that come in a dict, where its keys cannot be read from the code.
SETTINGS: dict[str, dict[str, Any]] = {
    "convparam": {"stride": 2, "pad": 1},
    "poolparam": {"pool_height": 3, "pool_width": 3, "stride": 2},
    "dropoutparam": {"p": 0.6, "mode": "train", "seed": 5},
    "bnparam": {"mode": "train", "eps": 1e-5, "momentum": 0.9},
    "lnparam": {"eps": 1e-5},
    "gnparam": {"eps": 1e-5},
    "hparameters": {"stride": 2, "pad": 1, "f": 3},
    "hparams": {"stride": 2, "pad": 1, "f": 3},
}

BOUND = ("y", "mask", "mean", "var")  # roles that are not differentiated


def short(name: Any) -> str:
    """A name in lower case and without underscores, as the tables have it.

    >>> short("A_prev"), short("lambda_")
    ('aprev', 'lambda')
    """
    return str(name).replace("_", "").replace(".", "").lower()


def role(name: str) -> str:
    """The part that an argument of this name plays, "" for an unknown one.

    >>> role("A_prev"), role("biases"), role("speed")
    ('x', 'b', '')
    """
    word = short(name)
    if name == "G":  # the number of groups
        return ""
    if word in ROLE_OF:
        return ROLE_OF[word]
    stem = re.sub(r"(\d+|train|batch|in|t)$", "", word)
    return role(stem) if stem and stem != word else ""


def number(name: str) -> Any:
    """The number, mode or flag that an argument of this name is given, None for an unknown one.

    >>> number("stride"), number("is_training"), number("speed")
    (2, True, None)
    """
    return NUMBERS.get(NUMBER_NAMED.get(short(name), ""))


def count(name: str) -> str:
    """What a size of this name counts: a key of COUNTS, "" for an unknown name.

    >>> count("in_features"), count("kernel_size"), count("colour")
    ('in', 'window', '')
    """
    return COUNT_OF.get(short(name), "")


def label_of(names: Sequence[str]) -> str:
    """The name of the labels among the arguments of a loss, "" if there are none.

    >>> label_of(["y", "t"]), label_of(["y_pred", "y_true"]), label_of(["x", "h"])
    ('t', 'y_true', '')
    """
    for likely in LABELS:
        found = [n for n in names if short(n) in likely]
        if found and len(names) > 1:
            return found[-1] if short(found[0]) == "y" else found[0]
    return ""


def is_label(name: str) -> bool:
    """Whether labels may be called so.

    >>> is_label("y_true"), is_label("x")
    (True, False)
    """
    return any(short(name) in likely for likely in LABELS)


def settings(name: str) -> dict[str, Any] | None:
    """The settings in a dict of this name, None for an unknown one.

    >>> settings("conv_param")
    {'stride': 2, 'pad': 1}
    """
    return SETTINGS.get(re.sub(r"(params|config|cfg|opts|options)$", "param", short(name))) or (
        SETTINGS.get(short(name))
    )


UPSTREAM_NAMES = re.compile(
    r"^(d(?!ropout|ata$|im|epth|type|ecay|iff|en|etach|evice|rop|own)\w*|grad\w*|g(rad)?_?out\w*|"
    r"up|upstream\w*|delta\w*|err(or)?\w*|top_?diff|\w+_(grad|gradient|delta|diff)|g|gy|"
    r"gradient\w*|partial\w*)$",
    re.IGNORECASE,
)
CACHE_NAMES = re.compile(
    r"^(\w*cache\w*|ctx|context\w*|saved\w*|tape|mem(ory)?|stored|state|fwd\w*|c|store|residuals?|"
    r"res|intermediates?|tmp|forward_\w+|trace)$",
    re.IGNORECASE,
)


def is_upstream(name: str) -> bool:
    """Whether an argument of a backward is the gradient that comes from above.

    >>> is_upstream("dout"), is_upstream("grad_output"), is_upstream("dropout_param")
    (True, True, False)
    """
    return UPSTREAM_NAMES.match(name) is not None


def is_cache(name: str) -> bool:
    """Whether an argument of a backward is what the forward kept.

    >>> is_cache("cache"), is_cache("w")
    (True, False)
    """
    return CACHE_NAMES.match(name) is not None


def is_context(name: str) -> bool:
    """Whether an argument of a forward is the place where it keeps what the backward needs.

    >>> is_context("ctx"), is_context("c")
    (True, False)
    """
    return short(name) in ("ctx", "context", "cache", "saved", "tape", "memory", "store", "caches")


GRADIENT_FORMS = (
    r"d_?L_?d_?(\w+)", r"d_(\w+)", r"d(\w+)", r"(?:grads?|gradients?|delta|g)_?(?:of_|wrt_)?(\w+)",
    r"(\w+?)_?(?:grads?|gradients?|delta|prime)", r"(\w+?)_?d",
)  # fmt: skip


def gradient_of(name: str) -> list[str]:
    """What a gradient of this name may be the gradient of, likeliest first.

    >>> gradient_of("dW1")[0], gradient_of("grad_weights")[0]
    ('W1', 'weights')
    """
    matches = [re.fullmatch(form, name, re.IGNORECASE) for form in GRADIENT_FORMS]
    return [match.group(1) for match in matches if match]
