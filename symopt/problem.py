"""A problem: a model bound to data, its value and derivatives as functions of a flat vector."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, final, overload

import numpy as np
from numpy.typing import NDArray

from symopt.binding import Bound, in_double
from symopt.call_errors import unknown_fisher, wrong_points
from symopt.calls import Calls
from symopt.conversion import fitting, floats, handed_out, rounded, vector
from symopt.diagnostics import DataError
from symopt.layout import Layout
from symopt.starts import Starts

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import LinearOperator

    from symopt.batches import Batches, Lease
    from symopt.certify import Report
    from symopt.certify.oracle import Oracle
    from symopt.explain import Explanation
    from symopt.model import Model
    from symopt.optim.problem import Mask, Needs
    from symopt.wrt import Wrt

Vector = NDArray[np.float64]  # of float32 where the model was bound so
Matrix = NDArray[np.float64]
_FISHER = {"empirical": "fisher", "model": "fisher_model", "covariance": "fisher_covariance"}
Of = str | None  # a definition in place of the cut
Out = Vector | None


@final
class Problem:
    """Value and derivatives at points of the flat parameter vector.

    Each function is compiled when it is first asked for, and all share the bound data. Results
    are fresh arrays unless `out=` is given; then nothing is allocated. Safe to call from several
    threads; calls of one function that needs memory of its own wait for each other.

    Derivatives are by all parameters, or by the parameters and float data that `wrt=` names: n is
    the length of these, flat, one after another. Products take a vector, or many as the columns of
    a matrix. All arrays are of `dtype`; what is given may be of another, and is then converted.
    """

    def __init__(
        self,
        calls: Calls,
        starts: Starts,
        given: Mapping[str, Any],
        sizes: Mapping[str, int],
        lease: Lease | None = None,
    ) -> None:
        self.model: Model = calls.kernels.model
        self._calls = calls
        self._bound: Bound = calls.kernels.bound
        self._layout = calls.kernels.layout
        self._starts = starts
        self._given = given
        self._sizes = sizes
        self._lease = lease  # of a batch: has its arrays for itself while this lives

    # ── the flat vector ──────────────────────────────────────────────────────────────────────

    @property
    def n(self) -> int:
        """How many unknowns there are."""
        return self._layout.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """What arrays are of: float64, or float32 where the model was bound so."""
        return self._bound.dtype

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
        return rounded(self._layout.pack({**start, **values}), self.dtype)

    def unpack(self, p: Any) -> dict[str, Any]:
        """Parameters by name: floats and arrays."""
        return self._layout.unpack(self._calls.checked(p))

    @property
    def x0(self) -> Vector:
        """The declared start, with random starts drawn from seed 0; nan where there is none."""
        return self.start(0)

    def start(self, seed: int) -> Vector:
        """The declared start, with random starts drawn from a seed."""
        return rounded(self._starts.draw(seed), self.dtype)

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
        sides = self._starts.lower(), self._starts.upper()
        return rounded(sides[0], self.dtype), rounded(sides[1], self.dtype)

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
        found |= Needs.SPARSE | Needs.COMPLEX_STEP | Needs.FISHER
        if self.model.cut:
            found |= Needs.GAUSS_NEWTON
        return found | Needs.RESIDUALS if self.least_squares else found

    @property
    def samples(self) -> int:
        """How many samples batches can be of; 1 where the objective is a whole."""
        return 1 if self._sampled is None else self._sampled.size

    @cached_property
    def _sampled(self) -> Batches | None:
        """What makes batches; None where the objective is a whole."""
        try:
            return self._batches
        except DataError:
            return None

    # ── other data ───────────────────────────────────────────────────────────────────────────

    def rebind(self, data: Any = None, /, **given: Any) -> Problem:
        """The same model with some data replaced.

        Nothing is compiled again, unless sizes change that are compiled in.
        """
        arrays, sizes = self.model._sorted(data, given)
        kept = {**self._given, **arrays}
        if self._lease is not None:  # a batch's own arrays are used again when it goes
            kept = {name: np.copy(a) for name, a in self._bound.arrays.items() if name in kept}
            kept |= arrays
        return self.model._problem(kept, {**self._sizes, **sizes}, self._bound.precision)

    def batch(self, indices: Any) -> Problem:
        """The same problem on some samples: whole numbers, a slice or a mask of the sample dim.

        The size of that dim becomes their number; starts and bounds stay. Nothing is compiled or
        checked again. Raises DataError where definitions do not belong to one sample each.
        """
        lease = self._batches.of(indices)
        sizes = {name: lease.calls.kernels.bound.dims[name] for name in self._sizes}
        return Problem(lease.calls, self._starts, self._given, sizes, lease)

    def batch_of(self, data: Any = None, /, **given: Any) -> Problem:
        """The same problem on a batch of other samples; starts and bounds stay.

        As fast as `batch` where the data are of samples and nothing else; else as `rebind`.
        """
        arrays, sizes = self.model._sorted(data, given)
        lease = None
        if not sizes and self._sampled is not None:
            lease = self._sampled.of_data(arrays)
        if lease is None:
            return self.rebind(data, **given)
        found = {name: lease.calls.kernels.bound.dims[name] for name in self._sizes}
        return Problem(lease.calls, self._starts, self._given, found, lease)

    @cached_property
    def _batches(self) -> Batches:
        from symopt.batches import Batches  # not needed where all samples are used at once

        return Batches(self._calls)

    # ── value and derivatives ────────────────────────────────────────────────────────────────

    def value(self, p: Any) -> float:
        """The objective as written."""
        return self._function("value")(p)

    def values(self, points: Any, *, out: Out = None) -> Vector:
        """The objective at many points, the rows of (k, n): (k,)."""
        rows = np.ascontiguousarray(floats(points))
        if rows.ndim != 2 or rows.shape[1] != self.n:
            raise DataError(wrong_points(self.n, np.shape(points)))
        rows = rounded(rows, self.dtype)
        room = None if out is None else fitting(out, (len(rows),), self.dtype)
        found = np.fromiter(map(self.value, rows), self.dtype, len(rows))
        return found if room is None else handed_out((found,), room)

    def grad(self, p: Any, *, wrt: Wrt = None, out: Out = None) -> Vector:
        """The gradient, (n,)."""
        return self._function("grad", wrt=wrt)(p, out=out)

    def value_and_grad(self, p: Any, *, wrt: Wrt = None, out: Out = None) -> tuple[float, Vector]:
        """The objective and its gradient, in one pass."""
        return self._function("value_and_grad", wrt=wrt)(p, out=out)

    def hvp(self, p: Any, v: Any, *, wrt: Wrt = None, out: Out = None) -> Vector:
        """The Hessian times v, (n,), or times many vectors at once, the columns of (n, k)."""
        return self._function("hvp", wrt=wrt)(p, v, out=out)

    def hess(self, p: Any, *, wrt: Wrt = None, out: Matrix | None = None) -> Matrix:
        """The Hessian, (n, n)."""
        return self._function("hess", wrt=wrt)(p, out=out)

    def hess_sparse(self, p: Any, *, wrt: Wrt = None, out: csr_array | None = None) -> csr_array:
        """The Hessian as a SciPy CSR array, (n, n), with the entries that can be other than 0.

        All results share their index arrays, which are read-only; `out` is an earlier result.
        """
        return self._calls.sparse("hess_sparse", p, None, wrt, out)

    def residuals(self, p: Any, *, of: Of = None, out: Out = None) -> Vector:
        """The cut, or definition `of`, flattened, (m,): all marked definitions, in their order."""
        return self._function("residuals", of)(p, out=out)

    def jac(self, p: Any, *, of: Of = None, wrt: Wrt = None, out: Matrix | None = None) -> Matrix:
        """The Jacobian of the cut, or of definition `of`, (m, n)."""
        return self._function("jac", of, wrt)(p, out=out)

    def jac_sparse(
        self, p: Any, *, of: Of = None, wrt: Wrt = None, out: csr_array | None = None
    ) -> csr_array:
        """The Jacobian as a SciPy CSR array, (m, n), with the entries that can be other than 0.

        Only these are computed. All results share their index arrays, which are read-only; `out`
        is an earlier result.
        """
        return self._calls.sparse("jac_sparse", p, of, wrt, out)

    @overload
    def residuals_and_jac(
        self,
        p: Any,
        *,
        of: Of = None,
        wrt: Wrt = None,
        sparse: Literal[False] = False,
        out: tuple[Vector, Matrix] | None = None,
    ) -> tuple[Vector, Matrix]: ...
    @overload
    def residuals_and_jac(
        self,
        p: Any,
        *,
        of: Of = None,
        wrt: Wrt = None,
        sparse: Literal[True],
        out: tuple[Vector, csr_array] | None = None,
    ) -> tuple[Vector, csr_array]: ...
    def residuals_and_jac(
        self,
        p: Any,
        *,
        of: Of = None,
        wrt: Wrt = None,
        sparse: bool = False,
        out: tuple[Vector, Any] | None = None,
    ) -> tuple[Vector, Any]:
        """The cut, or definition `of`, and its Jacobian, in one pass: dense, or as `jac_sparse`."""
        if sparse:
            return self._calls.residuals_and_jac_sparse(p, of, wrt, out)
        return self._calls._function("residuals_and_jac", of, wrt)(p, out=out)

    def jvp(self, p: Any, v: Any, *, of: Of = None, wrt: Wrt = None, out: Out = None) -> Vector:
        """The Jacobian of the cut, or of definition `of`, times v, (m,), or times (n, k)."""
        return self._function("jvp", of, wrt)(p, v, out=out)

    def vjp(self, p: Any, u: Any, *, of: Of = None, wrt: Wrt = None, out: Out = None) -> Vector:
        """The Jacobian of the cut, or of definition `of`, transposed, times u, (n,), or (m, k)."""
        return self._function("vjp", of, wrt)(p, u, out=out)

    def stderr_of(self, name: str, p: Any, covariance: Matrix) -> Any:
        """The standard error of a definition at a fit with this covariance, of its shape.

        By linear propagation, sqrt(diag(J C Jᵀ)); inf where it depends on a parameter that the data
        does not determine.
        """
        from symopt.propagation import propagated

        shape = np.shape(self.eval(name, p))
        errors = propagated(self.jac(p, of=name), covariance).reshape(shape)
        return float(errors) if errors.ndim == 0 else errors

    def gauss_newton(
        self, p: Any, *, wrt: Wrt = None, out: tuple[Matrix, Vector] | None = None
    ) -> tuple[Matrix, Vector]:
        """G = Jᵀ ∇²l J, (n, n), and the gradient, in one pass; J is not stored."""
        return self._function("gauss_newton", wrt=wrt)(p, out=out)

    def gauss_newton_sparse(
        self, p: Any, *, wrt: Wrt = None, out: csr_array | None = None
    ) -> csr_array:
        """G as a SciPy CSR array, (n, n), with the entries that can be other than 0.

        All results share their index arrays, which are read-only; `out` is an earlier result.
        """
        return self._calls.sparse("gauss_newton_sparse", p, None, wrt, out)

    @property
    def gauss_newton_entries(self) -> int:
        """How many entries the Gauss-Newton matrix can have other than 0, without computing it."""
        return self._gauss_newton_entries

    @cached_property
    def _gauss_newton_entries(self) -> int:
        return self._calls.gauss_newton_entries()

    def gnvp(self, p: Any, v: Any, *, wrt: Wrt = None, out: Out = None) -> Vector:
        """G times v, (n,), or times many vectors at once, the columns of (n, k)."""
        return self._function("gnvp", wrt=wrt)(p, v, out=out)

    def fisher(
        self,
        p: Any,
        *,
        kind: Literal["empirical", "model", "covariance"] = "empirical",
        wrt: Wrt = None,
        out: Matrix | None = None,
    ) -> Matrix:
        """The Fisher matrix of the samples that the objective sums over, (n, n).

        `empirical` is Σ g gᵀ, g the gradient of a sample's summand, without the 1/n of a mean and
        without terms outside the sum. `model` is the Gauss-Newton matrix of these summands, where
        they are known to be a canonical negative log-likelihood. `covariance` is the mean of
        (g - mean g)(g - mean g)ᵀ. Without a sample dim each residual is a sample, or all is one.
        """
        if kind not in _FISHER:
            raise DataError(unknown_fisher(kind))
        function = _FISHER[kind]
        return self._calls._function(function, None, wrt)(p, out=out)

    def operator(self, name: str, p: Any) -> LinearOperator:
        """`hess`, `gauss_newton` or `jac` at a point as SciPy's LinearOperator, by products."""
        from symopt.scipy_forms import operator_of

        return operator_of(self, name, p)

    def eval(self, name: str, p: Any, *, out: NDArray[Any] | None = None) -> Any:
        """The value of a definition, by name: a float, or an array of its shape."""
        if name in self._layout.shapes:
            return handed_out((np.asarray(self.unpack(p)[name]),), out, fresh=True)
        if name in self.model.data:
            return handed_out((self._bound.arrays[name],), out)
        return self._calls.evaluate(name, p, out)

    def scipy(self) -> dict[str, Any]:
        """Keyword arguments for `scipy.optimize.minimize`; of -E where E is to be made large."""
        from symopt.scipy_forms import minimize_arguments

        return minimize_arguments(self)

    def explain(self, *functions: str) -> Explanation:
        """What is compiled for functions (`value`, `grad`, ...), those of most methods by default.

        Operation counts, passes, where indices run and sums are kept, what was hoisted, time.
        """
        from symopt.explain import Sizes, explain

        sizes = Sizes(self._bound.dims, self._bound.arrays)
        fixed = self.model.fixed_by(sizes.dims, sizes.arrays)
        return explain(self.model, functions, fixed, sizes, self._bound.precision)

    def explain_nonfinite(
        self, p: Any, function: str | None = None, *, v: Any = None, u: Any = None
    ) -> str | None:
        """Where a value or derivative that is not finite comes from; None if all are finite.

        `function` is what was asked for: `value`, `grad`, `hvp`, `jac` and so on, along `v` or
        weighted by `u` (ones, if left out). Without it the value, the gradient and, where there is
        a cut, the Jacobian are looked at.
        """
        from symopt.nonfinite import explain  # slow, and of rare use

        program, point = self.model.stages.program, self._calls.checked(p)
        found = explain(program, self._oracle, point, function, v, u)
        if found is None and self.dtype == np.float32:
            computed = self.grad if function in ("grad", "value_and_grad") else self.value
            if not np.isfinite(computed(point)).all():
                return "all is finite in float64: a number on the way is beyond those of float32"
        return found

    # ── certification ────────────────────────────────────────────────────────────────────────

    def check(self, p: Any, *, functions: Iterable[str] | None = None, seed: int = 0) -> Report:
        """Every compiled function at a point beside complex step, dual numbers and differences.

        Or only some `functions`, such as `("grad", "hvp")`. With more than 50 parameters,
        derivatives are looked at along random directions, drawn from the seed. `report.ok`,
        `report.max_error`, `report.failures`, `str(report)`.
        """
        from symopt.certify import CHECKED, check  # slow, and of rare use

        chosen = CHECKED if functions is None else functions
        return check(self, self._oracle, self._calls.checked(p), chosen, seed)

    def hvp_complex_step(self, p: Any, v: Any) -> Vector:
        """The Hessian times v as Im ∇f(p + iεv)/ε, with ε = 2⁻⁵⁰: slow, exact, and independent.

        The statements of the gradient run in complex arithmetic, in NumPy; `hvp` does not.
        """
        from symopt.certify.oracle import EPSILON

        along = vector("v", v, self.n)
        return self._oracle.complex_step("grad", self._calls.checked(p), along, EPSILON)

    @cached_property
    def _oracle(self) -> Oracle:
        from symopt.certify.oracle import Oracle

        task = self.model.stages.task
        cut = self._calls.kernels.cut(None) if task.cut else Layout({})
        arrays = {name: in_double(array) for name, array in self._bound.arrays.items()}
        return Oracle(task, self._bound.dims, arrays, self._layout, cut)

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    def _function(self, name: str, of: Of = None, wrt: Wrt = None) -> Callable[..., Any]:
        """What computes a function: made when it is first called.

        A built-in function then takes the place of the method in this very object, so that a call
        does not go through Python at all. Those of a batch outlive it, and may not be got hold of.
        """
        if of is None and wrt is None and self._lease is None:
            function = self.__dict__.get(name) or self._calls.method(getattr(Problem, name))
            if function is not None:
                self.__dict__[name] = function
                return function
        return self._calls._function(name, of, wrt)
