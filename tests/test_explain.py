"""The table of the backward pass."""

from hypothesis import given
from strategies import programs

import microgrid as mg
from microgrid import Value, examples, explain
from microgrid.value import topological


@given(programs())
def test_every_row_is_one_share_and_the_last_total_is_the_gradient(program):
    nodes = program.graph()
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
