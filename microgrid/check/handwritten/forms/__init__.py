"""What people write, made into trials: functions, classes, PyTorch's functions.

The inputs, in reading order: `names` (what arguments are called, and what is meant by it),
`reading` (what their source says), `kinds` and `gates` (layers with the shapes of their arguments),
`random_arrays`, `fit` (the arguments of one call), `filling` (a kind filled with numbers) and
`search` (the first kind on which the forward runs: the backward has no say in the sizes, so that
none hides a mistake); `failing` says why it runs on none.

Functions: `pairing` (a forward and its backward), `forwards` (a forward, with its cost), `plan`
(how the backward is called), `modules` (their state), `functions`. Classes: `which_classes` (are
layers), `making` (objects), `state` (what they hold), `sources` (where a gradient is), `using` (one
pass), `matching` (all gradients), `passes` (a second pass), `classes`, `chains`. Then
`torch_functions`, `discover` (the layers of a file) and `keywords` (their inputs).
"""
