"""A problem: a model bound to data, its value and derivatives as functions of a flat vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, final, overload

import numpy as np
from numpy.typing import NDArray

from symopt.bind_errors import refusing_zero_divisors
from symopt.binding import Bound, bind, check_reads
from symopt.calls import Calls, wrong_vector
from symopt.diagnostics import DataError
from symopt.layout import Layout
from symopt.nonfinite import explain
from symopt.starts import Starts
from symopt.types import evaluate

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from symopt.explain import Explanation
    from symopt.model import Model
    from symopt.optim.problem import Mask, Needs

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@final
class Problem:
    """Value and derivatives at points of the flat parameter vector.

    Each function is compiled when it is first asked for, and all share the bound data. Results
    are fresh arrays unless `out=` is given; then nothing is allocated. Safe to call from several
    threads; calls of one function that needs memory of its own wait for each other.
    """

    @refusing_zero_divisors()
    def __init__(self, model: Model, given: Mapping[str, Any], sizes: Mapping[str, int]) -> None:
        self.model = model
        stages = model.stages
        self._sizes = dict(sizes)
        self._given = dict(given)
        self._bound: Bound = bind(stages.program, stages.setup, given, sizes)
        self._layout = Layout(
            {name: self._shape(param.shape) for name, param in stages.program.params.items()}
        )
        check_reads(stages.task.program, self._bound)
        self._calls = Calls(model, self._bound, self._layout)
        self._starts.check()

    def _shape(self, shape: tuple[Any, ...]) -> tuple[int, ...]:
        return tuple(max(int(evaluate(size, self._bound.dims, {}, {})), 0) for size in shape)

    # ── the flat vector ──────────────────────────────────────────────────────────────────────

    @property
    def n(self) -> int:
        """How many unknowns there are."""
        return self._layout.size

    @property
    def names(self) -> tuple[str, ...]:
        """A name for every entry of the flat vector: `b`, `w[3]`, `W[0, 2]`."""
        return self._layout.names

    @property
    def dims(self) -> Mapping[str, int]:
        """The value of every dim."""
        return dict(self._bound.dims)

    def pack(self, values: Mapping[str, Any]) -> Vector:
        """The flat vector of parameters by name; those left out have their start."""
        start = self.unpack(self.x0) if len(values) < len(self._layout.shapes) else {}
        return self._layout.pack({**start, **values})

    def unpack(self, p: Any) -> dict[str, Any]:
        """Parameters by name: floats and arrays."""
        return self._layout.unpack(self._calls.checked(p))

    @property
    def x0(self) -> Vector:
        """The declared start, with random starts drawn from seed 0; nan where there is none."""
        return self.start(0)

    def start(self, seed: int) -> Vector:
        """The declared start, with random starts drawn from a seed."""
        return self._starts.draw(seed)

    @cached_property
    def _starts(self) -> Starts:
        stages = self.model.stages
        return Starts(stages.program, stages.setup, self._bound, self._layout)

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Lower and upper bounds of the flat vector, infinite where there are none."""
        return self._bounds

    @property
    def open_bounds(self) -> tuple[Mask, Mask]:
        """Which bounds are open: points have to stay strictly inside these."""
        return self._open_bounds

    @cached_property
    def _bounds(self) -> tuple[Vector, Vector]:
        return self._starts.lower(), self._starts.upper()

    @cached_property
    def _open_bounds(self) -> tuple[Mask, Mask]:
        return self._starts.open_lower(), self._starts.open_upper()

    # ── what there is ────────────────────────────────────────────────────────────────────────

    @property
    def maximize(self) -> bool:
        """Whether the objective is to be made large; values are always as written."""
        return self.model.maximize

    @property
    def least_squares(self) -> bool:
        """Whether the objective is the plain sum of the squared residuals."""
        return self.model.stages.program.least_squares

    @property
    def provides(self) -> Needs:
        """What an optimizer may ask for."""
        from symopt.optim.problem import Needs  # the optimizers are not needed before a fit

        found = Needs.VALUE | Needs.GRADIENT | Needs.HVP | Needs.HESSIAN
        if self.model.cut:
            found |= Needs.GAUSS_NEWTON
        return found | Needs.RESIDUALS if self.least_squares else found

    def rebind(self, data: Any = None, /, **given: Any) -> Problem:
        """The same model with some data replaced; nothing is compiled again."""
        arrays, sizes = self.model._sorted(data, given)
        return Problem(self.model, {**self._given, **arrays}, {**self._sizes, **sizes})

    # ── value and derivatives ────────────────────────────────────────────────────────────────

    def value(self, p: Any) -> float:
        """The objective as written."""
        return self._function("value")(p)

    def values(self, points: Any) -> Vector:
        """The objective at many points, (k, n): (k,)."""
        rows = np.asarray(points, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.n:
            raise DataError(wrong_vector("each point", self.n, rows.shape[1:]))
        return np.array([self.value(row) for row in rows])

    def grad(self, p: Any, *, out: Vector | None = None) -> Vector:
        """The gradient, (n,)."""
        return self._function("grad")(p, out=out)

    def value_and_grad(self, p: Any, *, out: Vector | None = None) -> tuple[float, Vector]:
        """The objective and its gradient, in one pass."""
        return self._function("value_and_grad")(p, out=out)

    def hvp(self, p: Any, v: Any, *, out: Vector | None = None) -> Vector:
        """The Hessian times v, (n,)."""
        return self._function("hvp")(p, v, out=out)

    def hess(self, p: Any, *, out: Matrix | None = None) -> Matrix:
        """The Hessian, (n, n)."""
        return self._function("hess")(p, out=out)

    def residuals(self, p: Any, *, out: Vector | None = None) -> Vector:
        """The cut, flattened: all marked definitions one after another, (m,)."""
        return self._function("residuals")(p, out=out)

    def jac(self, p: Any, *, of: str | None = None, out: Matrix | None = None) -> Matrix:
        """The Jacobian of the cut, or of definition `of`, (m, n)."""
        return self._function("jac", of)(p, out=out)

    def jac_sparse(
        self, p: Any, *, of: str | None = None, out: csr_array | None = None
    ) -> csr_array:
        """The Jacobian as a SciPy CSR array, (m, n), with the entries that can be other than 0.

        Only these are computed. All results share their index arrays, which are read-only; `out`
        is an earlier result.
        """
        return self._calls.jac_sparse(p, of, out)

    @overload
    def residuals_and_jac(
        self,
        p: Any,
        *,
        of: str | None = None,
        sparse: Literal[False] = False,
        out: tuple[Vector, Matrix] | None = None,
    ) -> tuple[Vector, Matrix]: ...
    @overload
    def residuals_and_jac(
        self,
        p: Any,
        *,
        of: str | None = None,
        sparse: Literal[True],
        out: tuple[Vector, csr_array] | None = None,
    ) -> tuple[Vector, csr_array]: ...
    def residuals_and_jac(
        self,
        p: Any,
        *,
        of: str | None = None,
        sparse: bool = False,
        out: tuple[Vector, Any] | None = None,
    ) -> tuple[Vector, Any]:
        """The cut, or definition `of`, and its Jacobian, in one pass: dense, or as `jac_sparse`."""
        if sparse:
            return self._calls.residuals_and_jac_sparse(p, of, out)
        return self._calls._function("residuals_and_jac", of)(p, out=out)

    def jvp(self, p: Any, v: Any, *, of: str | None = None, out: Vector | None = None) -> Vector:
        """The Jacobian of the cut, or of definition `of`, times v, (m,)."""
        return self._function("jvp", of)(p, v, out=out)

    def vjp(self, p: Any, u: Any, *, of: str | None = None, out: Vector | None = None) -> Vector:
        """u times the Jacobian of the cut, or of definition `of`, (n,)."""
        return self._function("vjp", of)(p, u, out=out)

    def stderr_of(self, name: str, p: Any, covariance: Matrix) -> Any:
        """The standard error of a definition at a fit with this covariance, of its shape.

        By linear propagation, sqrt(diag(J C Jᵀ)); inf where it depends on a parameter that the data
        does not determine.
        """
        jacobian = self.jac(p, of=name)
        unknown = ~np.isfinite(np.diag(covariance))
        known = np.where(unknown | unknown[:, None], 0.0, covariance)
        variance = np.einsum("ij,jk,ik->i", jacobian, known, jacobian)
        variance[(jacobian != 0) @ unknown] = np.inf
        errors = np.sqrt(np.maximum(variance, 0.0)).reshape(np.shape(self.eval(name, p)))
        return float(errors) if errors.ndim == 0 else errors

    def gauss_newton(
        self, p: Any, *, out: tuple[Matrix, Vector] | None = None
    ) -> tuple[Matrix, Vector]:
        """G = Jᵀ ∇²l J, (n, n), and the gradient, in one pass; J is not stored."""
        return self._function("gauss_newton")(p, out=out)

    def gnvp(self, p: Any, v: Any, *, out: Vector | None = None) -> Vector:
        """G times v, (n,)."""
        return self._function("gnvp")(p, v, out=out)

    def eval(self, name: str, p: Any) -> Any:
        """The value of a definition, by name: a float, or an array of its shape."""
        if name in self._layout.shapes:
            return self.unpack(p)[name]
        if name in self._bound.arrays:
            return self._bound.arrays[name].copy()
        return self._calls.evaluate(name, p)

    def scipy(self) -> dict[str, Any]:
        """Keyword arguments for `scipy.optimize.minimize`; of -E where E is to be made large."""
        sign = -1.0 if self.maximize else 1.0
        lower, upper = self.bounds

        def signed(function: Callable[..., Any]) -> Callable[..., Any]:
            return function if sign > 0 else lambda *args: -function(*args)

        arguments: dict[str, Any] = {
            "fun": signed(self.value),
            "x0": self.x0,
            "jac": signed(self.grad),
            "hessp": signed(self.hvp),
        }
        if np.isfinite(lower).any() or np.isfinite(upper).any():
            arguments["bounds"] = list(zip(lower, upper, strict=True))
        return arguments

    def explain(self, *functions: str) -> Explanation:
        """What is compiled for functions (`value`, `grad`, ...), those of most methods by default.

        Operation counts, passes, where indices run and sums are kept, what was hoisted, time.
        """
        from symopt.explain import Sizes, explain

        sizes = Sizes(self._bound.dims, self._bound.arrays)
        fixed = self.model.fixed_by(sizes.dims, sizes.arrays)
        return explain(self.model, functions, fixed, sizes)

    def explain_nonfinite(self, p: Any) -> str | None:
        """Where a value or derivative that is not finite comes from; None if all are finite."""
        task = self.model.stages.task
        given = {**self._bound.arrays, **self._layout.arrays(self._calls.checked(p))}
        return explain(task, self._bound.dims, given)

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    def _function(self, name: str, of: str | None = None) -> Callable[..., Any]:
        """What computes a function: made when it is first called.

        A built-in function then takes the place of the method in this very object, so that a call
        does not go through Python at all.
        """
        if of is None:
            function = self.__dict__.get(name) or self._calls.method(getattr(Problem, name))
            if function is not None:
                self.__dict__[name] = function
                return function
        return self._calls._function(name, of)
