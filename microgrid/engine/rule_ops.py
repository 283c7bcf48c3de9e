"""The second file of the table: operations that only the rules and the losses need.

They follow IEEE arithmetic (1/0 is inf, 0/0 is nan), so that no backward pass raises.
"""

from __future__ import annotations

from microgrid.engine import numeric
from microgrid.engine.numeric import like
from microgrid.engine.op import POSITIVE, REAL, TABLE, Op, op
from microgrid.engine.rules import no_path

# fmt: off
identity = op("identity", numeric.identity, lambda y, x: 1)
QUOTIENT = (lambda y, a, b: divide(like(y, 1), b), lambda y, a, b: -divide(y, b))
divide: Op = op("divide", numeric.divide, *QUOTIENT, text="{} / {}", domain=[REAL, POSITIVE])
ieee_log = op("ieee_log", numeric.log, lambda y, x: divide(1, x), domain=[POSITIVE])
sigmoid_slope = op("sigmoid_slope", numeric.sigmoid_slope, lambda y, x: -y * TABLE.tanh(x / 2))
tanh_slope = op("tanh_slope", numeric.tanh_slope, lambda y, x: -2 * y * TABLE.tanh(x))
normal_cdf = op("normal_cdf", numeric.normal_cdf, lambda y, x: normal_pdf(x))
normal_pdf: Op = op("normal_pdf", numeric.normal_pdf, lambda y, x: -x * y)
direction: Op = op(
    "direction", numeric.direction,
    lambda y, a, b: direction(b, a) * over_squares(b, a), lambda y, a, b: -y * over_squares(b, a),
    domain=[POSITIVE, POSITIVE], kink=numeric.hypot)
over_squares: Op = op(
    "over_squares", numeric.over_squares,
    lambda y, a, b: square_difference(over_squares(b, a), y),
    lambda y, a, b: -2 * y * over_squares(b, a), domain=[POSITIVE, POSITIVE], kink=numeric.hypot)
cbrt_slope = op(  # 0 × inf at 0, since the limits from the left and the right are ±inf
    "cbrt_slope", numeric.cbrt_slope, lambda y, x: -2 * y * over_squares(x, 0) / 3, kink=abs)
square_difference: Op = op(
    "square_difference", numeric.square_difference, lambda y, a, b: 2 * a, lambda y, a, b: -2 * b,
    latex="#1^{2} - #2^{2}")
step = op("step", numeric.step, joint=no_path, kink=abs)
sign = op("sign", numeric.sign, joint=no_path, kink=abs)
inside = op("inside", numeric.inside, joint=no_path, kink=numeric.gap_of_bounds)
exceeds = op("exceeds", numeric.exceeds, joint=no_path, kink=lambda a, b: abs(a - b))
same = op("same", numeric.same, joint=no_path, kink=lambda a, b: abs(a - b))
stop_gradient_max = op("stop_gradient_max", numeric.maximum, joint=no_path, text="max")
exp_difference = op(
    "exp_difference", numeric.exp_difference, lambda y, a, b: y, lambda y, a, b: -y, hint="a <= b")
exp_sum = op(
    "exp_sum", numeric.exp_sum,
    joint=lambda y, top, *xs: (-y, *[exp_difference(x, top) for x in xs]), hint="x <= top")
sigmoid_difference: Op = op(
    "sigmoid_difference", numeric.sigmoid_difference,
    lambda y, a, b: y * sigmoid_difference(b, a), lambda y, a, b: -y * sigmoid_difference(b, a))
# A target as it is, or the sum of a row; TargetError for what the loss cannot mean.
hinge_target = op("hinge_target", numeric.hinge_target, lambda y, t: 1, hint="−1 or 1")
binary_target = op("binary_target", numeric.binary_target, lambda y, t: 1, hint="0 to 1")
row_target = op(
    "row_target", numeric.row_target, joint=lambda y, *ts: (1,) * len(ts), hint="the sum is 1")
# fmt: on
FOR_RULES = frozenset(TABLE)
