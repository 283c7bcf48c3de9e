"""A gradient over two worker processes, with the real scheduler of Dask."""

import os

import numpy as np
import pytest

import microgrid as mg

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def loss(W, b, x, y):
    scores = mg.tanh(mg.affine([x], W, b)[0])
    return mg.logsumexp(list(scores)) - mg.dot(scores, y)


def dyadic(seed, *shape):
    return np.random.default_rng(seed).integers(-64, 64, shape) / 32


@pytest.mark.parametrize("count", [1, 2, 101])
def test_two_processes_give_the_gradient_of_one(client, count):
    W, b, X, Y = dyadic(0, 3, 4), dyadic(1, 4), dyadic(2, count, 3), dyadic(3, count, 4)
    batched = mg.record(loss, W, b, X[0], Y[0]).batched((None, None, 0, 0))
    values, (dW, db, dX) = batched.value_and_grad(W, b, X, Y, argnums=(0, 1, 2))
    spread = batched.on(client)
    for _ in range(2):  # the program is there, and stays
        theirs, (dW2, db2, dX2) = spread.value_and_grad(W, b, X, Y, argnums=(0, 1, 2))
        assert (theirs == values).all()
        assert (dX2 == dX).all()
        np.testing.assert_allclose(dW2, dW, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(db2, db, rtol=1e-12, atol=1e-13)


def test_sums_without_rounding_are_equal_to_the_last_bit(client):
    X, Y = dyadic(2, 64, 3), dyadic(3, 64, 4)
    W, b = dyadic(0, 3, 4), dyadic(1, 4)
    affine = mg.record(lambda W, b, x, y: mg.dot(mg.affine([x], W, b)[0], y), W, b, X[0], Y[0])
    spread = affine.batched((None, None, 0, 0)).on(client)
    _, (dW, db) = spread.value_and_grad(W, b, X, Y, argnums=(0, 1))
    assert (dW == X.T @ Y).all()
    assert (db == Y.sum(axis=0)).all()


def test_what_does_not_fit_is_refused_before_it_travels(client):
    spread = mg.record(lambda w, x: w * x, 1.0, 1.0).batched((None, 0)).on(client)
    for inputs in ((1.0, 2.0), (1.0, np.ones(3), 1.0), (1.0, [[1.0], [1.0, 2.0]])):
        with pytest.raises(mg.MicrogridError):
            spread.value_and_grad(*inputs)


def test_both_processes_work_and_an_error_comes_home(client):
    assert len({os.getpid(), *client.run(os.getpid).values()}) == 3
    spread = mg.record(lambda w, x: mg.log(w * x), 1.0, 1.0).batched((None, 0)).on(client)
    with pytest.raises(ValueError, match="log"):
        spread.value_and_grad(1.0, np.array([1.0, 2.0, -1.0]))
