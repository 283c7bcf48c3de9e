"""The layers that people write, with the shapes of their arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

# Sizes that differ pairwise, so that no axis is taken for another unseen. None is 2: "twice"; what
# is divided by its sizes has odd ones, as 4 would read as 2·2.
SIZES = {
    "N": 3, "D": 4, "M": 5, "C": 5, "T": 7, "V": 6, "H": 5, "G": 20, "Z": 8, "2": 2,
    "I": 4, "F": 6, "X": 7, "Y": 5, "K": 3, "P": 5, "J": 6, "S": 9, "R": 9, "1": 1, "Q": 15, "E": 7,
}  # fmt: skip


@dataclass(frozen=True)
class Form:
    """The arguments of a layer by their roles: "N D", "int:5 N", "prob N C"; "*" is any role.

    >>> Form({"x": "N D", "w": "D M", "b": "M"}).shape("w")
    (4, 5)
    """

    shapes: dict[str, str]
    numbers: dict[str, Any] = field(default_factory=dict)
    only: str = ""  # for names that this is found in
    also: bool = False  # a further setting of the layer; else another convention

    def parts(self, role: str) -> tuple[str, list[str]]:
        """The kind of the numbers, and the symbols of the shape."""
        words = self.shapes[role if role in self.shapes else "*"].split()
        return ("", words) if not words or words[0] in SIZES else (words[0], words[1:])

    def shape(self, role: str, sizes: dict[str, int] | None = None) -> tuple[int, ...]:
        """The shape of an argument; `sizes` replace those of the table."""
        table = SIZES | (sizes or {})
        return tuple(table[symbol] for symbol in self.parts(role)[1])

    @property
    def data(self) -> list[str]:
        """The symbols of the data."""
        return self.parts(self.first)[1] or ["1"]

    @property
    def first(self) -> str:
        """The role of the data."""
        return next((r for r in ("x", "p", "q", "*") if r in self.shapes), next(iter(self.shapes)))

    @property
    def feature(self) -> str:
        """The symbol of what a constructor calls features, channels or words coming in."""
        data = self.data
        if self.parts(self.first)[0].startswith("int") and "w" in self.shapes:
            return self.parts("w")[1][0]
        weights = [r for r in ("w", "wx", "gamma") if r in self.shapes]
        shared = [s for r in weights for s in data if s in self.parts(r)[1] and s != "1"]
        return next((s for s in shared if s != "K"), next((s for s in data if s in "IJ"), data[-1]))

    @property
    def outcome(self) -> str:
        """The symbol of what a constructor calls units, filters or hidden features."""
        if "wh" in self.shapes:
            return self.parts("wh")[1][0]
        symbols = self.parts("w")[1] if "w" in self.shapes else []
        return next((s for s in symbols if s not in (*self.data, self.feature, "K", "1")), "M")


@dataclass(frozen=True)
class Kind:
    """A kind of layer: what its name says, and its forms, each a setting to be checked at."""

    name: str
    words: re.Pattern[str]
    forms: tuple[Form, ...]


def kind_of(name: str, words: str, *forms: Form) -> Kind:
    """A kind, with the words that its name is known by."""
    return Kind(name, re.compile(words, re.IGNORECASE), forms)


STRIDE_2 = {"stride": 2, "pad": 1}
STRIDE_1 = {"stride": 1, "pad": 1}
OVERLAP = {"stride": 2, "kernelsize": 3, "pad": 0}
APART = {"stride": 2, "kernelsize": 2, "pad": 0}
IMAGE = "N I X Y"
IMAGE_LAST = "N X Y I"  # channels last

AFFINE = "affine|linear|dense|fc|fully|layer"
RECURRENT = "rnn|recur"
LOSS = "loss|entropy|cost|nll|criterion|bce|mse|svm|hinge|huber|mae|objective|logistic|error|kl"
NETWORK = "prop|forward|net|model|cost|backprop|predict"
KINDS = (
    kind_of(
        "spatial normalization", "group|instance",
        Form({"x": "N J X Y", "gamma": "1 J 1 1", "beta": "1 J 1 1"}, {"groups": 3}),
        Form({"x": "N J X Y", "gamma": "J", "beta": "J"}),
    ),
    kind_of(
        "spatial batch normalization", r"spatial|(norm|bn)\w*2d|bn2|norm2",
        Form({"x": IMAGE, "gamma": "I", "beta": "I", "mean": "I", "var": "positive I"}),
        Form({"x": IMAGE, "gamma": "1 I 1 1", "beta": "1 I 1 1"}),
    ),
    kind_of(
        "normalization", "norm|bn|ln",
        Form({"x": "P E", "gamma": "E", "beta": "E", "mean": "E", "var": "positive E"}),
        Form({"x": "N P E", "gamma": "E", "beta": "E"}, only="layer|rms|ln", also=True),
    ),
    kind_of(
        "normalization of columns", "norm|bn|ln",
        Form({"x": "E P", "gamma": "E 1", "beta": "E 1", "mean": "E 1", "var": "positive E 1"}),
    ),
    kind_of("normalization of rows", "norm|bn|ln",
            Form({"x": "P E", "gamma": "1 E", "beta": "1 E", "mean": "1 E",
                  "var": "positive 1 E"})),
    kind_of(
        "convolution", "conv|im2col",
        Form({"x": IMAGE, "w": "F I K K", "b": "F"}, STRIDE_2),
        Form({"x": "N I J P", "w": "2 I K K", "b": "2"}, STRIDE_1, also=True),
    ),
    kind_of("convolution with a column of biases", "conv",
            Form({"x": IMAGE, "w": "F I K K", "b": "F 1"}, STRIDE_2)),
    kind_of("convolution of squares", "conv",
            Form({"x": "N I P P", "w": "F I K K", "b": "F"}, STRIDE_2)),
    kind_of("convolution, channels last", "conv",
            Form({"x": IMAGE_LAST, "w": "K K I F", "b": "1 1 1 F"}, STRIDE_2),
            Form({"x": "N J P I", "w": "K K I 2", "b": "1 1 1 2"}, STRIDE_1, also=True)),
    kind_of("convolution of single images", "conv",
            Form({"x": "I X Y", "w": "F I K K", "b": "F"}, STRIDE_2)),
    kind_of("convolution of one plane", "conv", Form({"x": "X Y", "w": "K K", "b": ""}, STRIDE_2)),
    kind_of("convolution of a signal", "conv",
            Form({"x": "N I X", "w": "F I K", "b": "F"}, STRIDE_2),
            Form({"x": "X", "w": "K", "b": ""}, STRIDE_2)),
    kind_of("pooling over time", r"(time|temporal)\w*pool|pool\w*1d",
            Form({"x": "N T D"}, OVERLAP)),
    kind_of("pooling", "pool", Form({"x": "N I X Y"}, OVERLAP),
            Form({"x": "N I J Z"}, APART, also=True)),
    kind_of("pooling of squares", "pool", Form({"x": "N I P P"}, OVERLAP)),
    kind_of("recurrent over time", f"{RECURRENT}|elman",
            Form({"x": "N T D", "h": "N H", "wx": "D H", "wh": "H H", "b": "H"})),
    kind_of("recurrent step", f"{RECURRENT}|step|cell",
            Form({"x": "N D", "h": "N H", "wx": "D H", "wh": "H H", "b": "H"})),
    kind_of("lstm over time", "lstm",
            Form({"x": "N T D", "h": "N H", "c": "N H", "wx": "D G", "wh": "H G", "b": "G"})),
    kind_of("lstm step", "lstm",
            Form({"x": "N D", "h": "N H", "c": "N H", "wx": "D G", "wh": "H G", "b": "G"})),
    kind_of("gru over time", "gru",
            Form({"x": "N T D", "h": "N H", "wx": "D Q", "wh": "H Q", "b": "Q"})),
    kind_of("gru step", "gru",
            Form({"x": "N D", "h": "N H", "wx": "D Q", "wh": "H Q", "b": "Q"})),
    kind_of("temporal affine", "temporal|time",
            Form({"x": "N T D", "w": "D M", "b": "M"})),
    kind_of("temporal loss", "temporal|time",
            Form({"x": "N T C", "y": "int:5 N T", "mask": "mask N T"})),
    kind_of("language model", "lm$|language",
            Form({"x": "int:6 N T", "y": "int:6 N T"})),
    kind_of("embedding", "embed|lookup", Form({"x": "int:6 N T", "w": "V D"})),
    kind_of("embedding of one word", "embed|lookup", Form({"x": "int:6 N", "w": "V D"})),
    kind_of("attention", "attention|attn",
            Form({"q": "N D", "k": "P D", "v": "P J"}),
            Form({"q": "N P D", "k": "N J D", "v": "N J X"}),
            Form({"q": "N P D", "k": "N J D", "v": "N J D"}),
            Form({"x": "N J D", "c": "N P D"})),
    kind_of("weighted sum", "weight|sum|attention",
            Form({"x": "N T D", "p": "N T"}), Form({"x": "N T D", "h": "N D"})),
    kind_of("linear loss", f"{LOSS}|softmax",
            Form({"w": "D C", "x": "N D", "y": "int:5 N", "b": "C"})),
    kind_of("linear regression", f"{LOSS}|regress",
            Form({"x": "N D", "w": "D M", "b": "M", "y": "N M"}),
            Form({"x": "N D", "w": "D", "b": "", "y": "N"}),
            Form({"x": "N D", "w": "D 1", "b": "1", "y": "N 1"})),
    kind_of("binary loss of scores", r"sigmoid\w*(loss|entropy)|bce|binary",
            Form({"x": "N C", "y": "binary N C"}), Form({"p": "prob N C", "y": "binary N C"}),
            Form({"x": "T", "y": "int:2 T"})),
    kind_of("loss of scores", f"{LOSS}|softmax", Form({"x": "N C", "y": "int:5 N"})),
    kind_of("regression", "mse|mae|square|huber|l1|l2|regress|quadratic|error|rmse",
            Form({"x": "N C", "p": "N C", "y": "N C"})),
    kind_of("loss of probabilities", LOSS, Form({"p": "prob N C", "y": "onehot N C"})),
    kind_of("loss of probabilities and numbers", LOSS, Form({"p": "prob N C", "y": "int:5 N"})),
    kind_of("binary loss", LOSS, Form({"p": "prob N 1", "y": "binary N 1"})),
    kind_of("binary loss of columns", LOSS, Form({"p": "prob 1 T", "y": "binary 1 T"})),
    kind_of("loss of one-hot rows", f"{LOSS}|softmax",
            Form({"x": "N C", "p": "N C", "y": "onehot N C"})),
    kind_of("loss of one-hot columns", LOSS,
            Form({"x": "C N", "p": "prob0 C N", "y": "onehot0 C N"})),
    kind_of("margin loss", LOSS, Form({"x": "T", "p": "T", "y": "sign T"}),
            Form({"x": "N C", "p": "N C", "y": "sign N C"})),
    kind_of("affine", AFFINE, Form({"x": "N D", "w": "D M", "b": "M"}),
            Form({"x": "N M D", "w": "G X", "b": "X"}, also=True)),
    kind_of("affine of columns", AFFINE, Form({"x": "D N", "w": "M D", "b": "M 1"})),
    kind_of("affine, weights (out, in)", AFFINE, Form({"x": "N D", "w": "M D", "b": "M"})),
    kind_of("affine of columns, weights (in, out)", AFFINE,
            Form({"x": "D N", "w": "D M", "b": "M 1"})),
    kind_of("affine of one sample", AFFINE, Form({"x": "D", "w": "D M", "b": "M"}),
            Form({"x": "D", "w": "M D", "b": "M"})),
    kind_of("affine of a row of biases", AFFINE, Form({"x": "N D", "w": "D M", "b": "1 M"}),
            Form({"x": "N D", "w": "M D", "b": "1 M"})),
    kind_of("logistic regression", "propagate|logistic",
            Form({"w": "D 1", "b": "", "x": "D T", "y": "binary 1 T"})),
    kind_of("neuron", "neuron|perceptron", Form({"x": "N D", "w": "D", "b": ""}),
            Form({"x": "D", "w": "D", "b": ""})),
    kind_of("network of columns, binary", NETWORK,
            Form({"x": "D T", "params": "columns 1", "y": "binary 1 T"})),
    kind_of("network of columns", NETWORK,
            Form({"x": "D T", "params": "columns C", "y": "onehot0 C T"}),
            Form({"x": "D T", "params": "columns C", "y": "int:5 T"})),
    kind_of("network of rows", NETWORK,
            Form({"x": "N D", "params": "rows C", "y": "onehot N C"}),
            Form({"x": "N D", "params": "rows C", "y": "int:5 N"})),
    kind_of("network of rows, biases without an axis of 1", NETWORK,
            Form({"x": "N D", "params": "vectors C", "y": "onehot N C"}),
            Form({"x": "N D", "params": "vectors C", "y": "int:5 N"})),
    kind_of("network of rows, binary", NETWORK,
            Form({"x": "N D", "params": "rows 1", "y": "binary N 1"})),
    kind_of("two affine layers", "net|mlp|two",
            Form({"x": "N D", "w": "D P", "b": "P", "w2": "P J", "b2": "J", "y": "int:6 N"})),
    kind_of("elementwise", "relu|sigmoid|tanh|elu|swish|gelu|dropout|activation|softmax|soft",
            Form({"x": "N D", "p": "N D"})),
    kind_of("bias", "bias", Form({"x": "N M", "b": "M"})),
    kind_of("elementwise of many", "glu|add|mul|residual|div|sub",
            Form({"*": "N D", "number": ""})),
    kind_of("positive", "log|sqrt|power|recip", Form({"*": "positive N D"})),
    kind_of("scale and shift", "scale|shift", Form({"x": "P E", "gamma": "E", "beta": "E"})),
    kind_of("vectors", "dot|vector", Form({"*": "D"})),
    kind_of("images", "image|flatten|pad|sampl|2d", Form({"*": IMAGE})),
    kind_of("sequences", "seq|posit|encod|decod|transf|block|feedf", Form({"*": "N T D"})),
    kind_of("matrices", "matmul|mat", Form({"x": "N D", "w": "D M"}),
            Form({"x": "N P D", "w": "N D J"})),
    kind_of("numbers", "scalar", Form({"*": ""})),
)  # fmt: skip

# Where the name says nothing, in this order; the others come after.
GENERIC = (
    "elementwise", "loss of scores", "linear loss", "affine", "affine of columns",
    "affine, weights (out, in)", "affine of columns, weights (in, out)", "regression",
    "elementwise of many", "scale and shift", "matrices",
)  # fmt: skip
OPTIONAL = ("b", "mean", "var", "mask", "gamma", "beta", "h", "c", "b2", "params")  # may lack


def kinds(name: str) -> list[Kind]:
    """All kinds of layers, likeliest first for a function of this name.

    >>> kinds("affine_forward")[0].name, kinds("f")[0].name
    ('affine', 'elementwise')
    """

    def rank(kind: Kind) -> tuple[bool, int]:
        named = bool(kind.words.search(name))
        place = GENERIC.index(kind.name) if kind.name in GENERIC else len(GENERIC)
        return (not named, 0 if named else place)

    return sorted(KINDS, key=rank)
