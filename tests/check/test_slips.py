"""Slips in one operation get their own names: those of the museum, and those of engines by hand."""

from pathlib import Path

import pytest

from microgrid.check import check, museum
from microgrid.check.example import Example, Failure, expected, outcome_here
from microgrid.check.naming import diagnose, probes_of, values_of
from microgrid.check.properties import PROPERTIES

LONGHAND = Path(__file__).parent / "engines" / "longhand.py"
RIGHT = LONGHAND.read_text()


def failures(cls, subject, extra=()):
    """The programs that fail, with the property that would find them."""
    for found_by, examples in (
        ("values", [x for x in values_of(subject) if "f.data" in x.look]),
        ("one operation", [*extra, *probes_of(subject)]),
    ):
        for example in examples:
            actual, right = ask(cls)(example), expected(example)
            if not right.agrees(actual):
                kept = not actual.error and right.numbers[:1] == actual.numbers[:1]
                yield (
                    "operands" if found_by == "values" and kept else found_by,
                    Failure(example, actual, right),
                )


def ask(cls):
    names = museum.namespace(cls)
    return lambda example: outcome_here(example, names)


ZERO = Example(("a = Value(2); b = Value(0); f = a * b; f.backward()",), ("a.grad", "b.grad"))


def name_of(cls, subject, caught="", extra=()):
    """What the first program that fails is named; None for no name."""
    found = failures(cls, subject, extra)
    found_by, failure = next(found, ("", None))
    assert failure, "no program fails"
    named = diagnose(failure, subject, PROPERTIES[caught or found_by], ask(cls))
    return named and named.mistake.name


# The museum.

SUBJECTS = {name: name for name in (
    "mul", "exp", "total", "div", "relu", "sub", "power", "tanh", "log", "add", "maximum", "sin",
    "sigmoid", "neg", "sqrt", "log2", "square", "reciprocal", "cos", "mean",
)} | {"absolute": "abs"}  # fmt: skip
BY_PROBES = {"values", "operands", "one operation", "upstream", "reuse", "passes"}
SLIPS = [name for name, m in museum.MUSEUM.items() if m.operations and m.caught in BY_PROBES]
MANY = 3  # operations of each


@pytest.mark.parametrize("name", SLIPS)
def test_each_slip_is_named_for_itself_in_operations_of_each_kind_and_in_each_form(name):
    mistake = museum.MUSEUM[name]
    seen = 0
    extra = (ZERO,) if name == "product_over_operand" else ()
    for op in list(filter(mistake.operations, SUBJECTS))[:MANY]:
        subject = SUBJECTS[op]
        for engine in mistake.engines(op):
            caught = "" if mistake.caught in ("values", "one operation") else mistake.caught
            found = next(failures(engine, subject, extra), None)
            if found:
                named = name_of(engine, subject, caught, extra)
                assert named == name, (op, named, found[1].example.text)
                seen += 1
    assert seen


# Engines by hand: (operation, the right line, the line in its place, the mistake).

MUL = ("mul", "self.grad += other.data * out.grad\n            other.grad += self.data * out.grad")
ADD = ("add", "self.grad += out.grad\n            other.grad += out.grad  # add")
SUB = ("sub", "self.grad += out.grad\n            other.grad -= out.grad")
DIV = ("div", "other.grad += -self.data / other.data**2 * out.grad")
DIV_LEFT = ("div", "self.grad += out.grad / other.data")
POW, SLOPE = ("power", "self.grad += slope * out.grad"), "n * self.data ** (n - 1) if n else 0.0"
NEG = ("neg", "self.grad -= out.grad\n\n        out")
ABS = ("abs", "self.grad += math.copysign(1.0, self.data) * out.grad if self.data else 0.0")
EXP, LOG = ("exp", "out.data * out.grad"), ("log", "1 / self.data * out.grad")
SQRT, SIN = ("sqrt", "0.5 / out.data * out.grad"), ("sin", "math.cos(self.data) * out.grad")
TANH, SIGMOID = ("tanh", "(1 - t**2) * out.grad"), ("sigmoid", "s * (1 - s) * out.grad")
RELU = ("relu", "self.grad += (self.data > 0) * out.grad")
NEW = {op: (op, f"out = Value({text}, (self,))") for op, text in (
    ("exp", "math.exp(self.data)"), ("log", "math.log(self.data)"), ("abs", "abs(self.data)"),
    ("neg", "-self.data"), ("power", "self.data**n"), ("sin", "math.sin(self.data)"),
    ("relu", "max(self.data, 0.0)"), ("sqrt", "math.sqrt(self.data)"), ("tanh", "t"),
)}  # fmt: skip
HUNG = ("exp", "out.rule = rule\n        return out  # exp")


def both(left, right):
    return f"self.grad += {left}\n            other.grad += {right}"


BY_HAND = [
    (*MUL, both("other.grad * out.grad", "self.grad * out.grad"), "grad_for_data"),
    (*MUL, both("other.grad * out.grad", "self.data * out.grad"), "grad_for_data"),
    (*MUL, both("other.data * out.grad", "self.grad * out.grad"), "grad_for_data"),
    (*MUL, both("self.grad * out.grad", "other.grad * out.grad"), "grad_for_data"),
    (*MUL, both("self.grad * out.grad", "self.data * out.grad"), "grad_for_data"),
    (*MUL, both("other.data * out.data", "self.data * out.data"), "result_for_upstream"),
    (*MUL, both("other.data * other.grad", "self.data * self.grad"), "upstream_of_operand"),
    (*EXP, "out.data * self.grad", "upstream_of_operand"),
    (*MUL, both("other.data + out.grad", "self.data + out.grad"), "plus_for_times"),
    (*MUL, both("self.data * out.grad", "other.data * out.grad"), "swapped"),
    (*MUL, both("other.data * out.grad", "other.data * out.grad"), "left_twice"),
    (*MUL, both("self.data * out.grad", "self.data * out.grad"), "right_twice"),
    (*MUL, both("out.grad", "out.grad"), "rule_of_plus"),
    (*MUL, both("out.data * out.grad", "out.data * out.grad"), "result_for_factor"),
    (*MUL, both("other.data", "self.data"), "forgets_upstream"),
    (*MUL, both("other * out.grad", "self * out.grad"), "value_in_rule"),
    (*MUL, both("other.data * out.grad", "self * out.grad"), "value_in_rule"),
    (
        *MUL,
        both("out.data / self.data * out.grad", "out.data / other.data * out.grad"),
        "product_over_operand",
    ),
    (*MUL, "self.grad += other.data * out.grad", "left_only"),
    (*MUL, "other.grad += self.data * out.grad", "right_only"),
    (
        *MUL,
        both("other.data * out.grad", "0\n            self.grad += self.data * out.grad"),
        "both_to_the_left",
    ),
    (*MUL, both("other.data * out.grad", "self.data * out.grad").replace("+=", "-="), "both_signs"),
    (*MUL, both("other.data * out.grad", "self.data * out.grad").replace("+=", "="), "overwrites"),
    (*MUL, both("other.data * out.grad ** 2", "self.data * out.grad ** 2"), "upstream_twice"),
    (*ADD, both("other.data * out.grad", "self.data * out.grad"), "rule_of_times"),
    (*ADD, both("1", "1"), "forgets_upstream"),
    (*ADD, both("out.grad", "out.grad").replace("+=", "="), "overwrites"),
    (*ADD, both("out.grad", "-out.grad"), "right_sign"),
    (*ADD, both("out.data", "out.data"), "result_for_upstream"),
    (*SUB, both("out.grad", "out.grad"), "right_sign"),
    (*SUB, both("-out.grad", "out.grad"), "swapped"),
    (
        *SUB,
        "local = {self: 1, other: -1}\n            for v in (self, other):\n"
        "                v.grad += local[v] * out.grad",
        "local_by_parent",
    ),
    ("sub", "self.data - other.data", "other.data - self.data", "operands_swapped"),
    ("sub", "self.data - other.data", "self.data + other.data", "other_operator"),
    (*DIV, "other.grad += -self.data / other.data * out.grad", "divides_once"),
    (*DIV, "other.grad += self.data / other.data**2 * out.grad", "right_sign"),
    (*DIV, "other.grad += self.data / other.data * out.grad", "sign_and_square"),
    (*DIV, "other.grad += -1 / other.data**2 * out.grad", "numerator_forgotten"),
    (*DIV, "other.grad += -self.grad / other.data**2 * out.grad", "grad_for_data"),
    (*DIV_LEFT, "self.grad += out.grad * other.data", "times_for_over"),
    (*DIV_LEFT, "self.grad += out.grad / other.grad", "grad_for_data"),
    (*DIV_LEFT, "self.grad += out.grad", "divisor_ignored"),
    ("div", "self.data / other.data, (", "self.data // other.data, (", "floor_division"),
    ("div", "self.data / other.data, (", "1 / self.data, (", "right_ignored"),
    ("power", SLOPE, "n * self.data**n - 1", "power_minus_one"),
    ("power", SLOPE, "n * self.data**n", "power_not_lowered"),
    ("power", SLOPE, "(n - 1) * self.data ** (n - 1)", "factor_lowered"),
    ("power", SLOPE, "(n - 1) * self.data**n", "factor_for_exponent"),
    ("power", SLOPE, "(n * self.data) ** (n - 1)", "factor_inside"),
    ("power", SLOPE, "n * self.data", "always_square"),
    ("power", SLOPE, "self.data ** (n - 1)", "power_without_factor"),
    ("power", SLOPE, "n * self.grad ** (n - 1) if n else 0.0", "grad_for_data"),
    (*POW, "self.grad += n * self ** (n - 1) * out.grad", "value_in_rule"),
    (*POW, "self.grad += slope * out.grad + 0 * math.log(self.data)", "log_of_base"),
    (*NEW["power"], "out = Value(self.data**n, (self,)); math.log(self.data)", "log_of_base"),
    (*NEW["power"], "out = Value(self.data * n, (self,))", "other_operator"),
    (*NEW["power"], "out = Value(self.data**n)", "without_parents"),
    (*NEW["power"], "return self.data**n", "returns_a_number"),
    (*NEW["power"], "out = Value(self.data ** lift(n), (self,))", "value_for_number"),
    (*NEG, "self.grad += out.grad\n\n        out", "wrong_sign"),
    (*NEW["neg"], "self.data = -self.data; return self", "returns_the_operand"),
    (*ABS, "self.grad += out.grad", "slope_one"),
    (*ABS, "self.grad += self.data * out.grad", "operand_for_slope"),
    (*NEW["abs"], "self.data = abs(self.data); return self", "returns_the_operand"),
    (*NEW["abs"], "return Value(abs(self.data), (self,))", "cuts_the_graph"),
    (*EXP, "self.data * math.exp(self.data - 1) * out.grad", "exponential_as_power"),
    (*EXP, "out.grad * out.grad", "upstream_for_result"),
    (*EXP, "self.grad * out.grad", "grad_for_data"),
    (*EXP, "out.data * out.data", "result_for_upstream"),
    (*EXP, "out.data + out.grad", "plus_for_times"),
    (*EXP, "out.grad", "slope_one"),
    (*EXP, "out * out.grad", "value_in_rule"),
    (*EXP, "out.data.data * out.grad", "data_of_a_number"),
    ("exp", f"self.grad += {EXP[1]}", "self.grad = out.data + out.grad", "plus_for_times"),
    ("exp", f"self.grad += {EXP[1]}", "self.grad = out.data", "forgets_upstream"),
    (*HUNG, "self.rule = rule\n        return out", "rule_on_operand"),
    (*HUNG, "out.rule = rule", "returns_nothing"),
    (*HUNG, "out.rule = rule()\n        return out", "called_at_once"),
    (*HUNG, "rule()\n        return out", "cuts_the_graph"),
    (*HUNG, "return out", "cuts_the_graph"),
    (*NEW["exp"], "out = Value(2**self.data, (self,))", "other_base"),
    (*NEW["exp"], "out = Value(math.exp(-self.data), (self,))", "argument_negated"),
    (*NEW["exp"], "out = Value(None, (self,))", "without_a_number"),
    (*NEW["exp"], "out = Value(Value(math.exp(self.data)), (self,))", "value_as_data"),
    (*NEW["exp"], "out = Value(math.exp(self), (self,))", "value_for_number"),
    (*NEW["exp"], "out = Value(np.exp(self.data), (self,))", "undefined_name"),
    (
        *NEW["exp"],
        "self.data = math.exp(self.data); out = Value(self.data, (self,))",
        "overwrites_the_operand",
    ),
    (*LOG, "self.data * out.grad", "upside_down"),
    (*LOG, "1 / out.data * out.grad", "output_for_operand"),
    (*LOG, "1 / self.grad * out.grad", "grad_for_data"),
    (*NEW["log"], "out = Value(math.log10(self.data), (self,))", "other_base"),
    (*NEW["log"], "out = Value(math.log(self.data + 1e-6), (self,))", "guarded_operand"),
    (*SQRT, "1 / out.data * out.grad", "half_forgotten"),
    (*SQRT, "0.5 * out.data * out.grad", "half_of_root"),
    (*SQRT, "0.5 / self.data * out.grad", "input_for_output"),
    (*SIN, "-math.cos(self.data) * out.grad", "wrong_sign"),
    (*SIN, "math.cos(out.data) * out.grad", "output_for_operand"),
    (*NEW["sin"], "out = Value(math.cos(self.data), (self,))", "other_function"),
    (*TANH, "(1 + t**2) * out.grad", "plus_for_minus"),
    (*TANH, "(1 - t) * out.grad", "unsquared"),
    (*TANH, "(1 - t) ** 2 * out.grad", "square_outside"),
    (*TANH, "t * (1 - t) * out.grad", "other_squashing"),
    (*TANH, "(1 - self.data**2) * out.grad", "input_for_output"),
    (*TANH, "(1 - math.tanh(t) ** 2) * out.grad", "output_for_input"),
    (*TANH, "(1 - out.grad**2) * out.grad", "upstream_for_result"),
    (*TANH, "(1 - t**2) * out.data", "result_for_upstream"),
    ("tanh", "t = math.tanh(self.data)", "t = math.tanh(self.data / 2)", "half_argument"),
    (*SIGMOID, "(1 - s) * out.grad", "one_minus_alone"),
    (*SIGMOID, "s * out.grad", "value_for_slope"),
    (*SIGMOID, "s * (1 + s) * out.grad", "plus_for_minus"),
    (*SIGMOID, "(1 - s**2) * out.grad", "other_squashing"),
    (*SIGMOID, "self.data * (1 - self.data) * out.grad", "input_for_output"),
    (*RELU, "self.grad = self.grad + out.grad if self.data > 0 else 0.0", "sets_to_zero"),
    (*RELU, "self.grad = (self.data > 0) * out.grad", "overwrites"),
    (*RELU, "self.grad += (1 if self.data > 0 else 0.01) * out.grad", "leaks_backward"),
    (*RELU, "self.grad += (self.data < 0) * out.grad", "gate_turned"),
    (*RELU, "self.grad += out.data * out.grad", "value_for_slope"),
    (*RELU, "self.grad += self.data * (self.data > 0)", "result_for_upstream"),
    (*RELU, "self.grad += (self.grad > 0) * out.grad", "grad_for_data"),
    (*RELU, "self.grad += (out.grad > 0) * out.grad", "gate_of_the_upstream"),
    (*NEW["relu"], "out = Value(min(self.data, 0.0), (self,))", "smaller_for_larger"),
    # What no museum has must have no name.
    (*EXP, "math.e * out.grad", None),
    (*EXP, "1.01 * out.data * out.grad", None),
    (*MUL, both("0.9 * other.data * out.grad", "0.9 * self.data * out.grad"), None),
    (*MUL, both("abs(other.data) * out.grad", "abs(self.data) * out.grad"), None),
    (*TANH, "(1 - t**4) * out.grad", None),
    (*NEW["sin"], "out = Value(math.sin(2 * self.data), (self,))", None),
]


def by_hand(old, new):
    assert old in RIGHT
    space = {"__name__": "engine"}
    exec(RIGHT.replace(old, new), space)
    return space["Value"]


ROWS = [pytest.param(*row, id=f"{row[0]}: {' '.join(row[2].split())[:60]}") for row in BY_HAND]


@pytest.mark.parametrize(("subject", "old", "new", "name"), ROWS)
def test_slips_of_engines_by_hand_get_their_names(subject, old, new, name):
    extra = (ZERO,) if name == "product_over_operand" else ()
    assert name_of(by_hand(old, new), subject, extra=extra) == name


RPOW = """    def __rpow__(self, base):
        out = Value(self.data**base, (self,))

        def rule():
            self.grad += out.data * math.log(base) * out.grad

        out.rule = rule
        return out

"""
WHOLE = [
    (*NEW["power"], "return self.data**n", "values", "returns_a_number"),
    (*NEW["power"], "out = Value(self.data ** lift(n), (self,))", "values", "value_for_number"),
    (*NEW["log"], "out = Value(math.log(max(self.data, 1e-7)), (self,))", "domain", "clamped"),
    (*NEW["log"], "self.data = max(self.data, 1e-7); out = Value(math.log(self.data), (self,))",
     "domain", "clamps_the_operand"),
    (*NEW["exp"], "self.grad = 0.0; out = Value(math.exp(self.data), (self,))", "passes",
     "zeroes_in_forward"),
    ("mul", "out = Value(self.data * other.data, (self, other))",
     "out = Value(self.data * other.data, (self, other)); other.grad = 0.0", "passes",
     "zeroes_in_forward"),
    ("sub", "return lift(other) - self", "return self - other", "constants", "reflected_swapped"),
    ("add", "return self + other", "return Value(self.data + other)", "constants",
     "reflected_constant"),
    ("power", "    def __radd__", "    __rpow__ = __pow__\n\n    def __radd__", "constants",
     "reflected_swapped"),
    ("power", "    def __radd__", f"{RPOW}    def __radd__", "constants", "reflected_swapped"),
    ("mul", "    def __radd__", "    def __imul__(self, other):\n        self.data *= "
     "lift(other).data\n        return self\n\n    def __radd__", "in place", "in_place"),
    (*RELU, "self.grad = self.grad + out.grad if self.data > 0 else 0.0", "reuse", "sets_to_zero"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "old", "new", "caught", "name"), WHOLE)
def test_a_check_catches_and_names_them(subject, old, new, caught, name, tmp_path):
    path = tmp_path / "engine.py"
    assert old in RIGHT
    path.write_text(RIGHT.replace(old, new))
    found = check(str(path), only=[caught], draws=10).findings
    named = [(f.prop.name, f.diagnosis and f.diagnosis.mistake.name) for f in found]
    assert named == [(caught, name)], "\n".join(map(str, found))
    assert set(found[0].subjects) <= {subject, ""}


LIFT = "return x if isinstance(x, Value) else Value(x)"
REFUSING = {
    "ints_only": "return Value(x) if isinstance(x, int) else x",
    "floats_only": "return Value(x) if isinstance(x, float) else x",
    "values_only": "return x",
}


@pytest.mark.parametrize("name", REFUSING)
def test_all_operators_that_refuse_some_plain_numbers_are_one_finding(name, tmp_path):
    path = tmp_path / "engine.py"
    assert LIFT in RIGHT
    path.write_text(RIGHT.replace(LIFT, REFUSING[name]))
    report = check(str(path), only=["plain numbers", "values", "constants"], draws=5)
    [found] = report.findings
    assert (found.kind, found.diagnosis.mistake.name) == ("not offered", name), str(report)
    assert set(found.subjects) == {"add", "sub", "mul", "div"}


@pytest.mark.parametrize("subject", ["add", "mul", "div", "power", "exp"])
def test_a_missing_return_is_told_whatever_the_number_is_called(subject, tmp_path):
    method = {"power": "pow", "div": "truediv"}.get(subject, subject)
    method = f"def __{method}__(" if subject != "exp" else "def exp("
    before, start, rest = RIGHT.partition(method)
    text = before + start + rest.replace("return out", "", 1)
    path = tmp_path / "engine.py"
    path.write_text(text.replace("data", "val"))
    report = check(str(path), only=["plain numbers", "values"], draws=3)
    [found] = report.findings
    assert (found.subjects, found.diagnosis.mistake.name) == ([subject], "returns_nothing")


@pytest.mark.parametrize(("subject", "old", "new", "told"), [
    ("sub", "self.data - other.data", "self.data + other.data", ", `+`"),
    ("mul", "self.data * other.data, (", "self.data / other.data, (", ", `/`"),
    ("add", "self.data + other.data", "self.data * other.data", ", `*`"),
    (*NEW["power"], "out = Value(self.data * n, (self,))", ", `*`"),
    (*NEW["sin"], "out = Value(math.cos(self.data), (self,))", ", cos"),
    ("tanh", "t = math.tanh(self.data)", "t = math.atan(self.data)", ", arctan"),
    (*NEW["exp"], "out = Value(math.exp(self), (self,))", "belongs"),
])  # fmt: skip
def test_what_an_operation_computes_instead_is_told(subject, old, new, told):
    _, failure = next(failures(by_hand(old, new), subject))
    named = diagnose(failure, subject, PROPERTIES["values"], ask(by_hand(old, new)))
    assert named._sentence(subject).endswith(told)


def test_operations_that_compute_different_others_are_two_findings(tmp_path):
    path = tmp_path / "engine.py"
    text = RIGHT.replace("t = math.tanh(self.data)", "t = math.sin(self.data)")
    path.write_text(text.replace("math.sqrt(self.data)", "math.cos(self.data)"))
    findings = check(str(path), only=["values"], draws=5).findings
    assert sorted(f.sentence for f in findings) == [
        "your sqrt computes another function, cos", "your tanh computes another function, sin",
    ]  # fmt: skip


def test_the_engine_by_hand_is_right():
    report = check(str(LONGHAND), only=sorted(BY_PROBES), draws=3)
    assert not report.findings, str(report)


def shown_by_numbers(mistake):
    return "\n" not in mistake.shows and mistake.caught != "leak"


@pytest.mark.parametrize("name", [n for n, m in museum.MUSEUM.items() if shown_by_numbers(m)])
def test_the_smallest_program_shows_the_mistake(name):
    mistake = museum.MUSEUM[name]
    ops = [op for op in SUBJECTS if mistake.operations and mistake.operations(op)] or [""]
    names = [x for x in "abfxy" if f" {x} = " in f" {mistake.shows}"]
    looks = tuple(f"{x}.{what}" for x in names for what in ("data", "grad"))
    example = Example((mistake.shows,), looks)
    shown = [ask(engine)(example) for op in ops for engine in mistake.engines(op)]
    right = outcome_here(example, museum.namespace(museum.Value))
    assert any(outcome != right for outcome in shown)
