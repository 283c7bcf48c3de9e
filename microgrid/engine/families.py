"""Operations that come in orders: the derivatives of powers and of the logarithm of Γ.

Each is an operation of its own, so that derivatives of any order keep their digits.
"""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

from microgrid.engine import numeric, rules
from microgrid.engine.op import TABLE, Op


@cache
def falling(k: int) -> Op:
    """b (b-1) … (b-k+1) a^(b-k), the k-th derivative of a^b in a, as an operation of its own."""
    factors = " ".join(["#2", *[f"(#2 - {j})" for j in range(1, k)]][:k])
    look = f"{factors} #1^{{#2 - {k}}}" if k else "#1^{#2}"
    return Op(
        f"falling{k}", numeric.falling(k), lambda y, a, b: falling(k + 1)(a, b),
        lambda y, a, b: slope_in_exponent(k)(a, b), latex=look.strip(),
        meaning=lambda a, b: prod([b - j for j in range(k)]) * a ** (b - k),
    )  # fmt: skip


@cache
def slope_in_exponent(k: int) -> Op:
    """∂ᵏ⁺¹ a^b / ∂aᵏ ∂b, as an operation of its own."""

    def along_b(y: Any, a: Any, b: Any) -> Any:
        p, slope, bend = 1, 0, 0  # b (b−1) … (b−k+1), its first and its second derivative
        for j in range(k):
            bend, slope, p = bend * (b - j) + 2 * slope, slope * (b - j) + p, p * (b - j)
        power, logarithm = falling(0)(a, b - k), TABLE.ieee_log(a)
        return rules.select(a, y * logarithm + power * (slope * logarithm + bend), power * 0)

    factors = ["(#2)", *[f"(#2 - {j})" for j in range(1, k)]][:k]
    slope = " + ".join([" ".join(factors[:j] + factors[j + 1 :]) for j in range(k)])
    power = f"#1^{{#2 - {k}}}"
    look = rf"{power} \cdot {' '.join(['#2', *factors[1:]])} \log(#1) + {power} ({slope})"
    looks = {0: r"#1^{#2} \log(#1)", 1: rf"{power} \cdot #2 \log(#1) + {power}"}
    return Op(
        f"slope_in_exponent{k}", numeric.slope_in_exponent(k),
        lambda y, a, b: slope_in_exponent(k + 1)(a, b), along_b, latex=looks.get(k, look),
        meaning=None if k else lambda a, b: a**b * TABLE.log(a),
    )  # fmt: skip


@cache
def polygamma(k: int) -> Op:
    """ψ⁽ᵏ⁾(x), the derivative of order k + 1 of log |Γ(x)|, as an operation of its own."""
    return Op(
        f"polygamma{k}", numeric.polygamma(k), lambda y, x: polygamma(k + 1)(x),
        latex=rf"\psi_{{{k}}}(#1)" if k else r"\psi(#1)",
        meaning=None if k else lambda x: TABLE.digamma(x),
    )  # fmt: skip


FAMILIES = (falling, slope_in_exponent, polygamma)
