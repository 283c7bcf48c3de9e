"""Exercises of notebook 9: an engine of your own, and engines in which something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from microgrid.check import PROPERTIES, check, museum
from microgrid.check.engine import NO_ANSWER, UNENDED, EngineError
from microgrid.check.example import Example, outcome_here
from microgrid.check.findings import Finding, difference, sign
from microgrid.check.kinds import FRAGILE, WRONG
from microgrid.course.question import Exercise, ExerciseError, Mistake, Verdict
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.value import Value

SUSPECTS = {  # letter: (mistake of the museum, the operation that has the mistake)
    "A": ("overwrites", "add"), "B": ("parents_in_a_set", ""),
    "C": ("forgets_upstream", "add"), "D": ("forgets_upstream", "mul"),
    "E": ("recursion_for_sort", ""), "F": ("pre_order", ""),
    "G": ("level_by_level", ""), "H": ("inner_keep", ""),
}  # fmt: skip
MYSTERIES = {1: "B", 2: "C", 3: "G"}
EXPERIMENTS = (
    "(x + x).backward()",
    "(x * x).backward()",
    "((x + 1) * 5).backward()",
    "((x * 2) * 5).backward()",
    "h = x + x; (h + h).backward()",
    "h = x * 2; (h + h * 3).backward()",
    "h = x * 2; (h * 3 * 4 + h).backward()",
    "h = x * 2; (h * h).backward(); (h * 5).backward()",
)


@cache
def suspect(letter: str) -> type[museum.Value]:
    """A broken engine of the museum, under a name that does not give it away."""
    return type("Mystery", (museum.broken(*SUSPECTS[letter]),), {"__module__": "museum"})


def mystery(number: int) -> type[museum.Value]:
    """An engine with a mistake in it; ExerciseError if there is none of this number.

    >>> Mystery = mystery(1)
    >>> a, b = Mystery(3), Mystery(2)
    >>> (a * b).backward()
    >>> a.grad, b.grad
    (2, 3)
    """
    if number not in MYSTERIES:
        raise ExerciseError(f"there are the mysteries {', '.join(map(str, MYSTERIES))}")
    return suspect(MYSTERIES[number])


def accusation(letter: str) -> str:
    """What is wrong with a suspect, in a sentence."""
    name, op = SUSPECTS[letter]
    return museum.MUSEUM[name].sentence(f"`{sign(op).strip('`')}`").replace("your", "its")


def gradient(engine: Any, program: str) -> float:
    """What arrives at x = 3.

    >>> gradient(Value, "(x * x).backward()")
    6.0
    """
    example = Example(("x = Value(3)", program), ("x.grad",))
    return outcome_here(example, {"Value": engine}).numbers[0]


def alibi(number: int, letter: str) -> str:
    """An experiment in which a mystery would give another number if it were this suspect."""
    for program in EXPERIMENTS:
        accused, seen = [gradient(v, program) for v in (suspect(letter), mystery(number))]
        if accused != seen:
            return f"Then `x = Mystery(3); {program}` would leave {accused:g} at x. Does it?"
    raise LookupError(f"no experiment tells mystery {number} from {letter}")


def mysteries() -> Exercise:
    """The exercise to find the mistakes of two engines."""
    asked = [number for number in MYSTERIES if number > 1]
    return Exercise(
        "**Find the bug.** `mystery(2)` and `mystery(3)` are two more engines. What is wrong with "
        "each? Experiment with small expressions, before you ask the checker. Some mistakes need "
        "an inner node that is used twice, on ways of different length, or two passes. Answer with "
        'a dict of two letters: `{2: "…", 3: "…"}`.\n\n'
        + "\n".join([f"- {letter}: {accusation(letter)}" for letter in SUSPECTS]),
        {number: MYSTERIES[number] for number in asked},
        [
            Mistake({number: letter}, alibi(number, letter))
            for number in asked
            for letter in SUSPECTS
            if letter != MYSTERIES[number]
        ],
        why="Each suspect was cleared by one expression: a number that it would have got wrong.",
    )


# A class as an answer.


OTHERS = {*FUNCTIONS, "__pow__", "__rpow__", "__abs__"} - {"tanh"}  # not part of the exercise
MyValue = type("MyValue", (museum.Value,), dict.fromkeys(OTHERS))


def planted(name: str, op: str = "") -> type[museum.Value]:
    """The same engine with a mistake of the museum."""
    return type("MyValue", (museum.broken(name, op), MyValue), {})


PLANTED = {  # mistake: the operation that has it
    "right_sign": "sub", "not_reflected": "div", "reflected_swapped": "sub", "divides_once": "div",
    "input_for_output": "tanh", "cuts_the_graph": "tanh", "overwrites": "add", "inner_keep": "",
}  # fmt: skip
ASKED = ("neg", "sub", "div", "tanh")
HELD = ("plain numbers", "accumulation")  # which a check lets pass
SLOW = ("great depth", "diamonds")  # if they do not hold
PATIENCE = 30.0  # seconds; the machine may be busy
UNFINISHED = "… not finished: the time was over before all was checked. Try again."


def judge_engine(given: Any) -> Verdict:
    """The verdict on a class: the first finding of the checker."""
    if not isinstance(given, type):
        return Verdict(False, ("✗ the answer is the class itself: `answer = MyValue`",))
    if issubclass(given, Value | museum.Value) and not issubclass(given, MyValue):
        return Verdict(False, ("✗ that is an engine of this package: answer with your own",))
    try:
        properties = [name for name in PROPERTIES if name not in SLOW]
        report = check(given, only=properties, draws=10, require=(*ASKED, *HELD), timeout=PATIENCE)
    except EngineError as error:
        return Verdict(False, (f"✗ {error}",) if UNENDED not in str(error) else (UNFINISHED,))
    if report.ok:
        fragile = [f"! fragile: {f.sentence}" for f in report.findings if f.kind == FRAGILE]
        return Verdict(True, (*ENGINE._praise().lines, *fragile))
    late = [f for f in report.findings if f.failure.actual.error.startswith(NO_ANSWER)]
    wrong = [
        f for f in report.findings if (f.kind == WRONG or f.prop.name in HELD) and f not in late
    ]
    lines = [line for f in wrong[:1] for line in told(f)]
    lines += [f"✗ it has no {sign(name)} yet" for name in report.lacking if name in ASKED]
    if not lines:
        lines = [UNFINISHED]
        if late:
            lines += ["Or does this one never end? Run it by hand:", *program(late[0])]
    return Verdict(False, tuple(lines))


def program(finding: Finding) -> list[str]:
    return [f"    {line}" for line in finding.program.lines]


def told(finding: Finding) -> list[str]:
    """A finding as a few lines: the mistake, the program, what differs, the hint."""
    return [
        f"✗ {finding.prop.name}: {finding.sentence}",
        *program(finding),
        *(f"    # {difference(*entry)}" for entry in finding.comparison),
        f"Hint: {finding.hint}",
    ]


ENGINE = Exercise(
    "**Finish your engine.** Teach `MyValue` three operators, `-a`, `a - b` and `a / b`, with a "
    "plain number on either side, too, and one function, as a method: `a.tanh()` "
    "($\\tanh' = 1 - \\tanh^2$). As before, write a function and hand it to the class, or write "
    "the whole class anew. `parents` and `local` are tuples, also with a single entry: `(self,)`. "
    "Answer with the class: `answer = MyValue`. The checker looks at it for some seconds.",
    MyValue,
    [Mistake(planted(name, op), museum.MUSEUM[name].hint) for name, op in PLANTED.items()],
    why="The checker found no counterexample, for any of the six operations.",
    judge=judge_engine,
)


# A test as an answer.


def judge_test(given: Any) -> Verdict:
    """The verdict on a test: it must pass the right engines and fail all suspects."""
    if not callable(given):
        return Verdict(False, ("✗ the answer is a function of a class: `answer = my_test`",))
    try:
        good = [given(engine) for engine in (Value, museum.Value)]
    except AssertionError:
        good = [False]
    except Exception as error:  # whatever a student's function raises
        return Verdict(False, (f"✗ with a right engine it raised {type(error).__name__}: {error}",))
    if not all(good):
        return Verdict(False, (f"✗ of a right engine it says {good[0]}; it should say True.",))
    missed = [letter for letter in SUSPECTS if passes(given, suspect(letter))]
    lines = [f"✗ {letter} gets through. {overlooked(letter)}" for letter in missed]
    return TEST._praise() if not lines else Verdict(False, tuple(lines))


def passes(test: Callable[[Any], Any], engine: Any) -> bool:
    """Whether a test finds nothing; a failed assertion or any error is a find."""
    try:
        return bool(test(engine))
    except Exception:
        return False


def overlooked(letter: str) -> str:
    """The property that a test overlooks if this suspect passes it."""
    return f"Not tested: {PROPERTIES[museum.MUSEUM[SUSPECTS[letter][0]].caught].says}."


def sees(*programs: str) -> Callable[[Any], bool]:
    """The test that looks at the gradients of some programs."""
    right = [gradient(Value, program) for program in programs]
    return lambda engine: right == [gradient(engine, program) for program in programs]


TEST = Exercise(
    "**A test that sees them all.** Write a function `my_test(Value)` with `+`, `*` and "
    "`backward` alone: it gets a class, and returns `True` if the engine is right and `False` if "
    "not. It is tried on two right engines and on all eight suspects, A to H, of the exercise "
    "before. Answer with the function: `answer = my_test`.",
    sees(*EXPERIMENTS),
    [
        Mistake(sees("((x * 2 + 1) * 5).backward()"), overlooked("A")),
        Mistake(sees(*EXPERIMENTS[:2]), overlooked("C")),
        Mistake(sees(*EXPERIMENTS[:4]), overlooked("E")),
        Mistake(sees(*EXPERIMENTS[:5]), overlooked("F")),
        Mistake(sees(*EXPERIMENTS[:7]), overlooked("H")),
        Mistake(lambda engine: False, "of a right engine it says False"),
        Mistake(lambda engine: True, overlooked("H")),
    ],
    why="A node used twice by one gate, twice by two gates, inside of an expression, on ways of "
    "different length, and in two passes: a tree shows none of these.",
    judge=judge_test,
)

EXERCISES = [ENGINE, mysteries(), TEST]
