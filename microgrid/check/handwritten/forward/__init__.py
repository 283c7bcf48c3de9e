"""Their forward on Values, and its exact Jacobian.

In reading order: `rewritten` (their functions, whose nodes know their lines), `numpy_names` and
`scipy_names` (what stands for NumPy's and SciPy's names), `stand_in` (those names in their
modules, for a while), `paths` (Jacobians, also without some nodes), `exact`.
"""
