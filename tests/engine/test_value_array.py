"""Arrays of Values pass for arrays of floats: NumPy's functions give its numbers, and gradients."""

import copy
import math
import operator
import pickle
from fractions import Fraction

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided, sliding_window_view

import microgrid as mg
from microgrid import MicrogridError, Value
from microgrid.engine import array_ufuncs
from microgrid.engine.modes import ieee_arithmetic
from microgrid.engine.value_array import ValueArray, as_array, bare
from microgrid.program.tracing import BranchError

A = np.array([[0.3, -1.2, 2.1, 0.8], [1.7, 0.4, -0.6, -2.3], [0.9, 1.1, -1.6, 0.2]])
B = np.array([[0.7, 1.3, 0.25, 2.2], [0.6, 1.9, 0.45, 1.4], [1.15, 0.35, 0.85, 2.6]])  # positive
IDS = np.array([2, 0, 2])


def written(change):
    """A function that changes a copy of its first argument in place, and returns it."""

    def f(A, B):
        A = A.copy()
        change(A, B)
        return A

    return f


def into(change, shape):
    """A function that fills an array made like its first argument."""

    def f(A, B):
        out = np.zeros_like(A, shape=shape)
        change(out, A, B)
        return out

    return f


def masked(change):
    """The same as `written`; a program has no masks."""
    f = written(change)
    f.no_program = True
    return f


def loop(out, A, B):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(A[i : i + 2, j : j + 2] * B[:2, :2])


ENTRIES = {
    "add": lambda A, B: A + B,
    "subtract": lambda A, B: 1 - A - B,
    "multiply": lambda A, B: A * B * 2.0,
    "divide": lambda A, B: A / B,
    "1 / B": lambda A, B: 1 / B,
    "power": lambda A, B: B**A,
    "square by **": lambda A, B: A**2,
    "-A": lambda A, B: -A,
    "+A": lambda A, B: +A,
    "abs(A)": lambda A, B: abs(A),
    "np.abs": lambda A, B: np.abs(A),
    "np.fabs": lambda A, B: np.fabs(A),
    "np.exp": lambda A, B: np.exp(A),
    "np.exp of maximum": lambda A, B: np.exp(np.maximum(0, A)),
    "np.exp of zeros": lambda A, B: np.exp(np.zeros_like(A)) + A,
    "np.exp2": lambda A, B: np.exp2(A),
    "np.expm1": lambda A, B: np.expm1(A),
    "np.log": lambda A, B: np.log(B),
    "np.log2": lambda A, B: np.log2(B),
    "np.log10": lambda A, B: np.log10(B),
    "np.log1p": lambda A, B: np.log1p(B),
    "np.sqrt": lambda A, B: np.sqrt(B),
    "np.cbrt": lambda A, B: np.cbrt(A),
    "np.square": lambda A, B: np.square(A),
    "np.reciprocal": lambda A, B: np.reciprocal(B),
    "np.power": lambda A, B: np.power(B, 3),
    "np.float_power": lambda A, B: np.float_power(B, A),
    "np.sin": lambda A, B: np.sin(A),
    "np.cos": lambda A, B: np.cos(A),
    "np.tan": lambda A, B: np.tan(A / 2),
    "np.arcsin": lambda A, B: np.arcsin(A / 3),
    "np.arccos": lambda A, B: np.arccos(A / 3),
    "np.arctan": lambda A, B: np.arctan(A),
    "np.arctan2": lambda A, B: np.arctan2(A, B),
    "np.hypot": lambda A, B: np.hypot(A, B),
    "np.sinh": lambda A, B: np.sinh(A),
    "np.cosh": lambda A, B: np.cosh(A),
    "np.tanh": lambda A, B: np.tanh(A),
    "np.arcsinh": lambda A, B: np.arcsinh(A),
    "np.arccosh": lambda A, B: np.arccosh(1 + B),
    "np.arctanh": lambda A, B: np.arctanh(A / 3),
    "np.logaddexp": lambda A, B: np.logaddexp(A, B),
    "np.logaddexp2": lambda A, B: np.logaddexp2(A, B),
    "np.maximum": lambda A, B: np.maximum(A, B),
    "np.maximum of 0": lambda A, B: np.maximum(0, A),
    "np.minimum": lambda A, B: np.minimum(A, B),
    "np.fmax": lambda A, B: np.fmax(A, B),
    "np.fmin": lambda A, B: np.fmin(A, 0.5),
    "np.clip": lambda A, B: np.clip(A, -1, 1),
    "np.clip, one side": lambda A, B: np.clip(A, None, 0.5),
    "A.clip": lambda A, B: A.clip(-1, B),
    "A.clip(min=)": lambda A, B: A.clip(min=0),
    "np.where": lambda A, B: np.where(A > 0, A, 0.1 * B),
    "np.where of numbers": lambda A, B: np.where(A > 0, 1.0, 0.0) * A,
    "np.conj": lambda A, B: np.conj(A) + A.conj(),
    "np.real": lambda A, B: np.real(A),
    "np.positive": lambda A, B: np.positive(A),
    "np.negative": lambda A, B: np.negative(A),
    "np.deg2rad": lambda A, B: np.deg2rad(A) + np.radians(A),
    "np.rad2deg": lambda A, B: np.rad2deg(A) + np.degrees(A),
    "np.sinc": lambda A, B: np.sinc(A),
    "np.nan_to_num": lambda A, B: np.nan_to_num(A),
    "np.copysign": lambda A, B: np.copysign(B, A),
    "np.multiply with out": lambda A, B: np.multiply(A, B, out=np.empty_like(A)),
    "np.exp with out": lambda A, B: np.exp(A, out=np.zeros_like(A)),
    "np.divide where": lambda A, B: np.divide(A, B, out=np.zeros_like(A), where=B > 1),
    "np.log where": lambda A, B: np.log(A, out=np.ones_like(A), where=A > 0),
    "np.add with dtype": lambda A, B: np.add(A, B, dtype=float),
    "np.mod": lambda A, B: np.mod(A, 1.3),
    "A % 1.3": lambda A, B: A % 1.3,
    "np.fmod": lambda A, B: np.fmod(A, 1.3),
    "np.remainder": lambda A, B: np.remainder(A, B),
    "np.select": lambda A, B: np.select([A > 1, A > 0], [A, A * A], B),
    "np.piecewise": lambda A, B: np.piecewise(
        A, [A < 0, A >= 0], [lambda x: x * x, lambda x: 3 * x]
    ),
    "np.vectorize": lambda A, B: np.vectorize(lambda a, b: a * b if a > 0 else b)(A, B),
    "np.apply_along_axis": lambda A, B: np.apply_along_axis(lambda r: r / r.sum(), 1, B),
    "np.modf": lambda A, B: np.modf(A)[0],
    "np.ldexp": lambda A, B: np.ldexp(A, 2),
    "A.astype(float)": lambda A, B: A.astype(float).astype("float64"),
    "np.full_like": lambda A, B: np.full_like(A, 2.0) * A,
    "np.interp": lambda A, B: np.interp(A, np.array([-3.0, -1.0, 0.0, 3.0]), B[0]),
    "np.heaviside": lambda A, B: np.heaviside(A, 0.5) * A,
    "np.sign": lambda A, B: np.sign(A) * A,
    "np.floor": lambda A, B: np.floor(A) * A,
    "np.ceil": lambda A, B: np.ceil(A) * A + np.trunc(A) + np.fix(A),
    "np.rint": lambda A, B: np.rint(A) * A,
    "np.round": lambda A, B: np.round(A, 1) * A,
    "A.round": lambda A, B: A.round() * A + np.around(A, 1),
    "A // 1": lambda A, B: (A // 0.77) * A,
    "np.isnan": lambda A, B: np.isnan(A) * A + np.isfinite(A) * A + np.isinf(A),
    "np.signbit": lambda A, B: np.signbit(A) * A,
    "comparisons": lambda A, B: (A > B) * A + (A <= B) * B + (A == A) * A + (A != B),
    "np.logical_and": lambda A, B: np.logical_and(A > 0, B > 1) * A,
    "np.logical_not": lambda A, B: np.logical_not(A > 0) * A,
    "softmax": lambda A, B: (
        np.exp(A - A.max(axis=1, keepdims=True))
        / np.exp(A - A.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
    ),
}

SUMS = {
    "np.sum": lambda A, B: np.sum(A),
    "np.sum, axis": lambda A, B: np.sum(A, axis=0),
    "np.sum, keepdims": lambda A, B: np.sum(A, axis=1, keepdims=True),
    "np.sum, dtype": lambda A, B: np.sum(A, axis=1, dtype=float),
    "np.sum, where": lambda A, B: np.sum(A, axis=0, where=B > 1),
    "np.sum, initial": lambda A, B: np.sum(A, initial=3.0),
    "np.sum, out": lambda A, B: np.sum(A, axis=0, out=np.zeros_like(A[0])),
    "A.sum": lambda A, B: A.sum((0, 1)),
    "np.prod": lambda A, B: np.prod(A, axis=0),
    "A.prod": lambda A, B: A.prod(),
    "np.mean": lambda A, B: np.mean(A),
    "np.mean, axis": lambda A, B: np.mean(A, axis=(0, 1), keepdims=True),
    "A.mean": lambda A, B: A.mean(1),
    "np.average": lambda A, B: np.average(A, axis=0),
    "np.average, weights": lambda A, B: np.average(A, axis=1, weights=B[0]),
    "np.var": lambda A, B: np.var(A),
    "np.var, axis": lambda A, B: np.var(A, axis=0, ddof=1),
    "A.var": lambda A, B: A.var(axis=1, keepdims=True),
    "np.std": lambda A, B: np.std(A, axis=0),
    "A.std": lambda A, B: A.std(ddof=1),
    "np.max": lambda A, B: np.max(A),
    "np.max, axis": lambda A, B: np.max(A, axis=0),
    "np.max, keepdims": lambda A, B: np.max(A, axis=(0, 1), keepdims=True),
    "np.max, initial": lambda A, B: np.max(A, axis=1, initial=1.0),
    "np.max, where": lambda A, B: np.max(A, axis=1, initial=-9.0, where=B > 1),
    "A.max": lambda A, B: A.max(-1),
    "np.amin": lambda A, B: np.amin(A, axis=1),
    "A.min": lambda A, B: A.min(),
    "np.ptp": lambda A, B: np.ptp(A, axis=0),
    "np.median": lambda A, B: np.median(A, axis=0) + np.median(A),
    "np.percentile": lambda A, B: np.percentile(A, 30, axis=1) * np.percentile(A, 30),
    "np.quantile": lambda A, B: np.quantile(A, [0.25, 0.5]),
    "np.cumsum": lambda A, B: np.cumsum(A, axis=0),
    "A.cumsum": lambda A, B: A.cumsum(),
    "np.cumprod": lambda A, B: np.cumprod(A, axis=1),
    "np.add.accumulate": lambda A, B: np.add.accumulate(A),
    "np.maximum.accumulate": lambda A, B: np.maximum.accumulate(A, axis=1),
    "np.add.reduceat": lambda A, B: np.add.reduceat(A, [0, 2], axis=1),
    "np.maximum.reduce": lambda A, B: np.maximum.reduce(A),
    "np.minimum.reduceat": lambda A, B: np.minimum.reduceat(A, [0, 2], axis=1),
    "np.logaddexp.reduce": lambda A, B: np.logaddexp.reduce(A, axis=1),
    "np.hypot.reduce": lambda A, B: np.hypot.reduce(A, axis=0),
    "np.multiply.outer": lambda A, B: np.multiply.outer(A[0], B[0]),
    "np.maximum.outer": lambda A, B: np.maximum.outer(A[0], B[:, 0]),
    "np.nansum": lambda A, B: np.nansum(A, axis=0),
    "np.nanmean": lambda A, B: np.nanmean(A),
    "np.nanmax": lambda A, B: np.nanmax(A, axis=1),
    "np.nanmin": lambda A, B: np.nanmin(A),
    "np.nanvar": lambda A, B: np.nanvar(A),
    "np.nanstd": lambda A, B: np.nanstd(A, axis=0),
    "np.linalg.norm": lambda A, B: np.linalg.norm(A),
    "norm, axis": lambda A, B: np.linalg.norm(A, axis=1, keepdims=True),
    "norm, 1": lambda A, B: np.linalg.norm(A, 1) + np.linalg.norm(A[0], 1),
    "norm, 2": lambda A, B: np.linalg.norm(A[0], 2),
    "norm, inf": lambda A, B: np.linalg.norm(A, np.inf) + np.linalg.norm(A[0], -np.inf),
    "norm, 3": lambda A, B: np.linalg.norm(A[0], 3),
    "norm, fro": lambda A, B: np.linalg.norm(A, "fro"),
    "norm, inf, axis": lambda A, B: np.linalg.norm(A, np.inf, axis=0),
    "np.linalg.vector_norm": lambda A, B: np.linalg.vector_norm(A, axis=1),
    "np.trace": lambda A, B: np.trace(A) + A.trace(),
    "np.cov": lambda A, B: np.cov(A),
    "np.corrcoef": lambda A, B: np.corrcoef(A),
    "np.trapezoid": lambda A, B: getattr(np, "trapezoid", getattr(np, "trapz", None))(A, axis=1),
    "np.diff": lambda A, B: np.diff(A, axis=1),
    "np.ediff1d": lambda A, B: np.ediff1d(A),
    "np.gradient": lambda A, B: np.gradient(A, axis=1),
    "np.convolve": lambda A, B: np.convolve(A[0], B[0, :2], mode="same"),
    "np.correlate": lambda A, B: np.correlate(A[0], B[0, :2], mode="full"),
    "logsumexp": lambda A, B: np.log(np.sum(np.exp(A), axis=1)),
    "sum of a list": lambda A, B: sum([A, B]) + sum(A),
}

PRODUCTS = {
    "A @ B": lambda A, B: A @ B.T,
    "numbers @ A": lambda A, B: np.ones((2, 3)) @ A,
    "A @ numbers": lambda A, B: A @ np.arange(8.0).reshape(4, 2),
    "np.dot": lambda A, B: np.dot(A, B.T),
    "A.dot": lambda A, B: A.dot(B.T),
    "A.T.dot": lambda A, B: A.T.dot(B),
    "np.dot of vectors": lambda A, B: np.dot(A[0], B[0]),
    "np.dot by a number": lambda A, B: np.dot(A, 2.0),
    "dot of numbers": lambda A, B: np.ones((2, 3)).dot(A),
    "np.matmul": lambda A, B: np.matmul(A[None], B.T[None]),
    "np.matmul, out": lambda A, B: np.matmul(A, B.T, out=np.zeros_like(A, shape=(3, 3))),
    "np.vdot": lambda A, B: np.vdot(A, B),
    "np.inner": lambda A, B: np.inner(A, B),
    "np.outer": lambda A, B: np.outer(A[0], B),
    "np.kron": lambda A, B: np.kron(A[:2, :2], B[:2, :2]),
    "np.cross": lambda A, B: np.cross(A[:, :3], B[:, :3]),
    "np.tensordot": lambda A, B: np.tensordot(A, B, axes=([1], [1])),
    "np.tensordot, 2": lambda A, B: np.tensordot(A, B, axes=2),
    "np.einsum": lambda A, B: np.einsum("ij,kj->ik", A, B),
    "np.einsum, trace": lambda A, B: np.einsum("ii", A[:, :3]) + np.einsum("ij->j", A),
    "np.einsum, three": lambda A, B: np.einsum("ij,kj,kl->il", A, B, A),
    "np.einsum, optimize": lambda A, B: np.einsum("ij,kj,kl->il", A, B, A, optimize=True),
    "np.einsum, batch": lambda A, B: np.einsum("...i,...i->...", A, B),
    "np.linalg.multi_dot": lambda A, B: np.linalg.multi_dot([A, B.T, A]),
    "matrix_power": lambda A, B: np.linalg.matrix_power(A[:, :3], 3),
    "np.linalg.inv": lambda A, B: np.linalg.inv(A[:, :3]),
    "np.linalg.inv of a stack": lambda A, B: np.linalg.inv(np.stack([A[:, :3], A[:, 1:]])),
    "np.linalg.solve": lambda A, B: np.linalg.solve(A[:, :3], B),
    "np.linalg.solve of a vector": lambda A, B: np.linalg.solve(A[:, :3], B[:, 0]),
    "np.linalg.det": lambda A, B: np.linalg.det(A[:, :3]),
    "np.linalg.slogdet": lambda A, B: np.linalg.slogdet(A[:, :3])[1],
    "np.linalg.cholesky": lambda A, B: np.linalg.cholesky(A @ A.T + np.eye(3)),
    "np.linalg.pinv": lambda A, B: np.linalg.pinv(A),
    "np.linalg.lstsq": lambda A, B: np.linalg.lstsq(A.T, B[0], rcond=None)[0],
    "np.polyval": lambda A, B: np.polyval(A[0], B),
    "np.vander": lambda A, B: np.vander(A[0], 3),
}

SHAPES = {
    "A.T": lambda A, B: A.T,
    "np.transpose": lambda A, B: np.transpose(A[None], (2, 0, 1)),
    "reshape": lambda A, B: A.reshape(2, -1),
    "np.reshape": lambda A, B: np.reshape(A, (4, 3)),
    "ravel": lambda A, B: A.ravel() * B.flatten(),
    "np.squeeze": lambda A, B: np.squeeze(A[None]),
    "np.squeeze of one": lambda A, B: np.squeeze(A[:1, :1]),
    "expand_dims": lambda A, B: np.expand_dims(A, 1),
    "swapaxes": lambda A, B: A.swapaxes(0, 1),
    "moveaxis": lambda A, B: np.moveaxis(A, 0, 1),
    "rollaxis": lambda A, B: np.rollaxis(A, 1),
    "broadcast_to": lambda A, B: np.broadcast_to(A[0], (3, 4)),
    "broadcast_arrays": lambda A, B: np.broadcast_arrays(A, B[0])[1],
    "concatenate": lambda A, B: np.concatenate([A, B, np.ones((1, 4))]),
    "concatenate of numbers first": lambda A, B: np.concatenate([np.ones((3, 1)), A], axis=1),
    "np.append": lambda A, B: np.append(A, B),
    "stack": lambda A, B: np.stack([A, B], axis=-1),
    "vstack": lambda A, B: np.vstack([A, B]),
    "hstack": lambda A, B: np.hstack((A, B)),
    "column_stack": lambda A, B: np.column_stack([A[0], B[0]]),
    "dstack": lambda A, B: np.dstack([A, B]),
    "np.block": lambda A, B: np.block([[A, B], [B, A]]),
    "np.c_": lambda A, B: np.c_[A, B],
    "np.r_": lambda A, B: np.r_[A, B],
    "split": lambda A, B: np.split(A, 2, axis=1)[1],
    "hsplit": lambda A, B: np.hsplit(A, [1, 3])[1],
    "array_split": lambda A, B: np.array_split(A, 3)[2],
    "np.repeat": lambda A, B: np.repeat(A, 2, axis=0),
    "A.repeat": lambda A, B: A.repeat(2, axis=1),
    "np.tile": lambda A, B: np.tile(A, (2, 1)),
    "np.pad": lambda A, B: np.pad(A, ((1, 0), (2, 1)), mode="constant"),
    "np.pad, constant": lambda A, B: np.pad(A, 1, "constant", constant_values=2.0),
    "np.pad, edge": lambda A, B: np.pad(A, 1, mode="edge"),
    "np.pad, reflect": lambda A, B: np.pad(A, 1, mode="reflect"),
    "np.roll": lambda A, B: np.roll(A, 1, axis=1),
    "np.flip": lambda A, B: np.flip(A, 1) + np.flipud(A) + np.fliplr(A),
    "np.rot90": lambda A, B: np.rot90(A),
    "A[::-1]": lambda A, B: A[::-1, 1:],
    "np.diag": lambda A, B: np.diag(A) + np.diag(A[0])[:3, 0],
    "np.diagonal": lambda A, B: np.diagonal(A, 1),
    "np.diagflat": lambda A, B: np.diagflat(A[0]),
    "np.tril": lambda A, B: np.tril(A) + np.triu(B, 1),
    "np.take": lambda A, B: np.take(A, [2, 0, 2], axis=1),
    "A.take": lambda A, B: A.take([5, 5, 1]),
    "take_along_axis": lambda A, B: np.take_along_axis(A, np.array([[1], [0], [3]]), axis=1),
    "np.choose": lambda A, B: np.choose(np.array([0, 1, 0, 1]), [A[0], B[0]]),
    "np.compress": lambda A, B: np.compress([True, False, True], A, axis=0),
    "np.extract": lambda A, B: np.extract(B > 1, A),
    "np.delete": lambda A, B: np.delete(A, 1, axis=0),
    "np.insert": lambda A, B: np.insert(A, 1, 5.0, axis=1),
    "np.resize": lambda A, B: np.resize(A, (2, 3)),
    "fancy indexing": lambda A, B: A[np.arange(3), IDS],
    "np.ix_": lambda A, B: A[np.ix_([0, 2], [1, 3])],
    "an index": lambda A, B: A[1, 2] * B[0],
    "np.newaxis": lambda A, B: A[:, np.newaxis] - B[np.newaxis],
    "np.atleast_2d": lambda A, B: np.atleast_2d(A[0]),
    "np.copy": lambda A, B: np.copy(A) * A.copy(),
    "np.ascontiguousarray": lambda A, B: A.T.copy(),
    "as_strided": lambda A, B: as_strided(A, (2, 3, 2, 2), A.strides + A.strides),
    "sliding_window_view": lambda A, B: sliding_window_view(A, (2, 2)).sum(axis=(2, 3)),
    "np.nditer": lambda A, B: np.array([A[i] ** 2 for i in np.ndindex(A.shape)]),
    "np.meshgrid": lambda A, B: np.meshgrid(A[0], B[0])[0],
    "np.linspace": lambda A, B: np.linspace(A[0], B[0], 3),
    "np.array of rows": lambda A, B: np.array([row * 2 for row in A]),
    "np.array of numbers": lambda A, B: np.array([[x * x for x in row] for row in A]),
    "item": lambda A, B: as_array(np.array([A[0, 0] * A.item(1, 1)])),
    "tolist": lambda A, B: np.array(A.tolist()) * 2,
    "iteration": lambda A, B: np.stack([row for row in A if len(row)]),
    "flat": lambda A, B: np.array(list(A.flat)),
    "np.array_split of lists": lambda A, B: [a * 2 for a in np.split(A, 3)][1],
    "dict of arrays": lambda A, B: {"a": A}["a"] * 2,
}

ORDER = {  # asked about the numbers
    "np.sort": lambda A, B: np.sort(A, axis=1),
    "np.sort, all": lambda A, B: np.sort(A, axis=None),
    "A.sort": written(lambda A, B: A.sort(axis=0)),
    "np.argsort": lambda A, B: np.take_along_axis(A, np.argsort(A, axis=1), 1) * A.argsort(0),
    "np.argmax": lambda A, B: A[np.arange(3), np.argmax(A, axis=1)] * A.argmax(1),
    "np.argmin": lambda A, B: A.ravel()[np.argmin(A)] + A.argmin(),
    "np.partition": lambda A, B: np.sort(np.partition(A, 2, axis=1)[:, :2], axis=1),
    "np.argpartition": lambda A, B: np.sort(
        np.take_along_axis(A, np.argpartition(A, 2, axis=1), 1)[:, :2], axis=1
    ),
    "np.unique": lambda A, B: np.unique(A),
    "np.nonzero": lambda A, B: A[np.nonzero(A > 0)],
    "np.argwhere": lambda A, B: A.ravel()[np.flatnonzero(A > 0)],
    "np.where of one": lambda A, B: A[np.where(A > 0)],
    "np.count_nonzero": lambda A, B: np.count_nonzero(A > 0) * A + np.count_nonzero(A),
    "np.any": lambda A, B: np.any(A > 0) * A * np.all(A > -9, axis=0) + np.any(A) + np.all(A),
    "np.searchsorted": lambda A, B: np.searchsorted(np.sort(A[0]), 0.5) * A,
    "np.digitize": lambda A, B: np.digitize(A, [-1.0, 0.0, 1.0]) * A,
    "np.histogram": lambda A, B: np.histogram(A, bins=3)[0] * A[:, :3],
    "np.bincount": lambda A, B: np.bincount((B > 1).ravel().astype(int)) * A[:, :2],
    "np.allclose": lambda A, B: A * np.allclose(A, A) + np.allclose(A, B),
    "np.isclose": lambda A, B: A * np.isclose(A, np.round(A), atol=0.25),
    "np.array_equal": lambda A, B: A * np.array_equal(A, A.copy()),
    "np.isin": lambda A, B: A * np.isin(np.round(A), [0.0, 2.0]),
    "max == x": lambda A, B: (A.max(axis=1, keepdims=True) == A) * B + (B.max() == B),
    "A[mask]": lambda A, B: A[A > 0] * 2,
    "np.lexsort": lambda A, B: A[0][np.lexsort((A[0],))],
    "np.round and int": lambda A, B: np.round(A).astype(int) * A,
    "astype(int)": lambda A, B: A.astype(int) * A + A.astype(bool),
    "np.size": lambda A, B: A / np.size(A) / A.size / len(A) / A.shape[1] + np.ndim(A) + A.ndim,
}

CHANGES = {
    "A += B": written(lambda A, B: operator.iadd(A, B)),
    "A -= B": written(lambda A, B: operator.isub(A, B)),
    "A *= B": written(lambda A, B: operator.imul(A, B)),
    "A /= B": written(lambda A, B: operator.itruediv(A, B)),
    "A **= 2": written(lambda A, B: operator.ipow(A, 2)),
    "A[i] = row": written(lambda A, B: operator.setitem(A, 1, B[0] * B[1])),
    "A[:, i] += column": written(lambda A, B: A[:, 1].__iadd__(B[:, 0])),
    "A[mask] = 0": masked(lambda A, B: operator.setitem(A, A < 0, 0)),
    "A[A < 0] *= 0.1": masked(lambda A, B: operator.setitem(A, A < 0, A[A < 0] * 0.1)),
    "A[ids] = numbers": written(lambda A, B: operator.setitem(A, (np.arange(3), IDS), B[:, 0])),
    "np.add.at": written(lambda A, B: np.add.at(A, IDS, B)),
    "np.subtract.at": written(lambda A, B: np.subtract.at(A, (IDS, IDS), B[0, 0])),
    "np.maximum.at": written(lambda A, B: np.maximum.at(A, IDS, B)),
    "np.put": written(lambda A, B: np.put(A, [1, 5], B[0, :2])),
    "np.place": written(lambda A, B: np.place(A, np.ones(A.shape, bool), B.ravel())),
    "np.putmask": written(lambda A, B: np.putmask(A, np.eye(3, 4, dtype=bool), B)),
    "np.copyto": written(lambda A, B: np.copyto(A, B * 2, where=np.eye(3, 4, dtype=bool))),
    "put_along_axis": written(
        lambda A, B: np.put_along_axis(A, np.array([[1], [0], [3]]), B[:, :1], 1)
    ),
    "fill": written(lambda A, B: A.fill(B[0, 0])),
    "fill_diagonal": written(lambda A, B: np.fill_diagonal(A, 0.0)),
    "np.clip, out": written(lambda A, B: np.clip(A, 0, 1, out=A)),
    "np.maximum, out": written(lambda A, B: np.maximum(A, 0, out=A)),
    "preallocated": into(loop, (2, 3)),
    "a sum into zeros": into(lambda out, A, B: [out.__iadd__(a) for a in A * B], (4,)),
    "through a window": written(lambda A, B: as_strided(A, (2, 2), A.strides).__imul__(3.0)),
    "A.flat": written(lambda A, B: operator.setitem(A.flat, 3, B[0, 0])),
    "A.itemset": written(lambda A, B: operator.setitem(A, (0, 0), A[0, 0] * B[0, 0])),
}

TABLE = ENTRIES | SUMS | PRODUCTS | SHAPES | ORDER | CHANGES
STEP = 6e-6


def flat(y):
    """The entries of a result."""
    if isinstance(y, Value):
        return [y]
    return np.asarray(bare(y)).ravel().tolist()


def weights(n):
    return np.cos(np.arange(n) * 1.7 + 0.3)


def score(f, a, b):
    y = np.ravel(np.asarray(f(a.copy(), b.copy()), dtype=float))
    return float(y @ weights(y.size))


def central(f, a, b):
    """∂ of the weighted sum of f's results, by central differences of the float run."""
    found = []
    for k in range(a.size + b.size):
        ends = []
        for h in (STEP, -STEP):
            moved = np.concatenate([a.ravel(), b.ravel()])
            moved[k] += h
            ends.append(
                score(f, moved[: a.size].reshape(a.shape), moved[a.size :].reshape(b.shape))
            )
        found.append((ends[0] - ends[1]) / (2 * STEP))
    return np.array(found)


def numbers_of(entries):
    return np.array([v.data if isinstance(v, Value) else v for v in entries], dtype=float)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", TABLE)
def test_a_call_of_numpy_gives_its_numbers_and_the_gradient(name, mixed):
    f = TABLE[name]
    a, b = mg.matrix(A, "a"), mg.matrix(B, "b")
    free = np.ones((2, *A.shape), dtype=bool)
    if mixed:  # plain numbers stand among the Values
        free[0, 1, ::2], free[1, 0, 1] = False, False
        for X, numbers, mask in zip((a, b), (A, B), free):
            for place in zip(*np.nonzero(~mask)):
                X[place] = float(numbers[place])
    y = f(a.copy(), b.copy())
    want = f(A.copy(), B.copy())
    assert np.shape(y) == np.shape(want) or isinstance(y, Value)
    entries = flat(y)
    assert numbers_of(entries) == pytest.approx(np.ravel(want).astype(float), rel=1e-12, abs=1e-12)
    root = mg.total([w * v for w, v in zip(weights(len(entries)), entries)])
    leaves = [v for v in [*a.ravel(), *b.ravel()] if isinstance(v, Value)]
    got = np.array(mg.gradients(root, leaves))
    assert got == pytest.approx(central(f, A, B)[free.ravel()], rel=1e-7, abs=2e-8)


ASKS = {  # what depends on numbers: a program would be right for numbers like these alone
    "np.vectorize", "np.sum, where", "np.signbit", "np.sign", "np.round", "np.rint",
    "np.remainder", "np.quantile", "np.piecewise", "np.percentile", "np.nanvar", "np.nansum",
    "np.nanstd", "np.nanmin", "np.nanmean", "np.nanmax", "np.modf", "np.mod", "np.median",
    "np.max, where", "np.logical_not", "np.logical_and", "np.log where", "np.linspace",
    "np.linalg.solve", "np.linalg.solve of a vector", "np.linalg.slogdet", "np.linalg.pinv",
    "np.linalg.lstsq", "np.linalg.inv", "np.linalg.inv of a stack", "np.linalg.det",
    "np.linalg.cholesky", "np.isnan", "np.interp", "np.heaviside", "np.fmod", "np.floor",
    "np.extract", "np.divide where", "np.copysign", "np.ceil", "np.average, weights", "A.round",
    "A // 1", "A % 1.3", "A[mask] = 0", "A[A < 0] *= 0.1",
    *ORDER,
} - {"max == x", "np.size"}  # fmt: skip


def weighted(f):
    def g(A, B):
        y = f(A.copy(), B.copy())
        y = [y] if isinstance(y, Value) else list(np.ravel(y))
        return mg.total([w * v for w, v in zip(weights(len(y)), y)])

    return g


@pytest.mark.parametrize("name", [name for name in TABLE if name not in ASKS])
def test_a_call_of_numpy_can_be_recorded(name):
    f = TABLE[name]
    program = mg.record(weighted(f), A * 0.5, B * 1.25)
    value, (dA, dB) = program.value_and_grad(A, B, argnums=(0, 1))
    assert value == pytest.approx(score(f, A, B), rel=1e-12)
    want = central(f, A, B)
    assert np.concatenate([dA.ravel(), dB.ravel()]) == pytest.approx(want, rel=1e-7, abs=2e-8)


@pytest.mark.parametrize("name", sorted(ASKS))
def test_a_call_that_asks_for_numbers_is_refused_while_a_function_is_recorded(name):
    with pytest.raises(BranchError):
        mg.record(weighted(TABLE[name]), A, B)


# Ties, exact numbers, scipy.


def grads_of(y, X):
    return np.array(mg.gradients(y, X), dtype=object).tolist()


TIES = {  # the function of an array with ties, and its gradient by the stated rule
    "max of all": (lambda X: X.max(), [2, 1, 2], [Fraction(1, 2), 0, Fraction(1, 2)]),
    "np.max": (lambda X: np.max(X, axis=0), [2, 2, 2], [Fraction(1, 3)] * 3),
    "min": (lambda X: X.min(), [2, 1, 1], [0, Fraction(1, 2), Fraction(1, 2)]),
    "maximum with 0": (lambda X: np.maximum(X, 0).sum(), [0, -1, 1], [Fraction(1, 2), 0, 1]),
    "clip at a bound": (lambda X: np.clip(X, 0, 1).sum(), [0, 1, 2], [1, 1, 0]),
    "abs": (lambda X: np.abs(X).sum(), [0, -1, 1], [0, -1, 1]),
    "maximum.reduce": (lambda X: np.maximum.reduce(X), [3, 3, 3], [Fraction(1, 3)] * 3),
    "max of a row with itself": (lambda X: np.stack([X, X]).max(), [1, 3, 2], [0, 1, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", TIES)
def test_ties_share_the_gradient_exactly(name):
    f, numbers, expected = TIES[name]
    X = mg.matrix([Fraction(x) for x in numbers])
    assert grads_of(f(X), X) == expected


@pytest.mark.parametrize("name", TIES)
def test_ties_share_the_gradient_in_a_program(name):
    f, numbers, expected = TIES[name]
    program = mg.record(f, np.array([5.0, 6.0, 7.0]))
    assert program.value_and_grad(np.array(numbers, float))[1].tolist() == [*map(float, expected)]


EXACT = {
    "mean": lambda X: X.mean(),
    "var": lambda X: X.var(),
    "a product": lambda X: (X @ X.T).sum(),
    "inv": lambda X: np.linalg.inv(X + np.eye(2, dtype=int) * 5).sum(),
    "det": lambda X: np.linalg.det(X),
    "det, singular": lambda X: np.linalg.det(X * 0 + X[0]),
    "cumprod": lambda X: np.cumprod(X).sum(),
    "trace": lambda X: np.trace(np.linalg.solve(X, X @ X)),
    "clip": lambda X: np.clip(X, 1, 3).sum(),
    "in place": lambda X: np.add(X, X, out=np.zeros_like(X)).sum(),
}


@pytest.mark.parametrize("name", EXACT)
def test_fractions_stay_fractions(name):
    X = mg.matrix([[Fraction(1, 3), Fraction(5, 2)], [Fraction(-2, 7), Fraction(4)]])
    y = EXACT[name](X)
    assert all(isinstance(v, int | Fraction) for v in [y.data, *np.ravel(mg.gradients(y, X))])
    assert float(y.data) == pytest.approx(float(EXACT[name](mg.values(X))))
    moved = []
    for place in np.ndindex(2, 2):  # the difference quotient, exact but for the step
        ends = []
        for h in (Fraction(1, 10**8), Fraction(-1, 10**8)):
            numbers = np.array([[v.data for v in row] for row in X], dtype=object)
            numbers[place] += h
            ends.append(EXACT[name](as_array(numbers)))
        moved.append(float((ends[0] - ends[1]) * 10**8 / 2))
    assert np.ravel(mg.gradients(y, X)).astype(float) == pytest.approx(moved, rel=1e-9, abs=1e-12)


def test_the_trace_of_a_solved_system_has_the_gradient_of_a_trace():
    X = mg.matrix([[Fraction(1, 3), Fraction(5, 2)], [Fraction(-2, 7), Fraction(4)]])
    assert grads_of(np.trace(np.linalg.solve(X, X @ X)), X) == [[1, 0], [0, 1]]


SPECIAL = ["expit", "erf", "erfc", "ndtr", "log_expit", "gammaln", "psi", "log_ndtr", "entr"]


@pytest.mark.parametrize("name", [*SPECIAL, "logit", "xlogy", "xlog1py", "rel_entr", "kl_div"])
def test_the_functions_of_scipy_are_ours(name):
    f = getattr(pytest.importorskip("scipy.special"), name)
    pair = (lambda A, B: f(A * A, B)) if f.nin == 2 else lambda A, B: f(B / 3)
    a, b = mg.matrix(A), mg.matrix(B)
    y = pair(a, b)
    assert mg.values(y) == pytest.approx(pair(A, B), rel=1e-12)
    root = mg.total([w * v for w, v in zip(weights(y.size), y.ravel())])
    got = np.concatenate([g.ravel() for g in mg.gradients(root, [a, b])])
    assert got == pytest.approx(central(pair, A, B), rel=1e-7, abs=2e-8)


# Manners.

KEEPS = {
    "a view": lambda X: X[0],
    "a function": np.tanh,
    "a sum of rows": lambda X: X.sum(axis=0),
    "NumPy's own code": lambda X: np.var(X, axis=0),
    "beside numbers": lambda X: np.ones(4) + X,
    "zeros": np.zeros_like,
    "zeros of floats": lambda X: np.zeros_like(X, dtype=np.float64),
    "concatenate": lambda X: np.concatenate([np.ones((1, 4)), X]),
    "a list of arrays": lambda X: np.split(X, 3)[0],
    "signs": np.sign,
    "rounded": lambda X: np.round(X, 1),
    "a maximum": lambda X: np.max(X, axis=0),
    "astype": lambda X: X.astype(np.float32),
    "a copy": copy.deepcopy,
    "a pickle": lambda X: pickle.loads(pickle.dumps(X)),
    "affine": lambda X: mg.affine(X, np.ones((4, 2)), np.ones(2)),
}


@pytest.mark.parametrize("name", KEEPS)
def test_results_are_arrays_of_values_again(name):
    y = KEEPS[name](mg.matrix(A))
    assert type(y) is ValueArray
    y[...] = Value(2.0)  # there is room
    assert {type(x) for x in y.flat} == {Value}


ANSWERS = {
    "isnan": np.isnan,
    "a comparison": lambda X: X > 0,
    "entries of two": lambda X: X == X + 0,
    "argmax": lambda X: np.argmax(X, axis=1),
    "X.argsort": lambda X: X.argsort(),
    "astype(int)": lambda X: X.astype(int),
    "any": lambda X: np.any(X > 0),
    "shape": np.shape,
    "allclose": lambda X: np.allclose(X, A),
    "zeros of ints": lambda X: np.zeros_like(X, dtype=int),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_questions_are_answered_with_numpys_own_numbers(name):
    got, want = ANSWERS[name](mg.matrix(A)), ANSWERS[name](A)
    assert type(got) is type(want)
    assert np.array_equal(got, want)
    assert np.asarray(got).dtype == np.asarray(want).dtype


def test_a_full_sum_is_a_value_and_the_largest_of_one_is_itself():
    X = mg.matrix(A)
    assert type(X.sum()) is type(X.max()) is type(np.mean(X)) is type(X[0] @ X[1]) is Value
    assert X[:1, :1].max() is X[0, 0]


REFUSED = {
    "a sum into floats": (lambda X: operator.iadd(np.zeros((3, 4)), X), r"A = A \+ B"),
    "out": (lambda X: np.exp(X, out=np.zeros((3, 4))), "no room for Values"),
    "add.at": (lambda X: np.add.at(np.zeros((3, 4)), [0], X), "mg.matrix"),
    "copyto": (lambda X: np.copyto(np.zeros((3, 4)), X), "no room for Values"),
    "put": (lambda X: np.put(np.zeros((3, 4)), [0], X), "no room for Values"),
    "to floats": (lambda X: np.asarray(X, dtype=float), r"v\.data"),
    "an entry": (lambda X: operator.setitem(np.zeros(3), 0, X[0, 0]), r"v\.data"),
    "fft": (np.fft.fft, r"no derivative of np\.fft\.fft"),
    "svd": (np.linalg.svd, r"no derivative of np\.linalg\.svd"),
    "the nuclear norm": (lambda X: np.linalg.norm(X, "nuc"), "no derivative"),
    "beside complex numbers": (lambda X: X + 1j, "abs"),
    "beside a mask": (lambda X: X + np.ma.array(A, mask=A > 0), "real numbers"),
    "division by zero": (lambda X: X / 0.0, "division by zero"),
    "numbers divided by zero": (lambda X: np.zeros_like(X) / 0.0, "division by zero"),
    "not square": (np.linalg.inv, "square"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_the_gradient_is_refused(name):
    f, told = REFUSED[name]
    with pytest.raises(MicrogridError, match=told):
        f(mg.matrix(A))


def test_the_numbers_of_a_result_fit_into_floats_where_no_value_is_left():
    out = np.zeros((3, 4))
    np.sign(mg.matrix(A), out=out)
    assert out.tolist() == np.sign(A).tolist()
    out += np.zeros_like(mg.matrix(A)) + 1
    assert out.tolist() == (np.sign(A) + 1).tolist()


def test_an_axis_that_is_not_there_is_numpys_own_error():
    X = mg.matrix(A)
    for axis in (2, -3, (0, 0), 1.5):
        with pytest.raises((ValueError, TypeError)) as want:
            np.max(A, axis=axis)
        with pytest.raises(want.type, match=r"axis|integer"):
            np.max(X, axis=axis)
    with pytest.raises(ValueError, match="zero-size"):
        X[:, :0].max(axis=1)
    assert X[:0].max(axis=1).shape == (0,)


def test_an_entry_is_read_by_numpy_itself():
    assert "__getitem__" not in vars(ValueArray)
    assert "__setitem__" not in vars(ValueArray)


def test_an_array_is_written_by_its_numbers():
    X = mg.matrix([[1.0, -2.0], [0.5, 3.0]], "x")
    assert repr(X) == "ValueArray([[1.0, -2.0],\n            [0.5, 3.0]])"
    assert str(X[0]) == "[1.0 -2.0]"


# As floats.

GOES_ON = {  # of an array with a 0
    "log": lambda X: np.log(X),
    "1 / X": lambda X: 1 / X,
    "X / 0": lambda X: X / 0.0,
    "X / zeros": lambda X: X / np.zeros(3),
    "zeros / X": lambda X: np.zeros_like(X) / X,
    "-1 / -X": lambda X: -1 / -X,
    "exp": lambda X: np.exp(X * 1000),
    "sqrt": lambda X: np.sqrt(X - 1),
    "power": lambda X: X**-1.0,
    "a root": lambda X: (X - 1) ** 0.5,
    "log1p": lambda X: np.log1p(X - 1),
    "arctanh": lambda X: np.arctanh(X),
    "arcsin": lambda X: np.arcsin(X * 2),
    "cosh": lambda X: np.cosh(X * 1000),
    "sin": lambda X: np.sin(1 / X),
    "entries": lambda X: np.array([mg.log(x) if isinstance(x, Value) else np.log(x) for x in X]),
    "of one": lambda X: np.log(X[0]) + np.zeros(1),
    "xlogy": lambda X: X * np.log(X),
}


@pytest.mark.parametrize("name", GOES_ON)
def test_under_ieee_arithmetic_numbers_are_numpys(name):
    X = np.array([0.0, 1.0, 2.0])
    with np.errstate(all="ignore"):
        want = GOES_ON[name](X)
    with ieee_arithmetic():
        leaves = mg.matrix(X)
        y = GOES_ON[name](leaves)
        got = numbers_of(flat(y))
        mg.gradients(mg.total([*flat(y), 0 * leaves[0]]), leaves)  # does not raise
    assert np.array_equal(got, want, equal_nan=True)


SLOPES = {
    "log": (lambda x: np.log(x), 0.0, math.inf),
    "log1p": (lambda x: np.log1p(x), -1.0, math.inf),
    "1 / x": (lambda x: 1 / x, 0.0, -math.inf),
    "exp": (lambda x: np.exp(x), 1000.0, math.inf),
    "cosh": (lambda x: np.cosh(x), 1000.0, math.inf),
    "sqrt": (lambda x: np.sqrt(x), 0.0, math.inf),
}


@pytest.mark.parametrize("name", SLOPES)
def test_under_ieee_arithmetic_slopes_are_the_limits(name):
    f, x, slope = SLOPES[name]
    with ieee_arithmetic():
        v = Value(x)
        assert mg.gradients(f(v), v) == slope


def test_under_ieee_arithmetic_a_value_has_the_attributes_of_numpys_scalars():
    x = Value(2.0)
    with ieee_arithmetic():
        assert (x.shape, x.ndim, x.size) == ((), 0, 1)
        assert x.item() is x.sum() is x.astype(float)[()] is x.reshape(1)[0] is x
        assert x == Value(2.0)
        assert np.sign(x) == 1.0
        assert np.floor(x - 0.5) == 1.0
        assert (x // 0.8, 5 // x, round(x - 0.3), math.floor(x - 0.1)) == (2.0, 2.0, 2.0, 1)
        y = x % 0.8 + 5 % x
        assert y.data == pytest.approx(2 % 0.8 + 5 % 2)
        assert mg.gradients(y, x) == 1 - 5 // 2
    assert not hasattr(x, "shape")
    assert x.item() == 2.0
    assert x != Value(2.0)
    with pytest.raises(MicrogridError):
        np.sign(x)


def test_after_ieee_arithmetic_everything_raises_as_before_also_after_an_error():
    with pytest.raises(KeyError), ieee_arithmetic():
        raise KeyError
    with pytest.raises(ZeroDivisionError):
        1 / Value(0.0)


# A test of the tests.


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("tanh", lambda x: x * 1.0), ("maximum", lambda a, b: a), ("expm1", mg.exp)],
)
def test_a_wrong_function_is_caught(name, wrong, monkeypatch):
    real = array_ufuncs.ours
    monkeypatch.setattr(array_ufuncs, "ours", lambda n: wrong if n == name else real(n))
    with pytest.raises(AssertionError):
        test_a_call_of_numpy_gives_its_numbers_and_the_gradient(f"np.{name}", False)
