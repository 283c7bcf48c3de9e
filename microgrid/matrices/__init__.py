"""From scalars to the matrix formulas: arrays of Values, closed forms, derivations, examples.

Read arrays.py first, then formulas.py (dX = dY Wᵀ, dW = Xᵀ dY, db = 1ᵀ dY) and examples.py (the
lecture notes); derive.py writes the derivations with layer.py, claims.py and equations.py.
"""
