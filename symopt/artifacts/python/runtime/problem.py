"""A problem: the compiled loss on some data, its value and derivatives at points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, final

import numpy as np
from numpy.typing import NDArray

from symopt.artifacts.python.runtime.binding import Bound, bind_data, in_numbers, whole_size
from symopt.artifacts.python.runtime.calls import (
    Function,
    checked_vector,
    floats,
    handed_out,
    rounded,
    targets_of,
    times_columns,
)
from symopt.artifacts.python.runtime.errors import (
    DerivativeUnavailable,
    Mistake,
    NotCompiled,
    SymoptError,
    data_error,
    nearest,
    refusing_zero_divisors,
)
from symopt.artifacts.python.runtime.layout import Layout
from symopt.artifacts.python.runtime.library import Native
from symopt.artifacts.python.runtime.specification import Data, Entry, Specification
from symopt.artifacts.python.runtime.starts import SETUPS, Starts

Vector = NDArray[np.float64]  # of float32 where the loss is compiled so
Matrix = NDArray[np.float64]
Out = Vector | None
_THROUGH_CUT = ("residuals", "jac", "residuals_and_jac", "jvp", "vjp", "gauss_newton", "gnvp")


@final
class Problem:
    """Value and derivatives at points of the flat parameter vector.

    Results are fresh arrays unless `out=` is given. Safe to call from several threads, at the same
    time. Products take a vector, or many as the columns of a matrix. All arrays are of `dtype`;
    what is given may be of another, and is then converted.
    """

    def __init__(
        self,
        loss: Specification,
        library: Any,
        given: Mapping[str, Any],
        sizes: Mapping[str, int],
    ) -> None:
        self._loss, self._library = loss, library
        self._given, self._sizes = dict(given), dict(sizes)
        self._native = native = Native(loss, library)
        self._bound = bind_data(loss, given, sizes, self._computed)
        self._layout = Layout(loss.params, self._bound.dims)
        native.give(self._bound)
        native.check(self._bound)
        self._compiled = {entry.name: entry for entry in loss.functions if entry.of is None}
        self._functions: dict[str, Function] = {}
        setups = {e.name: self._made(e, self._bound.dims) for e in loss.setups if e.name in SETUPS}
        self._starts = Starts(loss, self._layout, setups, self._bound.dims)
        self._starts.check()

    def __repr__(self) -> str:
        functions = ", ".join(entry.name for entry in self._loss.functions)
        return f"<{self._loss.stem}: a problem of {self.n} parameters; {functions}>"

    # ── the flat vector ──────────────────────────────────────────────────────────────────────

    @property
    def n(self) -> int:
        """How many unknowns there are."""
        return self._layout.size

    @property
    def m(self) -> int:
        """How many residuals there are."""
        if not self._loss.cut:
            raise DerivativeUnavailable(str(_NO_CUT))
        shapes = (in_numbers(shape, self._bound.dims) for _, shape in self._loss.cut)
        return sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What arrays are of."""
        return np.dtype(self._loss.dtype)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for every entry of the flat vector: `b`, `w[3]`, `W[0, 2]`."""
        return self._layout.names

    @property
    def dims(self) -> dict[str, int]:
        """The value of every dim."""
        return {dim.name: self._bound.dims[dim.name] for dim in self._loss.dims}

    def pack(self, values: Mapping[str, Any]) -> Vector:
        """The flat vector of parameters by name; those left out have their start."""
        start = self.unpack(self.x0) if len(values) < len(self._layout.shapes) else {}
        return rounded(self._layout.pack({**start, **values}), self.dtype)

    def unpack(self, p: Any) -> dict[str, Any]:
        """Parameters by name: floats and arrays."""
        return self._layout.unpack(rounded(checked_vector("p", p, self.n), self.dtype))

    @property
    def x0(self) -> Vector:
        """The declared start, with random starts drawn from seed 0; nan where there is none."""
        return self.start(0)

    def start(self, seed: int) -> Vector:
        """The declared start, with random starts drawn from a seed."""
        return self._starts.draw(seed)

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Lower and upper bounds of the flat vector, infinite where there are none."""
        return self._starts.bounds

    @property
    def open_bounds(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which bounds are open: points have to stay strictly inside these."""
        return self._starts.open_bounds

    @property
    def maximize(self) -> bool:
        """Whether the objective is to be made large; values are always as written."""
        return self._loss.maximize

    @property
    def least_squares(self) -> bool:
        """Whether the objective is the plain sum of the squared residuals."""
        return self._loss.least_squares

    def rebind(self, data: Any = None, /, **given: Any) -> Self:
        """The same loss with some data replaced."""
        arrays, sizes = sorted_names(self._loss, data, given)
        with refusing_zero_divisors():
            given, sizes = {**self._given, **arrays}, {**self._sizes, **sizes}
            return type(self)(self._loss, self._library, given, sizes)

    # ── value and derivatives ────────────────────────────────────────────────────────────────

    def value(self, p: Any) -> float:
        """The objective as written."""
        if "value" not in self._compiled and "value_and_grad" in self._compiled:
            return self.value_and_grad(p)[0]
        return self._function("value")(p)

    def values(self, points: Any, *, out: Out = None) -> Vector:
        """The objective at many points, the rows of (k, n): (k,)."""
        rows = np.ascontiguousarray(floats(points))
        if rows.ndim != 2 or rows.shape[1] != self.n:
            shape = f"(k, {self.n}), one in each row, found {np.shape(points)}"
            raise data_error(f"points must have shape {shape}")
        rows = rounded(rows, self.dtype)
        if out is not None:
            targets_of(out, [(len(rows),)], self.dtype)
        found = np.fromiter(map(self.value, rows), self.dtype, len(rows))
        return handed_out([found], out)[0]

    def grad(self, p: Any, *, out: Out = None) -> Vector:
        """The gradient, (n,)."""
        if "grad" not in self._compiled and "value_and_grad" in self._compiled:
            return self.value_and_grad(p, out=out)[1]
        return self._function("grad")(p, out=out)

    def value_and_grad(self, p: Any, *, out: Out = None) -> tuple[float, Vector]:
        """The objective and its gradient."""
        if "value_and_grad" not in self._compiled and {"value", "grad"} <= self._compiled.keys():
            return self.value(p), self.grad(p, out=out)
        return self._function("value_and_grad")(p, out=out)

    def hvp(self, p: Any, v: Any, *, out: Out = None) -> Vector:
        """The Hessian times v, (n,), or times many vectors at once, the columns of (n, k)."""
        return times_columns(self._function("hvp"), p, v, out)

    def hess(self, p: Any, *, out: Matrix | None = None) -> Matrix:
        """The Hessian, (n, n)."""
        return self._function("hess")(p, out=out)

    def residuals(self, p: Any, *, out: Out = None) -> Vector:
        """The cut, flattened, (m,): all marked definitions, in their order."""
        return self._function("residuals")(p, out=out)

    def jac(self, p: Any, *, out: Matrix | None = None) -> Matrix:
        """The Jacobian of the cut, (m, n)."""
        return self._function("jac")(p, out=out)

    def residuals_and_jac(
        self, p: Any, *, out: tuple[Vector, Matrix] | None = None
    ) -> tuple[Vector, Matrix]:
        """The cut and its Jacobian."""
        parts = {"residuals", "jac"}
        if "residuals_and_jac" not in self._compiled and parts <= self._compiled.keys():
            residuals, jacobian = handed_out([self.residuals(p), self.jac(p)], out)
            return residuals, jacobian
        return self._function("residuals_and_jac")(p, out=out)

    def jvp(self, p: Any, v: Any, *, out: Out = None) -> Vector:
        """The Jacobian of the cut times v, (m,), or times (n, k)."""
        return times_columns(self._function("jvp"), p, v, out)

    def vjp(self, p: Any, u: Any, *, out: Out = None) -> Vector:
        """The Jacobian of the cut transposed, times u, (n,), or (m, k)."""
        return times_columns(self._function("vjp"), p, u, out)

    def gauss_newton(
        self, p: Any, *, out: tuple[Matrix, Vector] | None = None
    ) -> tuple[Matrix, Vector]:
        """G = Jᵀ ∇²l J, (n, n), and the gradient, in one pass; J is not stored."""
        return self._function("gauss_newton")(p, out=out)

    def gnvp(self, p: Any, v: Any, *, out: Out = None) -> Vector:
        """G times v, (n,), or times many vectors at once, the columns of (n, k)."""
        return times_columns(self._function("gnvp"), p, v, out)

    def fisher(
        self,
        p: Any,
        *,
        kind: Literal["empirical", "model", "covariance"] = "empirical",
        out: Matrix | None = None,
    ) -> Matrix:
        """The Fisher matrix of the samples that the objective sums over, (n, n)."""
        if kind not in _FISHER:
            message = f'kind must be "empirical", "model" or "covariance", found {kind!r}'
            raise data_error(message, nearest(str(kind), _FISHER))
        return self._function(_FISHER[kind])(p, out=out)

    def eval(self, name: str, p: Any, *, out: NDArray[Any] | None = None) -> Any:
        """The value of a parameter, of data or of a compiled definition: a float, or an array."""
        if name in self._layout.shapes:
            return handed_out([self.unpack(p)[name]], out)[0]
        if name in self._bound.arrays:
            array = self._bound.arrays[name]
            return handed_out([array.copy() if array.ndim else array.item()], out)[0]
        if name not in self._loss.definitions:
            known = f"the definitions are {', '.join(self._loss.definitions)}"
            help = nearest(name, self._loss.definitions) or known
            raise data_error(f"there is no definition `{name}`", help)
        entry = next((entry for entry in self._loss.functions if entry.of == name), None)
        if entry is None:
            raise self._not_compiled(name)
        return self._of_entry(entry)(p, out=out)

    # ── what is compiled ─────────────────────────────────────────────────────────────────────

    def _function(self, name: str) -> Function:
        """A function of the loss."""
        function = self._functions.get(name)
        if function is None:
            if name not in self._compiled:
                raise self._not_compiled(name)
            function = self._of_entry(self._compiled[name])
        return function

    def _of_entry(self, entry: Entry) -> Function:
        """A function, made when it is first called."""
        if entry.name not in self._functions:
            self._functions[entry.name] = self._made(entry, self._bound.dims)
        return self._functions[entry.name]

    def _made(self, entry: Entry, dims: Mapping[str, int]) -> Function:
        return Function(self._native, entry, dims, self._loss.dtype)

    def _computed(self, bound: Bound, data: Data) -> NDArray[Any]:
        """The default of data, from the data before it."""
        self._native.give(bound)
        (entry,) = (entry for entry in self._loss.setups if entry.name == data.default)
        return self._made(entry, bound.dims)()

    def _not_compiled(self, name: str) -> SymoptError:
        if name in _THROUGH_CUT and not self._loss.cut:
            return DerivativeUnavailable(str(_NO_CUT))
        compiled = [entry.of or entry.name for entry in self._loss.functions]
        message = f"`{name}` is not compiled: there is {', '.join(compiled) or 'nothing'}"
        command = f"`symopt compile {self._loss.program} --functions {','.join([*compiled, name])}`"
        return NotCompiled(str(Mistake(message, help=f"compile it, too: {command}")))


_FISHER = {"empirical": "fisher", "model": "fisher_model", "covariance": "fisher_covariance"}
_NO_CUT = Mistake(
    "this needs the model's outputs, and the program does not say what they are",
    help="mark them: `model z = ...`, or `residual r[i] = ...`",
)


# ── binding ──────────────────────────────────────────────────────────────────────────────────────


def bind_problem(
    loss: Specification, load: Callable[[], Any], data: Any, given: Mapping[str, Any]
) -> Problem:
    """The problem that a loss and some data make: a mapping or a frame, and keywords."""
    known = {*(one.name for one in loss.data), *(dim.name for dim in loss.dims)}
    options = {n: given[n] for n in ("dtype", "threads") if n in given and n not in known}
    arrays, sizes = sorted_names(loss, data, {n: given[n] for n in given if n not in options})
    if options.get("threads", 1) != 1:
        found = options["threads"]
        only = f"threads={found!r} is not supported by this version: it has only threads=1"
        raise data_error(only)
    _check_dtype(loss, options.get("dtype", loss.dtype))
    with refusing_zero_divisors():
        return Problem(loss, load(), arrays, sizes)


def sorted_names(
    loss: Specification, data: Any, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, int]]:
    """Arrays and sizes by name, from a mapping or frame and keywords."""
    dims = {dim.name for dim in loss.dims}
    everything: dict[str, Any] = {}
    if data is not None:
        columns = data if isinstance(data, Mapping) else getattr(data, "columns", None)
        if columns is None:
            found = type(data).__name__
            message = f"data must be a mapping of arrays by name or a data frame, found {found}"
            raise data_error(message, "give arrays by name: bind(x=x, y=y)")
        frame = columns is not data
        names = [str(name) for name in columns]
        # A frame may well have columns that this loss does not need.
        known = {*dims, *(one.name for one in loss.data)}
        everything = {name: data[name] for name in names if not frame or name in known}
    everything |= given
    arrays = {name: value for name, value in everything.items() if name not in dims}
    sizes = {name: value for name, value in everything.items() if name in dims}
    return arrays, {name: whole_size(name, value) for name, value in sizes.items()}


def _check_dtype(loss: Specification, dtype: Any) -> None:
    try:
        name = np.dtype(dtype).name if dtype is not None else "None"
    except TypeError:
        name = str(dtype)
    if name not in ("float64", "float32"):
        shown = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
        supported = "it can be 'float64' or 'float32'"
        raise data_error(f"dtype={shown!r} is not supported: {supported}")
    if name != loss.dtype:
        help = f"compile again: `symopt compile {loss.program} --dtype {name}`"
        raise data_error(f"this loss is compiled for {loss.dtype}, not for {name}", help)
