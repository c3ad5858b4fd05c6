"""Calling the functions of a problem: which there are, how they are compiled, bound and called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symopt.binding import Bound
from symopt.derive.functions import direction, sparsity, unreached, weight
from symopt.diagnostics import DataError, DerivativeUnavailable, Diagnostic, Kind, Label
from symopt.layout import Layout
from symopt.native.function import NativeFunction, aligned_zeros
from symopt.typed.program import Param
from symopt.types import evaluate

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from symopt.model import Model
    from symopt.sparse import Pattern

Vector = NDArray[np.float64]
Shape = tuple[int, ...]
_Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and returns.

    The axes of a result are n, the unknowns, m, the entries of the cut, and e, the values of a
    sparse Jacobian; a number has none.
    """

    inputs: tuple[str, ...]  # p, a direction v, weights u of the cut
    results: tuple[str, ...]
    through_cut: bool = False
    derivative: bool = True
    symmetric: bool = False  # of the first result, only the lower triangle is computed


SIGNATURES = {
    "value": Signature(("p",), ("",), derivative=False),
    "grad": Signature(("p",), ("n",)),
    "value_and_grad": Signature(("p",), ("", "n")),
    "hvp": Signature(("p", "v"), ("n",)),
    "hess": Signature(("p",), ("nn",)),
    "residuals": Signature(("p",), ("m",), through_cut=True, derivative=False),
    "jac": Signature(("p",), ("mn",), through_cut=True),
    "jac_sparse": Signature(("p",), ("e",), through_cut=True),
    "residuals_and_jac": Signature(("p",), ("m", "mn"), through_cut=True),
    "residuals_and_jac_sparse": Signature(("p",), ("m", "e"), through_cut=True),
    "jvp": Signature(("p", "v"), ("m",), through_cut=True),
    "vjp": Signature(("p", "u"), ("n",), through_cut=True),
    "gauss_newton": Signature(("p",), ("nn", "n"), through_cut=True, symmetric=True),
    "gnvp": Signature(("p", "v"), ("n",), through_cut=True),
}
# The tensors that are the parts of each input, by the names of what they belong to.
_PART_OF: Mapping[str, Callable[[str], str]] = {
    "p": lambda name: name,
    "v": direction,
    "u": weight,
}


class Calls:
    """The functions of a model bound to data, each compiled when it is first asked for."""

    def __init__(self, model: Model, bound: Bound, layout: Layout) -> None:
        self._model = model
        self._bound = bound
        self._layout = layout
        self._made: dict[_Key, _Function] = {}
        self._functions: dict[_Key, Callable[..., Any]] = {}
        self._definitions: dict[str, NativeFunction] = {}
        self._patterns: dict[str | None, Pattern] = {}

    def _function(self, name: str, of: str | None = None) -> Callable[..., Any]:
        """The function `name`, of the cut or of definition `of`: of its inputs, and `out=`."""
        function = self._functions.get((name, of))
        if function is None:
            made = self._make(name, of)
            function = made.built_in(made.slowly) or made.slowly
            self._functions[name, of] = function
        return function

    def method(self, like: FunctionType) -> Callable[..., Any] | None:
        """The built-in method that does what a method of Problem says; None where that cannot be.

        Its fallback is `like`, as if that were a method of this object: it sorts the arguments,
        with Python's own errors, and calls `_function`. Were it bound to the problem, which has
        the built-in method, neither would go away before a garbage collection.
        """
        return self._make(like.__name__, None).built_in(MethodType(like, self))

    def jac_sparse(self, p: Any, of: str | None, out: csr_array | None) -> csr_array:
        """The Jacobian as a CSR array; `out` is an earlier one."""
        pattern = self._pattern(of)
        values = self._function("jac_sparse", of)(p, out=pattern.room(out))
        return pattern.matrix(values, out)

    def residuals_and_jac_sparse(
        self, p: Any, of: str | None, out: tuple[Vector, csr_array] | None
    ) -> tuple[Vector, csr_array]:
        """The cut, or definition `of`, and its Jacobian as `jac_sparse`, in one pass."""
        pattern, function = self._pattern(of), self._function("residuals_and_jac_sparse", of)
        residuals, matrix = out or (None, None)
        room = pattern.room(matrix)
        if room is not None:
            residuals, values = function(p, out=(residuals, room))
        else:
            found, values = function(p)
            residuals = _handed_out((found,), residuals)
        return residuals, pattern.matrix(values, matrix)

    def evaluate(self, name: str, p: Any) -> Any:
        """The value of a definition: a float, or an array of its shape."""
        self._check_definition(name)
        native = self._definitions.get(name)
        if native is None:
            native = self._definitions[name] = self._native(name, None, ("p",))
        arrays = _converted(native, (p,))
        with native.lock:
            _run(native, arrays)
            value = native.parts[name]
            return value.copy() if value.ndim else value.item()

    def checked(self, p: Any) -> Vector:
        """The flat vector as an array of doubles; a DataError if it has another shape."""
        vector = np.asarray(p, dtype=np.float64)
        if vector.shape != (self._layout.size,):
            raise DataError(wrong_vector("p", self._layout.size, vector.shape))
        return vector

    # ── making functions ─────────────────────────────────────────────────────────────────────

    def _make(self, name: str, of: str | None) -> _Function:
        function = self._made.get((name, of))
        if function is None:
            signature = SIGNATURES[name]
            extents = {"n": self._layout.size}
            if signature.through_cut:
                extents["m"] = self._cut(of).size
            if signature.derivative:
                self._check_reached(of)
            native = self._native(name, of, signature.inputs)
            extents["e"] = sum(native.sizes) - (extents["m"] if "m" in signature.results else 0)
            shapes = [tuple(extents[axis] for axis in axes) for axes in signature.results]
            function = self._made[name, of] = _Function(native, shapes, signature.symmetric)
        return function

    def _native(self, name: str, of: str | None, names: tuple[str, ...]) -> NativeFunction:
        bound = self._bound
        fixed = self._model.fixed_by(bound.dims, bound.arrays)
        compiled = self._model.compiled(name, of, fixed)
        inputs: dict[str, Vector] = {}
        flat: dict[str, NDArray[Any]] = {}
        for key in names:
            layout = self._cut(of) if key == "u" else self._layout
            inputs[key] = aligned_zeros(layout.size)[: layout.size]
            rename = _PART_OF[key]
            flat |= {rename(part): a for part, a in layout.arrays(inputs[key]).items()}
        return NativeFunction(
            compiled.kernel, compiled.library, bound.dims, bound.arrays, flat, inputs
        )

    def _pattern(self, of: str | None) -> Pattern:
        """Where the entries of a sparse Jacobian are: the same at every point."""
        from symopt.sparse import pattern_of  # of Jacobians only

        found = self._patterns.get(of)
        if found is None:
            rows, task = self._cut(of), self._model.stages.task
            columns = sparsity(task if of is None else replace(task, cut=(of,)))
            bound = self._bound
            found = pattern_of(columns, rows, self._layout, bound.dims, bound.arrays)
            self._patterns[of] = found
        return found

    def _cut(self, of: str | None) -> Layout:
        """The tensors that residuals and Jacobians are of, one after another."""
        task = self._model.stages.task
        if of is not None:
            self._check_definition(of)
        elif not task.cut:
            raise DerivativeUnavailable(_no_cut())
        names = task.cut if of is None else (of,)
        return Layout({name: self._shape(task.program.tensors[name].shape) for name in names})

    def _shape(self, shape: tuple[Any, ...]) -> Shape:
        return tuple(max(int(evaluate(size, self._bound.dims, {}, {})), 0) for size in shape)

    def _check_definition(self, name: str) -> None:
        from symopt.typed.errors import nearest

        known = self._model.definitions
        if name not in known:
            raise DataError(
                Diagnostic(
                    Kind.DATA,
                    "unknown-definition",
                    f"there is no definition `{name}`",
                    help=nearest(name, known) or f"the definitions are {', '.join(known)}",
                )
            )

    def _check_reached(self, of: str | None) -> None:
        missing = unreached(self._model.stages.task, of)
        if missing:
            params = self._model.params
            what = "the objective" if of is None else f"`{of}`"
            raise DerivativeUnavailable(*(_no_derivative(params[name], what) for name in missing))


class _Function:
    """A function bound to data, and the parts of its result that are returned."""

    def __init__(self, native: NativeFunction, shapes: Sequence[Shape], symmetric: bool) -> None:
        self._native = native
        self._shapes = shapes
        self._symmetric = symmetric
        ends = np.cumsum([prod(shape) for shape in shapes])
        self._parts = tuple(
            native.result[end - prod(shape) : end].reshape(shape)
            for shape, end in zip(shapes, ends, strict=True)
        )

    def slowly(self, *given: Any, out: Any = None) -> Any:
        """The results for anything that NumPy converts, by way of vectors of our own."""
        arrays = _converted(self._native, given)  # which may call anything, even this function
        with self._native.lock:
            _run(self._native, arrays)
            parts = self._parts
            if self._symmetric:
                lower, *others = parts
                parts = (np.tril(lower) + np.tril(lower, -1).T, *others)
            return _handed_out(parts, out)

    def built_in(self, fallback: MethodType) -> Callable[..., Any] | None:
        """The function that uses arrays as they are, or falls back; None where it cannot be."""
        return self._native.method(self._shapes, fallback, symmetric=self._symmetric)


def _converted(native: NativeFunction, given: tuple[Any, ...]) -> list[Vector]:
    arrays = [np.asarray(value, dtype=np.float64) for value in given]
    for (name, vector), array in zip(native.inputs.items(), arrays, strict=True):
        if array.shape != vector.shape:
            raise DataError(wrong_vector(name, len(vector), array.shape))
    return arrays


def _run(native: NativeFunction, arrays: list[Vector]) -> None:
    for vector, array in zip(native.inputs.values(), arrays, strict=True):
        vector[...] = array
    native.run()


def _handed_out(parts: tuple[NDArray[Any], ...], out: Any) -> Any:
    """Floats and arrays as the caller wants them: in arrays of its own, or in fresh ones."""
    arrays = [part for part in parts if part.ndim]
    taken: list[Any] = [array.copy() for array in arrays] if out is None else [out]
    if out is not None:
        if len(arrays) > 1 and isinstance(out, (tuple, list)):
            taken = list(out)
        if len(taken) != len(arrays) or not all(map(_fits, arrays, taken)):
            raise DataError(_wrong_out(arrays, taken))
        for array, target in zip(arrays, taken, strict=True):
            np.copyto(target, array)
    following = iter(taken)
    results = tuple(next(following) if part.ndim else part.item() for part in parts)
    first, *others = results
    return results if others else first


def _fits(array: NDArray[Any], out: Any) -> bool:
    return (
        isinstance(out, np.ndarray)
        and out.shape == array.shape
        and out.dtype == array.dtype
        and out.flags.writeable
    )


# ── diagnostics ──────────────────────────────────────────────────────────────────────────────────


def _wrong_out(arrays: Sequence[NDArray[Any]], out: list[Any]) -> Diagnostic:
    wanted = " and ".join(f"an array of float64 with shape {array.shape}" for array in arrays)
    return Diagnostic(
        Kind.DATA,
        "wrong-shape",
        f"out must be {wanted}, found {' and '.join(map(_described, out)) or 'nothing'}",
    )


def _described(out: Any) -> str:
    if not isinstance(out, np.ndarray):
        return type(out).__name__
    what = f"{out.dtype} with shape {out.shape}"
    return what if out.flags.writeable else f"{what}, read-only"


def wrong_vector(name: str, size: int, found: tuple[int, ...]) -> Diagnostic:
    """A flat vector of another shape."""
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
