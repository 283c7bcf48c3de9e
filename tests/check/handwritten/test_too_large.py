"""Inputs that are too large for Values are refused at once; what takes long there is told so."""

import time

import numpy as np
import pytest

from microgrid.check import layer
from microgrid.check.handwritten.process.launch import is_of_ours
from microgrid.check.handwritten.process.worker import ended
from microgrid.check.handwritten.trial import LayerError


def affine(x, w, b):
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


def tanh(x):
    return np.tanh(x)


def tanh_backward(dout, x):
    return dout * (1 - np.tanh(x) ** 2)


def test_large_inputs_are_refused_at_once_with_small_shapes():
    start = time.monotonic()
    with pytest.raises(LayerError, match=r"^x \(256, 784\) is too large .* as in x=\(3, 4\)"):
        layer(affine, affine_backward, x=(256, 784), w=(784, 100), b=(100,))
    with pytest.raises(LayerError, match=r"^x \(2000, 2000\) is too large to run on Values"):
        layer(tanh, tanh_backward, x=(2000, 2000))
    assert time.monotonic() - start < 10


def test_inputs_of_the_usual_sizes_are_checked():
    assert layer(affine, affine_backward, x=(16, 32), w=(32, 16), b=(16,))
    assert layer(tanh, tanh_backward, x=(40, 40))


def test_memory_that_is_not_enough_is_a_refusal():
    found = ended("f", MemoryError("Unable to allocate 4 GiB"), replaced=False)
    assert not found.gradients
    assert "too large to run on Values" in found.refusal


def test_a_time_that_is_over_is_ours_on_values_and_theirs_on_floats():
    ours = __import__("microgrid.check.handwritten.forward.exact", fromlist=["x"]).__file__
    frames = {
        "theirs": '  File "layers.py", line 3 in forward\n',
        "exact": f'  File "{ours}", line 80 in exact\n',
        "on_floats": f'  File "{ours}", line 150 in on_floats\n',
    }

    def over(*names):
        return is_of_ours(
            "Timeout (0:00:20)!\nThread 0x1 (most recent call first):\n"
            + "".join(frames[n] for n in names)
        )

    assert over("theirs", "exact")
    assert over("exact")
    assert not over("theirs", "on_floats", "exact")
    assert not over("theirs")
