"""Their forward on Values, and its exact Jacobian.

In reading order: `rewritten` (their functions, whose nodes know their lines); what stands for names
of NumPy, SciPy, math and Python: `values_within`, `number_types`, `math_names`, `scipy_names`,
`numpy_functions`, `numpy_names`; `whose` (which modules are theirs) and `stand_in` (those names in
their modules, for a while); `jacobians` (of graphs, also without some nodes), `exact`.
"""
