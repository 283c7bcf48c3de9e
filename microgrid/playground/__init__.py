"""The playground: type a circuit, drag a number, watch the gradients move.

Read answer.py first: a question in, an answer out, all that is computed; with questions.py (what
either holds), circuits.py (a text or a graph, with numbers at its leaves), predict.py (a guess and
its hint), moves.py (a nudge, descent), copies.py (to take along) and examples.py (the menu). Then
page/ (what asks, in a browser). files.py puts the page together for two back ends: server.py asks
this process; site.py, with bundle.py and runtime.py, writes a folder in which worker.js asks the
browser's own Python. notebook.py shows the page of a graph in place.
"""
