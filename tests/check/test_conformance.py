"""The cases as data: anyone can read them, and every right engine passes them."""

import functools
import json
import math
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import jsonschema
import pytest

import microgrid as mg
from microgrid import cli
from microgrid.check import PROPERTIES, conformance, museum
from microgrid.check.capabilities import OPERATIONS
from microgrid.engine.functions import FUNCTIONS

SCHEMA = Path(conformance.__file__).with_name("cases.schema.json")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The text of the file that the command writes, and what it says."""
    path = tmp_path_factory.mktemp("export") / "cases.json"
    with redirect_stderr(StringIO()) as said:
        assert cli.main(["check", "--export", str(path)]) == 0
    return path.read_text(encoding="utf-8"), said.getvalue()


@pytest.fixture(scope="module")
def suite(exported):
    return json.loads(exported[0], parse_constant=pytest.fail)


# A reader as somebody else would write it, from the page of the schema alone.


class Reader:
    """Runs a program: `leaf` makes a node, `apply` calls an operation by its name."""

    def __init__(self, leaf, apply, backward):
        self.leaf, self.apply, self.backward = leaf, apply, backward

    def run(self, program, names):
        for step in program:
            match step:
                case {"set": name, "to": e}:
                    names[name] = self.value(e, names)
                case {"backward": e}:
                    self.backward(self.value(e, names))
                case {"set data": name, "to": x}:
                    self.set(names[name], "data", x)
                case {"set grad": name, "to": x}:
                    self.set(names[name], "grad", x)
                case {"zero": name}:
                    self.set(names[name], "grad", 0.0)
                case {"repeat": count, "program": steps}:
                    for _ in range(count):
                        self.run(steps, names)
                case {"forget": gone}:
                    for name in gone:
                        del names[name]
        return names

    def set(self, node, what, x):
        setattr(node, what, x)

    def value(self, e, names):
        match e:
            case str():
                return names[e]
            case {"leaf": x}:
                return self.leaf(x)
            case {"compare": sign, "of": [a, b]}:
                a, b = self.value(a, names), self.value(b, names)
                signs = {"Lt": "__lt__", "Gt": "__gt__", "LtE": "__le__", "GtE": "__ge__"}
                return float(getattr(a, signs[sign])(b))
            case {"apply": name, "of": operands}:
                return self.apply(name, [self.value(x, names) for x in operands])
        return e

    def numbers(self, case):
        names = self.run(case["program"], {})
        found = []
        for look in case["look"]:
            name, _, attribute = look.partition(".")
            x = getattr(names[name], attribute) if attribute else names[name]
            found.append(0.0 if x is None else float(x))
        return found


def failures(suite, reader, offered):
    """The cases that an engine fails, of those whose operations it offers."""
    failed = []
    for case in suite["cases"]:
        if not set(case["operations"]) <= offered:
            continue
        try:
            actual = reader.numbers(case)
        except Exception as error:
            if "optional" not in case:
                failed.append((case["name"], case["lines"], repr(error)))
            continue
        right = list(map(float, case["expected"]))
        tolerance = suite["tolerance"] * case["scale"]
        close = all(
            a == b or abs(a - b) <= tolerance or (math.isnan(a) and math.isnan(b))
            for a, b in zip(actual, right, strict=True)
        )
        if "accepts" in case and not close:
            low, high = case["accepts"]["between"]
            close = all(low <= a <= high for a in actual)
            close = close and (len(actual) == 1 or sum(actual) == 1)
        if not close:
            failed.append((case["name"], case["lines"], actual, right))
    return failed


def on_values(cls, functions):
    """A reader for an engine in Python that has operators, and functions by these names."""

    def apply(name, operands):
        operation = OPERATIONS[name]
        if operation.method:
            return eval(operation.write(*"xy"[: operation.arity]), dict(zip("xy", operands)))
        return functions[operation.function](*([operands] if operation.arity == 0 else operands))

    return Reader(cls, apply, lambda v: v.backward())


def on_torch():
    import torch

    names = {"power": "pow", "total": "sum", "log_sigmoid": "logsigmoid", "normal_cdf": "ndtr"}

    def tensor(x):
        return x if isinstance(x, torch.Tensor) else torch.tensor(float(x), dtype=torch.float64)

    def find(name):
        name = names.get(name, name)
        for place in (torch, torch.special, torch.nn.functional):
            if hasattr(place, name):
                return getattr(place, name)
        return None

    def apply(name, operands):
        xs = [tensor(x) for x in operands]
        if name in ("add", "sub", "mul", "div", "power"):
            return eval(OPERATIONS[name].write("a", "b"), dict(zip("ab", xs)))
        if OPERATIONS[name].arity:
            return find(name)(*xs)
        if name in ("total", "mean"):  # those of torch.stack give all leaves one tensor as gradient
            return functools.reduce(torch.add, xs) / (len(xs) if name == "mean" else 1)
        stacked = torch.stack(xs)
        if name in ("maximum", "minimum"):
            return getattr(torch, "a" + name[:3])(stacked)  # amax and amin share ties
        return find(name)(stacked, 0)

    class OnTorch(Reader):
        def set(self, node, what, x):
            if what == "data":
                node.data = tensor(x)
            else:
                node.grad = None if x == 0 else tensor(x)

    reader = OnTorch(
        lambda x: tensor(x).requires_grad_(), apply, lambda v: v.backward(retain_graph=True)
    )
    return reader, {name for name in OPERATIONS if name in ("power", "neg") or find(name)}


def test_the_file_is_what_its_schema_says(suite):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(suite, schema)
    names = [case["name"] for case in suite["cases"]]
    assert len(names) == len(set(names)) > 300


def test_every_operation_and_property_that_numbers_show_is_there(suite):
    assert {name for case in suite["cases"] for name in case["operations"]} == {*OPERATIONS}
    left_out = {"changed data", "leak", "great depth", "diamonds", "functions", "domain"}
    left_out |= {"plain numbers"}  # "constants" has these
    assert {case["property"] for case in suite["cases"]} >= {*PROPERTIES} - left_out
    smallest = [case for case in suite["cases"] if case["name"] == "reuse: add 1"]
    assert smallest[0]["lines"] == ["a = Value(2)", "f = a + a; f.backward()"]


def test_the_same_seed_gives_the_same_cases_and_another_one_others(suite):
    only = ["exponents", "order"]
    again = conformance.cases(only=only)["cases"]
    assert again == [case for case in suite["cases"] if case["property"] in only]
    assert conformance.cases(1, only=only)["cases"] != again


def test_our_own_engine_passes_all_of_them(suite):
    assert failures(suite, on_values(mg.Value, FUNCTIONS), {*OPERATIONS}) == []


@pytest.mark.skipif(not find_spec("torch"), reason="torch is not installed")
def test_pytorch_passes_all_of_them(suite):
    reader, offered = on_torch()
    assert len(offered) > 40
    assert failures(suite, reader, offered) == []


@pytest.mark.parametrize(
    ("name", "op"),
    [("overwrites", "add"), ("swapped", "mul"), ("level_by_level", ""), ("inner_keep", ""),
     ("tie_counted_twice", "maximum"), ("wrong_sign", "cos"), ("leaves_forget", "")],
)  # fmt: skip
def test_a_broken_engine_fails_some(name, op, suite):
    broken = museum.broken(name, op)
    reader = on_values(broken, museum.namespace(broken))
    assert failures(suite, reader, {*OPERATIONS})


def test_the_command_says_how_many_there_are(exported, suite):
    assert f"{len(suite['cases'])} cases" in exported[1]
