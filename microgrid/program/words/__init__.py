"""What the lines of a program are, in the words of the lecture notes: matrices and their gradients.

Read formulas.py, names.py, arrangement.py, sentences.py, calculus.py, proof.py, reading.py,
matrices.py, boxes.py; what text/ reads of the lines, too, stands there.
"""
