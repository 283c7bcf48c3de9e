"""A program to be read: its statements, a listing of them, source code in four languages.

Read statements.py, listing.py, source.py, branchless.py (Python functions without branches). For
text about arrays: views.py, gathering.py, contractions.py, vectors.py, matrices.py.
"""
