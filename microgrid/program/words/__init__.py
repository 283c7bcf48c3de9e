"""What the lines of a program are, in the words of the lecture notes: matrices and their gradients.

Read formulas.py, names.py, arrangement.py, sentences.py, proof.py, matrices.py.
"""
