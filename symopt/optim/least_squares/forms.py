"""In which form least-squares steps are computed: dense, sparse, by blocks, by products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, get_args

import numpy as np

from symopt.optim import errors
from symopt.optim.chance import Chance
from symopt.optim.least_squares.local_models import CurvatureModel, ResidualModel, residual_model
from symopt.optim.least_squares.structured_models import (
    BlockElimination,
    Factorization,
    IteratedElimination,
    Iteration,
    ProductModel,
    Solver,
    SparseModel,
    sizes_by_products,
)
from symopt.optim.linear.blocks import Places, diagonal_blocks, find_elimination
from symopt.optim.linear.sparse import factor_work
from symopt.optim.problem import Needs, Point, Problem, Sparse, Vector, parameter_of

Factor: TypeAlias = Literal["auto", "qr", "normal", "sparse", "schur", "krylov"]
FACTORS: tuple[Factor, ...] = get_args(Factor)
LocalModel: TypeAlias = ResidualModel | CurvatureModel | SparseModel | ProductModel

_LARGEST_JACOBIAN = 1 << 24  # entries; beyond, only its products are formed (128 MB)
_SMALL = 300  # unknowns, up to which a dense matrix is fastest whatever its entries
_LARGEST_DENSE = 3_000  # unknowns: 72 MB, and 9 Gflop for a factorization
_MOST_ENTRIES = 50_000_000  # of a sparse matrix
_SPARSE = 0.1  # the part of the entries up to which a factorization is likely to stay sparse
_MOST_WORK = 2e10  # multiplications of a sparse factorization: some ten seconds
_MOST_KINDS = 32  # of unknowns, with a product for each to see their size
_FEW_IN_ROW = 50  # entries in a row of the reduced system, up to which that is likely of any size


class Form(Protocol):
    """How values and models come from a problem; `remark` says what was chosen, if not dense."""

    @property
    def remark(self) -> str: ...
    def value(self, problem: Problem, x: Vector, /) -> tuple[float, Vector | None]:
        """The objective, and the residuals that it was computed from, if any."""
        ...

    def linearize(
        self, problem: Problem, x: Vector, value: float, residuals: Vector | None, /
    ) -> tuple[Point, LocalModel]:
        """The point x, where the value is known, and the model of the objective around it."""
        ...


@dataclass(frozen=True, slots=True)
class DenseForm:
    """By the triangular factor of the Jacobian, or by the dense Gauss-Newton matrix."""

    by_residuals: bool
    remark: str = ""

    def value(self, problem: Problem, x: Vector, /) -> tuple[float, Vector | None]:
        if not self.by_residuals:
            return problem.value(x), None
        residuals = problem.residuals(x)
        return float(residuals @ residuals), residuals

    def linearize(
        self, problem: Problem, x: Vector, value: float, residuals: Vector | None, /
    ) -> tuple[Point, LocalModel]:
        if residuals is None:
            matrix, gradient = problem.gauss_newton(x)
            if not np.isfinite(matrix).all():
                gradient = np.full_like(x, np.nan)
            return Point(x.copy(), value, gradient), CurvatureModel(matrix, gradient)
        jacobian = problem.jac(x)
        gradient = 2 * (jacobian.T @ residuals)
        if not np.isfinite(gradient).all():
            # There is no model of what is not finite; the driver ends the run here.
            return Point(x.copy(), value, gradient), CurvatureModel(np.diag(gradient), gradient)
        return Point(x.copy(), value, gradient), residual_model(jacobian, residuals)


@dataclass(frozen=True, slots=True, eq=False)
class SparseForm:
    """By the sparse Gauss-Newton matrix."""

    solver: Solver
    remark: str

    def value(self, problem: Problem, x: Vector, /) -> tuple[float, Vector | None]:
        return problem.value(x), None

    def linearize(
        self, problem: Problem, x: Vector, value: float, residuals: Vector | None, /
    ) -> tuple[Point, LocalModel]:
        matrix, gradient = problem.gauss_newton_sparse(x), problem.grad(x)
        if not np.isfinite(matrix.data).all():
            gradient = np.full_like(x, np.nan)
        return Point(x.copy(), value, gradient), SparseModel(matrix, gradient, self.solver)


@dataclass(frozen=True, slots=True, eq=False)
class ProductForm:
    """By Gauss-Newton-vector products; unknowns with the same of `kinds` get the same size."""

    kinds: Places
    signs: Vector
    remark: str

    def value(self, problem: Problem, x: Vector, /) -> tuple[float, Vector | None]:
        return problem.value(x), None

    def linearize(
        self, problem: Problem, x: Vector, value: float, residuals: Vector | None, /
    ) -> tuple[Point, LocalModel]:
        place = x.copy()

        def product(v: Vector) -> Vector:
            return problem.gnvp(place, v)

        sizes = sizes_by_products(product, self.kinds, self.signs)
        gradient = problem.grad(x)
        return Point(place, value, gradient), ProductModel(product, gradient, sizes)


def begin(problem: Problem, x: Vector, factor: Factor, seed: int) -> tuple[Form, Point, LocalModel]:
    """The form for a run, and the start in it."""
    form = choose_form(problem, x, factor, seed)
    value, residuals = form.value(problem, x)
    if factor == "auto" and residuals is not None and len(residuals) * len(x) > _LARGEST_JACOBIAN:
        form = DenseForm(by_residuals=False)
        value, residuals = form.value(problem, x)
    return form, *form.linearize(problem, x, value, residuals)


def choose_form(problem: Problem, x: Vector, factor: Factor, seed: int) -> Form:
    """The form that `factor` asks for; with "auto" the one that suits the problem."""
    match factor:
        case "qr":
            return DenseForm(Needs.RESIDUALS in problem.provides)
        case "normal":
            return DenseForm(by_residuals=False)
        case "krylov":
            return _product_form(problem, seed)
        case "sparse" | "schur":
            if Needs.SPARSE not in problem.provides:
                raise errors.not_provided("jac_sparse")
            if factor == "sparse":
                return _factorization(problem.gauss_newton_sparse(x))
            form = _elimination(problem, problem.gauss_newton_sparse(x))
            if form is None:
                raise errors.no_blocks()
            return form
        case "auto":
            return _suitable(problem, x, seed)


def _suitable(problem: Problem, x: Vector, seed: int) -> Form:
    n = len(x)
    if n > _SMALL and Needs.SPARSE in problem.provides:
        entries = problem.gauss_newton_entries
        if entries <= min(n * n / 2, _MOST_ENTRIES):
            matrix = problem.gauss_newton_sparse(x)
            form = _elimination(problem, matrix)
            if form is not None:
                return form
            if matrix.nnz <= _SPARSE * n * n or n > _LARGEST_DENSE:
                return _sparse_form(problem, matrix)
    if n > _LARGEST_DENSE:
        return _product_form(problem, seed)
    return DenseForm(Needs.RESIDUALS in problem.provides)


def _factorization(matrix: Sparse) -> Form:
    return SparseForm(Factorization(), _sparse_remark(matrix))


def _sparse_form(problem: Problem, matrix: Sparse) -> Form:
    """By a factorization of the whole, unless its factors are likely to fill up."""
    if factor_work(matrix) <= _MOST_WORK:
        return _factorization(matrix)
    labels = diagonal_blocks(matrix, problem.names)
    return SparseForm(Iteration(labels), f"{_sparse_remark(matrix)} by conjugate gradients")


def _sparse_remark(matrix: Sparse) -> str:
    size, entries = matrix.shape[0], matrix.nnz
    return f"lm with sparse normal equations ({size} unknowns, {entries} entries)"


def _elimination(problem: Problem, matrix: Sparse) -> Form | None:
    """By blocks, if there are some; None where a factorization of the whole is likely faster."""
    elimination = find_elimination(matrix, problem.names)
    if elimination is None:
        return None
    left, entries = len(elimination.reduced), elimination.coupled
    sparse = left > _SMALL and entries <= _SPARSE * left**2
    if left <= _LARGEST_DENSE and not sparse:
        return SparseForm(BlockElimination(elimination), f"lm with {elimination.summary}")
    if sparse and entries <= _FEW_IN_ROW * left:
        return None
    labels = diagonal_blocks(matrix, problem.names)
    return SparseForm(
        IteratedElimination(elimination, labels),
        f"lm with {elimination.summary} by conjugate gradients",
    )


def _product_form(problem: Problem, seed: int) -> Form:
    signs = np.where(Chance(seed).generator().random(problem.n) < 0.5, -1.0, 1.0)
    return ProductForm(
        _alike(problem.names),
        signs,
        f"lm with Gauss-Newton-vector products ({problem.n} unknowns)",
    )


def _alike(names: Sequence[str]) -> Places:
    """A label for each unknown, the same for those that are likely to be of one size.

    These are the entries of an array that have the same last index, as in `camera[c, 6]`, or all
    entries, where there are too many last indices or it is the only one.
    """
    columns = list(map(_column, names))
    kinds = columns if len(set(columns)) <= _MOST_KINDS else list(map(parameter_of, names))
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    return np.array([numbers[kind] for kind in kinds], np.intp)


def _column(name: str) -> str:
    _, several, last = name.rpartition(", ")
    return f"{parameter_of(name)}, {last}" if several else parameter_of(name)
