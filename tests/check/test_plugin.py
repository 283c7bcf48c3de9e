"""The pytest plugin: it runs an engine's properties as tests; other projects do not notice it."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN = ROOT / "tests" / "check" / "engines" / "plain.py"
PLUGIN = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "entry-points"
]["pytest11"]


@pytest.fixture
def project(tmp_path):
    """An empty project in an environment where the plugin of this tree is installed."""
    info = tmp_path / "site" / "microgrid_autodiff-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: microgrid-autodiff\nVersion: 0\n")
    plugins = [f"{name} = {module}\n" for name, module in PLUGIN.items()]
    (info / "entry_points.txt").write_text("[pytest11]\n" + "".join(plugins))
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def run(project, *arguments):
    """What pytest says in a project; Python itself leaves no files there."""
    path = [project.parent / "site", ROOT, ROOT / "microgrid" / "check" / "pytest_plugin"]
    settings = {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=project, env=os.environ | settings, capture_output=True, text=True
    )


def test_a_run_that_does_not_ask_for_it_imports_the_plugin_alone(project):
    code = (
        "import json, sys\n\ndef test():\n    open('seen', 'w').write(json.dumps([*sys.modules]))\n"
    )
    (project / "test_other.py").write_text(code)
    loaded = []
    for switch in (["-p", "no:microgrid"], []):
        assert run(project, *switch).returncode == 0
        loaded.append(set(json.loads((project / "seen").read_text())))
    assert loaded[1] - loaded[0] == {"_microgrid_pytest"}


def test_other_projects_may_use_every_name_that_does_not_begin_with_ours(project):
    (project / "conftest.py").write_text(
        "import pytest\n\n"
        "def pytest_addoption(parser):\n"
        "    for name in ('engine', 'engine-seed', 'engine-strict', 'seed'):\n"
        "        parser.addoption(f'--{name}', dest=name.replace('-', '_'))\n\n"
        "@pytest.fixture(params=[1, 2])\ndef engine_class(request):\n    return request.param\n"
    )
    (project / "test_other.py").write_text(
        "def test(engine_class, request):\n    assert request.config.option.engine == 'v8'\n"
    )
    done = run(project, "--engine", "v8")
    assert "2 passed" in done.stdout, done.stderr
    described = re.search(r"^microgrid:\n((?: .*\n)+)", run(project, "--help").stdout, re.M)[1]
    options = re.findall(r"^  (--\S+?)(?:=|$)", described, re.M)
    assert len(options) == 3
    assert all(option.startswith("--microgrid-engine") for option in options)
    defined = run(project, "--fixtures").stdout.partition("fixtures defined from _microgrid_pytest")
    assert re.findall(r"^(\w+) \[", defined[2], re.M)[0] == "microgrid_engine"


def test_the_properties_and_ones_own_tests_are_run(project):
    (project / "engine.py").write_text(PLAIN.read_text().replace("(1 - t * t,)", "(1 - t,)"))
    (project / "test_own.py").write_text(
        "from hypothesis import given, settings\nfrom pytest import approx\n"
        "from microgrid.check.strategies import programs\n\n"
        "@settings(deadline=None)\n@given(programs(names=('add', 'mul')))\n"
        "def test_sums_and_products(microgrid_engine, program):\n"
        "    leaves, root = program.build(lambda x: microgrid_engine(float(x)))\n"
        "    root.backward()\n"
        "    right = [float(g) for g in program.gradients()]\n"
        "    assert [x.grad for x in leaves] == approx(right, abs=1e-9)\n"
    )
    done = run(project, "--microgrid-engine", "engine.py:Value", "-k", "sums or operation or order")
    assert done.returncode == 1
    assert "your tanh forgets the square" in done.stdout.replace("the derivative of ", "")
    assert "FAILED" in done.stdout
    assert "1 failed" in done.stdout
    assert "2 passed" in done.stdout
    assert "1 skipped" in run(project).stdout  # no engine is given


def test_properties_are_chosen_and_counted_like_other_tests_and_leave_no_file(project):
    (project / "engine.py").write_text(PLAIN.read_text())
    listed = run(project, "--microgrid-engine", "engine.py", "--collect-only").stdout
    count = len(re.findall("^.*::.*$", listed, re.M))
    assert f"{count} tests collected" in listed
    assert count > 20
    done = run(project, "--microgrid-engine", "engine.py", "-k", "reuse", "-n", "1")
    assert "1 passed" in done.stdout, done.stdout
    assert os.listdir(project) == ["engine.py"]


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("nothing.py", "there is no file nothing.py"),
        ("empty.py", "no class with + and"),
    ],
)
def test_an_engine_that_is_not_there_is_named(engine, words, project):
    (project / "empty.py").write_text("")
    done = run(project, "--microgrid-engine", engine)
    assert done.returncode in (1, 4)
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
