"""What runs when: lines of the tape, the backward pass as lines, their order.

Read lines.py, forward.py, backward.py, schedule.py.
"""
