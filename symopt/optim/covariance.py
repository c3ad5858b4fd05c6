"""What a least-squares fit says about its parameters: covariance and standard errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.problem import Mask, Matrix, Problem, Vector

# Columns scaled to length 1 are dependent when they combine to less than this. Dependent columns,
# rounded each on its own, combine to about 1e-16 to 1e-14; certified problems reach 1e-7.
_RANK = 1e-12
# Of a product J'J, which is good to half as many digits, the root has its rounding at about 1e-8.
_RANK_OF_PRODUCT = 1e-7
_LARGEST_JACOBIAN = 1 << 25  # entries; beyond, only its products are formed (256 MB)
LARGEST = 1_000  # parameters with a dense covariance: beyond, seconds and more
_INVOLVED = 1e-4  # the part of a null direction that makes a parameter one that it moves


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """Covariance and standard errors of all entries of the flat vector.

    `stderr` is 0 for a fixed entry, nan for one held at a bound (whose rows of `covariance` are 0:
    the others are what they are for that bound), and inf for one that the data does not determine
    (`unidentified`; nan in the rest of its row). Everything is nan when `dof` is not positive.
    """

    covariance: Matrix
    stderr: Vector
    dof: int
    unidentified: tuple[int, ...]
    without_influence: tuple[int, ...]  # those of them on which no residual depends
    at_bound: tuple[int, ...]


def estimate(
    problem: Problem,
    x: Vector,
    residuals: Vector,
    free: Mask,
    *,
    largest_jacobian: int = _LARGEST_JACOBIAN,
) -> Uncertainty:
    """The uncertainty of a least-squares solution x, from the Jacobian there.

    The covariance is s^2 (J'J)^-1 with s^2 the sum of squares over `dof`: residuals less
    parameters that the data determines, those at a bound included. It is a dense matrix, so it is
    for up to `LARGEST` parameters; a Jacobian of more than `largest_jacobian` entries is not made.
    """
    product = len(residuals) * len(x) > largest_jacobian
    factor, gradient = _of_product(problem, x) if product else _of_jacobian(problem, x, residuals)
    held = box_of(problem).active(x, gradient) & free
    varied = np.flatnonzero(free & ~held)
    columns = factor[:, varied]
    sizes = np.linalg.norm(columns, axis=0)
    idle = sizes == 0
    scales = np.where(idle, 1.0, sizes)
    least = _RANK_OF_PRODUCT if product else _RANK
    inverse, lost, rank = _pseudo_inverse(columns / scales, least)
    dof = len(residuals) - rank - int(np.count_nonzero(held))
    variance = float(residuals @ residuals) / dof if dof > 0 else np.nan

    block = variance * inverse / np.outer(scales, scales)
    block[lost, :] = block[:, lost] = np.nan
    block[lost, lost] = np.inf if dof > 0 else np.nan
    covariance = np.zeros((len(x), len(x)))
    covariance[np.ix_(varied, varied)] = block
    stderr = np.sqrt(np.diag(covariance))
    stderr[held] = np.nan
    return Uncertainty(
        covariance,
        stderr,
        dof,
        tuple(int(entry) for entry in varied[lost]),
        tuple(int(entry) for entry in varied[idle]),
        tuple(int(entry) for entry in np.flatnonzero(held)),
    )


def _of_jacobian(problem: Problem, x: Vector, residuals: Vector) -> tuple[Matrix, Vector]:
    """A matrix F of few rows with F'F = J'J, and the gradient."""
    jacobian = problem.jac(x)
    factor = np.asarray(np.linalg.qr(jacobian, mode="r"))
    return factor, 2 * (jacobian.T @ residuals)


def _of_product(problem: Problem, x: Vector) -> tuple[Matrix, Vector]:
    """The same without the Jacobian: by the eigenvectors of its product, scaled by columns."""
    matrix, gradient = problem.gauss_newton(x)
    sizes = np.sqrt(np.diag(matrix) / 2)
    scales = np.where(sizes > 0, sizes, 1.0)
    strengths, directions = np.linalg.eigh(matrix / 2 / np.outer(scales, scales))
    roots = np.sqrt(np.maximum(strengths, 0.0))
    return roots[:, None] * directions.T * np.where(sizes > 0, sizes, 0.0), gradient


def _pseudo_inverse(factor: Matrix, least: float) -> tuple[Matrix, Mask, int]:
    """(F'F)^-1 on the identified directions, which columns the others involve, and the rank."""
    count = factor.shape[1]
    if count == 0:
        return np.zeros((0, 0)), np.zeros(0, bool), 0
    padded = np.zeros((max(count, len(factor)), count))
    padded[: len(factor)] = factor  # fewer residuals than parameters leave the rest at zero
    _, strengths, directions = np.linalg.svd(padded, full_matrices=False)
    kept = strengths > least * strengths[0]
    lost = np.linalg.norm(directions[~kept], axis=0) > _INVOLVED
    halves = directions[kept].T / strengths[kept]
    return halves @ halves.T, lost, int(np.count_nonzero(kept))


def findings(uncertainty: Uncertainty, names: tuple[str, ...]) -> tuple[str, ...]:
    """Sentences on what limits the standard errors."""

    def listed(entries: tuple[int, ...]) -> str:
        shown = ", ".join(names[entry] for entry in entries[:10])
        return shown + (f" and {len(entries) - 10} more" if len(entries) > 10 else "")

    idle = uncertainty.without_influence
    tangled = tuple(entry for entry in uncertainty.unidentified if entry not in idle)
    sentences: list[str] = []
    if idle:
        sentences.append(f"no residual depends on {listed(idle)}")
    if tangled:
        sentences.append(
            f"rank-deficient: the data does not determine {listed(tangled)},"
            " only some combinations of them"
        )
    if uncertainty.at_bound:
        sentences.append(f"at a bound, without standard error: {listed(uncertainty.at_bound)}")
    if uncertainty.dof <= 0:
        sentences.append("as many parameters as residuals: standard errors are undefined")
    return tuple(sentences)
