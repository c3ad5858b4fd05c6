"""Problems made of plain Python functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from symopt.optim import errors
from symopt.optim.problem import FisherKind, Mask, Matrix, Needs, Sparse, Vector
from symopt.optim.robust import RobustSum

VectorLike: TypeAlias = Any  # what np.asarray turns into a float vector
Pairs: TypeAlias = Sequence[tuple[float | None, float | None]]


@runtime_checkable
class ScipyBounds(Protocol):
    """scipy.optimize.Bounds, by its fields."""

    lb: VectorLike
    ub: VectorLike


@dataclass(frozen=True, slots=True)
class Objective:
    """Python functions of a flat vector; `sized` makes a problem of them."""

    fun: Callable[[Vector], float] | None
    grad: Callable[[Vector], VectorLike] | None
    hvp: Callable[[Vector, Vector], VectorLike] | None
    hess: Callable[[Vector], VectorLike] | None
    residuals: Callable[[Vector], VectorLike] | None
    jac: Callable[[Vector], VectorLike] | None
    jac_sparse: Callable[[Vector], Sparse] | None
    gauss_newton: Callable[[Vector], tuple[VectorLike, VectorLike]] | None
    bounds: Pairs | ScipyBounds | None
    names: tuple[str, ...] | None
    maximize: bool

    def sized(self, n: int) -> CallableProblem:
        """The problem for vectors of length n."""
        if self.names is not None and len(self.names) != n:
            raise errors.wrong_length("names", len(self.names), n)
        return CallableProblem(self, n, *_flat_bounds(self.bounds, n))


def objective(
    fun: Callable[[Vector], float] | None = None,
    *,
    grad: Callable[[Vector], VectorLike] | None = None,
    hvp: Callable[[Vector, Vector], VectorLike] | None = None,
    hess: Callable[[Vector], VectorLike] | None = None,
    residuals: Callable[[Vector], VectorLike] | None = None,
    jac: Callable[[Vector], VectorLike] | None = None,
    jac_sparse: Callable[[Vector], Sparse] | None = None,
    gauss_newton: Callable[[Vector], tuple[VectorLike, VectorLike]] | None = None,
    loss: str = "linear",
    loss_scale: float = 1.0,
    bounds: Pairs | ScipyBounds | None = None,
    names: Sequence[str] | None = None,
    maximize: bool = False,
) -> Objective:
    """An objective of plain Python functions, for `minimize`.

    Give `fun`, or `residuals` for the sum of their squares. What is not given is not provided:
    a method that needs it is refused. `gauss_newton` returns the matrix and the gradient,
    `jac_sparse` a SciPy CSR array. `loss` makes the sum of squares a robust one, as in SciPy's
    `least_squares`: "huber", "soft_l1", "cauchy" or "arctan", beyond residuals of `loss_scale`.
    `bounds` are SciPy's: a `Bounds`, or a (low, high) pair for each entry, None for no bound.
    """
    if fun is None and residuals is None:
        raise errors.no_objective()
    if fun is not None and residuals is not None:
        raise errors.two_objectives()
    named = None if names is None else tuple(names)
    if loss != "linear":
        if residuals is None:
            raise errors.bad_setting("loss", loss, "left out without `residuals`")
        if jac_sparse is not None:
            raise errors.bad_setting("loss", loss, "left out with `jac_sparse`")
        robust = RobustSum(residuals, jac, loss, loss_scale)
        fun, residuals = robust.value, None
        if jac is not None:
            grad, gauss_newton, jac = robust.grad, robust.gauss_newton, None
    return Objective(
        fun, grad, hvp, hess, residuals, jac, jac_sparse, gauss_newton, bounds, named, maximize
    )


@dataclass(frozen=True, slots=True, eq=False)
class CallableProblem:
    """An `Objective` of known size, as optimizers see it.

    The functions are handed copies: what they do to their arguments stays with them.
    """

    functions: Objective
    n: int
    lower: Vector
    upper: Vector

    @property
    def x0(self) -> None:
        return None

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        return self.lower, self.upper

    @property
    def open_bounds(self) -> tuple[Mask, Mask]:
        return np.zeros(self.n, bool), np.zeros(self.n, bool)

    @property
    def maximize(self) -> bool:
        return self.functions.maximize

    @property
    def least_squares(self) -> bool:
        return self.functions.residuals is not None

    @property
    def provides(self) -> Needs:
        functions = self.functions
        provided = Needs.VALUE
        if functions.residuals is not None and functions.jac is not None:
            provided |= Needs.GRADIENT | Needs.RESIDUALS | Needs.GAUSS_NEWTON
        if functions.residuals is not None and functions.jac_sparse is not None:
            provided |= Needs.GRADIENT | Needs.RESIDUALS | Needs.GAUSS_NEWTON | Needs.SPARSE
        if functions.grad is not None:
            provided |= Needs.GRADIENT
        if functions.gauss_newton is not None:
            provided |= Needs.GRADIENT | Needs.GAUSS_NEWTON
        if functions.hess is not None:
            provided |= Needs.HESSIAN | Needs.HVP
        if functions.hvp is not None:
            provided |= Needs.HVP
        if Needs.GRADIENT in provided:
            provided |= Needs.FISHER
        return provided

    @property
    def names(self) -> tuple[str, ...]:
        return self.functions.names or tuple(f"x[{i}]" for i in range(self.n))

    @property
    def samples(self) -> int:
        return 1

    def batch(self, indices: NDArray[np.intp], /) -> CallableProblem:
        return self

    def unpack(self, p: Vector, /) -> Mapping[str, object]:
        if self.functions.names is None:
            return {"x": p.copy()}
        return dict(zip(self.functions.names, (np.array(entry) for entry in p), strict=True))

    def explain_nonfinite(self, p: Vector, /) -> str | None:
        value = self.value(p)
        if not np.isfinite(value):
            return f"the function returned {value} at {_shown(p)}"
        return f"a derivative is not finite at {_shown(p)}"

    def value(self, p: Vector, /) -> float:
        if self.functions.fun is not None:
            return _number(self.functions.fun(p.copy()), "fun")
        residuals = self.residuals(p)
        return float(residuals @ residuals)

    def values(self, points: Matrix, /) -> Vector:
        return np.array([self.value(point) for point in points])

    def grad(self, p: Vector, /) -> Vector:
        functions = self.functions
        if functions.grad is not None:
            return _vector(functions.grad(p.copy()), "grad", self.n)
        if functions.residuals is not None and functions.jac_sparse is not None:
            return 2 * (self.jac_sparse(p).T @ self.residuals(p))
        if functions.residuals is not None and functions.jac is not None:
            return 2 * (self.jac(p).T @ self.residuals(p))
        return self.gauss_newton(p)[1]

    def value_and_grad(self, p: Vector, /) -> tuple[float, Vector]:
        return self.value(p), self.grad(p)

    def hvp(self, p: Vector, v: Vector, /) -> Vector:
        if self.functions.hvp is not None:
            return _vector(self.functions.hvp(p.copy(), v.copy()), "hvp", self.n)
        return self.hess(p) @ v

    def hess(self, p: Vector, /) -> Matrix:
        return _matrix(_given(self.functions.hess, "hess")(p.copy()), "hess", self.n)

    def residuals(self, p: Vector, /) -> Vector:
        found = _given(self.functions.residuals, "residuals")(p.copy())
        return np.ravel(_floats(found, "residuals"))

    def jac(self, p: Vector, /) -> Matrix:
        if self.functions.jac is None and self.functions.jac_sparse is not None:
            return self.jac_sparse(p).toarray()
        return _matrix(_given(self.functions.jac, "jac")(p.copy()), "jac", self.n)

    def gauss_newton(self, p: Vector, /) -> tuple[Matrix, Vector]:
        if self.functions.gauss_newton is not None:
            matrix, gradient = self.functions.gauss_newton(p.copy())
            return (
                _matrix(matrix, "gauss_newton", self.n),
                _vector(gradient, "gauss_newton", self.n),
            )
        jacobian = self.jac(p)
        return 2 * (jacobian.T @ jacobian), 2 * (jacobian.T @ self.residuals(p))

    @property
    def gauss_newton_entries(self) -> int:
        """A guess, for what functions return is not known: n with a sparse Jacobian, else all."""
        return self.n if self.functions.jac_sparse is not None else self.n**2

    def gnvp(self, p: Vector, v: Vector, /) -> Vector:
        if self.functions.gauss_newton is not None:
            return self.gauss_newton(p)[0] @ v
        jacobian = self.jac_sparse(p) if self.functions.jac_sparse is not None else self.jac(p)
        return 2 * (jacobian.T @ (jacobian @ v))

    def hvp_complex_step(self, p: Vector, v: Vector, /) -> Vector:
        raise errors.not_provided("complex arithmetic")

    def hess_sparse(self, p: Vector, /) -> Sparse:
        from scipy.sparse import csr_array  # pyright: ignore[reportMissingTypeStubs]: has none

        return csr_array(self.hess(p))

    def jac_sparse(self, p: Vector, /) -> Sparse:
        from scipy.sparse import csr_array  # pyright: ignore[reportMissingTypeStubs]: has none

        return csr_array(_given(self.functions.jac_sparse, "jac_sparse")(p.copy()))

    def gauss_newton_sparse(self, p: Vector, /) -> Sparse:
        jacobian = self.jac_sparse(p)
        return 2 * (jacobian.T @ jacobian).tocsr()

    def fisher(self, p: Vector, /, *, kind: FisherKind = "empirical") -> Matrix:
        """Each residual is a sample; what has none is one sample as a whole."""
        if kind == "model":
            # Of residuals the normal distribution's is known, whose Fisher matrix is G.
            if self.functions.residuals is None:
                raise errors.not_provided("a known likelihood")
            return self.gauss_newton(p)[0]
        if self.functions.residuals is None:
            rows = self.grad(p)[None, :]
        else:
            rows = 2 * self.residuals(p)[:, None] * self.jac(p)
        if kind == "covariance":
            rows = (rows - np.mean(rows, axis=0)) / np.sqrt(len(rows))
        return rows.T @ rows


def _given(function: Callable[..., Any] | None, name: str) -> Callable[..., Any]:
    if function is None:
        raise errors.not_provided(name)
    return function


def _number(value: VectorLike, name: str) -> float:
    """A number, also as an array with a single entry."""
    if isinstance(value, float):
        return value
    if np.size(value) != 1:
        raise errors.wrong_shape(name, np.shape(value), ())
    try:
        return float(np.asarray(value).item())
    except (TypeError, ValueError) as error:
        raise errors.no_number(name, value) from error


def _floats(values: VectorLike, name: str) -> Vector:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise errors.not_numbers(name, str(error)) from error


def _vector(values: VectorLike, name: str, n: int) -> Vector:
    vector = _floats(values, name)
    if vector.shape != (n,):
        raise errors.wrong_shape(name, vector.shape, (n,))
    return vector


def _matrix(values: VectorLike, name: str, columns: int) -> Matrix:
    matrix = _floats(values, name)
    if matrix.ndim != 2 or matrix.shape[1] != columns:
        raise errors.wrong_shape(name, matrix.shape, ("…", columns))
    return matrix


def _flat_bounds(bounds: Pairs | ScipyBounds | None, n: int) -> tuple[Vector, Vector]:
    if bounds is None:
        return np.full(n, -np.inf), np.full(n, np.inf)
    if isinstance(bounds, ScipyBounds):
        try:
            lower = np.array(np.broadcast_to(_floats(bounds.lb, "bounds"), n))
            upper = np.array(np.broadcast_to(_floats(bounds.ub, "bounds"), n))
        except ValueError as error:
            raise errors.wrong_length("bounds", np.size(bounds.lb), n) from error
    else:
        if len(bounds) != n:
            raise errors.wrong_length("bounds", len(bounds), n)
        lower = np.array([-np.inf if low is None else low for low, _ in bounds], np.float64)
        upper = np.array([np.inf if high is None else high for _, high in bounds], np.float64)
    crossed = np.flatnonzero(~(lower <= upper))
    if crossed.size:
        entry = int(crossed[0])
        raise errors.crossed_bounds(entry, float(lower[entry]), float(upper[entry]))
    return lower, upper


def _shown(p: Vector) -> str:
    with np.printoptions(threshold=6, edgeitems=3, precision=6):
        return f"x = {p}"
