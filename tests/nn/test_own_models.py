"""Models that people write themselves: `forward`, seeds, layers by their keywords."""

import threading

import numpy as np
import pytest

import microgrid as mg
from microgrid import nn, optim


class Line(nn.Module):
    def __init__(self):
        self.slope = mg.Value(2.0)

    def forward(self, x, shift=1.0):
        return self.slope * x[0] + shift


def test_forward_is_what_a_model_does_wherever_it_is_called():
    line = Line()
    assert (line([3.0]).data, line([3.0], shift=0.0).data) == (7.0, 6.0)
    assert nn.Sequential(line)([3.0]).data == 7.0
    assert nn.predict(line, [[3.0], [4.0]]).tolist() == [7.0, 9.0]
    assert mg.record(lambda line, x: line(x), line, [3.0])(line, [4.0]) == 9.0
    data = np.array([[1.0], [2.0]]), np.array([4.0, 7.0])
    optim.fit(
        lambda line, x, y: (line(x) - y) ** 2, line, data, optimizer=optim.SGD(lr=0.1), epochs=60
    )
    assert line.slope.data == pytest.approx(3.0)


def test_a_call_of_ones_own_goes_before_forward():
    class Both(Line):
        def __call__(self, x):
            return 2 * super().__call__(x)

    assert Both()([3.0]).data == 14.0


def test_a_model_that_says_nothing_of_what_it_does_is_told_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(ValueError, match=r"Empty has no forward and no __call__: define `def forw"):
        Empty()([1.0])


# Seeds.


def weights(*layers):
    return [layer.state()["w"].tolist() for layer in layers]


def test_one_call_begins_anew_with_all_weights_that_have_no_seed():
    nn.seed(3)
    first = weights(nn.Affine(2, 2), nn.Affine(2, 2))
    nn.Affine(2, 2, seed=0)  # draws from its own
    nn.seed(3)
    assert weights(nn.Affine(2, 2), nn.Affine(2, 2)) == first
    assert first[0] != first[1]
    nn.seed()
    assert nn.Affine(3, 3).state()["w"].tolist() == nn.Affine(3, 3, seed=0).state()["w"].tolist()


@pytest.mark.parametrize("seed", [-1, 0.5, None, True, "0"])
def test_a_seed_that_is_none_is_refused_and_changes_nothing(seed):
    nn.seed(4)
    with pytest.raises(ValueError, match="seed is a whole number from 0 on"):
        nn.seed(seed)
    after = weights(nn.Affine(2, 2))
    nn.seed(4)
    assert weights(nn.Affine(2, 2)) == after


def test_layers_made_in_several_threads_at_once_all_differ():
    made, barrier = [], threading.Barrier(8)

    def work():
        barrier.wait()
        made.extend(weights(*[nn.Affine(3, 3) for _ in range(50)]))

    threads = [threading.Thread(target=work) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len({str(w) for w in made}) == 400


# Layers.


def test_the_sizes_of_a_layer_are_called_inputs_and_outputs():
    right = nn.Affine(2, 3, seed=1).state()["w"]
    for layer in (nn.Affine(inputs=2, outputs=3, seed=1), nn.Affine(D=2, M=3, seed=1)):
        assert (layer.state()["w"] == right).all()


@pytest.mark.parametrize("name", nn.INITIAL)
def test_an_initialisation_says_what_it_draws_and_can_be_called(name):
    drawn = nn.INITIAL[name](np.random.default_rng(1), 4, 5)
    assert drawn.shape == (4, 5)
    assert (nn.Affine(4, 5, nn.INITIAL[name], seed=1).state()["w"] == drawn).all()
    assert repr(nn.INITIAL[name]).startswith("<weights: ")


def test_a_leaky_relu_has_a_slope_that_may_be_a_parameter():
    assert nn.LeakyReLU(0.5)([-2.0, 2.0]).tolist() == [-1.0, 2.0]
    assert nn.LeakyReLU()([-1.0]).tolist() == [-0.01]
    slope = mg.Value(0.25)
    layer = nn.LeakyReLU(slope)
    layer([-2.0])[0].backward()
    assert (layer.parameters(), slope.grad) == ([slope], -2.0)
    with pytest.raises(mg.MicrogridError, match="real number, got str"):
        nn.LeakyReLU("steep")
