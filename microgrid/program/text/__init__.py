"""A program to be read: its statements, a listing of them, source code in four languages.

Read statements.py, listing.py, source.py, branchless.py (Python functions without branches). For
text about arrays: arguments.py, letters.py, tables.py, layouts.py (these four serve words/, too),
views.py, gathering.py, contractions.py, vectors.py, matrices.py.
"""
