"""Scopes: which block a node belongs to, whatever happens inside."""

import threading

import pytest

import microgrid as mg
from microgrid.engine.labels import scope_of

x = mg.Value(2.0)


def test_scopes_nest_and_end_where_something_raises():
    with mg.scope("a"):
        with mg.scope("b"):
            assert scope_of(x * x) == ("a", "b")
        with pytest.raises(ZeroDivisionError), mg.scope("c"):
            _ = x / 0
        assert scope_of(x * x) == ("a",)
    assert scope_of(x * x) == ()


def test_one_scope_is_used_again_inside_of_itself_and_as_a_decorator():
    block = mg.scope("again")

    @block
    def nested(depth):
        return nested(depth - 1) if depth else x * x

    assert scope_of(nested(2)) == ("again",) * 3
    with block, block:
        assert scope_of(x * x) == ("again", "again")
    assert scope_of(x * x) == ()


def test_each_thread_is_in_its_own_scopes():
    block, barrier, found = mg.scope("shared"), threading.Barrier(4), []

    def work(name):
        for _ in range(50):
            with mg.scope(name), block:
                barrier.wait()
                found.append((name, scope_of(x * x)))

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(found) == 200
    assert all(scope == (name, "shared") for name, scope in found)


def test_a_scope_with_a_name_that_no_picture_can_show_is_refused_where_it_is_made():
    with pytest.raises(mg.MicrogridError, match="control character"):
        mg.scope("a\nb")
