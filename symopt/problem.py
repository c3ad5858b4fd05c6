"""A problem: a model bound to data, its value and derivatives as functions of a flat vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symopt.bind_errors import refusing_zero_divisors
from symopt.binding import Bound, bind, check_reads
from symopt.derive.functions import FUNCTIONS, direction, unreached, weight
from symopt.diagnostics import DataError, DerivativeUnavailable, Diagnostic, Kind, Label
from symopt.layout import Layout
from symopt.native.function import NativeFunction, aligned_zeros
from symopt.nonfinite import explain
from symopt.starts import Starts
from symopt.typed.program import Param
from symopt.types import evaluate

if TYPE_CHECKING:
    from symopt.model import Model
    from symopt.optim.problem import Mask, Needs

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Problem:
    """Value and derivatives at points of the flat parameter vector.

    Each function is compiled when it is first asked for, and all share the bound data. Results
    are fresh arrays unless `out=` is given. Safe to call from several threads; calls of one
    function wait for each other.
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
        self._functions: dict[tuple[str, str | None], NativeFunction] = {}
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
        return self._layout.unpack(self._checked(p))

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
        return float(self._call("value", p)[0])

    def values(self, points: Any) -> Vector:
        """The objective at many points, (k, n): (k,)."""
        rows = np.asarray(points, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.n:
            raise DataError(_wrong_vector("each point", self.n, rows.shape[1:]))
        return np.array([self.value(row) for row in rows])

    def grad(self, p: Any, *, out: Vector | None = None) -> Vector:
        """The gradient, (n,)."""
        return self._call("grad", p, out=out)

    def value_and_grad(self, p: Any, *, out: Vector | None = None) -> tuple[float, Vector]:
        """The objective and its gradient, in one pass."""
        function = self._function("value_and_grad")
        with function.lock:
            self._run(function, p)
            return float(function.result[0]), _result(function.result[1 : self.n + 1], out)

    def hvp(self, p: Any, v: Any, *, out: Vector | None = None) -> Vector:
        """The Hessian times v, (n,)."""
        return self._call("hvp", p, direction=v, out=out)

    def hess(self, p: Any, *, out: Matrix | None = None) -> Matrix:
        """The Hessian, (n, n)."""
        return self._call("hess", p, shape=(self.n, self.n), out=out)

    def residuals(self, p: Any, *, out: Vector | None = None) -> Vector:
        """The cut, flattened: all marked definitions one after another, (m,)."""
        return self._call("residuals", p, shape=(self._rows(None),), out=out)

    def jac(self, p: Any, *, of: str | None = None, out: Matrix | None = None) -> Matrix:
        """The Jacobian of the cut, or of definition `of`, (m, n)."""
        return self._call("jac", p, of=of, shape=(self._rows(of), self.n), out=out)

    def jvp(self, p: Any, v: Any, *, of: str | None = None, out: Vector | None = None) -> Vector:
        """The Jacobian of the cut, or of definition `of`, times v, (m,)."""
        return self._call("jvp", p, of=of, direction=v, shape=(self._rows(of),), out=out)

    def vjp(self, p: Any, u: Any, *, of: str | None = None, out: Vector | None = None) -> Vector:
        """u times the Jacobian of the cut, or of definition `of`, (n,)."""
        return self._call("vjp", p, of=of, weight=u, out=out)

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

    def gauss_newton(self, p: Any) -> tuple[Matrix, Vector]:
        """G = Jᵀ ∇²l J, (n, n), and the gradient, in one pass; J is not stored."""
        n = self.n
        flat = self._call("gauss_newton", p, shape=(n * n + n,))
        lower = flat[: n * n].reshape(n, n)
        return lower + np.tril(lower, -1).T, flat[n * n :]

    def gnvp(self, p: Any, v: Any, *, out: Vector | None = None) -> Vector:
        """G times v, (n,)."""
        return self._call("gnvp", p, direction=v, out=out)

    def eval(self, name: str, p: Any) -> Any:
        """The value of a definition, by name: a float, or an array of its shape."""
        if name in self._layout.shapes:
            return self.unpack(p)[name]
        if name in self._bound.arrays:
            return self._bound.arrays[name].copy()
        self._known_definition(name)
        function = self._function(name)
        with function.lock:
            self._run(function, p)
            value = function.parts[name]
            return float(value) if value.ndim == 0 else value.copy()

    def _known_definition(self, name: str) -> None:
        from symopt.typed.errors import nearest

        known = self.model.definitions
        if name not in known:
            raise DataError(
                Diagnostic(
                    Kind.DATA,
                    "unknown-definition",
                    f"there is no definition `{name}`",
                    help=nearest(name, known) or f"the definitions are {', '.join(known)}",
                )
            )

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

    def explain_nonfinite(self, p: Any) -> str | None:
        """Where a value or derivative that is not finite comes from; None if all are finite."""
        task = self.model.stages.task
        given = {**self._bound.arrays, **self._layout.arrays(self._checked(p))}
        return explain(task, self._bound.dims, given)

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    def _cut(self, of: str | None) -> Layout:
        """The tensors that residuals and Jacobians are of, one after another."""
        task = self.model.stages.task
        if of is not None:
            self._known_definition(of)
        elif not task.cut:
            raise DerivativeUnavailable(_no_cut())
        names = task.cut if of is None else (of,)
        return Layout({name: self._shape(task.program.tensors[name].shape) for name in names})

    def _rows(self, of: str | None) -> int:
        return self._cut(of).size

    def _checked(self, p: Any) -> Vector:
        vector = np.asarray(p, dtype=np.float64)
        if vector.shape != (self.n,):
            raise DataError(_wrong_vector("p", self.n, vector.shape))
        return vector

    def _call(
        self,
        name: str,
        p: Any,
        *,
        of: str | None = None,
        direction: Any = None,
        weight: Any = None,
        shape: tuple[int, ...] | None = None,
        out: NDArray[Any] | None = None,
    ) -> Any:
        function = self._function(name, of)
        with function.lock:
            self._run(function, p, direction, weight)
            if shape is None:
                return _result(function.result[: sum(function.sizes)], out)
            size = int(np.prod(shape, dtype=np.int64))
            return _result(function.result[:size].reshape(shape), out)

    def _run(
        self, function: NativeFunction, p: Any, direction: Any = None, weight: Any = None
    ) -> None:
        inputs = function.inputs
        for key, value in (("p", p), ("v", direction), ("u", weight)):
            if value is not None:
                buffer = inputs[key]
                if np.shape(value) != buffer.shape:
                    raise DataError(_wrong_vector(key, len(buffer), np.shape(value)))
                buffer[...] = value
        function.run()

    def _function(self, name: str, of: str | None = None) -> NativeFunction:
        function = self._functions.get((name, of))
        if function is None:
            function = self._functions[name, of] = self._make(name, of)
        return function

    def _make(self, name: str, of: str | None) -> NativeFunction:
        if name in _THROUGH_CUT:
            self._cut(of)
        if name in _DERIVATIVES:
            self._check_reached(of)
        compiled = self.model.compiled(name, of)
        inputs = {"p": aligned_zeros(self.n)[: self.n]}
        flat = self._layout.arrays(inputs["p"])
        if name in _DIRECTED:
            inputs["v"] = aligned_zeros(self.n)[: self.n]
            flat |= {direction(k): a for k, a in self._layout.arrays(inputs["v"]).items()}
        if name == "vjp":
            rows = self._cut(of)
            inputs["u"] = aligned_zeros(rows.size)[: rows.size]
            flat |= {weight(k): a for k, a in rows.arrays(inputs["u"]).items()}
        return NativeFunction(
            compiled.kernel, compiled.library, self._bound.dims, self._bound.arrays, flat, inputs
        )

    def _check_reached(self, of: str | None) -> None:
        missing = unreached(self.model.stages.task, of)
        if missing:
            params = self.model.params
            what = "the objective" if of is None else f"`{of}`"
            raise DerivativeUnavailable(*(_no_derivative(params[name], what) for name in missing))


_THROUGH_CUT = frozenset({"jac", "jvp", "vjp", "residuals", "gauss_newton", "gnvp"})
_DIRECTED = frozenset({"hvp", "jvp", "gnvp"})
_DERIVATIVES = frozenset(FUNCTIONS) - {"value", "residuals"}


def _result(values: NDArray[Any], out: NDArray[Any] | None) -> Any:
    if out is None:
        return values.copy()
    if out.shape != values.shape or out.dtype != values.dtype:
        raise DataError(_wrong_out(values.shape, out))
    np.copyto(out, values)
    return out


def _wrong_out(shape: tuple[int, ...], out: NDArray[Any]) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "wrong-shape",
        f"out must be an array of float64 with shape {shape}, "
        f"found {out.dtype} with shape {out.shape}",
    )


def _wrong_vector(name: str, size: int, found: tuple[int, ...]) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "wrong-shape",
        f"{name} must have shape ({size},), found {found}",
        help="`problem.pack({...})` makes the flat vector from parameters by name",
    )


def _no_cut() -> Diagnostic:
    return Diagnostic(
        Kind.DERIVATIVE,
        "no-cut",
        "this needs the model's outputs, and the program does not say what they are",
        help="mark them: `model z = ...`, or `residual r[i] = ...`",
    )


def _no_derivative(param: Param, what: str) -> Diagnostic:
    return Diagnostic(
        Kind.DERIVATIVE,
        "no-derivative",
        f"{what} depends on `{param.name}` only through piecewise constant functions",
        (Label(param.span, "declared here"),),
        notes=("floor, ceil, sign, //, comparisons and conditions have derivative 0",),
        help="use a smooth function instead, or a method without derivatives",
    )
