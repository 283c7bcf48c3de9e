"""`microgrid check --command`: any process that speaks the protocol; what else it says is told."""

import json
import sys
from pathlib import Path

import pytest

from microgrid import cli
from microgrid.check import EngineError, check
from microgrid.check.command import ADAPTERS, command_of, read_words

# A right engine of two operations that is its own adapter: a node is [data, grad, parents].
ADAPTER = """
import json, sys

def say(message):
    print(json.dumps(message), flush=True)

def value(e):
    if isinstance(e, str):
        return nodes[e]
    if "leaf" in e:
        return [e["leaf"], 0.0, []]
    x, y = map(value, e["of"])
    if e["apply"] == "mul":
        return [x[0] * y[0], 0.0, [(x, y[0]), (y, x[0])]]
    return [x[0] + y[0], 0.0, [(x, 1.0), (y, 1.0)]]

def backward(v):
    order, ready = [], [(v, False)]
    while ready:
        v, done = ready.pop()
        if done:
            order.append(v)
        elif not any(v is x for x in seen):
            seen.append(v)
            ready += [(v, True), *((p, False) for p, _ in v[2])]
    for v in order:
        v[1] = 0.0 if v[2] else v[1]
    order[-1][1] += 1.0
    for v in reversed(order):
        for p, slope in v[2]:
            p[1] += slope * v[1]

def run(program):
    for step in program:
        match step:
            case {"set": name, "to": e}:
                nodes[name] = value(e)
            case {"backward": e}:
                backward(value(e))
            case {"repeat": times, "program": steps}:
                for _ in range(times):
                    run(steps)

say(GREETING)
for line in sys.stdin:
    request = json.loads(line)
    nodes, seen = {}, []
    run(request["program"])
    look = [look.split(".") for look in request["look"]]
    say({"id": request["id"], "numbers": [nodes[n][w == "grad"] for n, w in look]})
"""
GREETING = {
    "protocol": 1, "language": "Lisp", "class": "Node", "not checked": ["softmax"],
    "operations": {"add": {"arity": 2}, "mul": {"arity": 2}},
}  # fmt: skip
FEW = ["contract", "values", "one operation", "upstream", "reuse", "order"]


@pytest.fixture
def adapter(tmp_path):
    """The words that run a script."""

    def written(script: str) -> list[str]:
        file = tmp_path / "an adapter.py"
        file.write_text(script, encoding="utf-8")
        return [sys.executable, str(file)]

    return written


def test_an_adapter_of_two_operations_is_enough(adapter):
    report = check(adapter(f"GREETING = {GREETING}\n{ADAPTER}"), only=FEW)
    assert report.ok, str(report)
    held = {result.prop.name: result.held for result in report.results}
    assert held["reuse"] == ["add", "mul"]
    assert "softmax" in str(report)


def test_a_mistake_behind_an_adapter_is_named(adapter):
    script = f"GREETING = {GREETING}\n{ADAPTER}".replace("p[1] += slope", "p[1] = slope")
    report = check(adapter(script), only=FEW)
    assert [f.diagnosis.mistake.name for f in report.findings] == ["overwrites"]
    assert report.findings[0].program.lines == ("a = Node(2)", "f = a + a; f.backward()")


SAID = {  # what a script does in the place of an adapter, and what the checker says
    "print('hello')": "answered nonsense: hello",
    "print('[]')": "answered nonsense",
    "print('{}')": "answered nonsense",
    "import time; time.sleep(60)": "did not greet, as an adapter does",
    "": r"ended the process \(exit code 0\)",
    "import sys; sys.exit(3)": r"ended the process \(exit code 3\)",
    "1 / 0": r"ended the process \(exit code 1: ZeroDivisionError: division by zero\)",
    'print(\'{"error": "no class Value"}\')': "could not be loaded: no class Value",
    f"print({json.dumps(GREETING | {'protocol': 2})!r})": "speaks protocol 2, the checker 1",
    f"print({json.dumps(GREETING | {'operations': {}})!r})": "has no . and no .",
    f"print({json.dumps(GREETING | {'operations': []})!r})": "answered nonsense",
    f"print({json.dumps(GREETING | {'operations': {'add': 2}})!r})": "answered nonsense",
    f"print({json.dumps(GREETING | {'class': 'a b'})!r})": "answered nonsense",
}


@pytest.mark.parametrize("script", SAID)
def test_what_does_not_greet_is_told_with_what_it_said(script, adapter):
    with pytest.raises(EngineError, match=SAID[script]):
        check(adapter(script), timeout=2 if "sleep" in script else 60)


ANSWERS = {  # what an adapter answers to every request, and what a finding says
    '{"id": request["id"], "numbers": 4}': "something else than numbers",
    '{"id": request["id"], "numbers": []}': "something else than numbers",
    '{"id": request["id"], "numbers": ["many", "few"]}': "something else than numbers",
    '{"id": request["id"], "error": "bad\\nluck"}': "bad luck",
    '{"id": -1, "numbers": [1, 2]}': "something else than numbers",
    "print(1)": "something else than numbers",
    "sys.exit(5)": "exit code 5",
    "sys.exit('error: no memory')": "exit code 1: error: no memory",
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_none_is_a_finding_not_a_crash(answer, adapter):
    loop = f"for line in sys.stdin:\n    request = json.loads(line)\n    say({answer})"
    script = f"GREETING = {GREETING}\n{ADAPTER.partition('for line in')[0]}{loop}"
    report = check(adapter(script), only=["values"])
    assert not report.ok
    assert ANSWERS[answer] in str(report)


def test_numbers_that_json_does_not_have_come_as_text(adapter):
    script = f"GREETING = {GREETING}\n{ADAPTER}".replace('[nodes[n][w == "grad"] for', '["nan" for')
    assert "= nan" in str(check(adapter(script), only=["values"]))


def test_a_program_that_is_not_there_is_told():
    with pytest.raises(EngineError, match="there is no program 'no such program'"):
        check(["no such program", "engine.mjs"])
    with pytest.raises(EngineError, match=r"there is no file nope\.mjs"):
        check("nope.mjs")


@pytest.mark.parametrize(
    ("text", "windows", "expected"),
    [
        ("node a.mjs b.mjs", False, ["node", "a.mjs", "b.mjs"]),
        ("'my node' \"a b.mjs\" c\\ d", False, ["my node", "a b.mjs", "c d"]),
        (r"C:\node\node.exe a.mjs", True, [r"C:\node\node.exe", "a.mjs"]),
        (r'"C:\Program Files\node.exe" "a b.mjs" #1', True,
         [r"C:\Program Files\node.exe", "a b.mjs", "#1"]),
    ],
)  # fmt: skip
def test_a_command_line_is_parted_as_its_system_does(text, windows, expected):
    assert read_words(text, windows) == expected


def test_a_javascript_file_gets_the_shipped_adapter(tmp_path):
    file = tmp_path / "engine.mjs"
    file.touch()
    assert command_of(str(file)) == ["node", str(ADAPTERS["javascript"]), str(file)]
    assert command_of(f"{file}:Scalar")[2:] == [str(file), "Scalar"]
    assert command_of("engine.py") == command_of("package.module:Value") == []


# The command line


@pytest.mark.parametrize("language", ADAPTERS)
def test_the_command_line_tells_where_an_adapter_is(language, capsys):
    assert cli.main(["check", "--adapter", language]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == ADAPTERS[language]
    assert path.is_file()


def test_the_command_line_runs_a_command_and_writes_its_report(adapter, tmp_path, capsys):
    python, file = adapter(f"GREETING = {GREETING}\n{ADAPTER}")
    written = tmp_path / "report.json"
    options = ["--only", "reuse", "--json", str(written)]
    assert cli.main(["check", "--command", f'"{python}" "{file}"', *options]) == 0
    assert "Node" in capsys.readouterr().out
    assert json.loads(written.read_text(encoding="utf-8"))["ok"]


WRONG_WORDS = {
    (): "name a file, or try `microgrid check --example`",
    ("engine.py", "--command", "node"): "name an engine, or else",
    ("--command", ""): "the command has no words",
    ("--command", "nope a.mjs"): "there is no program 'nope': is it installed, and on the PATH?",
    ("nope.mjs",): "there is no file nope.mjs",
    ("--command", "'"): "the command ' cannot be read: No closing quotation",
}


@pytest.mark.parametrize("given", WRONG_WORDS, ids=" ".join)
def test_what_cannot_be_run_ends_with_2_and_says_why(given, capsys):
    assert cli.main(["check", *given]) == 2
    assert WRONG_WORDS[given] in capsys.readouterr().err


def test_a_report_does_not_overwrite_the_engine_behind_a_command(adapter, capsys):
    python, file = adapter("")
    assert cli.main(["check", "--command", f"'{python}' '{file}'", "--json", file]) == 2
    assert "are one file" in capsys.readouterr().err
