"""A graph for the eye: as a table, a picture, a film and a formula; and text read as a graph.

Read explanation.py first (every += of a backward pass), then drawing.py with picture.py and
blocks.py (large graphs), storyboard.py and stepper.py (frame by frame), formula.py (LaTeX),
expression.py and numerals.py (text → graph, text → number). wording.py, dot_labels.py, tables.py
and files.py serve them.
"""
