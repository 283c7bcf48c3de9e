"""A circuit to take along: as a script in Python, in LaTeX, as a picture, as a worksheet."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from copy import deepcopy

from microgrid.course.worksheets.kinds import Kind
from microgrid.course.worksheets.page import single
from microgrid.course.worksheets.problem import Problem
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.value import topological
from microgrid.views.expression import Circuit, Reader, Text
from microgrid.views.formula import LATEX, latex
from microgrid.views.picture import Layout
from microgrid.views.spelling import label_of, name_in
from microgrid.views.wording import lowered

NAMES = {id(function): name for name, function in reversed(FUNCTIONS.items())}
TAKEN = {"mg", "math", "print", "leaf"}  # by the script itself
IN_MATH = {"π": "pi"}
END = """{result}.backward()
print("{result} =", {result}.data)
for leaf in [{leaves}]:
    print(f"∂{result}/∂{{leaf.label}} = {{leaf.grad}}")
# mg.draw({result}).save("{result}.svg") draws it; mg.steps({result}).save("{result}.html") films it
"""


def python(text: Text, found: Circuit) -> str:
    """A script that makes the circuit and its gradients: the lines of the text, in Python."""
    lines = [(line.name.text if line.name else "", tree) for line, tree in text.reader.trees]
    spell = Spelling(text.reader, {*found.leaves, *found.lines, found.root.label})
    script = [
        f'{spell.name(name)} = mg.Value({spell.number(v.data)}, "{name}")'
        for name, v in found.leaves.items()
    ]
    for name, tree in lines:
        name = name or found.root.label
        label = label_of(name)
        if label in found.leaves:
            continue
        own, y = spell.name(name), found.lines.get(label, found.root)
        value = spell.formula(tree)  # a number, if there are no names, also for Python
        made = spell.has_names(tree)
        script.append(f"{own} = {value}" if made else f'{own} = mg.Value({value}, "{label}")')
        if made and y.op and y.label == label:
            script.append(f'{own}.label = "{label}"')
    leaves = ", ".join(map(spell.name, found.leaves))
    end = END.format(result=spell.name(lines[-1][0] or found.root.label), leaves=leaves)
    imports = "import math\n\n" * spell.math + "import microgrid as mg\n\n"
    return imports + "\n".join(script) + "\n\n" + end


class Spelling(ast.NodeTransformer):
    """The lines of a text in Python: each name, number and function as a script has it."""

    def __init__(self, reader: Reader, names: Iterable[str]) -> None:
        self.reader, self.names, self.math = reader, {*map(name_in, names)}, False

    def formula(self, tree: ast.expr) -> str:
        return ast.unparse(self.visit(deepcopy(tree)))

    def has_names(self, tree: ast.AST) -> bool:
        """Whether there are names in it, beside those of conditions: they make it a Value."""
        if isinstance(tree, ast.Compare):
            return False
        own = isinstance(tree, ast.Name) and tree.id in self.names
        return own or any(map(self.has_names, ast.iter_child_nodes(tree)))

    def name(self, name: str) -> str:
        """The name as Python has it, or another one where the script needs it."""
        name = name_in(name) or name
        return name + "_" * (name.rstrip("_") in TAKEN)

    def number(self, x: float) -> str:
        return repr(x) if x - x == 0 else f'float("{x}")'

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.names:
            return ast.Name(self.name(node.id))
        self.math = True
        return ast.Attribute(ast.Name("math"), IN_MATH.get(node.id, node.id))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        assert isinstance(node.func, ast.Name)
        function = self.reader.function(node, node.func.id)
        if not any(isinstance(x, ast.Name) for arg in node.args for x in ast.walk(arg)):
            Floats().visit(node)
        args = self.reader.in_lists(node.func.id, node.args, is_list, as_list)
        name = ast.Attribute(ast.Name("mg"), NAMES[id(function)])
        return ast.Call(name, [self.visit(x) for x in args], [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Numbers alone are computed as floats, as they were read: 9**99 is no int."""
        if not any(isinstance(x, ast.Name) for x in ast.walk(node)):
            node = Floats().visit(node)
        return self.generic_visit(node)  # type: ignore[return-value]


class Floats(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Constant(float(node.value))  # type: ignore[arg-type]


def is_list(tree: ast.expr) -> bool:
    return isinstance(tree, ast.List | ast.Tuple)


def as_list(trees: list[ast.expr]) -> ast.expr:
    return ast.List(trees)


def formulas(found: Circuit) -> str:
    """The lines in LaTeX, for math mode."""
    made = dict.fromkeys([*found.lines.values(), found.root])
    lines = [
        (LATEX.name(y.label), latex(y, stop_at_labels=True) if y.op else LATEX.number(y.data)[0])
        for y in made
        if y.op or y not in found.leaves.values() or y.label in found.lines
    ]
    if len(lines) < 2:
        return "".join([f"{name} = {formula}" for name, formula in lines]) or latex(found.root)
    rows = [f"  {name} &= {formula} \\\\\n" for name, formula in lines]
    return f"\\begin{{aligned}}\n{''.join(rows)}\\end{{aligned}}"


def worksheet(found: Circuit, digits: int, layout: Layout | None) -> str:
    """The circuit on a page to print, its values and gradients blank; then the answers."""
    root = deepcopy(found.root)
    taken = {*found.leaves, *found.lines}
    free = (name for i in range(1, 1000) if (name := f"g_{i}") not in taken)
    for v in topological(root):
        if v.op and not v.label:
            v.label = next(free)
    return single(Problem(root, SHEET, digits, layout), f"The gradients of {lowered(root.label)}")


SHEET = Kind(
    "", "The numbers at the leaves stand above their wires. Write the value of each gate into the "
    "box above its wire, and into the box beneath each wire the gradient of the result with "
    "respect to it. That of the result itself is 1.", "", values=True,
)  # fmt: skip
