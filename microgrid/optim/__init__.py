"""Optimizers, learning-rate schedules, and a training loop.

The steps of SGD, momentum (also Nesterov's), Adam, AdamW, weight decay and clipping are PyTorch's.
A loop of your own may also hand `step` the gradient of a program, which leaves none in the nodes.

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

from microgrid.optim import schedules as schedules
from microgrid.optim.history import History as History
from microgrid.optim.optimizers import SGD as SGD
from microgrid.optim.optimizers import Adam as Adam
from microgrid.optim.optimizers import AdamW as AdamW
from microgrid.optim.optimizers import Optimizer as Optimizer
from microgrid.optim.schedules import cosine as cosine
from microgrid.optim.schedules import exponential as exponential
from microgrid.optim.schedules import linear as linear
from microgrid.optim.schedules import step_decay as step_decay
from microgrid.optim.training import DivergedError as DivergedError
from microgrid.optim.training import fit as fit
