"""A graph for the eye: as a table, a picture, a film and a formula; and text read as a graph.

Read explanation.py first (every += of a pass) with rows.py and modes.py (backward and forward),
then labels.py (how a label is read), notation.py (the one writer of formulas) with comparison.py (x
> 0 in a graph), formula.py (LaTeX) and typeset.py (LaTeX as MathML and as text), drawing.py with
dot_labels.py, tints.py (which wires matter), picture.py with image.py (on a page), blocks.py (large
graphs), storyboard.py, film.py with homes.py and svg.py, stepper.py with sums.py and player.js
(frame by frame), slides.py (for lecturers), rule.py with algebra.py and digits.py (where a local
gradient comes from, in numbers that are right as they stand), expression.py with spelling.py (text
→ graph) and numerals.py (text → number). wording.py, tables.py, written.py (text, HTML, LaTeX,
CSV), theme.py (light and dark), tikz.py, pdf.py and files.py serve them; reference.py writes the
documentation of an operation.
"""
