"""Functions of stacks of square matrices in NumPy, in real, complex and dual arithmetic.

Complex numbers continue the functions of real matrices: nothing is conjugated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.statements.program import Reduction

Array = NDArray[Any]


def value(kind: Reduction, stack: Array) -> Array:
    """The function of each matrix: a stack of matrices, or of numbers."""
    match kind:
        case "inverse":
            return inverse(stack)
        case "cholesky":
            return cholesky(stack)
        case "determinant":
            return np.linalg.det(stack)
        case "logdet":
            return log_determinant(stack)
    raise AssertionError(f"{kind} is no function of matrices")


def tangent(kind: Reduction, stack: Array, found: Array, change: Array) -> Array:
    """The change of the function, of what was `found`, by a change of each matrix.

    What does not move does not move, however infinite its slope.
    """
    still = ~np.any(change != 0, axis=(1, 2))
    match kind:
        case "inverse":
            moved = -found @ change @ found
        case "cholesky":
            back = inverse(found)
            inner = back @ ((change + _turned(change)) / 2) @ _turned(back)
            moved = found @ (np.tril(inner) - _halved_diagonal(inner))
        case "determinant" | "logdet":
            moved = np.einsum("bij,bji->b", inverse(stack), change)
            moved = moved * found if kind == "determinant" else moved
        case _:
            raise AssertionError(f"{kind} is no function of matrices")
    return np.where(still.reshape(still.shape + (1,) * (found.ndim - 1)), 0.0, moved)


def inverse(stack: Array) -> Array:
    """The inverses; of a singular matrix all is nan."""
    found = np.full_like(stack, np.nan)
    for number, matrix in enumerate(stack):
        try:
            found[number] = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            continue  # singular
    return found


def cholesky(stack: Array) -> Array:
    """The lower factors of the symmetric parts; nan from the first pivot that is not positive."""
    symmetric = (stack + _turned(stack)) / 2
    found = np.zeros_like(stack)
    for k in range(stack.shape[-1]):
        rest = symmetric[:, k:, k] - np.einsum("bik,bk->bi", found[:, k:, :k], found[:, k, :k])
        pivot = np.where(np.real(rest[:, 0]) > 0, rest[:, 0], np.nan)
        found[:, k:, k] = rest / np.sqrt(pivot)[:, None]
        found[:, k, k] = np.sqrt(pivot)
    return found


def log_determinant(stack: Array) -> Array:
    sign, size = np.linalg.slogdet(stack)
    if np.iscomplexobj(stack):
        whole = np.log(np.where(sign == 0, 1.0, sign)) + size
        return np.where(np.real(sign) < 0, np.nan, whole)
    return np.where(sign < 0, np.nan, size)


def _turned(stack: Array) -> Array:
    return np.swapaxes(stack, -1, -2)


def _halved_diagonal(stack: Array) -> Array:
    return stack * np.eye(stack.shape[-1]) / 2
