"""Which operations an engine offers, and how: found by their names, and by trying them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from microgrid.check.capabilities import (
    ALIASES,
    OFFERS,
    OPERATIONS,
    Capabilities,
    Operation,
    Spelling,
)
from microgrid.check.engine import Engine
from microgrid.check.example import Example, Outcome, equal, expected, sensible

SIDES = {"none": (), "left": ("left",), "right": ("right",), "either": ("left", "right")}


def run(engine: Engine, can: Capabilities, example: Example, limit: float | None = None) -> Outcome:
    """The outcome of an example on an engine, in the engine's own spelling."""
    program, look = can.request(example)
    return engine.run(program, look, limit)


def learn(engine: Engine) -> Capabilities:
    """What this engine offers, and how its users write it."""
    about = engine.about
    can = Capabilities(
        engine.cls, methods=set(about["methods"]), names=about["names"], left=set(), right=set()
    )
    if about["operations"]:
        return told(engine, can)
    can.offers = {x for x in OFFERS if x != "zero" or "zero_grad" in can.methods}
    methods = named(engine, "methods")
    for name, operation in OPERATIONS.items():
        if operation.method in methods:
            can.offered[name] = operation
            if operation.reflected:
                learn_sides(engine, can, operation)
        elif not operation.reflected and (call := usable(list(spellings(engine, operation)))):
            can.spelling[operation.function] = call.spelling
            can.used.add(call.method)
            two = replace(operation, counts=(2, 2))
            can.offered[name] = two if call.takes_two() else operation
    for name in can.offered:
        can.made_of[name] = made_of(engine, can, OPERATIONS[name])
    learn_others(engine, can)
    return can


# What has no single right value is checked against the differences of its own values.
OTHERS = """mse mseloss meansquarederror meansquaredloss squarederror bce bceloss
binarycrossentropy binarycrossentropyloss crossentropy crossentropyloss categoricalcrossentropy
celoss nll nllloss negativeloglikelihood hinge hingeloss mae maeloss l1loss huber huberloss softmax
logsoftmax dot"""
ACTIVATIONS = "elu gelu selu celu mish leakyrelu relu6 hardtanh hardsigmoid hardswish quickgelu"
CALLS = (  # the first that gives a number is checked; "[0]" of a list of results
    "{}([a, b], [c, d])", "{}([a, b], [1, 0])", "{}([a, b])", "{}([a, b])[0]", "{}([a, b], 1)",
    "{}(a, b)", "{}(a)",
)  # fmt: skip


def learn_others(engine: Engine, can: Capabilities) -> None:
    """Functions without a table: how they are called, if one of the usual calls works."""
    found = [(name, Spelling(name)) for name in engine.about["functions"]]
    found += [(name, Spelling(name, True)) for name in can.unknown]
    for name, spelling in found:
        plain_name = name.lower().replace("_", "")
        activates = plain_name in ACTIVATIONS.split()  # more arguments are options, as a slope
        usual = activates or plain_name in OTHERS.split()
        if not usual or name in can.spelling or name in can.calls:
            continue
        can.left.add(name)  # its plain numbers are no operands: a class, a target
        can.right.add(name)
        for call in CALLS[-1:] if activates else CALLS:
            can.spelling[name] = replace(spelling, takes_list="])" in call and ", [" not in call)
            lines = ("a = Value(0.3); b = Value(0.6); c = Value(0.8); d = Value(0.4)",
                     f"f = {call.format(name)}")  # fmt: skip
            example = Example(lines, ("f.data",))
            if not run(engine, can, example).error:
                can.calls[name] = call.format(name)
                can.made_of[name] = called_by(engine, can, example)
                can.used.add(name)
                break
        else:
            del can.spelling[name]
            if not spelling.is_method:
                can.others.append(name)


def told(engine: Engine, can: Capabilities) -> Capabilities:
    """What the adapter of another language says that its engine can do."""
    can.offers = {*engine.about["offers"]} & {*OFFERS}
    told = engine.about["operations"]
    can.others = [*engine.about["not checked"], *(name for name in told if name not in OPERATIONS)]
    for name, operation in OPERATIONS.items():
        how = told.get(name)
        if how is None:
            continue
        if how.get("arity") not in (operation.arity or "list", 2):
            can.others.append(name)
            continue
        two = operation.arity == 0 and how["arity"] == 2
        can.offered[name] = replace(operation, counts=(2, 2)) if two else operation
        for side in SIDES.get(how.get("numbers", "none"), ()):
            getattr(can, side).add(name)
    can.numbers = False
    return can


def learn_sides(engine: Engine, can: Capabilities, operation: Operation) -> None:
    """On which sides of an operator a plain number may stand."""
    numbers = [repr(operation.plain[0])] if operation.plain else ["2.5", "3"]
    for side in ("left", "right"):
        operands = [(n, "x") if side == "left" else ("x", n) for n in numbers]
        taken = [n for n, pair in zip(numbers, operands) if runs(engine, can, operation, pair)]
        if taken == numbers:
            getattr(can, side).add(operation.name)
        elif taken:
            can.half[operation.name, side] = "ints_only" if taken == ["3"] else "floats_only"
    takes = can.right if operation.plain else can.right & can.left  # 2 ** x is an extra
    useless = not runs(engine, can, operation, ("x", "Value(2)"))
    if useless and operation.name not in takes:  # the number is not to blame
        for names in (can.left, can.right, can.useless):
            names.add(operation.name)
    if operation.name not in can.right:  # 2 - x turns to x - 2, or to itself for ever
        can.left.discard(operation.name)


def runs(engine: Engine, can: Capabilities, operation: Operation, operands: Sequence[str]) -> bool:
    """Whether an operation makes a node of these operands, whatever its number is."""
    line = f"x = Value(1.5); f = {operation.write(*operands)}"
    return not run(engine, can, Example((line,), ("f.data",), as_written=True)).unsuited


def made_of(engine: Engine, can: Capabilities, operation: Operation) -> set[str]:
    """The operations that an operation calls: those of x - y are + and − in many engines."""
    names = ["x", "y", "z"][: operation.arity or 2]
    operands = [names[0], repr(operation.plain[0])] if operation.plain else names
    lines = (f"{name} = Value({i + 1.5})" for i, name in enumerate(names))
    example = Example((*lines, f"f = {operation.write(*operands)}"), ())
    return called_by(engine, can, example) - {operation.name}


def called_by(engine: Engine, can: Capabilities, example: Example) -> set[str]:
    """The operations that a program calls, and those that they call."""
    program, _ = can.request(example)
    called = {*engine.methods_called(program)}
    return {name for name, other in can.offered.items() if called & names_of(can, other)}


def names_of(can: Capabilities, operation: Operation) -> set[str]:
    """The methods that an operation is, if it is one."""
    spelling = can.spelling.get(operation.function)
    return (
        {spelling.name.split(".")[-1]}
        if spelling
        else {operation.method, operation.reflected} - {""}
    )


def named(engine: Engine, kind: str) -> dict[str, str]:
    """The names of its methods or functions, by their lower-case form."""
    return {name.lower(): name for name in engine.about[kind]}


@dataclass(frozen=True)
class CallSpelling:
    """One way of calling an operation of an engine."""

    engine: Engine
    operation: Operation
    spelling: Spelling
    usual: bool = True  # under the operation's own name, not an alias
    apart: bool = False  # the operands one by one, where examples write a list
    method: str = ""  # its name in the class, "" for a function of the module

    def works(self) -> bool:
        """Whether it gives the right value for two numbers."""
        example, actual = self.outcome(self.operation.arity or 2)
        return equal(example, actual, expected(example), 1e-3) is None

    def is_of_values(self) -> bool:
        """Whether it takes Values, not plain numbers, nor as a method a Value where a list is."""
        if self.method and not self.operation.arity:
            return not self.outcome(2)[1].unsuited
        if self.method or not self.operation.arity:
            return True
        return self.outcome(self.operation.arity)[1].kind not in ("TypeError", "AttributeError")

    def takes_two(self) -> bool:
        """Whether a function whose operands stand apart takes just two of them."""
        return self.apart and all(self.outcome(n)[1].kind == "TypeError" for n in (1, 3))

    def outcome(self, count: int) -> tuple[Example, Outcome]:
        """An example of that many operands, and its outcome."""
        can = Capabilities(self.engine.cls, {self.operation.function: self.spelling})
        can.names = self.engine.about["names"]
        names = [f"x{i}" for i in range(count)]
        for start in (1.5, 0.25):  # arcsin has no value at 1.5
            lines = [f"{x} = Value({i + start})" for i, x in enumerate(names)]
            example = Example((*lines, f"y = {self.operation.write(*names)}"), ("y.data",))
            if sensible(example):
                break
        return example, run(self.engine, can, example)


def usable(calls: list[CallSpelling]) -> CallSpelling | None:
    """The first way of calling that works, or the most usual one though it fails."""
    if len(calls) == 1 and calls[0].method and calls[0].operation.arity:
        return calls[0]
    right = (call for call in calls if call.works())
    usual = (call for call in calls if call.usual and call.is_of_values())
    return next(right, None) or next(usual, None)


def spellings(engine: Engine, operation: Operation) -> Iterator[CallSpelling]:
    """All ways of calling an operation for which the engine has the name."""
    methods, functions = named(engine, "methods"), named(engine, "functions")
    for name in (operation.function, *ALIASES.get(operation.function, ())):
        of_class, of_module = methods.get(name, ""), functions.get(name, "")
        if operation.arity:
            if of_class in engine.about["static"]:
                spelling = Spelling(f"{engine.cls}.{of_class}")
                yield CallSpelling(engine, operation, spelling, method=of_class)
            elif of_class:
                yield CallSpelling(engine, operation, Spelling(of_class, True), method=of_class)
            if of_module:
                yield CallSpelling(engine, operation, Spelling(of_module))
            continue
        usual = name == operation.function
        static = f"{engine.cls}.{of_class}" if of_class else ""
        for found, owner in ((of_module, ""), (static, of_class)):
            if found:
                a_list, apart = Spelling(found, takes_list=True), Spelling(found)
                yield CallSpelling(engine, operation, a_list, usual, method=owner)
                yield CallSpelling(engine, operation, apart, usual, True, owner)
        if of_class:
            spelling = Spelling(of_class, True)
            yield CallSpelling(engine, operation, spelling, False, True, method=of_class)
