"""PyTorch's autograd.Function: its forward under PyTorch's own autograd, its backward beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microgrid.check.handwritten.forms import classes
from microgrid.check.handwritten.forms.torch_functions import TorchTrial, exact_torch
from microgrid.check.handwritten.trial import LayerError

torch: Any = pytest.importorskip("torch")
Function: Any = torch.autograd.Function


class Linear(Function):
    @staticmethod
    def forward(ctx, input, weight, bias):
        ctx.save_for_backward(input, weight)
        return input.mm(weight.t()) + bias

    @staticmethod
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        assert ctx.needs_input_grad == (True, True, True)
        return grad_output.mm(weight), grad_output.t().mm(input), grad_output.sum(0)


class TransposedLinear(Linear):
    @staticmethod
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        return grad_output.mm(weight), input.t().mm(grad_output), grad_output.sum(0)


class Scaled(Function):  # the newer form, with an argument that has no gradient
    @staticmethod
    def forward(x, factor):
        return x * factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.factor = inputs[1]

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.factor, None


class Sorted(Function):  # an output without a gradient
    @staticmethod
    def forward(ctx, x):
        values, places = x.sort(dim=1)
        ctx.mark_non_differentiable(places)
        ctx.save_for_backward(places)
        return values, places

    @staticmethod
    def backward(ctx, grad_values, grad_places):
        (places,) = ctx.saved_tensors
        return torch.zeros_like(grad_values).scatter_(1, places, grad_values)


class Dropped(Function):
    @staticmethod
    def forward(ctx, x):
        mask = (torch.rand(x.shape) > 0.5).float()
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, dout):
        return dout * ctx.saved_tensors[0]


class WrongRelu(Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, dout):
        return dout


class OutOfTorch(Function):
    @staticmethod
    def forward(ctx, x):
        return torch.tensor(x.detach().numpy() ** 2)

    @staticmethod
    def backward(ctx, dout):
        return dout


class TooFew(Linear):
    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.mm(ctx.saved_tensors[1])


def sides(trial: TorchTrial) -> list[tuple[Any, Any]]:
    """Theirs and the right gradient of each input."""
    exact = exact_torch(trial)
    rng = np.random.default_rng(0)
    above = [rng.normal(size=shape) for shape in exact.shapes]
    theirs = trial.run(trial.inputs).pull(above)
    flat = np.concatenate([d.ravel() for d in above])
    return [(theirs[n], flat @ exact.jacobian([n])) for n in trial.inputs]


def made(cls: Any) -> TorchTrial:
    trial, *_ = classes.trials(cls)
    assert isinstance(trial, TorchTrial)
    return trial


@pytest.mark.parametrize("cls", [Linear, Scaled, Sorted, Dropped])
def test_a_right_function_is_right(cls: Any) -> None:
    for theirs, right in sides(made(cls)):
        np.testing.assert_allclose(np.ravel(theirs), right, rtol=1e-12)


@pytest.mark.parametrize(("cls", "bad"), [(WrongRelu, 0), (TransposedLinear, 1)])
def test_a_wrong_function_differs_in_the_wrong_gradient_alone(cls: Any, bad: int) -> None:
    near = [np.allclose(np.ravel(theirs), right) for theirs, right in sides(made(cls))]
    assert near == [i != bad for i in range(len(near))]


def test_inputs_are_found_and_differ_in_their_sizes() -> None:
    shapes = {n: x.shape for n, x in made(Linear).inputs.items()}
    assert shapes == {"input": (3, 4), "weight": (5, 4), "bias": (5,)}


def test_an_argument_whose_gradient_is_none_is_bound() -> None:
    assert list(made(Scaled).inputs) == ["x"]


def test_inputs_are_as_given() -> None:
    [trial] = classes.trials(WrongRelu, x=(2, 6))
    assert trial.inputs["x"].shape == (2, 6)


def test_a_forward_that_leaves_pytorch_is_refused() -> None:
    with pytest.raises(LayerError, match="PyTorch does not follow the forward of OutOfTorch"):
        exact_torch(made(OutOfTorch))


def test_a_backward_that_returns_too_few_gradients_crashes() -> None:
    trial = made(TooFew)
    with pytest.raises(ValueError, match="returns 1 gradients for 3 arguments"):
        trial.run(trial.inputs).pull([np.ones((3, 5))])


def test_the_settings_of_pytorch_are_put_back() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    sides(made(Dropped))
    assert torch.get_default_dtype() == torch.float32
    assert (torch.rand(2) == expected).all()
