"""Check anyone's layer: a backward pass written by hand, held against the exact gradient.

Their forward runs on Values, so that it is differentiated as it stands; their backward, a linear
map of the upstream gradient, is held against that entry by entry.

In reading order: `trial` (a layer ready to run, whatever its form), the room `forms` (functions and
classes made into trials, with inputs that hide no mistake), `stand_in` (the names np, math, float
for the forward), `exact` (the forward on Values), `judge` (the verdicts), `diagnosis` with `inside`
(what is the matter, and where), `results` with `serialization`, `report` with `telling` (its text)
and `page`, `museum` (broken layers).

`entry` has the functions to call. They make a `job`, which `launch` has checked by a process of its
own, the `worker`; there `checking` finds the layers, and
`namespaces` puts back what their code replaces in NumPy and in Python.
"""
