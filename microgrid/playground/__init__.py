"""The playground: type a circuit, drag a number, watch the gradients move.

Read answer.py first (a question in, an answer out: all that is computed) with examples.py, then
page/ (what asks, in a browser). files.py puts the page together for two back ends: server.py asks
this process; site.py, with bundle.py and runtime.py, writes a folder in which worker.js asks the
browser's own Python. notebook.py shows the page of a graph in place.
"""
