"""Mistakes are named by what they are, in engines as people write them.

Each is a right one with one change; the museum's own engines are named in test_check.py.
"""

from functools import cache
from pathlib import Path
from textwrap import dedent, indent

import pytest

from microgrid.check import PROPERTIES, check
from microgrid.check.capabilities import OPERATIONS, Capabilities
from microgrid.check.example import DIGITS, Example, Failure, expected, outcome_here
from microgrid.check.museum import MUSEUM
from microgrid.check.naming import diagnose
from microgrid.check.searches import search

TEXTBOOK = Path(__file__).parent / "engines" / "textbook.py"
IN_PAIRS = TEXTBOOK.with_name("pairs.py")
FEW = (
    "contract",
    "one operation",
    "upstream",
    "reuse",
    "identity",
    "order",
    "passes",
    "accumulation",
)


def part(text, start, end):
    """What stands between two words, with the first of them."""
    return start + text.partition(start)[2].partition(end)[0]


RIGHT = TEXTBOOK.read_text()
BACKWARD = part(RIGHT, "    def backward", "    def __neg__")
INNER = "        for v in order:\n            v.grad = 0.0 if v.parents else v.grad\n"
TOPO = part(BACKWARD, "        order, seen", INNER[:20])
PASS = part(BACKWARD, "        for v in reversed", "never")


def walk(body):
    """backward as its body, which begins with a gradient of 1 and inner nodes at 0."""
    return [(BACKWARD, f"    def backward(self):\n{TOPO}{INNER}        self.grad += 1.0\n"
                       f"{indent(dedent(body).strip(), ' ' * 8)}\n\n")]  # fmt: skip


def order(body):
    """backward with an order of its own; `order` begins with the leaves."""
    return [(TOPO, f"{indent(dedent(body).strip(), ' ' * 8)}\n\n")]


SETS = [("self.parents = data, 0.0, parents", "self.parents = data, 0.0, set(parents)")]
BACK = [("self.parents = data, 0.0, parents", "self.parents = data, 0.0, parents[::-1]")]
STACK = """
    todo = [self]
    while todo:
        v = todo.pop()
        v.rule()
        todo += v.parents
"""
STACK_SEEN = """
    todo, seen = [self], set()
    while todo:
        v = todo.pop()
        if v not in seen:
            seen.add(v)
            v.rule()
            todo += v.parents
"""
STACK_PUSHED = """
    todo, seen = [self], {self}
    while todo:
        v = todo.pop()
        v.rule()
        for p in v.parents:
            if p not in seen:
                seen.add(p)
                todo.append(p)
"""
QUEUE = STACK.replace("pop()", "pop(0)")
QUEUE_SEEN = STACK_SEEN.replace("pop()", "pop(0)")
QUEUE_PUSHED = STACK_PUSHED.replace("pop()", "pop(0)")
LEVELS = """
    level = [self]
    while level:
        for v in level:
            v.rule()
        level = [p for v in level for p in v.parents]
"""
LEVEL_SETS = LEVELS.replace("[p for v in level for p in v.parents]",
                            "list({p: 0 for v in level for p in v.parents})")  # fmt: skip
RECURSION = """
    def visit(v):
        v.rule()
        for p in v.parents:
            visit(p)
    visit(self)
"""
RECURSION_SEEN = """
    seen = set()
    def visit(v):
        if v in seen:
            return
        seen.add(v)
        v.rule()
        for p in v.parents:
            visit(p)
    visit(self)
"""
NEVER_FILLED = """
    order, seen = [], set()
    def build(v):
        if v not in seen:
            for p in v.parents:
                build(p)
            order.append(v)
    build(self)
"""
OUTSIDE = """
    order, seen = [], set()
    def build(v):
        if v not in seen:
            seen.add(v)
            for p in v.parents:
                build(p)
        order.append(v)
    build(self)
"""
LOOP_OUTSIDE = OUTSIDE.replace("        for p in v.parents:\n                build(p)",
                               "    for p in v.parents:\n            build(p)")  # fmt: skip
TWICE = """
    order, seen, todo = [], set(), [self]
    while todo:
        v = todo[-1]
        seen.add(v)
        waiting = [p for p in v.parents if p not in seen]
        todo += waiting
        if not waiting:
            order.append(todo.pop())
"""
BEFORE = """
    order, seen = [], set()
    def build(v):
        if v not in seen:
            seen.add(v)
            order.append(v)
            for p in v.parents:
                build(p)
    build(self)
"""

FLAGS = """
    order, seen, todo = [], set(), [(self, False)]
    while todo:
        v, ready = todo.pop()
        if ready:
            order.append(v)
            continue
        seen.add(v)
        todo.append((v, True))
        todo += [(p, False) for p in v.parents if p not in seen]
"""
FLAGS_LATE = """
    order, seen, todo = [], set(), [(self, False)]
    while todo:
        v, ready = todo.pop()
        if ready:
            seen.add(v)
            order.append(v)
            continue
        todo.append((v, True))
        todo += [(p, False) for p in v.parents if p not in seen]
"""
KEPT = """
    def collect(self, order=[], seen=set()):
        if self not in seen:
            seen.add(self)
            for p in self.parents:
                p.collect(order, seen)
            order.append(self)
        return order

    def backward(self):
        self.grad = 1.0
        for v in reversed(self.collect()):
            v.rule()

"""
KEPT_SEEN = """
    def collect(self, seen=set()):
        order = []
        if self not in seen:
            seen.add(self)
            for p in self.parents:
                order += p.collect()
            order.append(self)
        return order

    def backward(self):
        self.grad = 1.0
        for v in reversed(self.collect()):
            v.rule()

"""
EQUAL = """    def __eq__(self, other):
        return Value(self.data == other.data)

    __hash__ = object.__hash__

    def lift"""

ENGINES = {
    # the walk
    "a stack": (walk(STACK), "recursion_for_sort"),
    "a stack, last parent first": (walk(STACK) + BACK, "recursion_for_sort"),
    "a stack, of sets": (walk(STACK) + SETS, "recursion_for_sort"),
    "a queue": (walk(QUEUE), "recursion_for_sort"),
    "a queue, of sets": (walk(QUEUE) + SETS, "recursion_for_sort"),
    "levels with duplicates": (walk(LEVELS), "recursion_for_sort"),
    "levels, of sets": (walk(LEVELS) + SETS, "recursion_for_sort"),
    "levels as sets": (walk(LEVEL_SETS), "level_by_level"),
    "levels as sets, of sets": (walk(LEVEL_SETS) + SETS, "level_by_level"),
    "recursion": (walk(RECURSION), "recursion_for_sort"),
    "recursion, last parent first": (walk(RECURSION) + BACK, "recursion_for_sort"),
    "recursion, of sets": (walk(RECURSION) + SETS, "recursion_for_sort"),
    "a stack with visited": (walk(STACK_SEEN), "pre_order"),
    "a stack with visited, first parent first": (walk(STACK_SEEN) + BACK, "pre_order"),
    "a stack with visited, of sets": (walk(STACK_SEEN) + SETS, "pre_order"),
    "a stack, visited when pushed": (walk(STACK_PUSHED), "pre_order"),
    "a stack, visited when pushed, of sets": (walk(STACK_PUSHED) + SETS, "pre_order"),
    "recursion with visited": (walk(RECURSION_SEEN), "pre_order"),
    "recursion with visited, of sets": (walk(RECURSION_SEEN) + SETS, "pre_order"),
    "a queue with visited": (walk(QUEUE_SEEN), "level_by_level"),
    "a queue with visited, of sets": (walk(QUEUE_SEEN) + SETS, "level_by_level"),
    "a queue, visited when pushed": (walk(QUEUE_PUSHED), "level_by_level"),
    "a queue, visited when pushed, of sets": (walk(QUEUE_PUSHED) + SETS, "level_by_level"),
    "visited never filled": (order(NEVER_FILLED), "recursion_for_sort"),
    "visited never filled, of sets": (order(NEVER_FILLED) + SETS, "recursion_for_sort"),
    "the loop outside the if": (order(LOOP_OUTSIDE), "recursion_for_sort"),
    "a stack that holds a node twice": (order(TWICE), "visited_again"),
    "a stack that holds a node twice, of sets": (order(TWICE) + SETS, "visited_again"),
    "a stack of nodes and flags that holds a node twice": (order(FLAGS), "visited_again"),
    "a stack of nodes and flags, marked late": (order(FLAGS_LATE), "visited_again"),
    "append outside the if": (order(OUTSIDE), "visited_again"),
    "append outside the if, of sets": (order(OUTSIDE) + SETS, "visited_again"),
    "append before the parents": (order(BEFORE), "not_reversed"),
    "append before the parents, of sets": (order(BEFORE) + SETS, "not_reversed"),
    "not reversed": ([("reversed(order)", "order")], "not_reversed"),
    "not reversed, of sets": ([("reversed(order)", "order"), *SETS], "not_reversed"),
    "the result's rule alone": ([(PASS, "        self.rule()\n\n")], "not_reversed"),
    "one parent only": (
        walk("v = self\nwhile v.parents:\n    v.rule()\n    v = v.parents[0]"), "one_parent_only"),
    "each node begins with 1": (
        [(BACKWARD, "    def backward(self):\n        self.grad = 1.0\n        self.rule()\n"
                    "        for p in self.parents:\n            p.backward()\n\n")],
        "seeds_every_node"),
    "no rule is called": ([(PASS, "\n")], "sends_nothing"),
    # the passes
    "backward does nothing": (
        [(BACKWARD, "    def backward(self):\n        pass\n\n")], "does_nothing"),
    "backward is one step": (
        [(BACKWARD, "    def backward(self):\n        self.rule()\n\n")], "one_step"),
    "no seed, recursion": (
        [(BACKWARD, "    def backward(self):\n        self.rule()\n"
                    "        for p in self.parents:\n            p.backward()\n\n")], "no_seed"),
    "recursion from the result": (
        [(BACKWARD, "    def backward(self, last=True):\n        if last:\n"
                    "            self.grad = 1.0\n        self.rule()\n"
                    "        for p in self.parents:\n            p.backward(False)\n\n")],
        "recursion_for_sort"),
    "visited is a default argument": (
        [("order, seen = [], set()\n\n        def build(v)", "order = []\n\n"
          "        def build(v, seen=kept)"), ("import math\n", "import math\n\nkept = set()\n")],
        "visited_kept"),
    "visited is a default argument of a method": ([(BACKWARD, KEPT_SEEN)], "visited_kept"),
    "order and visited are default arguments": ([(BACKWARD, KEPT)], "order_kept"),
    "order alone is a default argument": (
        [(BACKWARD, KEPT.replace("seen=set()", "seen=None").replace(
            "        if self not", "        seen = set() if seen is None else seen\n"
            "        if self not"))], "order_kept"),
    "any two are equal, in a list of visited nodes": (
        [("    def lift", EQUAL), ("order, seen = [], set()", "order, seen = [], []"),
         ("seen.add", "seen.append")], "every_node_equal"),
    "any two are equal, in the order": (
        [("    def lift", EQUAL), ("if v not in seen:\n                seen.add(v)",
                                  "if v not in order:")], "every_node_equal"),
    "equal numbers, in the order": (
        [("    def lift", EQUAL.replace("Value(self.data == other.data)",
                                        "self.data == self.lift(other).data")),
         ("if v not in seen:\n                seen.add(v)", "if v not in order:")],
        "equal_nodes_merged"),
    "a mark on the node": (
        [("if v not in seen:\n                seen.add(v)", "if not hasattr(v, 'seen'):\n"
          "                v.seen = True")], "visited_kept"),
    "equal, and no hash": (
        [("    def lift", "    def __eq__(self, other):\n"
                          "        return isinstance(other, Value) and self.data == other.data\n\n"
                          "    def lift")], "unhashable"),
    "inner nodes keep": ([(INNER, ""), ("self.grad += 1.0", "self.grad = 1.0")], "inner_keep"),
    "inner nodes and the result keep": ([(INNER, "")], "inner_keep"),
    "the seed is added": (
        [("0.0 if v.parents else", "0.0 if v.parents and v is not self else")], "seed_added"),
    "leaves forget": ([("0.0 if v.parents else v.grad", "0.0")], "leaves_forget"),
    "gradients start at 1": ([("= data, 0.0, parents", "= data, 1.0, parents")], "starts_at_one"),
    "no seed": ([("        self.grad += 1.0\n", "")], "no_seed"),
    "equal nodes": (
        [("    def lift", "    def __eq__(self, other):\n"
                          "        return isinstance(other, Value) and self.data == other.data\n\n"
                          "    def __hash__(self):\n        return hash(self.data)\n\n"
                          "    def lift")], "equal_nodes_merged"),
}  # fmt: skip
"""By what is written: the changes, and the name of the mistake."""


def changed(changes):
    """The text of an engine with these changes."""
    text = RIGHT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def asked(text):
    """What an engine of this text answers, in this process."""
    space = {}
    exec(compile(text, "<engine>", "exec"), space)
    names = {"Value": space["Value"]}
    return cache(lambda example: outcome_here(example, names))


def first_failure(ask):
    """The first property that an engine breaks, and the smallest program of a few."""
    can = Capabilities(offered={name: OPERATIONS[name] for name in ("add", "mul", "sub")})
    for prop in map(PROPERTIES.get, FEW):
        for case in prop.cases(can):
            if case.subject not in ("", "add", "mul"):
                continue
            found = []

            def fails(example, found=found, judge=prop.judge):
                failure = judge(example, ask(example), expected(example), DIGITS)
                smaller = not found or len(example.text) <= len(found[0].example.text)
                found[:] = [failure] if failure and smaller else found
                return failure is not None

            given = case.examples if isinstance(case.examples, list) else case.first
            some = [fails(example) for example in given]
            if not any(some) and given is not case.examples:
                search(case.examples, fails, 12, f"{prop.name} {case.subject}")
            if found and not (case.one_will_do and not all(some)):
                return prop, case.subject, found[0]
    raise AssertionError("nothing is wrong")


def name_of(text):
    ask = asked(text)
    prop, subject, failure = first_failure(ask)
    diagnosis = diagnose(failure, subject, prop, ask)
    return diagnosis and diagnosis.mistake.name


@pytest.mark.parametrize("what", ENGINES)
def test_a_mistake_is_named_as_people_write_it(what):
    changes, name = ENGINES[what]
    assert name_of(changed(changes)) == name


VALUES_ONLY = [
    ("return other if isinstance(other, Value) else Value(other)", "return other"),
    ("self * -1", "self * Value(-1.0)"),
]


def test_an_engine_without_plain_numbers_gets_the_same_names(tmp_path):
    path = tmp_path / "engine.py"
    for what in ("a stack, of sets", "inner nodes keep"):
        changes, name = ENGINES[what]
        path.write_text(changed(changes + VALUES_ONLY))
        report = check(str(path), only=[MUSEUM[name].caught], draws=5)
        names = [f.diagnosis.mistake.name for f in report.findings if f.diagnosis]
        assert names == [name], str(report)


# What no name fits gets none.

UNNAMED = {
    "a share in seven": [("self.grad += other.data * out.grad",
                          "self.grad += other.data * out.grad * (1 if other.data < 3 else 7)")],
    "half of the second share": [("other.grad += out.grad", "other.grad += 0.5 * out.grad")],
    "every third node is left out": [("v.rule()", "v.rule() if len(order) < 7 else None")],
    "the seed is 2": [("self.grad += 1.0", "self.grad += 2.0")],
}  # fmt: skip


@pytest.mark.parametrize("what", UNNAMED)
def test_a_mistake_that_nobody_makes_has_no_name(what):
    assert name_of(changed(UNNAMED[what])) is None


def test_one_mistake_may_hide_another_and_both_keep_their_names(tmp_path):
    path = tmp_path / "engine.py"
    overwrites = [("self.grad += out.data * out.grad", "self.grad = out.data * out.grad")]
    path.write_text(changed(overwrites + ENGINES["inner nodes and the result keep"][0]))
    report = check(str(path), only=["reuse", "accumulation"], draws=5)
    names = {f.diagnosis.mistake.name for f in report.findings if f.diagnosis}
    assert names == {"overwrites", "inner_keep"}, str(report)


# Whether it is the pass forward or backward that takes so long.

SLOW = {
    "each_path_again": (
        "each share on its own path",
        [(BACKWARD, "    def backward(self, share=1.0):\n        self.grad += share\n"
                    "        for p, local in self.shares():\n"
                    "            p.backward(local * share)\n\n"
                    "    def shares(self):\n"
                    "        return [(p, 1.0) for p in self.parents]\n\n")]),
    "forward_again": (
        "labels of labels",
        [("        self.rule = lambda: None\n",
          "        self.rule = lambda: None\n        self.size = self.count()\n\n"
          "    def count(self):\n        return sum(p.count() for p in self.parents) or 1\n")]),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_time_tells_which_pass_walks_each_path_again(name, tmp_path):
    path = tmp_path / "engine.py"
    path.write_text(changed(SLOW[name][1]))
    report = check(str(path), only=["diamonds"], timeout=6)
    [finding] = [f for f in report.findings if f.prop.name == "diamonds"]
    assert finding.kind == "fragile"
    assert finding.diagnosis.mistake.name == name


# One loop sends the shares of all operations.

IN_ONE_LOOP = {
    "overwrites": ("p.grad += local * v.grad", "p.grad = local * v.grad"),
    "forgets_upstream": ("p.grad += local * v.grad", "p.grad += local"),
    "result_for_upstream": ("p.grad += local * v.grad", "p.grad += local * v.data"),
    "plus_for_times": ("p.grad += local * v.grad", "p.grad += local + v.grad"),
    "parents_in_a_set": ("in v.parents", "in dict(v.parents).items()"),
}


@pytest.mark.parametrize("name", IN_ONE_LOOP)
def test_a_mistake_in_the_loop_for_all_operations_is_one_finding(name, tmp_path):
    old, new = IN_ONE_LOOP[name]
    text = IN_PAIRS.read_text()
    assert old in text
    path = tmp_path / "engine.py"
    path.write_text(text.replace(old, new))
    only = ["values", "one operation", "upstream", "reuse"]
    report = check(str(path), only=only, draws=5)
    assert [f.diagnosis and f.diagnosis.mistake.name for f in report.findings] == [name], report
    if name == "overwrites":
        assert report.findings[0].operations == "`+`, `-`, `*`"


# What is made of others is not blamed for them.

OF_PARTS = {
    "×, seen in −": ("self.grad += other.data * out.grad", "self.grad += other.data * other.grad",
                     "sub", ("mul", "upstream_of_operand")),
    "+, seen in −": ("other.grad += out.grad\n\n        out.rule",
                     "other.grad += out.grad\n\n        other.rule",
                     "sub", ("add", "rule_on_operand")),
    "**, seen in /": ("slope = n * self.data ** (n - 1)", "slope = self.data ** (n - 1)",
                      "div", ("power", "power_without_factor")),
}  # fmt: skip
PARTS = {"sub": ["add", "neg", "mul"], "div": ["mul", "power"]}


@pytest.mark.parametrize("what", OF_PARTS)
def test_a_mistake_of_a_part_is_named_as_one_of_the_part(what):
    right, wrong, subject, named = OF_PARTS[what]
    ask = asked(changed([(right, wrong)]))
    line = f"a = Value(2); b = Value(3); f = {OPERATIONS[subject].write('a', 'b')}; f.backward()"
    example = Example((line,), ("a.grad", "b.grad"))
    failure = Failure(example, ask(example), expected(example))
    parts = PARTS[subject]
    diagnosis = diagnose(failure, subject, PROPERTIES["one operation"], ask, parts)
    assert (diagnosis.op, diagnosis.mistake.name) == named
    assert diagnosis._part(parts) == named[0]
