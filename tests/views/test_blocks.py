"""Pictures of large graphs: blocks, and leaves that are repeated at each use."""

import re
from contextlib import nullcontext
from fractions import Fraction
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared.graphs import chain, mlp, squared_affine
from shared.processes import printed

import microgrid as mg
from microgrid import Value
from microgrid.engine.labels import LabelError, scope_of
from microgrid.engine.value import Constant, topological
from microgrid.matrices.examples import affine_circuit, sigmoid_circuit
from microgrid.views.blocks import (
    MOST_BLOCKS,
    by_depth,
    by_label,
    by_scope,
    group_gates,
    wires_between,
)
from microgrid.views.dot_labels import extent
from microgrid.views.drawing import Numbers, draw, draw_gates
from microgrid.views.homes import Homes, by_home
from microgrid.views.picture import Picture
from microgrid.views.slides import Slides
from microgrid.views.wording import decimals, signed

SVG = "{http://www.w3.org/2000/svg}"
RED, GREEN = "#c62828", "#0a7d20"


def svg(picture):
    return ElementTree.fromstring(picture.pipe("svg"))


def texts(root, color=None):
    found = [t for t in root.iter(f"{SVG}text") if color is None or t.get("fill") == color]
    return ["".join(t.itertext()).replace("\xa0", " ") for t in found]


def groups(root, kind):
    return [g for g in root.iter(f"{SVG}g") if kind in g.get("class", "").split()]


def inside(root, id):
    return next(g for g in root.iter(f"{SVG}g") if g.get("id") == id)


def shown(x):
    return signed(decimals(x))


@st.composite
def graphs(draw):
    """Graphs of Fractions whose gates lie in scopes, are labelled and are shared at random."""
    nodes = [Value(Fraction(draw(st.integers(-4, 4)), 3), name) for name in ("x_1", "x_2", "b", "")]
    for _ in range(draw(st.integers(1, 25))):
        a = nodes[-1 - draw(st.integers(0, 2))]  # a late one, so that most of it leads to the root
        b = nodes[draw(st.integers(0, len(nodes) - 1))]
        name = draw(st.sampled_from(["", "a", "b", "c"]))
        with mg.scope(name) if name else nullcontext():
            nodes.append(draw(st.sampled_from([lambda: a + b, lambda: a * b, lambda: a - 2]))())  # noqa: B023
        nodes[-1].label = draw(st.sampled_from(["", "", "", "h", "z_1"]))
    return nodes[-1]


# Which gates make up a block


@given(graphs())
def test_every_gate_is_in_exactly_one_block_and_no_wire_comes_back_to_a_block(root):
    order = topological(root)
    gates = [v for v in order if v.op]
    for blocks in (
        group_gates(order)[0],
        by_scope(order),
        by_label(order),
        by_depth(order) if gates else {},
    ):
        if not gates or not blocks:
            continue
        assert list(blocks) == gates
        sources = wires_between(blocks)
        while ready := [block for block in sources if not sources[block] & set(sources)]:
            for block in ready:
                del sources[block]
        assert not sources


@given(graphs())
def test_a_block_is_a_scope_unless_its_wires_come_back(root):
    blocks = by_scope(topological(root))
    for v, block in blocks.items():
        assert block.name == ("".join(scope_of(v)[:1]) or "other gates")
    for name in {block.name for block in blocks.values()}:
        turns = {block for block in blocks.values() if block.name == name}
        if len(turns) == 1:
            continue
        members = [v for v in blocks if blocks[v].name == name]
        outside = {v for v in blocks if any(p in members for p in v.parents)} - set(members)
        assert outside


def test_scopes_entered_sample_by_sample_are_one_block_each():
    x = [Value(1.0 * i, "x") for i in range(3)]
    outputs = []
    for xi in x:
        with mg.scope("first"):
            h = xi * xi
        with mg.scope("second"):
            outputs.append(h.exp())
    blocks = by_scope(topological(sum(outputs)))
    assert [b.name for b in dict.fromkeys(blocks.values())] == ["first", "second", "other gates"]


def test_scopes_that_alternate_are_split_where_the_wires_come_back():
    h = Value(1.0)
    for _ in range(3):
        with mg.scope("cell"):
            h = h.tanh()
        with mg.scope("output"):
            h = h * 2
    titles = texts(svg(draw(h, level="blocks")))
    assert {"cell (1)", "cell (2)", "cell (3)", "output (1)"} <= set(titles)


def test_nested_scopes_fold_at_the_outermost_level_that_tells_gates_apart():
    x = Value(1.0)
    with mg.scope("model"):
        with mg.scope("a"):
            h = x.exp()
        with mg.scope("b"):
            h = h.tanh()
    assert {b.name for b in by_scope(topological(h)).values()} == {"a", "b"}
    assert {b.name for b in by_scope(topological(h * 2)).values()} == {"model", "other gates"}


def test_without_scopes_labelled_nodes_are_blocks_with_one_output():
    root = squared_affine()
    blocks, way = group_gates(topological(root))
    assert way == " by labelled node"
    sizes = {
        name: sum(b.name == name for b in blocks.values()) for name in ("y_{11}", "y_{23}", "L")
    }
    assert sizes == {"y_{11}": 4, "y_{23}": 4, "L": 13}


@given(graphs())
def test_a_labelled_block_has_one_output(root):
    blocks = by_label(topological(root))
    for block in set(blocks.values()):
        used = {p for v, b in blocks.items() if b != block for p in v.parents}
        assert len([v for v in blocks if blocks[v] == block and (v in used or v is root)]) == 1


def test_bands_of_depth_are_few_and_of_like_size():
    blocks = by_depth(topological(chain(150)))
    sizes = [sum(b == block for b in blocks.values()) for block in set(blocks.values())]
    assert len(sizes) == 5
    assert max(sizes) - min(sizes) <= 2


def test_bands_of_depth_end_where_a_layer_does():
    root = mlp(scope=lambda _: nullcontext())
    blocks = by_depth(topological(root))
    first = next(iter(blocks.values()))
    assert sum(block == first for block in blocks.values()) == 5 * 16  # 2 products, 2 sums, 1 relu


def test_more_scopes_than_anyone_can_look_at_are_not_blocks():
    y = Value(0.5)
    for i in range(MOST_BLOCKS + 1):
        with mg.scope(f"step {i}"):
            y = y.tanh()
    assert group_gates(topological(y))[1] == " by depth"


@given(graphs())
def test_a_home_is_a_scope_and_a_leaf_is_at_home_where_all_its_uses_are(root):
    order = topological(root)
    homes = by_home(order)
    gates = {v: ".".join(scope_of(v)) for v in order if v.op}
    if len({*gates.values(), ""}) <= 2:
        assert homes == {}
        return
    assert {v: home for v, home in homes.items() if v.op} == {v: s for v, s in gates.items() if s}
    for v in order:
        if not v.op:
            used = {gates[child] for child in order if v in child.parents}
            alone = used.pop() if len(used) == 1 and v.label else ""
            assert homes.get(v, "") == alone


def drawn_edges(root, homes, shut):
    """Both ends of each wire in a picture where some homes are closed: each piece of it once."""
    order = topological(root)
    index = {v: i for i, v in enumerate(order)}
    boxes = {home: f"home{i}" for i, home in enumerate(dict.fromkeys(homes.values()))}

    def place(v):
        return boxes[homes[v]] if homes.get(v) in shut else f"g{index[v]}"

    found = [(f"n{index[root]}", "out")]
    for v in order:
        if isinstance(v, Constant) and v is not root:
            continue
        uses = [place(child) for child in order for p in child.parents if p is v]
        if homes.get(v) in shut:
            uses = [use for use in uses if use != place(v)]
            if not uses and v is not root:
                continue
        found += [(place(v), f"n{index[v]}")] * bool(v.op or v.label)
        found += [(f"n{index[v]}", use) for use in uses if use[0] == "g"]
        found += {(f"n{index[v]}", use) for use in uses if use[0] != "g"}
    return sorted(found)


@given(graphs(), st.data())
def test_a_closed_home_is_one_box_to_which_all_its_wires_lead(root, data):
    order = topological(root)
    found = by_home(order)
    homes = {v: found[v] for v in order if v in found}
    shut = data.draw(st.sets(st.sampled_from(sorted({*homes.values()})))) if homes else set()
    picture = Picture()
    draw_gates(picture, order, Numbers(order, 2), homes=Homes(order, homes, shut))
    edges = re.findall(r"^\t(\w+)\S* -> (\w+)", "".join(picture.body), re.MULTILINE)
    assert sorted(edges) == drawn_edges(root, homes, shut)


def crossed(drawn):
    """The words that a wire runs through, other than its own name."""
    boxes, found = [], []
    for group in drawn.iter(f"{SVG}g"):
        for t in group.findall(f"{SVG}text"):
            wide, high = 0.9 * extent(t.text, round(float(t.get("font-size")))), 9
            x = float(t.get("x")) - wide / 2 * (t.get("text-anchor") == "middle")
            boxes.append((group.get("id"), t.text, x, x + wide, float(t.get("y")) - high))
    for edge in groups(drawn, "edge"):
        numbers = re.findall(r"[-\d.]+", edge.find(f"{SVG}path").get("d"))
        points = [complex(float(x), float(y)) for x, y in zip(numbers[::2], numbers[1::2])]
        for i in range(0, len(points) - 3, 3):
            a, b, c, d = points[i : i + 4]
            for t in (k / 16 for k in range(17)):
                z = (1 - t) ** 3 * a + 3 * t * (1 - t) * ((1 - t) * b + t * c) + t**3 * d
                found += [(id, word) for id, word, left, right, top in boxes
                          if left < z.real < right and top < z.imag < top + 9
                          and id.replace("g", "e") != edge.get("id")]  # fmt: skip
    return found


def test_no_wire_runs_through_a_name_or_a_number():
    x = [Value(0.5, "x_1"), Value(-1.0, "x_2")]
    film = mg.steps(mg.nn.MLP(2, [4, 1], seed=1)(x) ** 2)._film
    pictures = [film.picture(60, view) for view in (0, 1, 2, 6)]
    pictures += [Slides(film, [20], "16:9").bare(20, {})]
    pictures += [draw(root) for root in (sigmoid_circuit(), affine_circuit(), chain(20))]
    for picture in pictures:
        drawn = svg(picture)
        assert crossed(drawn) == []
        name, wire = groups(drawn, "name")[0], groups(drawn, "edge")[-1]
        x, y = re.search(r"M([-\d.]+),([-\d.]+)", wire.find(f"{SVG}path").get("d")).groups()
        name.find(f"{SVG}text").attrib.update({"x": str(float(x) - 2), "y": str(float(y) + 4)})
        assert crossed(drawn)


# What the picture of blocks shows


def test_up_to_max_gates_there_are_gates_then_blocks():
    assert len(groups(svg(draw(chain(30))), "gate")) == 60
    folded = svg(draw(chain(30) + 1))
    assert not groups(folded, "gate")
    assert "61 gates in 5 blocks by depth; level='gates' shows them all" in texts(folded)
    assert draw(chain(30), max_gates=59).source != draw(chain(30)).source
    assert "class=gate" in draw(chain(31), level="gates").source
    assert "class=block" in draw(sigmoid_circuit(), level="blocks").source
    with pytest.raises(LabelError, match="'gates', 'blocks'"):
        draw(chain(1), level="scopes")


def test_blocks_of_scopes_show_name_gates_leaves_and_the_largest_gradient():
    loss = mlp()
    loss.backward()
    drawn = svg(draw(loss))
    order = topological(loss)
    for box, name in zip(groups(drawn, "block"), ("layer 0", "layer 1", "layer 2", "loss")):
        gates = [v for v in order if scope_of(v) == (name,)]
        leaves = {p for v in gates for p in v.parents if not p.op and not isinstance(p, Constant)}
        most = max(abs(v.grad) for v in {*gates, *leaves})
        lines = [f"{len(gates)} gates", f"{len(leaves)} leaves", f"max |grad| {decimals(most)}"]
        assert texts(box) == [name, *lines]
    assert "643 gates in 4 blocks; level='gates' shows them all" in texts(drawn)


@settings(max_examples=30)
@given(graphs())
def test_the_numbers_between_blocks_are_those_of_the_nodes(root):
    if not root.op:
        return
    root.backward()
    order = topological(root)
    blocks, _ = group_gates(order)
    drawn = svg(draw(root, level="blocks"))
    ids = list(dict.fromkeys(blocks.values()))
    for i, block in enumerate(ids):
        used = {p for v, b in blocks.items() if b != block for p in v.parents}
        out = [v for v in order if blocks.get(v) == block and (v in used or v is root)]
        bundle = inside(drawn, f"out{i}")
        cut = ", …" if len(out) > 4 else ""
        count = f"{cut} ({len(out)})" if cut else ""
        assert "".join(texts(bundle, GREEN)) == ", ".join(shown(v.data) for v in out[:4]) + count
        assert "".join(texts(bundle, RED)) == ", ".join(shown(v.grad) for v in out[:4]) + cut


def test_leaves_of_one_name_are_one_bundle_and_a_shared_one_goes_to_all_its_blocks():
    x, w = mg.matrix([1.0, 2.0], "x"), mg.matrix([3.0, 4.0], "w")
    with mg.scope("a"):
        h = x[0] * w[0] + x[1] * w[1]
    with mg.scope("b"):
        y = h * x[0]
    drawn = svg(draw(y, level="blocks"))
    assert sorted("".join(texts(g)) for g in groups(drawn, "name")) == ["", "w", "x1", "x2"]
    shared = next(g for g in groups(drawn, "name") if "".join(texts(g)) == "x1").get("id")
    i = shared.removeprefix("name")
    assert {inside(drawn, f"e_leaves{i}_{j}").get("class") for j in (0, 1)} == {"edge"}


@pytest.mark.parametrize("make", [mlp, squared_affine, lambda: chain(100)])
@pytest.mark.parametrize("options", [{"level": "blocks"}, {"share_leaves": False}])
def test_nothing_moves_when_the_gradients_appear(make, options):
    root = make()
    pictures = [svg(draw(root, **options))]
    assert texts(pictures[0], RED) == []
    assert "max" not in " ".join(texts(pictures[0]))
    root.backward()
    pictures.append(svg(draw(root, **options)))
    before, after = (
        [(e.tag, e.attrib) for e in p.iter() if e.tag != f"{SVG}text"] for p in pictures
    )
    assert before == after


def test_text_stays_in_its_block():
    with mg.scope("Wide WWW @ mixing layer, the 12th"):
        y = Value(2.0).exp() * 3
    box = groups(svg(draw(y + 1, level="blocks")), "block")[0]
    outline = next(box.iter(f"{SVG}path")).get("d")
    xs = [float(p.split(",")[0]) for p in re.findall(r"[-\d.]+,[-\d.]+", outline)]
    title = next(box.iter(f"{SVG}text"))
    assert max(xs) - min(xs) > 0.58 * 14 * len("".join(title.itertext()))


def test_any_scope_name_is_text():
    name = "</b>&amp;\\N<script>"
    with mg.scope(name):
        y = Value(2.0).exp()
    assert name in texts(svg(draw(y + 1, level="blocks")))


def test_a_graph_of_ten_thousand_nodes_is_drawn():
    loss = mlp(samples=16)
    loss.backward()
    assert len(topological(loss)) > 10_000
    assert len(groups(svg(draw(loss)), "block")) == 4
    loss = mlp(samples=16, scope=lambda _: nullcontext())
    assert 2 <= len(groups(svg(draw(loss)), "block")) <= 5


def test_a_gradient_that_is_not_a_number_is_the_largest():
    x = Value(1.0)
    y = x.exp() + x
    y.backward()
    y.parents[0].grad = float("nan")
    assert "max |grad| nan" in texts(svg(draw(y, level="blocks", max_gates=0)))


def test_the_text_is_the_same_in_every_process():
    program = (
        "from shared.graphs import chain, mlp, squared_affine\nfrom microgrid import draw\n"
        "for root in (mlp(), chain(70), squared_affine()):\n"
        "    root.backward(); print(draw(root, share_leaves=False).source)\n"
        "    print(draw(root, level='blocks').source)"
    )
    assert printed(program) != ""


# Leaves repeated at each use


@settings(max_examples=40)
@given(graphs())
@example(affine_circuit())
def test_the_shares_of_the_copies_sum_to_the_gradient_of_the_leaf(root):
    root.zero_grad()
    root.backward()
    order = topological(root)
    drawn = svg(draw(root, level="gates", share_leaves=False, decimals=9))
    wires = {g.get("id"): texts(g, RED) for g in groups(drawn, "wire")}
    for i, v in enumerate(order):
        if v.op or isinstance(v, Constant):
            continue
        copies = [shown for id, shown in wires.items() if re.fullmatch(rf"n{i}(-\d+-\d+)?", id)]
        assert len(copies) == max(1, sum(p is v for child in order for p in child.parents))
        total = sum(Fraction(shown[0].replace("−", "-")) for shown in copies)
        if all("." not in shown[0] for shown in copies):  # a Fraction that is shown exactly
            assert total == v.grad
        else:
            assert float(total) == pytest.approx(float(v.grad), rel=1e-6, abs=1e-6)


def test_the_affine_layer_has_a_box_for_each_entry_and_a_table_of_sums():
    root = squared_affine()
    root.backward()
    drawn = svg(draw(root, share_leaves=False))
    titles = ["".join(texts(box)) for box in groups(drawn, "box")]
    assert titles == ["y11", "y12", "y13", "y21", "y22", "y23"]
    cells = texts(inside(drawn, "sums"))
    x11 = next(v for v in topological(root) if v.label == "x_{11}")
    at = cells.index("x")
    assert cells[at : at + 4] == ["x", "11", shown(x11.data), shown(x11.grad)]
    assert re.fullmatch(r"[+−] \S+ [+−] \S+ [+−] \S+", cells[at + 4])
    terms = cells[at + 4].replace("−", "-").replace("+ ", "").replace("- ", "-").split()
    assert sum(map(float, terms)) == pytest.approx(x11.grad, abs=0.02)


def test_the_boxes_and_their_operands_stand_in_order():
    drawn = svg(draw(squared_affine(), share_leaves=False))
    tops = [float(next(b.iter(f"{SVG}text")).get("y")) for b in groups(drawn, "box")]
    assert tops == sorted(tops)
    names = [g for g in groups(drawn, "name") if texts(g)[:1] in (["x"], ["w"])]
    by_height = sorted(names, key=lambda g: float(next(g.iter(f"{SVG}text")).get("y")))
    assert [texts(g)[0] for g in by_height] == ["x", "w"] * 12


def test_what_earlier_passes_left_is_said_in_the_table():
    x = Value(3.0, "x")
    (x * x).backward()
    y = x * x
    y.backward()
    assert "+ 3.00 + 3.00 and 6.00 from earlier passes" in texts(svg(draw(y, share_leaves=False)))


def test_many_uses_are_cut_short_in_the_table():
    x = Value(1.0, "x")
    y = mg.total([x] * 9)
    y.backward()
    shown = texts(inside(svg(draw(y, share_leaves=False)), "sums"))
    assert shown[-1] == "+ 1.00 " * 6 + "+ … (9 uses)"


@pytest.mark.parametrize("options", [{"level": "blocks"}, {"share_leaves": False}])
def test_drawing_changes_no_node_and_a_graph_whose_data_was_set_is_drawn(options):
    root = squared_affine()
    draw(root, **options).pipe("svg")
    assert all(v._grad is None for v in topological(root))
    topological(root)[0].data = 7.0
    assert "7.00" in " ".join(texts(svg(draw(root, **options))))


@pytest.mark.parametrize("options", [{"level": "blocks"}, {"share_leaves": False}])
def test_a_prefix_begins_every_id(options):
    ids = [g.get("id") for g in svg(draw(squared_affine(), prefix="a-", **options)).iter(f"{SVG}g")]
    assert len(ids) == len(set(ids)) > 10
    assert all(i.startswith("a-") for i in ids)


def test_a_leaf_alone_and_a_tree_are_drawn_as_ever():
    assert draw(Value(1.0, "x"), level="blocks").source == draw(Value(1.0, "x")).source
    f = sigmoid_circuit()
    assert draw(f, share_leaves=False).source == draw(f).source
