"""Optimizers, learning-rate schedules, and a training loop.

The steps of SGD, momentum (also Nesterov's), Adam, AdamW, weight decay and clipping are PyTorch's.
A loop of your own may also hand `step` the gradient of a program, which leaves none in the nodes.
Read optimizers.py first, with schedules.py; then training.py (`fit`), which stands on objective.py
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
"""

from microgrid.engine.lazy import lazily, public
from microgrid.optim import schedules
from microgrid.optim.history import History
from microgrid.optim.optimizers import SGD, Adam, AdamW, Optimizer
from microgrid.optim.schedules import cosine, exponential, linear, step_decay
from microgrid.optim.training import DivergedError, fit

__all__ = ["SGD", "Adam", "AdamW", "DivergedError", "History", "Optimizer", "cosine", "exponential"]
__all__ += ["fit", "linear", "schedules", "step_decay"]
__getattr__, __dir__ = lazily(__name__, {})[0], public(__name__)  # a hint for unknown names
