"""The table of the backward pass."""

import copy
import pickle
import re
import unicodedata
from fractions import Fraction
from html import unescape
from math import prod
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.planting import assert_caught
from shared.strategies import affine_problems, fractions, hundredths, programs
from shared.tex import READ
from shared.written import gives, number, table_is_right

import microgrid as mg
from microgrid import Value, examples, explain, gradients, matrix
from microgrid.engine.value import topological
from microgrid.views import explanation
from microgrid.views.expression import circuit
from microgrid.views.formula import name
from microgrid.views.notation import TEXT, write
from microgrid.views.storyboard import BackwardStory, ForwardStory
from microgrid.views.wording import plural, typed


@given(programs())
def test_every_row_is_one_share_and_the_last_total_is_the_gradient(program):
    nodes = program.nodes(Value)
    rows = explain(nodes[-1]).rows
    nodes[-1].backward()
    last = {}
    for r in rows:
        assert r.share == r.local * r.upstream
        assert r.total == last.get(r.parent_node, 0) + r.share
        assert r.upstream == r.child_node.grad
        last[r.parent_node] = r.total
    for v in topological(nodes[-1])[:-1]:
        assert last[v] == v.grad
    assert len(rows) == sum(len(v.parents) for v in topological(nodes[-1]))


def test_the_table_of_the_sigmoid_circuit_reads_as_on_the_slides():
    text = str(explain(examples.sigmoid_circuit()))
    lines = text.splitlines()
    assert lines[0] == "f = 0.7311, upstream 1"
    rows = [" ".join(line.split()) for line in lines]
    assert rows[1] == "gate role to local upstream share total"
    assert rows[2] == "f = 1 / n14 n14 -0.5344 1 -0.5344 -0.5344"
    assert rows[-1] == "n3 = w_0 * x_0 switcher x_0 2 0.1966 0.3932 0.3932"
    assert len(lines) == 2 + 12
    assert max(map(len, lines)) <= 80


def test_a_value_used_twice_shows_its_partial_sums():
    a, b = Value(3.0, "a"), Value(2.0, "b")
    rows = [r for r in explain((a * b + a) * a).rows if r.parent == "a"]
    assert [(r.share, r.total) for r in rows] == [(9, 9), (3, 12), (6, 18)]


def test_a_prompt_shows_the_beginning_and_the_end_of_a_long_table():
    for count in (98, 99, 1000):
        y = x = Value(2.0, "x")
        for _ in range(count):
            y = -y
        table = explain(y)
        lines, shown = str(table).splitlines(), repr(table).splitlines()
        assert len(lines) == count + 2
        if len(lines) <= 100:
            assert shown == lines
            assert table._repr_html_() == table.html()
        else:
            told = f"… {plural(len(lines) - 100, 'more line')}: print(…) shows all"
            assert shown == [*lines[:80], told, *lines[-20:]]
            assert table.html() in table._repr_html_()
            assert "overflow:auto" in table._repr_html_()
        assert table.rows[-1].parent_node is x


def test_constants_have_no_rows_and_no_node_is_changed():
    x = Value(3.0, "x")
    y = 2 * x + 1
    assert [r.parent for r in explain(y).rows] == ["n2", "x"]
    assert y._grad is None
    assert x._grad is None


def test_many_operands_are_cut_short():
    y = mg.total([Value(float(i), f"x_{i}") for i in range(9)])
    assert explain(y).rows[0].gate == "n9 = sum(x_0, x_1, x_2, …, x_8)"


def test_a_leaf_has_an_empty_table():
    assert str(explain(Value(2.0, "x"))).splitlines()[0] == "x = 2, upstream 1"


@given(programs())
def test_the_paths_sum_up_to_the_gradient(program):
    nodes = program.nodes(Value)
    root = nodes[-1]
    for leaf in nodes[: len(program.leaves)]:
        paths = explain(root, of=leaf, max_paths=10**6)
        assert sum(path.product for path in paths.paths) == paths.gradient == gradients(root, leaf)
        assert paths.count == len(paths.paths)
        for path in paths.paths:
            assert path.nodes[0] is leaf
            assert path.nodes[-1] is root
            assert len(path.locals) == len(path.nodes) - 1
            assert path.product == prod(path.locals)
            assert all(a in b.parents for a, b in zip(path.nodes, path.nodes[1:], strict=False))


@given(programs(), st.integers(0, 3))
def test_paths_are_counted_without_being_listed(program, most):
    nodes = program.nodes(Value)
    all_of_them = explain(nodes[-1], of=nodes[0], max_paths=10**6)
    few = explain(nodes[-1], of=nodes[0], max_paths=most)
    assert few.count == all_of_them.count
    assert few.gradient == all_of_them.gradient
    assert few.paths == all_of_them.paths[:most]


def test_a_trillion_paths_are_counted_at_once():
    x = y = Value(1.0, "x")
    for _ in range(40):
        y = y + y
    paths = explain(y, of=x)
    assert paths.count == 2**40
    assert paths.gradient == 2.0**40
    assert len(paths.paths) == 20
    assert f"… and {2**40 - 20} more" in str(paths)


@given(affine_problems(fractions))
def test_influence_paths_of_the_product_are_one_per_row(problem):
    """dX[i][j] = Σ_a W[a][i] · dY[a][j]: one path X[i][j] → Y[a][j] → L for every row a of W."""
    W, X, _, dY = problem
    nodes = matrix(X, "x")
    L = examples.matmul_circuit(matrix(W, "w"), nodes, dY)
    for (i, j), x in np.ndenumerate(nodes):
        paths = explain(L, of=x)
        assert [path.product for path in paths.paths] == [W[a, i] * dY[a, j] for a in range(len(W))]


def test_a_node_without_influence_has_no_path():
    x, y = Value(1.0, "x"), Value(2.0, "y")
    assert explain(y * 2, of=x).count == 0
    assert str(explain(y * 2, of=x)).splitlines()[0] == "0 paths, ∂n2/∂x = 0"
    assert explain(y, of=y).paths[0].nodes == (y,)
    shut = mg.where(x > 5, x, y)
    assert explain(shut, of=x).count == 0


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20))
def test_no_label_gets_out_of_the_html_table(label):
    try:
        x = Value(2.0, label)
    except ValueError:  # a character that no picture can show
        return
    for table in (explain(x * x), explain(x * x, of=x)):
        tree = ElementTree.fromstring(table._repr_html_())
        assert {e.tag for e in tree.iter()} <= {
            "table", "caption", "thead", "tbody", "tr", "th", "td",
        }  # fmt: skip
        assert typed(label) in "".join(tree.itertext())


def test_the_latex_table_keeps_subscripts_and_balances():
    root = examples.sigmoid_circuit()
    text = explain(root).latex()
    assert r"n_3 = w_0 x_0 & \text{switcher} & x_0 & w_0 & 2" in text
    assert text.count("{") == text.count("}")
    assert len(re.findall(r"\\\\", text)) == 12
    paths = explain(root, of=examples.named(root)["x_0"]).latex()
    assert r"x_0 \to n_3 \to n_7" in paths
    assert r"\mathit{50\%\_\#}" in explain(Value(1.0, "50%_#") * 2).latex()
    x = Value(2.0, "x")
    assert r"\text{\dots and 1 more}" in explain(x * x, of=x, max_paths=1).latex()
    assert r"\left|n_2\right| &  & n_2 & n_2 > 0:\ 1 &" in explain(abs(x**-2)).latex()


@given(hundredths, hundredths)
def test_all_tables_of_a_pass_are_right_as_they_stand(x, y):
    x, y = Value(x, "x"), Value(y, "y")
    root = mg.sigmoid(x * y) * x / (3 + y * y) + mg.sin(x) / 7
    for mode, story in (("backward", BackwardStory(root, 2)),
                        ("forward", ForwardStory(root, 2, {x: 1, y: 0.3}))):  # fmt: skip
        table = explain(root, mode=mode, seeds={x: 1, y: 0.3} if mode == "forward" else None)
        for cells in (table._cells(), story.cells()):
            lines = zip([row.receiver for row in table.rows], cells, strict=True)
            assert table_is_right([(receiver, *row[-4:]) for receiver, row in lines])
    paths = explain(root, of=x)
    *rows, (_, _, total) = [*paths._cells(), *paths._foot]
    lines = [(*factors.split(" · "), share) for _, factors, share in rows]
    assert table_is_right([("", *line, "≈ 0") for line in lines])
    shares = [number(line[-1].removeprefix("≈ ")) for line in lines]
    assert gives("≈" if total.startswith("≈") else "=", sum(shares), total.removeprefix("≈ "))


@pytest.mark.parametrize("label", READ)
def test_a_label_in_latex_is_shown_as_letters_in_every_table(label):
    x = Value(2.0, label)
    y = x * 3
    tables = explain(y, rules=True), explain(y, of=x), explain(y, mode="forward")
    for table in tables:
        in_markdown = re.sub(r"\\(.)", r"\1", table.markdown())
        for text in (str(table), unescape(table.html()), in_markdown):
            assert typed(label) in text
            assert "\\" not in text
            assert typed(label) == label or label not in text
        assert name(label) in table.latex()
    assert tables[0].rows[0].parent == label


def test_columns_are_straight_where_a_letter_has_an_accent_of_its_own():
    x, y = Value(2.0, r"\vec{x}"), Value(3.0, "y")
    _, head, *lines = str(explain(x * y)).splitlines()
    assert {len(unicodedata.normalize("NFC", line).replace("\u20d7", "")) for line in lines} == {
        len(head)
    }


def test_numbers_of_their_own_name_have_it_and_comparisons_stand_as_they_were_written():
    root = circuit("where(x > 0, e*x, x) + sin(2π*x) / (π/2)").root
    table = explain(root, rules=True)
    gates = [*dict.fromkeys(row.gate.partition(" = ")[2] for row in table.rows)]
    assert gates == ["n4 + n9", "n7 / (π/2)", "sin(n6)", "2π * x", "where(x > 0, n3, x)", "e * x"]
    assert [cells[3] for cells in table._cells()] == [
        "1", "1", "2 / π", "cos(n6)", "2 * π", "1", "e",
    ]  # fmt: skip
    assert r"\operatorname{where}(x > 0, n_3, x)" in table.latex()
    assert table.rows[-2].rule.text() == "∂where(x > 0, a, x)/∂a = 1"
    for other in (copy.deepcopy(root), pickle.loads(pickle.dumps(root))):
        assert write(other, TEXT) == write(root, TEXT)


def test_fractions_are_shown_whole():
    x = Value(Fraction(1, 3), "x")
    assert "1/3" in str(explain(x * x))


def test_a_table_whose_totals_forget_earlier_shares_is_caught(monkeypatch):
    """A test of the first test."""
    right = explanation.accumulate

    def accumulate(order, upstream, trace):
        forgetful = lambda v, p, local, upstream, share, total: trace(  # noqa: E731
            v, p, local, upstream, share, share
        )
        return right(order, upstream, trace=forgetful)

    monkeypatch.setattr(explanation, "accumulate", accumulate)
    assert_caught(test_every_row_is_one_share_and_the_last_total_is_the_gradient, monkeypatch)
