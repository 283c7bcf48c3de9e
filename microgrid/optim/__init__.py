"""Optimizers, learning-rate schedules, and a training loop.

The steps of SGD, momentum (also Nesterov's), Adam, AdamW, weight decay and clipping are PyTorch's.
A loop of your own may also hand `step` the gradient of a program, which leaves none in the nodes;
`nn.batches` draws its samples, and `optimizer.save` keeps its state beside that of the model.
Read optimizers.py first, with updates.py (the formula of each step) and schedules.py; then
training.py (`fit`), which stands on objective.py, epochs.py (whole epochs in the compiled engine)
and history.py.

>>> from microgrid import Value, optim
>>> w = Value(2.0, "w")
>>> optimizer = optim.Adam([w], lr=0.1)
>>> for _ in range(100):
...     optimizer.zero_grad()
...     (w * w).backward()
...     optimizer.step()
>>> abs(w.data) < 0.1
True

The same by a program, in batches:

>>> import microgrid as mg
>>> from microgrid import nn
>>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0]
>>> model = nn.Sequential(nn.Affine(1, 1))
>>> loss = lambda model, x, y: nn.squared_error(model(x), y)
>>> program = mg.record(loss, model, X[0], y[0]).batched((None, 0, 0))
>>> optimizer = optim.SGD(model, lr=0.1, momentum=0.5)
>>> for epoch in range(100):
...     for x_batch, y_batch in nn.batches(X, y, size=2, seed=epoch):
...         losses, gradient = program.value_and_grad(model, x_batch, y_batch)
...         optimizer.step(gradient / len(losses))  # the gradient is that of their sum
>>> nn.predict(model, [[10.0]]).round(2).tolist()
[[21.0]]
"""

from microgrid.engine.lazy import public
from microgrid.optim import schedules
from microgrid.optim.history import History
from microgrid.optim.optimizers import SGD, Adam, AdamW, Optimizer
from microgrid.optim.schedules import cosine, exponential, linear, step_decay
from microgrid.optim.training import DivergedError, fit

__all__ = ["SGD", "Adam", "AdamW", "DivergedError", "History", "Optimizer", "cosine", "exponential"]
__all__ += ["fit", "linear", "schedules", "step_decay"]
__dir__ = public(__name__)
