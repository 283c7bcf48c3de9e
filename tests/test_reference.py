"""The reference: built without a warning, it shows what is public, and nothing else."""

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import microgrid
from microgrid.engine.functions import FUNCTIONS

pytest.importorskip("pdoc", reason="the reference is built by pdoc (extra `docs`)")
BUILDER = Path(__file__).parent / "shared" / "reference.py"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-W", "error", BUILDER, folder], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def entries(site, page):
    """The text of each entry of a page, by its name; those of members as "Value.backward"."""
    html = (site / f"{page.replace('.', '/')}.html").read_text(encoding="utf-8")
    pieces = re.split(r'<(?:section|div) id="([\w.]+)"', html)[1:]
    docs = [re.findall(r'<div class="docstring">(.*?)</div>', x, re.DOTALL) for x in pieces[1::2]]
    return {
        name: unescape(re.sub("<[^>]+>", "", " ".join(found[:1])))
        for name, found in zip(pieces[::2], docs)
    }


def pages(site):
    return sorted(
        ".".join(path.relative_to(site).with_suffix("").parts) for path in site.rglob("*.html")
    )


def test_there_is_a_page_of_each_public_module(site):
    modules = [n for n in microgrid.__all__ if type(getattr(microgrid, n)) is type(microgrid)]
    deeper = ["check.museum", "check.strategies", "optim.schedules"]
    assert pages(site) == sorted(
        ["index", "microgrid", *[f"microgrid.{m}" for m in modules + deeper]]
    )


def test_each_public_name_has_an_entry_with_words_and_no_private_name_has_one(site):
    for page in pages(site)[1:]:
        module = microgrid
        for name in page.split(".")[1:]:
            module = getattr(module, name)
        public = {n for n in module.__all__ if not isinstance(getattr(module, n), type(microgrid))}
        found = entries(site, page)
        assert {name for name in found if "." not in name} == public
        assert {name for name in public if len(found[name]) < 15} == set()
        assert not [n for n in found if re.search(r"(^|\.)_(?!_init__)", n)]


def test_an_operation_has_the_docstring_that_help_shows(site):
    found = entries(site, "microgrid")
    for name in FUNCTIONS:
        said = microgrid.__dict__[name].__doc__.split("\n")[0].replace("`", "")
        assert said in found[name]


def test_a_page_names_classes_as_users_do(site):
    """Not by the module they are at home in, which no user imports from."""
    for page in pages(site):
        html = (site / f"{page.replace('.', '/')}.html").read_text(encoding="utf-8")
        signatures = re.findall(r'<span class="(?:signature|annotation)[^"]*">(.*)', html)
        text = re.sub("<[^>]+>", "", "\n".join(signatures))
        assert re.findall(r"\w*(?:typing\.|dtype\[|ForwardRef|0x)\w*", text) == []
        assert {n for n in re.findall(r"microgrid\.\w+\.[\w.]+", text) if n in INTERNAL} == set()


def test_what_a_public_function_returns_is_in_the_reference(site):
    """But for the insides of derivations, findings and problems, and rows of two kinds."""
    inside = ["Anatomy", "Problem", "Property", "Row", "Side"]
    for page in pages(site):
        html = (site / f"{page.replace('.', '/')}.html").read_text(encoding="utf-8")
        for found in re.findall(r'<span class="(?:return-annotation|annotation)">(.*)', html):
            text = re.sub("<a .*?</a>|<[^>]+>", "", found)  # without what has a link
            names = re.findall(r"microgrid\.\w+\.[\w.]*\.(\w+)", text)
            assert {*names} <= {*inside}, page


INTERNAL = {f"{x.__module__}.{x.__qualname__}" for x in map(microgrid.results.__getattr__,
            microgrid.results.__all__)} - {"microgrid.plots.Plot"}  # fmt: skip


def test_every_link_inside_the_reference_leads_somewhere(site):
    for page in pages(site):
        path = site / f"{page.replace('.', '/')}.html"
        for target in re.findall(r'href="([^":$]+)"', path.read_text(encoding="utf-8")):
            name, _, place = target.partition("#")
            to = (path.parent / name).resolve() if name else path
            assert to.exists(), (page, target)
            if place:
                assert f'id="{place}"' in to.read_text(encoding="utf-8"), (page, target)
