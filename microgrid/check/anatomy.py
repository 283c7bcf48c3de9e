"""The graph of a counterexample, with the engine's gradient beside the right one on each wire."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from microgrid.check.capabilities import OPERATIONS
from microgrid.check.example import DIGITS, Example, close, in_one_line, run, short, told_apart
from microgrid.check.kinds import STATES, WRONG, color_of_right, whose
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.value import Constant, Value, topological
from microgrid.views.dot_labels import Text, inked
from microgrid.views.drawing import Numbers, draw_gates
from microgrid.views.notation import caption
from microgrid.views.picture import Picture
from microgrid.views.theme import PALETTE
from microgrid.views.wording import INK

LARGEST = 12  # gates of a picture as text


class Unnest(ast.NodeTransformer):
    """Give every operation inside an expression a name of its own."""

    def __init__(self) -> None:
        self.before: list[ast.stmt] = []
        self.count = 0

    def visit_Assign(self, node: ast.Assign | ast.Expr) -> list[ast.stmt]:
        self.before = []
        self.generic_visit(node.value)
        return [*self.before, node]

    visit_Expr = visit_Assign

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        return node if isinstance(node.operand, ast.Constant) else self.hoist(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        known = isinstance(node.func, ast.Name) and node.func.id in OPERATIONS
        return self.hoist(node) if known else self.generic_visit(node)

    def hoist(self, node: ast.expr) -> ast.AST:
        self.generic_visit(node)
        self.count += 1
        name = f"n{self.count}"
        self.before.append(ast.Assign([ast.Name(name, ast.Store())], node, lineno=0))
        return ast.Name(name, ast.Load())

    visit_BinOp = hoist


def unnested(example: Example) -> Example | None:
    """The same program with a name for every node, looking at every gradient.

    None if it has more than names and calls: a loop, a list, an attribute that is set.
    """
    tree = ast.parse(example.text)
    if "[" in example.text or not all(
        isinstance(line, ast.Expr)
        or (isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name))
        for line in tree.body
    ):
        return None
    tree = ast.fix_missing_locations(Unnest().visit(tree))
    names = [
        target.id for statement in tree.body if isinstance(statement, ast.Assign)
        for target in statement.targets if isinstance(target, ast.Name)
    ]  # fmt: skip
    return Example((in_one_line(tree),), tuple(f"{name}.grad" for name in dict.fromkeys(names)))


@dataclass(frozen=True)
class Anatomy:
    """The right graph of a program, and the gradients that another engine gave its nodes."""

    root: Value
    names: dict[Value, str]
    actual: dict[Value, float]
    tolerance: float

    def wrong(self, v: Value) -> bool:
        return v in self.actual and not close(self.actual[v], float(v.grad), self.tolerance)

    def gradients(self, v: Value) -> tuple[str, str]:
        """The engine's gradient and the right one; the second alone where they agree."""
        return told_apart(self.actual[v], float(v.grad)) if self.wrong(v) else ("", short(v.grad))

    def suspect(self) -> str:
        """The operation nearest to the result with a right gradient and a parent's wrong one."""
        for v in reversed(topological(self.root)):
            parent = next((self.names[p] for p in v.parents if self.wrong(p)), None)
            if v.op and parent and not self.wrong(v):
                return (
                    f"The gradient of {self.names.get(v, 'f')} ({caption(v)}) is right, that of "
                    f"{parent} is not: look at the rule of {caption(v)}, and at how the shares of "
                    f"{parent} are added up."
                )
        return ""

    def picture(self, kind: str = WRONG, prefix: str = "") -> Picture:
        """The graph, with both gradients where the engine's is wrong."""
        for v, name in self.names.items():
            v.label = name
        picture, order = Picture(prefix=prefix), topological(self.root)
        draw_gates(picture, order, BothGradients(self, kind, order))
        return picture

    def text(self, kind: str = WRONG) -> list[str]:
        """The graph as a tree of lines, the result first."""
        if len([v for v in self.names if v.op]) > LARGEST:
            return []
        lines: list[str] = []
        stack = [(self.root, "", "")]
        seen: set[Value] = set()
        while stack:
            v, first, rest = stack.pop()
            again = v in seen and v.op is not None
            lines.append(first + self.line(v, again, kind))
            parents = [] if again else [p for p in v.parents if not isinstance(p, Constant)]
            seen.add(v)
            branches = [("└─ ", "   "), *[("├─ ", "│  ")] * (len(parents) - 1)]
            stack += [(p, rest + a, rest + b) for p, (a, b) in zip(parents[::-1], branches)]
        return lines

    def line(self, v: Value, again: bool, kind: str) -> str:
        name = self.names.get(v, "")
        if again:
            return f"{name} (as above)"
        made = f" ({caption(v)})" if v.op else ""
        yours, right = self.gradients(v)
        both = f"{yours}  {STATES[kind].mark} {whose(kind)} {right}" if yours else right
        return f"{name}{made} = {short(v.data)}   gradient {both}"


class BothGradients(Numbers):
    """The engine's gradient, in the colour of its kind, above the right one."""

    def __init__(self, anatomy: Anatomy, kind: str, order: list[Value]) -> None:
        super().__init__(order, digits=0)
        self.anatomy, self.kind = anatomy, kind

    def value(self, v: Value) -> Text:
        return inked(INK, short(v.data))

    def below(self, v: Value) -> list[Text | None]:
        yours, right = self.anatomy.gradients(v)
        if not yours:
            return [inked(INK, right)]
        colors = STATES[self.kind].color, color_of_right(self.kind)
        words = f"actual {yours}", f"{whose(self.kind)} {right}"  # a mark is missing in some fonts
        return [inked(PALETTE[color][0], said) for color, said in zip(colors, words)]

    def at_branch(self, v: Value, k: int) -> Text | None:
        """The share of one use of a node, where all its shares are of one pass."""
        node = v.parents[k]
        sent = [
            self.sent(u)[i][0] for u in self.order for i, p in enumerate(u.parents) if p is node
        ]
        shares = [share for share in sent if share is not None]
        whole = len(sent) == len(shares) and close(float(sum(shares)), float(node.grad), DIGITS)
        mine = self.sent(v)[k][0]
        return inked(INK, short(mine)) if len(sent) > 1 and whole and mine is not None else None


def anatomy(example: Example, actual: Mapping[str, float], tolerance: float) -> Anatomy | None:
    """The right graph of an unnested program, with the engine's gradients ("a.grad": 1.0).

    None where they are right: then the graph shows nothing.
    """
    space = run(example, {"Value": Value, **FUNCTIONS})
    nodes = {name: v for name, v in space.items() if isinstance(v, Value)}
    if not nodes:
        return None
    root = list(nodes.values())[-1]
    inside = set(topological(root))
    names = {v: name for name, v in nodes.items() if v in inside}
    grads = {nodes[k.removesuffix(".grad")]: x for k, x in actual.items()}
    found = Anatomy(root, names, grads, tolerance)
    return found if any(map(found.wrong, grads)) else None
