"""What people write, made into trials: functions, classes, PyTorch's functions.

In reading order: `names` (what arguments are called), `reading` (what their source says),
`kinds` and `gates` (layers with the shapes of their arguments), `random_arrays`, `fit`, `filling`
and `search` (the arguments of a function), `pairing` (a forward and its backward), `plan` (how the
backward is called), `modules`, `functions`; for classes `sizes`, `making`, `arguments` (objects and
what they are called with), `state`, `sources`, `using`, `matching` (where the gradients are),
`passes`, `classes`, `chains`; `torch_functions`; `discover` (the layers of a file) and `keywords`
(the inputs that they take).
"""
