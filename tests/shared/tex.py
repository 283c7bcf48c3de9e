"""What must hold of every text in LaTeX."""

import re


def balanced(text: str) -> None:
    """Braces, \\left and \\right, and environments close in the order in which they open."""
    stack = []
    pattern = r"\\(begin|end)\{(\w+)\}|\\(left|right)\b|(\\.)|([{}])"
    for begins, environment, side, _, brace in re.findall(pattern, text):
        if begins == "begin" or side == "left" or brace == "{":
            stack.append(environment or side or brace)
        elif begins or side or brace:
            assert stack.pop() == (environment or side.replace("right", "left") or "{")
    assert not stack
