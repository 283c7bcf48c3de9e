"""`microgrid site`: a folder whose page computes in the browser what the server computes here."""

import json
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from urllib.parse import parse_qs, urlencode
from zipfile import ZipFile

import pytest
from shared.playground import WRONG, Open, file_server

from microgrid.cli.commands import main
from microgrid.playground.answer import Playground
from microgrid.playground.bundle import engine_zip
from microgrid.playground.files import files
from microgrid.playground.runtime import CDN, FILES, LICENSE, VERSIONS, SiteError, runtime
from microgrid.playground.site import ALL, examples, site, write_site
from microgrid.views.spelling import NESTED

PAGE = spec_from_file_location("test_page", Path(__file__).with_name("test_page.py"))
test_page = module_from_spec(PAGE)
PAGE.loader.exec_module(test_page)
EXAMPLES = Playground().answer({"ask": "examples"})["examples"]


def questions(most=200):
    """Of each kind, on each example; circuits of more gates than `most` are not drawn."""
    for example in EXAMPLES:
        on = {"text": example["text"], "numbers": example["numbers"]}
        yield on | {"ask": "circuit", "rows": True, "table": True, "most": most}
        leaf = next(iter(example["numbers"]))
        yield on | {"ask": "nudge", "leaf": leaf, "by": 0.01}
        rows = Playground().answer(on | {"ask": "circuit", "rows": True, "most": 0})["rows"]
        yield on | {"ask": "guess", "frame": max(map(int, rows)), "to": 0, "guess": "0,5"}
        yield on | {"ask": "descend", "rate": 0.1, "steps": 3, "fixed": []}
        for kind in ("python", "latex", "svg", "worksheet"):
            yield on | {"ask": "copy", "as": kind}
    yield {"ask": "examples"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    path = tmp_path_factory.mktemp("engine") / "engine.zip"
    path.write_bytes(engine_zip())
    return path


# The engine, without a browser


def test_the_zip_alone_answers_as_the_package_does(engine):
    """In a Python that has no other packages, and no layout program of its own."""
    asked = [json.dumps(question) for question in questions()]
    text = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); "
        "from microgrid.playground.answer import Playground; "
        'play = Playground(lambda dot: \'<svg width="9pt" height="9pt"></svg>\'); '
        "print(json.dumps([play.reply(text) for text in json.load(sys.stdin)]))"
    )
    python = [sys.executable, "-I", "-S", "-c", text, str(engine)]
    told = subprocess.run(python, input=json.dumps(asked), capture_output=True, text=True)
    assert told.stderr == ""
    here = Playground(lambda dot: '<svg width="9pt" height="9pt"></svg>')
    for question, reply in zip(asked, json.loads(told.stdout)):
        assert json.loads(reply) == json.loads(here.reply(question))
        assert "error" not in json.loads(reply), question


def test_the_zip_has_no_module_that_needs_more_and_the_same_bytes_each_time(engine):
    names = ZipFile(engine).namelist()
    assert {name.partition("/")[0] for name in names} == {"graphviz", "microgrid"}
    assert {"microgrid/playground/answer.py", "graphviz/LICENSE.txt"} <= {*names}
    assert engine_zip.__wrapped__() == engine.read_bytes()


def test_the_answers_of_the_examples_lie_ready():
    found = site()
    menu = json.loads(found["examples.json"])["examples"]
    assert len(menu) == len(EXAMPLES)
    for example in menu:
        answer = json.loads(found[example["baked"]])
        assert answer["svg"].startswith("<svg")
        assert {"rows", "table", "folded"} <= answer.keys()
        asked = {"ask": "circuit", "text": example["text"], "numbers": example["numbers"], **ALL}
        again = json.loads(Playground().reply(json.dumps(asked | {"have": answer["key"]})))
        assert again | {"svg": answer["svg"]} == answer
    again = examples.__wrapped__()
    assert {name: found[name] for name in again} == again, "the same bytes each time"


# The folder


def test_a_folder_with_other_files_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "index.html").write_text("mine, too")
    assert main(["site", "-o", str(tmp_path)]) == 2
    assert "has other files: give a folder of its own, or --force" in capsys.readouterr().err
    assert (tmp_path / "index.html").read_text() == "mine, too"
    assert main(["site", "-o", str(tmp_path), "--force"]) == 0
    assert "http.server" in capsys.readouterr().out
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    assert (tmp_path / "index.html").read_text() != "mine, too"


@pytest.mark.parametrize("text", ["x", "[]", '{"files": 5}', '{"files": "ab"}', '{"files": [5]}'])
def test_a_folder_whose_list_of_files_is_none_of_ours_is_left_alone(tmp_path, text):
    (tmp_path / "site.json").write_text(text)
    with pytest.raises(SiteError, match="has other files"):
        write_site(tmp_path)
    assert (tmp_path / "site.json").read_text() == text


def test_a_site_is_written_over_an_older_one(tmp_path):
    folder, outside = tmp_path / "site", tmp_path / "outside"
    outside.write_text("kept")
    write_site(folder)
    told = json.loads((folder / "site.json").read_text())
    assert (
        sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        == (told["files"])
    )
    (folder / "old.js").write_text("")
    told["files"] += ["old.js", "../outside", str(outside)]
    (folder / "site.json").write_text(json.dumps(told))
    write_site(folder)
    assert not (folder / "old.js").exists()
    assert outside.read_text() == "kept"


# What it takes from npm


def test_packages_that_are_missing_or_others_are_refused(tmp_path, capsys):
    assert main(["site", "-o", str(tmp_path / "a"), "--runtime", str(tmp_path / "b")]) == 2
    error = capsys.readouterr().err
    assert "npm install --prefix runtime" in error
    assert all(f"{name}@{version}" in error for name, version in VERSIONS.items())
    assert not (tmp_path / "a").exists()
    (tmp_path / "pyodide").mkdir()
    (tmp_path / "pyodide" / "pyodide.mjs").write_text("export const loadPyodide = steal")
    with pytest.raises(SiteError, match=r"is not that of pyodide@"):
        runtime(tmp_path)


def test_packages_are_found_as_npm_has_them_or_side_by_side(npm_packages, tmp_path):
    found = runtime(npm_packages)
    assert found.keys() == {*FILES, "graphviz.LICENSE", "NOTICE.txt"}
    assert runtime(npm_packages / "node_modules") == found
    for name, data in found.items():
        (tmp_path / name).write_bytes(data)
    assert runtime(tmp_path) == found
    wasm = bytearray(found["pyodide.asm.wasm"])
    wasm[-1] ^= 1
    (tmp_path / "pyodide.asm.wasm").write_bytes(wasm)
    with pytest.raises(SiteError, match=r"pyodide.asm.wasm is not that"):
        runtime(tmp_path)


def test_each_file_that_a_browser_loads_comes_with_its_hash_from_elsewhere(npm_packages):
    from_elsewhere = site()["worker.js"].decode()
    for file in FILES.values():
        assert f'"url":"{file.url}","integrity":"{file.hash}"' in from_elsewhere
    taken_along = site(npm_packages)["worker.js"].decode()
    assert CDN not in taken_along
    assert LICENSE.hash not in taken_along


# In a browser

ASK = """() => {
  const worker = new Worker("worker.js", {type: "module"}), waiting = {};
  window.begun = new Promise((resolve, reject) => {
    worker.onmessage = ({data}) => {
      if (data.ready) resolve(window.begins = (window.begins ?? 0) + 1);
      else if (data.failed) reject(Error(data.failed));
      else waiting[data.id]?.(data.text);
    };
    worker.onerror = event => reject(Error(event.message));
  });
  let count = 0;
  window.ask = text => new Promise(resolve => {
    waiting[++count] = resolve;
    worker.postMessage({id: count, text});
  });
}"""


def copies(npm_packages, folder):
    """The packages where a network of copies has them."""
    for file in FILES.values():
        path = folder / file.url.removeprefix(f"{CDN}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(npm_packages / "node_modules" / file.package / file.path, path)


@pytest.fixture(scope="module")
def elsewhere(npm_packages, tmp_path_factory):
    """The folder of another host, its address, and a site that loads the packages from it."""
    host, folder = tmp_path_factory.mktemp("host"), tmp_path_factory.mktemp("site")
    copies(npm_packages, host)
    write_site(folder)
    with file_server(host, Open) as address, file_server(folder) as page:
        worker = folder / "worker.js"
        worker.write_text(worker.read_text().replace(f"{CDN}/", address))
        (folder / "blank.html").write_text('<link rel="icon" href="data:,">')
        yield host, address, page


@pytest.fixture(scope="module")
def complaints():
    """What the browser had to say."""
    return []


@pytest.fixture(scope="module")
def worker(chromium, elsewhere, complaints):
    """A tab whose `ask(text)` asks the engine; it complained of nothing and asked nobody else."""
    _, address, page = elsewhere
    context, hosts = chromium.new_context(), set()
    tab = context.new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: hosts.add(request.url[: len(address)]))
    tab.goto(f"{page}blank.html")
    tab.evaluate(ASK)
    tab.evaluate("begun")
    yield tab
    context.close()
    assert complaints == []
    assert {host for host in hosts if not host.startswith("blob:")} == {address, page}


def asked(tab, question):
    text = question if isinstance(question, str) else json.dumps(question)
    slow = "new Promise((_, reject) => setTimeout(reject, 120_000, Error('no answer')))"
    return json.loads(tab.evaluate(f"text => Promise.race([ask(text), {slow}])", text))


def near(a, b):
    """Equal but for the last digits: two C libraries may differ in a tanh."""
    if isinstance(a, float) or isinstance(b, float):
        return a == pytest.approx(b, rel=1e-12, abs=1e-300)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(near(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(near, a, b))
    return a == b


def test_the_browser_answers_as_the_package_does(worker):
    here = Playground()
    for question in questions(most=0):
        if question.get("as") in ("svg", "worksheet"):  # drawn by another program
            continue
        theirs, ours = asked(worker, question), json.loads(here.reply(json.dumps(question)))
        assert near(theirs, ours), question


NESTED_JSON = {"nested deeply", "nested objects"}  # the page writes none: see below


@pytest.mark.parametrize("name", [name for name in WRONG if name not in NESTED_JSON])
def test_a_question_that_cannot_be_answered_gets_words(name, worker):
    here = json.loads(Playground().reply(WRONG[name]))
    assert asked(worker, WRONG[name])["error"]["message"] == here["error"]["message"]


DEEPEST = {
    "brackets": ("(" * NESTED, ")" * NESTED),
    "calls": ("sin(" * NESTED, ")" * NESTED),
    "signs": ("-" * NESTED, ""),
    "powers": ("x**" * NESTED, ""),
    "powers of signs": ("x**-" * (NESTED // 2), ""),
    "bars": ("|" * NESTED, "|" * NESTED),
    "sums": ("x + " * 199, ""),
}


@pytest.mark.parametrize("name", DEEPEST)
def test_what_is_nested_as_deep_as_may_be_is_read_in_a_browser(name, worker):
    before, behind = DEEPEST[name]
    question = {"ask": "circuit", "text": f"{before}x{behind}", "numbers": {"x": 1}, "most": 0}
    assert asked(worker, question)["gates"] == Playground().answer(question)["gates"]


def test_python_begins_anew_where_it_has_failed(worker, complaints):
    """As it does for JSON that is nested so deeply that the stack of a browser is full."""
    assert asked(worker, WRONG["nested deeply"])["error"]["message"]
    assert "fatal error" in " ".join(complaints)
    worker.wait_for_function("begins === 2")  # a page that was told "loading" hears of it
    complaints.clear()
    square = {"ask": "circuit", "text": "x*x", "numbers": {"x": 3}}
    assert asked(worker, square)["result"]["value"] == 9


def test_a_file_that_is_not_the_pinned_one_is_refused(chromium, elsewhere):
    host, address, page = elsewhere
    for name, file in FILES.items():
        path = host / file.url.removeprefix(f"{CDN}/")
        right = path.read_bytes()
        context = chromium.new_context()
        try:
            path.write_bytes(right[:-1] + b" ")
            tab = context.new_page()
            tab.goto(f"{page}blank.html")
            tab.evaluate(ASK)
            why = tab.evaluate("begun.catch(error => error.message)")
            assert why.startswith(f"{name} cannot be had from {address}")
        finally:
            context.close()
            path.write_bytes(right)


def test_a_page_that_is_opened_as_a_file_says_what_to_do(chromium, tmp_path):
    for name, data in files("pyodide").items():
        (tmp_path / name).write_bytes(data)
    tab = chromium.new_page()
    tab.goto((tmp_path / "index.html").as_uri())
    tab.get_by_text("python -m http.server").wait_for()
    tab.close()


# The page, with the packages in its own folder

OF_EACH_ENGINE = [
    test_page.test_a_visitor_types_drags_predicts_is_told_what_was_wrong_and_sends_the_link,
    test_page.test_an_error_stands_at_its_place_and_the_old_picture_stays,
    test_page.test_the_player_steps_with_the_rule_beside_the_gate,
    test_page.test_a_nudge_says_what_moved_and_what_the_gradient_says,
    test_page.test_descent_takes_one_step_or_many_and_keeps_what_is_held,
    test_page.test_what_is_not_finite_is_named_and_marked,
    test_page.test_lines_are_blocks_that_open,
    test_page.test_every_example_makes_its_point,
    test_page.test_a_large_circuit_is_drawn_when_it_is_wished_for,
    test_page.test_names_of_javascript_are_names_as_any_other,
    test_page.test_a_circuit_is_copied_in_every_kind,
    test_page.test_predicting_gives_nothing_away_before_it_was_tried,
]
globals().update({test.__name__: test for test in OF_EACH_ENGINE})
COUNTED = """
  window.unanswered = 0;
  window.Worker = class extends Worker {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({data}) => data.id && unanswered--);
    }
    postMessage(question) { unanswered++; super.postMessage(question); }
  };
"""


@pytest.fixture(scope="module")
def tabs(chromium, npm_packages, tmp_path_factory):
    """Opens the n-th page of the site, each with an engine of its own, which takes a while."""
    folder, opened, requests, complaints = tmp_path_factory.mktemp("own"), [], set(), []
    write_site(folder, npm_packages)
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    with file_server(folder) as address:

        def page(n):
            if n == len(opened):
                tab = context.new_page()
                tab.on("pageerror", lambda error: complaints.append(str(error)))
                tab.on("console", lambda message: complaints.append(message.text))
                tab.on("request", lambda request: requests.add(request.url))
                tab.add_init_script(COUNTED)
                tab.goto(address)
                tab.locator("#picture svg").wait_for()  # before the engine is there
                assert tab.locator(".engine").is_visible()
                tab.locator(".engine").wait_for(state="hidden", timeout=120_000)
                opened.append(tab)
            return opened[n]

        yield page
        context.close()
    assert complaints == []
    others = [url for url in requests if not url.startswith((address, "blob:", "data:"))]
    assert others == [], "it needs no other host"


@pytest.fixture
def play(tabs):
    """As that of the other engine; but the pages stay, and go to another address."""
    count = 0

    def opened(keys=None, at=None, viewport=test_page.WIDE):
        nonlocal count
        tab = tabs(count)
        count += 1
        tab.set_viewport_size(viewport)
        bits = at.partition("#")[2] if at else urlencode(keys or {})
        tab.evaluate("bits => (location.hash = bits)", bits)
        text = parse_qs(bits).get("text", [None])[0]
        arrived = """text => !unanswered &&
          (text === null || document.querySelector("#source").value === text)"""
        while not tab.evaluate(arrived, text):
            tab.wait_for_timeout(20)
        return tab

    return opened


@pytest.fixture
def expect():
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)  # of a browser on a machine that does much else
    yield expect
    expect.set_options(timeout=5_000)
