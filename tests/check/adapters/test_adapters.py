"""The adapters of JavaScript and C: they speak the protocol, and find what people call things."""

import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest

from microgrid.check import PROPERTIES, EngineError, capabilities, check
from microgrid.check.capabilities import OPERATIONS

HERE = Path(__file__).parent
ADAPTERS = Path(capabilities.__file__).parent / "adapters"
JAVASCRIPT, C = HERE / "right.mjs", HERE / "right.c"


def program_of(*names):
    """The first of these programs; where there is none, a warning that cannot be overlooked."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        loud = f"NOT TESTED: apt-get install {names[0]}"
        warnings.warn(loud, stacklevel=1)
        pytest.skip(loud)
    return path


@pytest.fixture(scope="module")
def node():
    return program_of("nodejs", "node")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compiles the adapter with an engine in C, given as text."""
    compiler = program_of("gcc", "cc", "clang")

    def command(engine: str):
        folder = tmp_path_factory.mktemp("c")
        (folder / "engine.c").write_text(engine, encoding="utf-8")
        options = ["-O1", "-Wall", "-Wextra", "-Werror", f'-DENGINE="{folder / "engine.c"}"']
        source, adapter = ADAPTERS / "c_adapter.c", folder / "adapter"
        subprocess.run([compiler, *options, source, "-o", adapter, "-lm"], check=True)
        return [str(adapter)]

    return command


def talk(command, *programs):
    """The greeting, and the answers to these programs: (steps, look)."""
    requests = [{"id": n, "program": p, "look": look} for n, (p, look) in enumerate(programs)]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        command, input=lines, capture_output=True, text=True, timeout=60, check=True
    )
    greeting, *answers = map(json.loads, done.stdout.splitlines())
    assert [answer.pop("id") for answer in answers] == [*range(len(programs))]
    return greeting, answers


def apply(name, *operands):
    return {"apply": name, "of": [*operands]}


def let(name, to):
    return {"set": name, "to": to}


X, F = let("x", {"leaf": 3}), {"backward": "f"}
PLUS_1 = let("f", apply("add", "f", {"leaf": 1}))
PROGRAMS = {  # steps, what to look at, the answer
    "a product": ([X, let("f", apply("mul", "x", "x")), F], ["f.data", "x.grad"], [9, 6]),
    "an inner node": (
        [X, let("h", apply("add", "x", {"leaf": -1})), let("f", apply("mul", "h", "x")), F],
        ["f.data", "x.grad", "h.grad"], [6, 5, 3],
    ),
    "nested": ([X, let("f", apply("sub", apply("neg", "x"), apply("power", "x", 2))), F],
               ["f.data", "x.grad"], [-12, -7]),
    "no name": ([X, {"backward": apply("mul", "x", {"leaf": 0.5})}], ["x.grad"], [0.5]),
    "a loop": (
        [X, let("f", "x"), {"repeat": 40, "program": [let("f", apply("add", "f", "f"))]}, F],
        ["x.grad"], [2**40],
    ),
    "loops in a loop": (
        [X, let("f", "x"), {"repeat": 3, "program": [
            {"repeat": 2, "program": [let("f", apply("add", "f", "x"))]}]}, F],
        ["f.data", "x.grad"], [21, 7],
    ),
    "no steps in a loop": ([X, {"repeat": 2, "program": []}], ["x.data"], [3]),
    "data that is set": (
        [X, let("f", apply("mul", "x", "x")), F, {"set data": "x", "to": -2.5},
         {"set grad": "x", "to": 0}, let("f", apply("mul", "x", "x")), F],
        ["x.data", "f.data", "x.grad"], [-2.5, 6.25, -5],
    ),
    "forgotten": ([X, let("y", "x"), {"forget": ["x"]}, let("x", {"leaf": 7})],
                  ["x.data", "y.data"], [7, 3]),
    "infinite": ([X, let("f", apply("div", "x", {"leaf": 0}))], ["f.data"], ["inf"]),
    "minus infinite": ([let("f", apply("div", {"leaf": -3}, {"leaf": 0}))], ["f.data"], ["-inf"]),
    "no number": ([let("f", apply("div", {"leaf": 0}, {"leaf": 0}))], ["f.data"], ["nan"]),
    "a long chain": (
        [X, let("f", "x"), {"repeat": 100_000, "program": [PLUS_1]}, F],
        ["f.data", "x.grad"], [100_003, 1],
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=["javascript", "c"])
def right(request):
    """The command of a right engine."""
    if request.param == "c":
        return request.getfixturevalue("compiled")(C.read_text(encoding="utf-8"))
    return [request.getfixturevalue("node"), ADAPTERS / "javascript.mjs", JAVASCRIPT]


def test_an_adapter_answers_with_the_right_numbers(right):
    _, answers = talk(right, *((steps, look) for steps, look, _ in PROGRAMS.values()))
    for (name, (*_, numbers)), answer in zip(PROGRAMS.items(), answers, strict=True):
        assert answer == {"numbers": numbers}, name


def test_a_greeting_says_what_the_engine_can_do(right):
    greeting, _ = talk(right)
    assert greeting["protocol"] == 1
    assert {"add", "sub", "mul", "div", "power", "neg", "exp", "tanh", "relu"} <= {
        *greeting["operations"]
    }
    assert greeting["operations"]["power"] == {"arity": 2, "numbers": "right"}
    for name, about in greeting["operations"].items():
        assert about["arity"] == (OPERATIONS[name].arity or "list")


def test_what_the_engine_cannot_do_is_absent_and_the_next_program_runs(right):
    power = ([X, let("f", apply("power", "x", "x"))], ["f.data"])
    _, answers = talk(right, power, PROGRAMS["a product"][:2])
    assert "absent" in answers[0]
    assert answers[1] == {"numbers": [9, 6]}


# JavaScript: what people call things.

ENGINE = JAVASCRIPT.read_text(encoding="utf-8")
FUNCTIONS = """
const value = (data, back = () => {}, parents = []) => ({ data, grad: 0, back, parents });
const add = (a, b) => {
  const out = value(a.data + b.data, () => { a.grad += out.grad; b.grad += out.grad; }, [a, b]);
  return out;
};
const mul = (a, b) => {
  const back = () => { a.grad += b.data * out.grad; b.grad += a.data * out.grad; };
  const out = value(a.data * b.data, back, [a, b]);
  return out;
};
function backward(root) {
  const order = [], visit = (v) => {
    if (order.includes(v)) return;
    v.parents.forEach(visit);
    order.push(v);
  };
  visit(root);
  root.grad = 1;
  order.reverse().forEach((v) => v.back());
}
"""


def changed(text, *changes, end=""):
    """The text with replacements, each of something that is there; words of letters as words."""
    for old, new in changes:
        pattern = rf"\b{old}\b" if old.isidentifier() else re.escape(old)
        text, count = re.subn(pattern, lambda _, new=new: new, text)
        assert count, old
    return text + end


NOT_EXPORTED = ("export ", "")
STATIC = """static plus(a, b) {
    return a.sum_(b);
  }

  sum_(other) {"""
NEEDS = (  # a leaf has a gradient if it asks for one
    ("constructor(data, parents = [],", "constructor(data, label, needs, parents = [],"),
    ("this.data = data;", "this.data = data; this.needs = needs;"),
    ("new Value(data, parents)", "new Value(data, '', true, parents)"),
    ("p.grad += locals[i]", "if (p.needs) p.grad += locals[i]"),
)
FORMS = {  # the file's suffix, and what differs from the right engine
    "as it is": (".mjs", ENGINE),
    "other names": (".mjs", changed(ENGINE, ("data", "value"), ("grad", "gradient"),
                                    ("backward", "backprop"), ("add", "plus"), ("mul", "times"),
                                    ("Value", "Scalar"))),
    "any attribute": (".mjs", changed(ENGINE, ("data", "amount"), ("add", "Add"))),
    "private ones": (".mjs", changed(ENGINE, ("data", "_value"), ("grad", "_grad"))),
    "CommonJS": (".cjs", changed(ENGINE, NOT_EXPORTED, end="module.exports = { Value, add };")),
    "the class alone": (".cjs", changed(ENGINE, NOT_EXPORTED, end="module.exports = Value;")),
    "a default export": (".mjs", changed(ENGINE, NOT_EXPORTED, end="export default Value;")),
    "no name": (".mjs", changed(ENGINE, ("export class Value", "const Value = class"), NOT_EXPORTED,
                                end="export default Value;")),
    "a script": (".js", changed(ENGINE, NOT_EXPORTED)),
    "a seed": (".mjs", changed(ENGINE, ("backward() {", "backward(seed) {"),
                               ("this.grad += 1;", "this.grad += seed;"))),
    "rules called backward": (".mjs", changed(ENGINE, ("backward", "backprop"),
                                              ("rule", "backward"))),
    "static methods": (".mjs", changed(ENGINE, ("  add(other) {", f"  {STATIC}"),
                                       ("export function add", "function no"))),
    "made by a static method": (".mjs", changed(ENGINE, ("parents = [], rule", "parents, rule"),
                                                ("new Value(x)", "new Value(x, [])"))),
    "a leaf that needs a gradient": (".mjs", changed(ENGINE, *NEEDS)),
    "prints": (".mjs", changed(ENGINE, ("  add(other) {", "  add(other) {\n    console.log('+');"),
                               end="console.log('loaded'); process.stdout.write('{}');")),
    "functions": (".mjs", FUNCTIONS + "export { value, add, mul, backward };"),
    "functions of a script": (".js", FUNCTIONS),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_the_engine_of_a_javascript_file_is_found_whatever_its_names(form, node, tmp_path):
    suffix, text = FORMS[form]
    file = tmp_path / f"engine{suffix}"
    file.write_text(text, encoding="utf-8")
    names = ("a product", "an inner node")
    programs = [PROGRAMS[name][:2] for name in names]
    greeting, answers = talk([node, ADAPTERS / "javascript.mjs", file], *programs)
    assert answers == [{"numbers": PROGRAMS[name][2]} for name in names], greeting
    assert greeting["class"] in ("Value", "Scalar", "value")


def test_names_that_only_the_user_knows_can_be_told(node, tmp_path):
    file = tmp_path / "engine.mjs"
    names = {"data": "number", "grad": "slope", "backward": "walk"}
    file.write_text(changed(ENGINE, *names.items(), ("neg", "opposite")), encoding="utf-8")
    with pytest.raises(EngineError, match="no class with add or mul and backward"):
        check(str(file))
    report = check(str(file), only=["reuse"], **names | {"backward": "walk()"})
    assert report.ok
    assert "opposite" in report.unknown


SIDES = [  # what is replaced in the right engine, and on which side a plain number may stand
    ("", "", {"add": "either", "sub": "right", "power": "right", "exp": "none"}),
    ("other = Value.of(other);", "", {"add": "left", "sub": "none"}),
    ("this.data ** n", "this.data ** Value.of(n).data", {"power": "right"}),
]


@pytest.mark.parametrize(("old", "new", "sides"), SIDES)
def test_where_a_plain_number_may_stand_is_found_by_trying(old, new, sides, node, tmp_path):
    file = tmp_path / "engine.mjs"
    file.write_text(changed(ENGINE, (old, new)) if old else ENGINE, encoding="utf-8")
    operations = talk([node, ADAPTERS / "javascript.mjs", file])[0]["operations"]
    assert {name: operations[name]["numbers"] for name in sides} == sides


LISTS = {  # a static method beside the class's own, and how it is greeted
    "total(xs) { return xs.reduce(add); }": {"total": "list"},
    "sum(...xs) { return xs.reduce(add); }": {"total": "list"},
    "max(a, b) { return a.data > b.data ? a : b; }": {"maximum": 2},
    "max(xs) { return xs.reduce((a, b) => (a.data > b.data ? a : b)); }": {"maximum": "list"},
    "max(a, b) { return Math.max(a, b); }": {},
    "sum(a) { return a; }": {},
    "log(x) { console.log(x); }": {"log": 1},
}


@pytest.mark.parametrize("text", LISTS)
def test_a_function_of_several_is_offered_only_if_it_gives_the_right_value(text, node, tmp_path):
    file = tmp_path / "engine.mjs"
    own = changed(ENGINE, ("  static of(x) {", f"  static {text}\n\n  static of(x) {{"))
    file.write_text(own, encoding="utf-8")
    greeting, _ = talk([node, ADAPTERS / "javascript.mjs", file])
    more = {name: about["arity"] for name, about in greeting["operations"].items()}
    kinds = ("total", "maximum", "log")
    assert {name: more[name] for name in kinds if name in more} == {"log": 1} | LISTS[text]


def test_an_import_without_a_suffix_is_found_as_a_bundler_does(node, tmp_path):
    (tmp_path / "value.js").write_text(ENGINE, encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.js").write_text('export * from "../value";', encoding="utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    file = tmp_path / "engine.js"
    file.write_text('export { Value, add } from "./folder";', encoding="utf-8")
    steps, look, numbers = PROGRAMS["a product"]
    _, answers = talk([node, ADAPTERS / "javascript.mjs", file], (steps, look))
    assert answers == [{"numbers": numbers}]
    file.write_text('export { Value } from "./nowhere";', encoding="utf-8")
    assert "nowhere" in talk([node, ADAPTERS / "javascript.mjs", file])[0]["error"]


def test_a_greeting_in_javascript_lists_what_is_not_checked(node):
    greeting, _ = talk([node, ADAPTERS / "javascript.mjs", JAVASCRIPT])
    assert {"order", "softmax"} == {*greeting["not checked"]}
    assert greeting["offers"] == ["set data", "set grad", "zero"]


RECURSION = "visit = (v) => { v.parents.forEach(visit); }; visit(this); const order = this.order();"
ERRORS = [  # what is replaced, the program's last operation, and the answer
    ("const order = this.order();", f"const {RECURSION}", "a long chain",
     {"error": "RangeError: Maximum call stack size exceeded", "kind": "depth", "refused": False}),
    ("return Value.node(-this.data", "Value.node(-this.data", "nested",
     {"error": "TypeError: neg returned undefined", "kind": "other", "refused": False}),
    ("  neg() {", "  neg() {\n    throw new Error('not yet');", "nested",
     {"error": "Error: not yet", "kind": "other", "refused": True}),
    ("  div(other) {", "  div(other) {\n    if (!other.data) throw new Error('division by zero');",
     "infinite", {"error": "Error: division by zero", "kind": "domain", "refused": True}),
    ("  neg() {", "  neg() {\n    undeclared += 1;", "nested",
     {"error": "ReferenceError: undeclared is not defined", "kind": "other", "refused": False}),
    ("p.grad += locals[i] * out.grad", "p.grad = Value.of(locals[i] * out.grad)", "a product",
     {"error": "TypeError: x.grad is a Value, not a number", "kind": "other", "refused": False}),
    ("this.grad += 1;", "this.grad = null;", "a product", {"numbers": [9, 0]}),
]  # fmt: skip


WHERE = {new: new.splitlines()[-1].strip() for _, new, *_ in ERRORS if "throw" in new}


@pytest.mark.parametrize(("old", "new", "program", "answer"), ERRORS)
def test_an_error_is_told_with_its_kind(old, new, program, answer, node, tmp_path):
    file = tmp_path / "engine.mjs"
    file.write_text(changed(ENGINE, (old, new)), encoding="utf-8")
    _, answers = talk([node, ADAPTERS / "javascript.mjs", file], PROGRAMS[program][:2])
    where = answers[0].pop("where", "")
    assert answers == [answer]
    assert where.endswith(WHERE.get(new, ""))


NOT_LOADED = {  # the text of a file, and what the greeting says
    "export const x = 1;": "no class with add or mul and backward was found; the file has x",
    "export class Value {": "SyntaxError",
    "throw new Error('no data set');": "no data set",
    "import './missing.mjs';": "missing.mjs",
}


@pytest.mark.parametrize("text", NOT_LOADED)
def test_a_file_without_an_engine_is_refused_in_the_greeting(text, node, tmp_path):
    file = tmp_path / "engine.mjs"
    file.write_text(text, encoding="utf-8")
    greeting, _ = talk([node, ADAPTERS / "javascript.mjs", file])
    assert NOT_LOADED[text] in greeting["error"]


# The page, and what is shipped.


def test_the_page_lists_every_operation_with_its_arity():
    page = (ADAPTERS / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (2|1|`\"list\"`.*?) \| (`\w+`.*) \|$", page, re.MULTILINE))
    listed = {
        name: {"1": 1, "2": 2}.get(arity, 0)
        for arity, names in rows.items()
        for name in re.findall(r"\w+", names)
    }
    assert listed == {name: operation.arity for name, operation in OPERATIONS.items()}


def test_each_adapter_is_short_enough_to_copy():
    for file in ADAPTERS.iterdir():
        lines = file.read_text(encoding="utf-8").splitlines()
        assert file.suffix == ".md" or (len(lines) < 120 and max(map(len, lines)) <= 100), file


# Engines of both languages under the checker.

MUL = "return Value.node(this.data * other.data, [this, other], [other.data, this.data]);"
SUB = "return Value.node(this.data - other.data, [this, other], [1, -1]);"
TANH = "return Value.node(y, [this], [1 - y * y]);"
WALK = "for (const v of order.reverse()) v.rule();"
IN_JAVASCRIPT = {  # what is written in the place of what; where it is found, and its name
    "overwrites": (MUL, """const out = new Value(this.data * other.data, [this, other]);
    out.rule = () => { this.grad = other.data * out.grad; other.grad = this.data * out.grad; };
    return out;""", "reuse", "mul", "overwrites"),
    "a wrong walk": (WALK, """const stack = [this];
    while (stack.length > 0) {
      const v = stack.pop();
      v.rule();
      stack.push(...v.parents);
    }""", "order", "", "recursion_for_sort"),
    "a quotient": (MUL, """const y = this.data * other.data;
    return Value.node(y, [this, other], [y / this.data, y / other.data]);""",
                   "one operation", "mul", "product_over_operand"),
    "b - a": (SUB, "return Value.node(other.data - this.data, [this, other], [1, 1]);",
              "values", "sub", "operands_swapped"),
    "too early": (TANH, """const out = Value.node(y, [this], [1 - y * y]);
    out.rule();
    out.rule = () => {};
    return out;""", "one operation", "tanh", "cuts_the_graph"),
}  # fmt: skip
SHARE = "p->grad += v->slopes[i] * v->grad;"
IN_C = {
    "overwrites": (SHARE, SHARE.replace("+=", "="), "reuse", "add", "overwrites"),
    "both +1": ("a, 1, b, -1", "a, 1, b, 1", "one operation", "sub", "right_sign"),
}


def is_found(target, prop, subject, mistake, kind="wrong"):
    """Whether the checker finds this and nothing before it."""
    report = check(target, only=[prop], timeout=120)
    first = report.findings[0]
    assert (first.prop.name, first.subjects[0]) == (prop, subject), str(report)
    assert first.kind == kind
    assert (first.diagnosis.mistake.name if first.diagnosis else None) == mistake, str(report)


@pytest.mark.parametrize("name", IN_JAVASCRIPT)
def test_a_broken_engine_in_javascript_is_found_and_named(name, node, tmp_path):
    old, new, *found = IN_JAVASCRIPT[name]
    file = tmp_path / "engine.mjs"
    file.write_text(changed(ENGINE, (old, new)), encoding="utf-8")
    is_found(str(file), *found)


@pytest.mark.parametrize("name", IN_C)
def test_a_broken_engine_in_c_is_found_and_named(name, compiled):
    old, new, *found = IN_C[name]
    is_found(compiled(changed(C.read_text(encoding="utf-8"), (old, new))), *found)


def test_recursion_is_named_where_the_stack_holds_more_than_that_of_python(node, tmp_path):
    file = tmp_path / "engine.mjs"
    old, new, *_ = ERRORS[0]
    file.write_text(changed(ENGINE, (old, new)), encoding="utf-8")
    is_found(str(file), "great depth", "", "recursive_sort", kind="fragile")


def test_a_right_engine_passes_in_any_language(right):
    report = check(right, only=[*PROPERTIES.keys() - {"great depth"}], draws=2, timeout=240)
    assert not report.findings, str(report)
    held = {result.prop.name for result in report.results if result.held}
    assert not held & {"leak", "in place", "comparisons"}
    assert {"order", "affine layer", "training step"} <= held
