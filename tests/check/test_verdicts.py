"""The verdict: what is wrong, what is fragile, what is not offered, and what is none of these."""

from pathlib import Path

import pytest

from microgrid.check import check, museum

TEXTBOOK = (Path(__file__).parent / "engines" / "textbook.py").read_text()
LIFT = ("return other if isinstance(other, Value) else Value(other)", "return other")
NEGATIVE = ("self * -1", "self * Value(-1)")
RULE_OF_MUL = """            self.grad += other.data * out.grad
            other.grad += self.data * out.grad"""
MEAN_OF_ONE = """
def mean(self):
    out = Value(self.data, (self,))
    def rule():
        self.grad += out.grad
    out.rule = rule
    return out
Value.mean = mean
del mean"""
CLAMPED = """
def log(self):
    out = Value(math.log(max(self.data, 1e-7)), (self,))
    def rule():
        self.grad += out.grad / self.data
    out.rule = rule
    return out
Value.log = log"""


def changed(tmp_path, *replaced, more=""):
    """The textbook engine, some of its text replaced, and text behind it."""
    text = TEXTBOOK
    for old, new in replaced:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "engine.py"
    path.write_text(f"{text}\n{more}\n")
    return str(path)


def told(report, *kinds):
    """Of each finding the kind, the property and the name of the mistake."""
    return [
        (f.kind, f.prop.name, f.diagnosis and f.diagnosis.mistake.name)
        for f in report.findings
        if f.kind in (kinds or ("wrong", "not offered"))
    ]


def test_micrograd_passes_and_its_weaknesses_are_told():
    only = ["contract", "leaf pass", "values", "constants", "order", "passes", "accumulation",
            "powers of zero", "domain", "depth", "leak", "changed data"]  # fmt: skip
    report = check("micrograd.engine", draws=5, only=only)
    assert report.ok, str(report)
    assert {(f.kind, f.prop.name) for f in report.findings} == {
        ("fragile", x) for x in ("accumulation", "powers of zero", "depth", "leak", "changed data")
    }
    shared = next(f for f in report.findings if f.prop.name == "accumulation")
    assert shared.comparison[0] == ("a.grad", "58", "34")
    assert not check("micrograd.engine", only=["accumulation"], strict=True).ok


KINDS = {  # what is changed, the properties that are run, and what is told
    "a leaf's backward that does nothing": (
        [("        order, seen = [], set()\n",
          "        if not self.parents:\n            return\n        order, seen = [], set()\n")],
        "", ["contract", "leaf pass", "values", "order"],
        [("fragile", "leaf pass", "leaf_does_nothing")]),
    "Values only": (
        [LIFT, NEGATIVE], "", ["plain numbers", "values", "constants", "upstream", "order",
                               "several", "affine layer"],
        [("not offered", "plain numbers", "values_only")]),
    "Values only, and a minus that is made with a number": (
        [LIFT], "", ["plain numbers", "values", "one operation"],
        [("not offered", "plain numbers", "values_only")]),
    "Values only, and inner nodes that keep their gradient": (
        [LIFT, NEGATIVE, ("v.grad = 0.0 if v.parents else v.grad", "pass"),
         ("self.grad += 1.0", "self.grad = 1.0")], "", ["plain numbers", "accumulation"],
        [("fragile", "accumulation", "inner_keep"),
         ("not offered", "plain numbers", "values_only")]),
    "no number on the left": (
        [], "del Value.__rsub__, Value.__rtruediv__",
        ["plain numbers", "constants", "sigmoid circuit"],
        [("not offered", "plain numbers", "not_reflected")]),
    "a wrong number beside a plain number": (
        [("return self.lift(other) - self", "return self - other")], "",
        ["plain numbers", "constants"], [("wrong", "constants", "reflected_swapped")]),
    "a power that refuses a base in words": (
        [("        out = Value(self.data**n, (self,))",
          "        if self.data <= 0:\n"
          "            raise ValueError('the base is not positive')\n"
          "        out = Value(self.data**n, (self,))")], "",
        ["plain numbers", "values", "one operation", "constants", "powers of zero"], []),
    "a function that refuses everything in words": (
        [], "def log(self):\n    raise NotImplementedError('not yet')\nValue.log = log",
        ["values", "one operation", "domain"], []),
    "a mean of one value": ([], MEAN_OF_ONE, ["values", "several"], []),
    "an abs that returns what is positive as it is": (
        [], "Value.__abs__ = lambda self: self if self.data >= 0 else -self",
        ["values", "operands", "one operation", "reuse", "passes"], []),
    "a power that works in no form": (
        [("        out = Value(self.data**n, (self,))",
          "        n = self.lift(n)\n        out = Value(self.data**n, (self,))")], "",
        ["plain numbers", "values"], [("wrong", "values", "value_for_number")]),
    "products that call themselves for ever": (
        [("    def __rmul__(self, other):\n        return self * other",
          "    def __rmul__(self, other):\n        return other * self")], "",
        ["plain numbers", "values", "constants"],
        [("wrong", "constants", "reflected_for_ever")]),
    "arrays of integers": (
        [("self.data, self.grad, self.parents = data, 0.0", "self.data = numpy.array(data)\n"
          "        self.grad, self.parents = numpy.zeros_like(self.data)"),
         ("import math", "import math\n\nimport numpy"),
         ("v.grad = 0.0 if v.parents else v.grad", "v.grad = v.grad * (not v.parents)"),
         ("isinstance(n, (int, float))", "True"),
         ("slope = n", "slope = 1.0 * n")], "", ["contract", "values", "one operation"], []),
    "a backward pass that raises": (
        [("        build(self)\n", "        build(self, vertex)\n")], "",
        ["contract", "leaf pass", "values"], None),
    "a clamped log": ([], CLAMPED, ["values", "one operation", "domain"],
                      [("fragile", "domain", "clamped")]),
    "a second pass that is refused": (
        [("        order, seen = [], set()\n",
          "        if self.data is None:\n            raise RuntimeError('this graph is freed')\n"
          "        order, seen = [], set()\n"),
         ("            v.rule()\n",
          "            v.rule()\n            if v.parents:\n                v.data = None\n")], "",
        ["contract", "order", "passes", "accumulation"], []),
    "integers that numpy does not raise to a negative power": (
        [("self.data, self.grad, self.parents = data", "self.data, self.grad, self.parents = "
          "numpy.array(data)"), ("import math", "import math\n\nimport numpy")], "",
        ["values", "one operation", "constants"], []),
    "a backward pass that says that it zeroes gradients": (
        [("    def backward(self):\n", "    def backward(self, zero_grad=True):\n"),
         ("v.grad = 0.0 if v.parents else v.grad", "v.grad = 0.0 if zero_grad else v.grad")], "",
        ["order", "passes", "accumulation"], []),
    "a backward pass that zeroes gradients and does not say so": (
        [("v.grad = 0.0 if v.parents else v.grad", "v.grad = 0.0")], "",
        ["order", "passes"], [("wrong", "passes", "leaves_forget")]),
    "a forward pass that zeroes gradients": (
        [("        out = Value(self.data * other.data",
          "        self.grad = other.grad = 0.0\n        out = Value(self.data * other.data")], "",
        ["one operation", "order", "passes"], [("wrong", "passes", "zeroes_in_forward")]),
    "a comparison that gives a Value": (
        [], "Value.__lt__ = lambda self, other: Value(self.data < other.data)", ["comparisons"],
        [("wrong", "comparisons", "compares_to_value")]),
    "a comparison the wrong way round": (
        [], "Value.__lt__ = lambda self, other: self.data > other.data", ["comparisons"],
        [("wrong", "comparisons", None), ("wrong", "comparisons", None)]),
    "relu that sets the gradient": (
        [("            self.grad += (out.data > 0) * out.grad",
          "            self.grad = self.grad + out.grad if self.data > 0 else 0.0")], "",
        ["one operation", "upstream", "reuse"], [("wrong", "reuse", "sets_to_zero")]),
}  # fmt: skip


@pytest.mark.parametrize("what", KINDS)
def test_each_finding_has_the_kind_that_it_deserves(what, tmp_path):
    replaced, more, only, expected = KINDS[what]
    report = check(changed(tmp_path, *replaced, more=more), only=only, draws=4)
    found = told(report, "wrong", "fragile", "not offered")
    if expected is None:  # one finding, whatever its name
        assert [finding[:2] for finding in found] == [("wrong", "contract")], str(report)
    else:
        assert found == expected, str(report)
    assert report.ok == ("wrong" not in {kind for kind, *_ in found})


SOFTMAX = """
def softmax(xs):
    top = max(x.data for x in xs)
    es = [(x + -top).exp() for x in xs]
    total = sum(es[1:], es[0])
    return [e / total for e in es]
"""
MSE = """
def mse(predicted, targets):
    parts = [(p - t) ** 2 for p, t in zip(predicted, targets)]
    return sum(parts[1:], parts[0]) * (1 / len(parts))
def training_loss(model):
    raise SystemExit
"""
LEAKY = """
def leaky_relu(self, slope=0.01):
    out = Value(self.data if self.data > 0 else slope * self.data, (self,))
    def rule():
        self.grad += (1.0 if out.data > 0 else slope) * out.grad
    out.rule = rule
    return out
Value.leaky_relu = leaky_relu
del leaky_relu
"""
FUNCTIONS = {
    "right": (SOFTMAX + MSE + LEAKY, []),
    "a softmax that divides by a plain number": (
        SOFTMAX.replace("e / total", "e / total.data"), ["softmax"]),
    "a softmax whose values are wrong": (SOFTMAX.replace("e / total", "e"), ["softmax"]),
    "an error that forgets the factor": (
        MSE.replace(" * (1 / len", ".relu() * (0.0 / len"), []),  # zero, and so is its slope
    "a slope that is not that of the value": (LEAKY.replace("else slope) *", "else 1) *"), []),
    "a rule that forgets its upstream": (
        LEAKY.replace(" * out.grad", ""), ["leaky_relu"]),
}  # fmt: skip


@pytest.mark.parametrize("what", FUNCTIONS)
def test_other_functions_have_the_slope_of_their_own_value(what, tmp_path):
    more, wrong = FUNCTIONS[what]
    report = check(changed(tmp_path, more=more), only=["functions"])
    assert [f.subjects for f in report.findings] == [[name] for name in wrong], str(report)
    if what == "right":
        assert {*report.results[-1].held} == {"softmax", "mse", "leaky_relu"}
        assert report.unknown == ["lift"]


def test_a_function_waits_for_the_operations_that_it_is_made_of(tmp_path):
    overwrites = ("self.grad += out.data * out.grad", "self.grad = out.data * out.grad")
    path = changed(tmp_path, overwrites, more=SOFTMAX + LEAKY)
    report = check(path, only=["reuse", "functions"], draws=5)
    assert [f.subjects for f in report.findings] == [["exp"]], str(report)
    assert [*report.results[-1].waits] == ["softmax"]
    assert report.results[-1].held == ["leaky_relu"]


def test_a_function_that_no_usual_call_fits_is_listed(tmp_path):
    report = check(
        changed(tmp_path, more="def bce(model, batch): return model(batch)"), only=["values"]
    )
    assert report.unknown == ["bce", "lift"]


def test_what_is_not_offered_fails_only_if_strict(tmp_path):
    path = changed(tmp_path, more="del Value.__rsub__")
    assert check(path, only=["plain numbers"]).ok
    report = check(path, only=["plain numbers"], strict=True)
    assert report.exit_code == 1
    assert report.verdict == "fails (strict): 1 not offered"


def test_all_operators_that_take_values_only_are_one_finding(tmp_path):
    path = changed(tmp_path, LIFT, NEGATIVE)
    [finding] = check(path, only=["plain numbers"]).findings
    assert finding.subjects == ["add", "mul"]  # what is made of these follows
    assert finding.sentence.startswith("your `+`, `*` can take Values only")
    assert "Wrap the other operand" in finding.hint


def test_a_property_can_be_required(tmp_path):
    keeps = changed(
        tmp_path, ("v.grad = 0.0 if v.parents else v.grad", "pass"),
        ("self.grad += 1.0", "self.grad = 1.0"),
    )  # fmt: skip
    assert check(keeps, only=["order", "accumulation"]).ok
    report = check(keeps, only=["order"], require=["accumulation", "order", "exp"])
    assert report.lacking == ["accumulation"]
    assert report.exit_code == 1
    assert "accumulation" in report.verdict
    assert check(keeps, only=["order"], require=["order"]).ok


BROKEN_MUL = {
    "overwrites": RULE_OF_MUL.replace("+=", "="),
    "grad_for_data": RULE_OF_MUL.replace("other.data", "other.grad").replace(
        "self.data", "self.grad"
    ),
    "swapped": "            self.grad += self.data * out.grad\n"
    "            other.grad += other.data * out.grad",
}


@pytest.mark.parametrize("name", BROKEN_MUL)
def test_what_is_made_of_a_broken_operation_is_not_blamed(name, tmp_path):
    path = changed(tmp_path, (RULE_OF_MUL, BROKEN_MUL[name]))
    report = check(path, draws=4, only=["one operation", "constants", "upstream", "reuse", "order",
                                         "passes"])  # fmt: skip
    assert [(f.subjects, f.diagnosis.mistake.name) for f in report.findings] == [(["mul"], name)], (
        str(report)
    )


def test_causes_that_differ_are_findings_that_differ(tmp_path):
    path = changed(
        tmp_path, ("self.grad += out.data * out.grad", "self.grad += 0.7 * out.grad"),
        ("self.grad += (1 - out.data**2) * out.grad", "self.grad += wrong * out.grad"),
    )  # fmt: skip
    findings = check(path, only=["one operation"]).findings
    assert [f.subjects for f in findings] == [["exp"], ["tanh"]]


def test_a_walk_over_a_set_is_found_with_a_small_program(tmp_path):
    path = changed(
        tmp_path, ("data, 0.0, parents", "data, 0.0, set(parents)"),
        ("        for v in reversed(order):\n            v.rule()",
         "        todo = [self]\n        while todo:\n            v = todo.pop()\n"
         "            v.rule()\n            todo += v.parents"),
    )  # fmt: skip
    [finding] = check(path, only=["order"]).findings
    assert len(finding.program.text) < 80


def test_only_what_is_not_numbers_alone_differs_between_kinds_of_slopes_at_zero():
    """x ** 0 at 0 is fragile where it raises, and wrong where it gives a number."""
    assert check(museum.broken("zero_to_minus_one", "power"), only=["powers of zero"]).ok

    class Value(museum.Value):
        rules = museum.Value.rules | {"power": lambda y, x, n: [n * x ** (n - 1) if n else 7, 0]}

    [finding] = check(Value, only=["powers of zero"]).findings
    assert finding.kind == "wrong"


PIECE = """
right = Value.{0}
def {0}(self):
    out = right(self)
    if {1} < self.data < {2}:
        {3}
    return out
Value.{0} = {0}"""
WRONG_VALUE = "out.data = 2 * out.data"
WRONG_SLOPE = "return out * out * Value(1 / out.data)"  # the same value


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 0), (1, 2), (-3, -1), (0, 0.5)])
@pytest.mark.parametrize(
    ("slip", "prop"), [(WRONG_VALUE, "values"), (WRONG_SLOPE, "one operation")]
)
def test_what_is_wrong_in_a_short_piece_is_found(slip, prop, low, high, tmp_path):
    path = changed(tmp_path, more=PIECE.format("tanh", low, high, slip))
    report = check(path, only=["values", "one operation"], draws=1)
    assert prop in {f.prop.name for f in report.findings}, str(report)
