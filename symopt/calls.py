"""The functions of a problem: which there are, and what they take and return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symopt.conversion import (
    WIDTH,
    Function,
    Product,
    converted,
    handed_out,
    rounded,
    run,
    vector,
)
from symopt.derive.functions import patches, sparsity
from symopt.kernels import Kernels, Key
from symopt.native.function import NativeFunction
from symopt.wrt import Names, Wrt

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from symopt.sparse import Pattern

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and returns.

    The axes of a result are n, what derivatives are by, m, the entries of the cut, and e, those of
    a sparse matrix; a number has none.
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
    "hess_sparse": Signature(("p",), ("e",)),
    "residuals": Signature(("p",), ("m",), through_cut=True, derivative=False),
    "jac": Signature(("p",), ("mn",), through_cut=True),
    "jac_sparse": Signature(("p",), ("e",), through_cut=True),
    "residuals_and_jac": Signature(("p",), ("m", "mn"), through_cut=True),
    "residuals_and_jac_sparse": Signature(("p",), ("m", "e"), through_cut=True),
    "jvp": Signature(("p", "v"), ("m",), through_cut=True),
    "vjp": Signature(("p", "u"), ("n",), through_cut=True),
    "gauss_newton": Signature(("p",), ("nn", "n"), through_cut=True, symmetric=True),
    "gauss_newton_sparse": Signature(("p",), ("e",), through_cut=True),
    "gnvp": Signature(("p", "v"), ("n",), through_cut=True),
    "fisher": Signature(("p",), ("nn",), symmetric=True),
    "fisher_covariance": Signature(("p",), ("nn",), symmetric=True),
    "fisher_model": Signature(("p",), ("nn",), through_cut=True, symmetric=True),
}


class Calls:
    """The functions of a model bound to data, each compiled when it is first asked for."""

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels
        self._made: dict[Key, Function] = {}
        self._functions: dict[Key, Callable[..., Any]] = {}
        self._definitions: dict[str, NativeFunction] = {}
        self._patterns: dict[Key, Pattern] = {}

    def forget_entries(self) -> None:
        """Forget what depends on the entries of integer data, which may change now."""
        self._patterns.clear()

    def _function(self, name: str, of: str | None = None, wrt: Wrt = None) -> Callable[..., Any]:
        """The function `name`, of the cut or of definition `of`: of its inputs, and `out=`."""
        names = None if wrt is None else self.kernels.names(wrt)
        key = name, of, names
        function = self._functions.get(key)
        if function is None:
            made, kernels, inputs = self._make(*key), self.kernels, SIGNATURES[name].inputs
            slowly = made.slowly
            if len(inputs) > 1:
                slowly = Product(made, lambda: kernels.native(key, inputs, WIDTH)).slowly
            function = self._functions[key] = made.built_in(slowly) or slowly
        return function

    def method(self, like: FunctionType) -> Callable[..., Any] | None:
        """The built-in method that does what a method of Problem says; None where that cannot be.

        Its fallback is `like`, as if that were a method of this object: it sorts the arguments,
        with Python's own errors, and calls `_function`. Were it bound to the problem, which has
        the built-in method, neither would go away before a garbage collection.
        """
        return self._make(like.__name__, None, None).built_in(MethodType(like, self))

    def sparse(
        self, name: str, p: Any, of: str | None, wrt: Wrt, out: csr_array | None
    ) -> csr_array:
        """A function whose result is a CSR array; `out` is an earlier one."""
        pattern = self._pattern(name, of, wrt)
        room = pattern.room(out, self.kernels.bound.dtype)
        values = self._function(name, of, wrt)(p, out=room)
        return pattern.matrix(values, out)

    def residuals_and_jac_sparse(
        self, p: Any, of: str | None, wrt: Wrt, out: tuple[Vector, csr_array] | None
    ) -> tuple[Vector, csr_array]:
        """The cut, or definition `of`, and its Jacobian as `jac_sparse`, in one pass."""
        pattern = self._pattern("jac_sparse", of, wrt)
        function = self._function("residuals_and_jac_sparse", of, wrt)
        residuals, matrix = out or (None, None)
        room = pattern.room(matrix, self.kernels.bound.dtype)
        if room is not None:
            residuals, values = function(p, out=(residuals, room))
        else:
            found, values = function(p)
            residuals = handed_out((found,), residuals, fresh=True)
        return residuals, pattern.matrix(values, matrix)

    def gauss_newton_entries(self) -> int:
        """How many entries the Gauss-Newton matrix can have other than 0, without computing it.

        That of a Jacobian with m rows of w entries has at most m w². Where this says nothing, its
        own patches do, unless one row alone fills a quarter of it: they take longer to find.
        """
        from symopt.sparse import count_of_entries, count_of_patches  # of sparse matrices only

        kernels, task, dims = self.kernels, self.kernels.model.stages.task, self.kernels.bound.dims
        full = kernels.unknowns(None).size ** 2
        rows = count_of_entries(sparsity(task), kernels.cut(None), dims)
        total = sum(count * width**2 for count, width in rows)
        if 4 * total <= full:
            return total
        if any(count and 4 * width**2 >= full for count, width in rows):
            return full
        return min(total, full, count_of_patches(patches(task, "gauss_newton_sparse"), dims))

    def evaluate(self, name: str, p: Any, out: NDArray[Any] | None = None) -> Any:
        """The value of a definition: a float, or an array of its shape."""
        native = self._definitions.get(name)
        if native is None:
            self.kernels.check_definition(name)
            native = self._definitions[name] = self.kernels.native((name, None, None), ("p",))
        arrays = converted(native, (p,))
        with native.lock:
            run(native, arrays)
            return handed_out((native.parts[name],), out)

    def checked(self, p: Any) -> Vector:
        """The flat vector as an array of reals; a DataError if it has another shape."""
        return rounded(vector("p", p, self.kernels.layout.size), self.kernels.bound.dtype)

    # ── making functions ─────────────────────────────────────────────────────────────────────

    def _make(self, name: str, of: str | None, wrt: Names) -> Function:
        function = self._made.get((name, of, wrt))
        if function is None:
            signature = SIGNATURES[name]
            extents = {"n": self.kernels.unknowns(wrt).size}
            if signature.through_cut:
                extents["m"] = self.kernels.cut(of).size
            if signature.derivative:
                self.kernels.check_reached(of, wrt)
            native = self.kernels.native((name, of, wrt), signature.inputs)
            extents["e"] = sum(native.sizes) - (extents["m"] if "m" in signature.results else 0)
            shapes = [tuple(extents[axis] for axis in axes) for axes in signature.results]
            function = Function(native, shapes, signature.symmetric)
            self._made[name, of, wrt] = function
        return function

    def _pattern(self, name: str, of: str | None, wrt: Wrt) -> Pattern:
        """Where the entries of a sparse matrix are: the same at every point."""
        from symopt.sparse import pattern_of, symmetric_pattern_of  # of sparse matrices only

        kernels, names = self.kernels, self.kernels.names(wrt)
        found = self._patterns.get((name, of, names))
        if found is None:
            task, columns = kernels.model.stages.task.by(names, of), kernels.unknowns(names)
            dims, arrays = kernels.bound.dims, kernels.bound.arrays
            if name == "jac_sparse":
                found = pattern_of(sparsity(task), kernels.cut(of), columns, dims, arrays)
            else:
                found = symmetric_pattern_of(patches(task, name), columns, dims, arrays)
            self._patterns[name, of, names] = found
        return found
