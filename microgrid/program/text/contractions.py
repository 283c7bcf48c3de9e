"""Sums of products of arrays as text: x @ W, x.T @ dY, (t * y).sum(-1), dY.sum(0).

Each factor has its places in a grid: the axes of the result, then those that are added up. Along
which of them a factor varies, and whether it has an axis of samples, tells what product it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from microgrid.program.tape import Ints
from microgrid.program.text.gathering import BITS, CONSTANTS, Gathering, Text
from microgrid.program.text.layouts import grid
from microgrid.program.text.views import Shape, core, varying, widened

LETTERS = "ijkpqrstuvwxyz"  # axes in einsum; n are the samples
LONG = 30  # how many characters of text an index list counts for, beside its own


class Contractions(Gathering):
    """Writes sums of products."""

    def term(self, p: Ints, q: Ints, ready: bool) -> tuple[float, Text]:
        """Σ p·q along the last axis, and over the samples unless `ready`; a factor before it."""
        number = self.constant(q.ravel()[:1])[0]
        is_number = number == number and not varying(q)
        batched = [any(self.arrays[k].batched for k in np.unique(x >> BITS)) for x in (p, q)]
        over = not ready and any(batched)
        times = self.samples if not ready and not over else ""
        if not is_number:
            number = 1.0
            forms = {self.grid(x.reshape(-1, x.shape[-1])[0]) for x in (p, q)
                     if (np.diff(x.reshape(-1, x.shape[-1])[0]) > 0).all()
                     and x.ravel()[0] >> BITS != CONSTANTS}  # fmt: skip
            forms = {f for f in forms if prod(f) == p.shape[-1]}
            forms |= {p.shape[-1:] if p.shape[-1] > 1 else ()}
            outer = p.shape[:-1]
            ways = [
                self.contracted(p.reshape(outer + f), q.reshape(outer + f), over, len(f))
                for f in sorted(forms, key=len)
            ]
            found = min(ways, key=lambda x: self.cost(x.text))
        elif p.shape[-1] == 1:
            if self.constant(p.ravel()[:1])[0] == 1 and not varying(p):
                p, number = q, 1.0  # a plain number, without factor
            found = self.total(p, True, 0) if over else self.gathered(p[..., 0])
        else:
            found = self.total(p, over)
        if times:
            text = f"{times} * {found.text}"
            is_array = found.text.startswith(("«", "("))
            found = Text(text if is_array else f"{self.write.array}({text})", False)
        return float(number), found

    def total(self, p: Ints, over: bool, inner: int = 1) -> Text:
        """The sum along the last axis, unless `inner` is 0, and over the samples if asked."""
        if not inner:
            return Text(f"{self.gathered(p[..., 0]).text}.sum(0)", False)
        found = self.gathered(p)
        batched = found.batched
        flat = re.fullmatch(r"(«\d+»)\.reshape\((-1|-1, \d+)\)", found.text)
        text, axes = found.text, [0] * over + [-1]
        if flat:  # of all entries
            array = self.arrays[int(flat[1].strip("«»"))]
            text, axes = flat[1], [*range(not over, len(array.shape) + 1)] if batched else [-1]
        elif text.endswith(swap := ".swapaxes(1, 2)" if batched else ".T"):
            text, axes = text.removesuffix(swap), [0] * over + [int(batched)]
        whole = p.ndim == 1 and (over or not batched)
        axis = "" if whole else str(axes[0]) if len(axes) == 1 else str(tuple(axes))
        return Text(f"{text}.sum({axis})", batched and not over)

    def signed(self, terms: Sequence[tuple[float, str, bool]]) -> str:
        """Terms with their factors as a sum: those with a minus sign last, products first."""
        terms = sorted(terms, key=lambda x: (x[0] < 0, not x[2]))
        text = ""
        for factor, term, _ in terms:
            sign = " - " if factor < 0 else " + "
            size = abs(factor)
            own = term if size == 1 else f"{self.write.number(size)} * {term}"
            text += (sign if text else sign.strip() if factor < 0 else "") + own
        return text

    def contracted(self, p: Ints, q: Ints, reduce: bool, inner: int = 1) -> Text:
        """Σ p·q along the last axes, `inner` of them, and over the samples if asked, as short as it
        can be: x @ y, (x * y).sum(0)."""
        a, b = self.labels(p), self.labels(q)
        outer = LETTERS[: p.ndim - inner]
        batched = "n" in a + b and not reduce
        out = "n" * batched + "".join([x for x in outer if x in a + b])
        again = prod([n for n, x in zip(p.shape, LETTERS) if x not in a + b + outer])
        inside = "".join(sorted({*a, *b} - {*out}))
        text = ""
        if again > 1 or not inside:  # the same terms again and again
            here: Any = tuple([slice(None) if x in a + b + outer else slice(1)
                               for x in LETTERS[: p.ndim]])  # fmt: skip
            p, q = p[here], q[here]
        ends: Any = (..., *[0] * inner)
        if not inside:
            x, y = self.gathered(p[ends]), self.gathered(q[ends])
            text = f"{x.text} * {y.text}"
        elif len(a) != len(b) and not {*inside} & {*min(a, b, key=len)}:
            few, many, own = (p, q, b) if len(a) < len(b) else (q, p, a)
            x = self.gathered(few[ends])
            if {*inside} <= {*own} and inner < 2 and (not inner or LETTERS[p.ndim - 1] in inside):
                y = self.total(many if inner else many[..., None], "n" in inside, inner)
                text = f"{x.text} * {y.text}"
        if text:
            pass
        elif ways := [way for way in (
            self.matmul(p, a, q, b, inside, out), self.matmul(q, b, p, a, inside, out)
        ) if way]:  # fmt: skip
            text = self.spaced(min(ways, key=len), out, len(outer))
        elif {*a} >= {*b} or {*a} <= {*b}:
            x, y = self.gathered(p), self.gathered(q)
            axes = [0] * ("n" in inside) + [
                k - p.ndim for k in range(p.ndim) if LETTERS[k] in inside
            ]  # fmt: skip
            axis = "" if not out else str(axes[0]) if len(axes) == 1 else str(tuple(axes))
            text = f"({x.text} * {y.text}).sum({axis})"
        else:
            texts = [self.arranged(x, xs, xs) for x, xs in ((p, a), (q, b))]
            found = f'{self.write.prefix}.einsum("{a},{b}->{out}", {texts[0]}, {texts[1]})'
            text = self.spaced(found, out, len(outer))
        return Text(f"{again} * " * (again > 1) + text, batched)

    def spaced(self, text: str, out: str, axes: int) -> str:
        """The text with a new axis in each place of the result along which nothing varies."""
        vary = [k for k in range(axes) if LETTERS[k] in out]
        index = widened("", vary, axes, "n" in out, leading=False)
        return f"({text}){index}" if index else text

    def matmul(self, x: Ints, xs: str, y: Ints, ys: str, c: str, out: str) -> str:
        """The product x @ y over the axis c, "" where it is none; xs, ys and `out` label axes."""
        if {*c} - {*xs} or {*c} - {*ys} or not c:
            return ""
        if len(c) > 1:
            return self.matmul_of_all(x, xs, y, ys, c, out)
        common = "".join([k for k in out if k in xs and k in ys])
        own, foreign = ["".join([k for k in z if k not in common + c]) for z in (xs, ys)]
        plain = not common and len(foreign) <= 1 and "n" not in foreign and out == own + foreign
        spread = not common and len(own) == 1 and len(foreign) == 2 and foreign[0] == "n"
        spread &= own != "n" and out == "n" + own + foreign[1:]
        heads = bool(common) and len(own) == len(foreign) == 1 and out == common + own + foreign
        heads &= "n" not in own + foreign
        if not (plain or spread or heads):
            return ""
        left = self.arranged(x, xs, common + own + c)
        right = self.arranged(y, ys, common + "n" * spread + c + foreign.replace("n", ""))
        return f"{left} @ {right}" if left and right else ""

    def matmul_of_all(self, x: Ints, xs: str, y: Ints, ys: str, c: str, out: str) -> str:
        """X.T @ Y where all samples and some axes are added up: these become one axis."""
        own, foreign = ["".join([k for k in z if k not in c]) for z in (xs, ys)]
        if "n" not in c or len(own) != 1 or len(foreign) != 1 or out != own + foreign:
            return ""
        c = "n" + c.replace("n", "")
        texts = []
        for z, zs, k in ((x, xs, own), (y, ys, foreign)):
            size = z.shape[LETTERS.index(k)]
            texts.append(f"{self.arranged(z, zs, c + k)}.reshape(-1, {size})")
        return f"{texts[0]}.T @ {texts[1]}"

    def labels(self, places: Ints) -> str:
        """A letter for each axis of what stands at places."""
        owners = np.unique(places >> BITS)
        batched = any(self.arrays[k].batched for k in owners)
        return "n" * batched + "".join([LETTERS[k] for k in varying(places)])

    def arranged(self, places: Ints, labels: str, wanted: str) -> str:
        """What stands at places, with its axes in the wanted order."""
        inner = labels.replace("n", "")
        order = [inner.index(x) for x in wanted.replace("n", "")]
        text = self.inner(core(places).transpose(order)).text
        if "n" in wanted[1:]:
            return f"{text}.T" if len(wanted) == 2 else ""
        return text

    @staticmethod
    def lists(text: str) -> int:
        """How many lists of indices a text has."""
        return text.count("index_") + len(re.findall(r"\[\d+, ", text))

    def cost(self, text: str) -> int:
        """How long a text is to read: a list of indices longer than it looks."""
        return len(text) + LONG * self.lists(text) + 20 * text.count("einsum")

    def grid(self, places: Ints) -> Shape:
        """The shape of a part of an array that holds these places, in order; else a vector's."""
        owner = places[0] >> BITS
        sizes = grid(places - (owner << BITS), self.arrays[owner].shape) or (len(places),)
        return tuple([n for n in sizes if n > 1])
